/* Data sets from files: tables, IDX, NumPy, folders of images, text; the examples; what is damaged is refused with its place. In memory: data_test.c. */
#include "io/support.h"
#include "base/memory.h"
#include "base/work.h"
#include <golgi/data.h>
#include <locale.h>
#include <math.h>

static gg_data *open_data(const char *path, gg_data_options o)
{
    gg_data *d = NULL;
    assert_ok(gg_data_open(&d, ctx, path, &o));
    return d;
}

static void refused(const char *path, gg_data_options o, gg_status want, const char *part)
{
    gg_data *d = NULL;
    const gg_status s = gg_data_open(&d, ctx, path, &o);
    if (s != want)
        fail_msg("%s instead of %s (%s)", gg_status_name(s), gg_status_name(want), s == GG_OK ? "" : gg_message(ctx));
    assert_null(d);
    expect_message(part);
}

static void refused_text(const char *text, gg_data_options o, gg_status want, const char *part) { refused(write_text_file("bad.csv", text), o, want, part); }

static void assert_row(const gg_data *d, int64_t i, const float *want, int64_t n, const gg_scaler *s)
{
    float row[64];
    assert_ok(gg_data_read(row, d, &i, 1, s));
    for (int64_t k = 0; k < n; k++)
        if (row[k] != want[k] && !(isnan(row[k]) && isnan(want[k])))
            fail_msg("sample %d, number %d is %g, not %g", (int)i, (int)k, (double)row[k], (double)want[k]);
}

static int32_t label_of(const gg_data *d, int64_t i)
{
    int32_t y = -1;
    assert_ok(gg_data_labels(&y, d, &i, 1));
    return y;
}

/* --- tables ---------------------------------------------------------------------------------------------------------------------------------- */
static void the_examples_are_what_they_are(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int64_t n, width, n_classes, count[3];
        const char *first, *last;
    } tables[] = {{"examples/train/iris.csv", 150, 4, 3, {50, 50, 50}, "setosa", "virginica"},
                  {"examples/train/wine.csv", 178, 13, 3, {59, 71, 48}, "class_0", "class_2"},
                  {"examples/train/breast_cancer.csv", 569, 30, 2, {357, 212}, "benign", "malignant"},
                  {"examples/train/digits.csv", 1797, 64, 10, {178, 182, 177}, "0", "9"}};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        gg_data *d = open_data(tables[i].path, (gg_data_options){.target = GG_TARGET_CLASS});
        const gg_data_description *a = gg_data_describe(d);
        int64_t count[10];
        assert_true(a->n == tables[i].n && a->sample.n == 1 && a->sample.d[0] == tables[i].width && a->n_classes == tables[i].n_classes);
        assert_string_equal(a->class_name[0], tables[i].first);
        assert_string_equal(a->class_name[a->n_classes - 1], tables[i].last);
        assert_ok(gg_data_class_counts(count, d));
        for (int k = 0; k < 3 && k < a->n_classes; k++)
            assert_int_equal(count[k], tables[i].count[k]);
        gg_scaler *s = NULL; /* digits have pixels that are never anything but 0 */
        assert_ok(gg_scaler_fit(&s, d, GG_SCALE_STANDARD));
        gg_scaler_free(s);
        gg_data_free(d);
    }
    gg_data *d = open_data("examples/train/iris.csv", (gg_data_options){0});
    assert_row(d, 0, (const float[]){5.1f, 3.5f, 1.4f, 0.2f}, 4, NULL);
    assert_string_equal(gg_data_describe(d)->feature_name[2], "petal_length");
    gg_data_free(d);
}

static void columns_are_found_by_name_and_by_number(void **state)
{
    (void)state;
    const char *path = write_text_file("t.csv", "id,a,y,b\n7,1,u,10\n8,2,v,20\n9,3,u,30\n");
    static const char *const names[] = {"y", "3", "-2"};
    const char *const ids[] = {"id"};
    for (int i = 0; i < 3; i++) {
        gg_data *d = open_data(path, (gg_data_options){.target_column = names[i], .ignore = ids, .n_ignore = 1});
        assert_true(gg_data_describe(d)->n_classes == 2 && label_of(d, 1) == 1 && label_of(d, 2) == 0);
        assert_row(d, 2, (const float[]){3, 30}, 2, NULL);
        gg_data_free(d);
    }
    gg_data *d = open_data(path, (gg_data_options){.group_column = "y"}); /* the last is the target, and a number */
    float v;
    assert_true(gg_data_describe(d)->target == GG_TARGET_VALUE && gg_data_describe(d)->groups);
    assert_ok(gg_data_values(&v, d, (const int64_t[]){1}, 1));
    assert_true(v == 20 && gg_data_group(d, 0) == 0 && gg_data_group(d, 1) == 1 && gg_data_group(d, 2) == 0);
    assert_row(d, 1, (const float[]){8, 2}, 2, NULL);
    gg_data_free(d);
    d = open_data(path, (gg_data_options){.target = GG_TARGET_NONE, .ignore = (const char *const[]){"y"}, .n_ignore = 1});
    assert_row(d, 0, (const float[]){7, 1, 10}, 3, NULL);
    gg_data_free(d);
    refused(path, (gg_data_options){.target_column = "z"}, GG_ENOENT, "no column \"z\" for the target; there are id, a, y, b");
    refused(path, (gg_data_options){.target_column = "5"}, GG_ENOENT, "no column \"5\"");
    refused(path, (gg_data_options){.target_column = "y", .group_column = "y"}, GG_EINVAL, "both target and group");
}

static void a_table_without_names_is_read_from_its_first_line(void **state)
{
    (void)state;
    const char *path = write_text_file("bare.tsv", "1.5\t2\tred\n3\t4\tblue\n");
    gg_data *d = open_data(path, (gg_data_options){.no_header = true});
    assert_int_equal(gg_data_describe(d)->n, 2);
    assert_row(d, 0, (const float[]){1.5f, 2}, 2, NULL);
    assert_string_equal(gg_data_describe(d)->feature_name[1], "2");
    assert_true(label_of(d, 0) == 1 && label_of(d, 1) == 0);
    gg_data_free(d);
    refused_text("1.5,2,0\n3,4,1\n", (gg_data_options){0}, GG_EFORMAT, "say that there is no header");
    d = open_data(write_text_file("pandas.csv", "0,1,2\n5,6,7\n"), (gg_data_options){0}); /* names that are numbers, counted */
    assert_int_equal(gg_data_describe(d)->n, 1);
    gg_data_free(d);
    refused(write_text_file("ragged.csv", "1,2\n3,4,5\n"), (gg_data_options){.no_header = true}, GG_EFORMAT,
            "ragged.csv:2: 3 values, but the first line has 2 columns");
}

static void the_order_of_the_rows_decides_no_category(void **state)
{
    (void)state;
    gg_data *a = open_data(write_text_file("a.csv", "size,colour,y\n1,red,10\n2,blue,9\n3,green,10\n4,red,2\n"), (gg_data_options){.target = GG_TARGET_CLASS});
    gg_data *b = open_data(write_text_file("b.csv", "size,colour,y\n4,red,2\n3,green,10\n2,blue,9\n1,red,10\n"), (gg_data_options){.target = GG_TARGET_CLASS});
    for (int k = 0; k < 2; k++) {
        const gg_data_description *d = gg_data_describe(k ? b : a);
        assert_string_equal(d->feature_name[1], "colour=blue");
        assert_string_equal(d->feature_name[3], "colour=red");
        assert_string_equal(d->class_name[0], "2"); /* by size, not by bytes */
        assert_string_equal(d->class_name[2], "10");
    }
    assert_row(a, 0, (const float[]){1, 0, 0, 1}, 4, NULL);
    assert_row(b, 2, (const float[]){2, 1, 0, 0}, 4, NULL);
    assert_true(label_of(a, 0) == 2 && label_of(b, 3) == 2 && label_of(b, 0) == 0);
    gg_data_free(a);
    gg_data_free(b);
}

static void missing_values_are_told_or_filled_from_the_training_part(void **state)
{
    (void)state;
    const char *text = "a,c,y\n1,u,0\n,u,0\n3,?,1\nNA,v,1\n100,v,1\n";
    const char *path = write_text_file("m.csv", text);
    refused(path, (gg_data_options){.target = GG_TARGET_CLASS}, GG_EFORMAT, "m.csv:3: column \"a\" has no value");
    gg_data *d = open_data(path, (gg_data_options){.target = GG_TARGET_CLASS, .missing_mean = true}), *train = NULL;
    float row[3];
    gg_scaler *s = NULL;
    assert_true(gg_data_describe(d)->missing);
    assert_int_equal(gg_data_read(row, d, NULL, 1, NULL), GG_EMISMATCH);
    assert_ok(gg_data_subset(&train, d, (const int64_t[]){0, 1, 2, 3}, 4)); /* 100 is not seen */
    assert_ok(gg_scaler_fit(&s, train, GG_SCALE_NONE));
    assert_row(d, 1, (const float[]){2, 1, 0}, 3, s); /* the mean of 1 and 3 */
    assert_row(d, 2, (const float[]){3, (float)(2 / 3.0), (float)(1 / 3.0)}, 3, s); /* the shares of u and v */
    gg_scaler_free(s);
    assert_ok(gg_scaler_fit(&s, train, GG_SCALE_STANDARD));
    assert_row(d, 3, (const float[]){0, -1 / sqrtf(2.0f / 9) / 1.5f, 1 / sqrtf(2.0f / 9) / 1.5f}, 1, s); /* the mean is 0 */
    gg_scaler_free(s);
    gg_data_free(train);
    gg_data_free(d);
    refused_text("a,y\n1,\n", (gg_data_options){.target = GG_TARGET_CLASS, .missing_mean = true}, GG_EFORMAT, "bad.csv:2: column \"y\" has no value");
    d = open_data(write_text_file("void.csv", "a,y\n,1\n,2\n"), (gg_data_options){.missing_mean = true});
    assert_int_equal(gg_scaler_fit(&s, d, GG_SCALE_NONE), GG_EINVAL);
    expect_message("feature 0: a has no number that is not missing");
    gg_data_free(d);
}

static void a_table_is_the_same_in_every_format(void **state)
{
    (void)state;
    static const char *const names[] = {"t.csv", "t.jsonl.gz", "t.parquet"};
    float want[4];
    for (int k = 0; k < (gg_rows_parquet() ? 3 : 2); k++) {
        const char *path = at(names[k]);
        gg_rows_writer *w = NULL;
        json_t *schema = NULL;
        assert_ok(gg_rows_writer_open(&w, ctx, path));
        for (int i = 0; i < 5; i++) {
            json_t *row = json_pack("{s:f, s:s, s:i, s:s}", "a", i / 3.0, "colour", i % 2 ? "red" : "blue", "b", i - 2, "y", i < 2 ? "no" : "yes");
            assert_ok(gg_rows_writer_add(w, row));
            json_decref(row);
        }
        assert_ok(gg_rows_writer_commit(w));
        gg_data *d = open_data(path, (gg_data_options){0});
        assert_int_equal(gg_data_describe(d)->n, 5);
        for (int i = 0; i < 5; i++) {
            want[0] = (float)(i / 3.0);
            want[1] = (float)(1 - i % 2);
            want[2] = (float)(i % 2);
            want[3] = (float)(i - 2);
            assert_row(d, i, want, 4, NULL);
            assert_int_equal(label_of(d, i), i >= 2);
        }
        assert_ok(gg_data_schema(&schema, d));
        char *text = json_dumps(schema, JSON_COMPACT);
        assert_string_equal(text, "{\"columns\":[{\"name\":\"a\"},{\"name\":\"colour\",\"levels\":[\"blue\",\"red\"]},{\"name\":\"b\"}],"
                                  "\"target\":{\"name\":\"y\"},\"classes\":[\"no\",\"yes\"]}");
        free(text);
        json_decref(schema);
        gg_data_free(d);
    }
    gg_data *d = open_data(write_text_file("j.jsonl", "{\"a\":true,\"b\":1e-3,\"y\":7}\n{\"y\":8,\"a\":false}\n{\"a\":null,\"b\":2,\"y\":9}\n"),
                           (gg_data_options){.missing_mean = true});
    gg_scaler *s = NULL;
    assert_ok(gg_scaler_fit(&s, d, GG_SCALE_NONE));
    assert_row(d, 0, (const float[]){1, 1e-3f}, 2, s);
    assert_row(d, 1, (const float[]){0, (float)((1e-3 + 2) / 2)}, 2, s);
    assert_row(d, 2, (const float[]){0.5f, 2}, 2, s);
    gg_scaler_free(s);
    gg_data_free(d);
    const gg_data_options none = {0};
    refused(at("j.jsonl"), none, GG_EFORMAT, "j.jsonl:2: column \"b\" has no value");
    refused(write_text_file("k.jsonl", "{\"a\":1,\"y\":7}\n{\"a\":1,\"c\":2,\"y\":3}\n"), none, GG_EFORMAT, "k.jsonl:2: column \"c\" is not in the first row");
    refused(write_text_file("l.jsonl", "{\"a\":[1],\"y\":7}\n"), none, GG_EFORMAT, "l.jsonl:1: column \"a\" is a list");
    refused(write_text_file("m.jsonl", ""), none, GG_EFORMAT, "no rows");
    refused(at("l.jsonl"), (gg_data_options){.no_header = true}, GG_EINVAL, "only CSV and TSV");
}

static void what_is_no_table_is_refused_with_its_line(void **state)
{
    (void)state;
    const gg_data_options none = {0}, value = {.target = GG_TARGET_VALUE};
    refused_text("a,y\n1,2\n3\n", none, GG_EFORMAT, "bad.csv:3: 1 values, but the first line names 2 columns");
    refused_text("a,y\n1,2\n3,4,5\n", none, GG_EFORMAT, "bad.csv:3: 3 values");
    refused_text("a,y\n1,2\ninf,4\n", none, GG_ENAN, "bad.csv:3: column \"a\" is \"inf\": not a finite number");
    refused_text("a,y\n1,2\n3,-Infinity\n", none, GG_ENAN, "bad.csv:3: column \"y\"");
    refused_text("a,y\n1e999,2\n", none, GG_ENAN, "not a finite number");
    refused_text("a,y\n1,1e39\n", value, GG_ENAN, "not a finite number"); /* no float32 */
    refused_text("a,y\n1,2\n3,many\n", value, GG_EFORMAT, "bad.csv:3: column \"y\" is \"many\": the target is to be a number");
    refused_text("", none, GG_EFORMAT, "empty");
    refused_text("a,y\n", none, GG_EFORMAT, "no rows");
    refused_text("a,a\n1,2\n", none, GG_EFORMAT, "two columns are named \"a\"");
    refused_text("y\n1\n", none, GG_EINVAL, "no column is left for features");
    refused_text("a,y\n1,\"2\n", none, GG_EFORMAT, "never closed");
    refused(write_bytes("nul.csv", "a,y\n1,u\0v\n", 10), none, GG_EFORMAT, "there is a NUL in it");
    refused(at("absent.csv"), none, GG_ENOENT, "absent.csv");
    refused_text("a,y\n1,2\n", (gg_data_options){.target = GG_TARGET_TOKEN}, GG_EINVAL, "a class or a value");
    gg_data *d = open_data(write_text_file("words.csv", "a,y\ninf,1\nnot,2\n"), none); /* a word among words */
    assert_string_equal(gg_data_describe(d)->feature_name[0], "a=inf");
    gg_data_free(d);
}

/* 17 digits of any double come back as that double; so do the short spellings, whatever the locale has for a point. */
static void numbers_are_read_to_the_bit(void **state)
{
    (void)state;
    enum { MANY = 2000 };
    static double x[MANY];
    char *text = malloc(MANY * 64), *to = text;
    gg_random r = gg_random_of(1, 1);
    to += sprintf(to, "a,y\n");
    for (int i = 0; i < MANY; i++) {
        const uint64_t bits = gg_random_u64(&r) & ~(UINT64_C(1) << 62); /* no infinity */
        memcpy(&x[i], &bits, 8);
        if (i % 2)
            x[i] = (double)(gg_random_below(&r, 2000000) - 1000000) / 1000;
        to += sprintf(to, i % 2 ? "%.3f,1\n" : i % 4 ? "%.17g,2\n" : " %+.17E ,2\n", x[i]);
    }
    const char *path = write_text_file("digits.csv", text);
    free(text);
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8"))
        setlocale(LC_NUMERIC, "C");
    gg_data *d = open_data(path, (gg_data_options){0});
    setlocale(LC_NUMERIC, "C");
    float row;
    for (int64_t i = 0; i < MANY; i++) {
        gg_scaler *s = NULL; /* x - x = 0 exactly, where one digit lost would show */
        gg_data *one = NULL;
        assert_ok(gg_data_subset(&one, d, &i, 1));
        assert_ok(gg_scaler_fit(&s, one, GG_SCALE_STANDARD));
        if (gg_scaler_shift(s)[0] != x[i])
            fail_msg("line %d: %.17g is read as %.17g", (int)i + 2, x[i], gg_scaler_shift(s)[0]);
        assert_ok(gg_data_read(&row, one, NULL, 1, s));
        assert_true(row == 0);
        gg_scaler_free(s);
        gg_data_free(one);
    }
    gg_data_free(d);
}

static void a_schema_fixes_columns_categories_and_classes(void **state)
{
    (void)state;
    gg_data *d = open_data(write_text_file("train.csv", "size,colour,y\n1,red,no\n2,blue,yes\n3,green,no\n"), (gg_data_options){0});
    json_t *schema = NULL;
    assert_ok(gg_data_schema(&schema, d));
    char *text = json_dumps(schema, JSON_COMPACT);
    assert_string_equal(text,
                        "{\"columns\":[{\"name\":\"size\"},{\"name\":\"colour\",\"levels\":[\"blue\",\"green\",\"red\"]}],"
                              "\"target\":{\"name\":\"y\"},\"classes\":[\"no\",\"yes\"]}");
    free(text);
    gg_data_free(d);
    const gg_data_options o = {.schema = schema};
    d = open_data(write_text_file("test.csv", "colour,extra,y,size\nred,5,yes,7\nred,word,yes,8\n"), o); /* only red, only yes, another order */
    assert_row(d, 1, (const float[]){8, 0, 0, 1}, 4, NULL);
    assert_true(gg_data_describe(d)->n_classes == 2 && label_of(d, 0) == 1);
    json_t *again = NULL;
    assert_ok(gg_data_schema(&again, d));
    assert_true(json_equal(schema, again));
    json_decref(again);
    gg_data_free(d);
    d = open_data(at("test.csv"), (gg_data_options){.schema = schema, .target_column = "-1"}); /* the number was that of a column elsewhere */
    assert_true(gg_data_describe(d)->target == GG_TARGET_CLASS && label_of(d, 0) == 1);
    gg_data_free(d);
    d = open_data(write_text_file("new.csv", "colour,size\nblue,7\n"), o); /* nothing known of the target */
    assert_int_equal(gg_data_describe(d)->target, GG_TARGET_NONE);
    assert_row(d, 0, (const float[]){7, 1, 0, 0}, 4, NULL);
    gg_data_free(d);
    refused_text("size,colour\n1,red\n2,pink\n", o, GG_EMISMATCH, "bad.csv:3: column \"colour\" is \"pink\": the model was trained without it");
    refused_text("size,colour,y\n1,red,maybe\n", o, GG_EMISMATCH, "bad.csv:2: column \"y\" is \"maybe\"");
    refused_text("colour,y\nred,no\n", o, GG_EMISMATCH, "no column \"size\", which the model was trained on");
    refused_text("size,colour,y\nbig,red,no\n", o, GG_EFORMAT, "bad.csv:2: column \"size\" is \"big\": expected a number");
    static const char *const bad[] = {"{}", "{\"columns\":[]}", "{\"columns\":[1]}", "{\"columns\":[{\"name\":\"size\"},{\"name\":\"size\"}]}",
                                      "{\"columns\":[{\"name\":\"colour\",\"levels\":[]}]}", "{\"columns\":[{\"name\":\"colour\",\"levels\":[1]}]}",
                                      "{\"columns\":[{\"name\":\"colour\",\"levels\":[\"a\",\"a\"]}]}",
                                      "{\"columns\":[{\"name\":\"size\"}],\"target\":{\"name\":\"size\"}}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *damaged = json_loads(bad[i], 0, NULL);
        assert_non_null(damaged);
        refused_text("size,colour,y\n1,red,no\n", (gg_data_options){.schema = damaged}, GG_EFORMAT, "is damaged");
        json_decref(damaged);
    }
    json_decref(schema);
}

/* --- IDX -------------------------------------------------------------------------------------------------------------------------------------- */
static size_t idx(uint8_t *out, int type, int n_dims, const int *shape, const void *data, size_t n)
{
    size_t at = 0;
    out[at++] = 0;
    out[at++] = 0;
    out[at++] = (uint8_t)type;
    out[at++] = (uint8_t)n_dims;
    for (int d = 0; d < n_dims; d++)
        for (int shift = 24; shift >= 0; shift -= 8)
            out[at++] = (uint8_t)(shape[d] >> shift);
    memcpy(out + at, data, n);
    return at + n;
}

static const uint8_t six_labels[] = {1, 0, 2, 1, 0, 2};

static const char *six_images(uint8_t *pixel)
{
    uint8_t file[200];
    for (int i = 0; i < 6 * 12; i++)
        pixel[i] = (uint8_t)(i * 31);
    write_bytes("t-labels-idx1-ubyte", file, idx(file, 8, 1, (const int[]){6}, six_labels, 6));
    return write_bytes("t-images-idx3-ubyte", file, idx(file, 8, 3, (const int[]){6, 3, 4}, pixel, 72));
}

static void idx_images_come_with_their_labels(void **state)
{
    (void)state;
    uint8_t pixel[72], packed[2000], file[200];
    float want[12];
    const char *path = six_images(pixel);
    for (int k = 0; k < 2; k++) {
        gg_data *d = open_data(path, (gg_data_options){0});
        const gg_data_description *a = gg_data_describe(d);
        assert_true(a->n == 6 && a->sample.n == 3 && a->sample.d[0] == 1 && a->sample.d[1] == 3 && a->sample.d[2] == 4 && a->dtype == GG_U8 &&
                    a->n_classes == 3);
        for (int64_t i = 0; i < 6; i++) {
            for (int j = 0; j < 12; j++)
                want[j] = pixel[12 * i + j];
            assert_row(d, i, want, 12, NULL);
            assert_int_equal(label_of(d, i), six_labels[i]);
        }
        gg_data_free(d);
        /* and the same compressed */
        write_bytes("t-labels-idx1-ubyte.gz", packed, pack_gz(packed, sizeof packed, file, idx(file, 8, 1, (const int[]){6}, six_labels, 6)));
        path = write_bytes("t-images-idx3-ubyte.gz", packed, pack_gz(packed, sizeof packed, file, idx(file, 8, 3, (const int[]){6, 3, 4}, pixel, 72)));
    }
    gg_data *d = open_data(path, (gg_data_options){.labels = at("t-labels-idx1-ubyte"), .n_classes = 5});
    assert_int_equal(gg_data_describe(d)->n_classes, 5);
    assert_int_equal(gg_data_need_classes(d, "it"), GG_EINVAL);
    expect_message("it (6 samples) has no sample of class \"3\", and of others");
    gg_data_free(d);
    d = open_data(path, (gg_data_options){.target = GG_TARGET_NONE});
    assert_int_equal(gg_data_describe(d)->target, GG_TARGET_NONE);
    gg_data_free(d);
}

static void a_schema_names_classes_and_holds_the_shape(void **state)
{
    (void)state;
    uint8_t pixel[72], file[200];
    json_t *schema = NULL;
    const char *path = six_images(pixel);
    gg_data *d = open_data(path, (gg_data_options){0});
    assert_ok(gg_data_schema(&schema, d));
    char *text = json_dumps(schema, JSON_COMPACT);
    assert_string_equal(text, "{\"sample\":[1,3,4],\"classes\":[\"0\",\"1\",\"2\"]}");
    free(text);
    gg_data_free(d);
    json_array_set_new(json_object_get(schema, "classes"), 1, json_string("boot"));
    d = open_data(path, (gg_data_options){.schema = schema});
    assert_string_equal(gg_data_describe(d)->class_name[1], "boot");
    gg_data_free(d);
    write_bytes("t-images-idx3-ubyte", file, idx(file, 8, 3, (const int[]){6, 4, 3}, pixel, 72));
    refused(path, (gg_data_options){.schema = schema}, GG_EMISMATCH, "t-images-idx3-ubyte: samples are (1, 4, 3), the model was trained on (1, 3, 4)");
    json_array_remove(json_object_get(schema, "classes"), 2);
    six_images(pixel);
    refused(path, (gg_data_options){.schema = schema}, GG_EINVAL, "label 2 is 2, the classes are 0..1");
    json_decref(schema);
}

static void idx_numbers_of_every_type_are_turned(void **state)
{
    (void)state;
    static const struct {
        int type;
        uint8_t bytes[16];
        size_t n;
        float want[2];
    } cases[] = {{0x09, {0xff, 0x7f}, 2, {-1, 127}}, {0x0B, {0xff, 0xfe, 0x01, 0x02}, 4, {-2, 258}},
                 {0x0C, {0xff, 0xff, 0xff, 0xfd, 0, 1, 0, 0}, 8, {-3, 65536}},
                 {0x0D, {0xc0, 0x20, 0, 0, 0x3f, 0x80, 0, 0}, 8, {-2.5f, 1}},
                 {0x0E, {0xc0, 0x04, 0, 0, 0, 0, 0, 0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0}, 16, {-2.5f, 1}}};
    uint8_t file[100];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = write_bytes("n.idx", file, idx(file, cases[i].type, 2, (const int[]){1, 2}, cases[i].bytes, cases[i].n));
        gg_data *d = open_data(path, (gg_data_options){.target = GG_TARGET_NONE});
        assert_row(d, 0, cases[i].want, 2, NULL);
        gg_data_free(d);
    }
    const uint8_t nan[] = {0x3f, 0x80, 0, 0, 0x7f, 0xc0, 0, 0};
    refused(write_bytes("n.idx", file, idx(file, 0x0D, 2, (const int[]){2, 1}, nan, 8)), (gg_data_options){.target = GG_TARGET_NONE}, GG_ENAN,
            "sample 1, feature 0 is not a finite");
}

static void damaged_idx_is_refused_with_its_place(void **state)
{
    (void)state;
    uint8_t pixel[72], file[300], packed[2000];
    const gg_data_options none = {.target = GG_TARGET_NONE};
    six_images(pixel);
    const size_t n = idx(file, 8, 3, (const int[]){6, 3, 4}, pixel, 72);
    gg_data *d = NULL;
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(gg_data_open(&d, ctx, write_bytes("cut", file, cut), &none), GG_EFORMAT);
    expect_message("cut off: its header promises 72 bytes of numbers, there are 71");
    refused(write_bytes("cut", file, 9), none, GG_EFORMAT, "cut off at byte 9, within its header of 16 bytes");
    file[n] = 7;
    refused(write_bytes("long", file, n + 1), none, GG_EFORMAT, "goes on behind byte 88");
    refused(write_bytes("short.gz", packed, pack_gz(packed, sizeof packed, file, n - 5)), none, GG_EFORMAT, "there are 67");
    for (int k = 0; k < 4; k++) { /* magic */
        idx(file, 8, 3, (const int[]){6, 3, 4}, pixel, 72);
        file[k] = k == 3 ? 0 : 0x50;
        refused(write_bytes("magic", file, n), none, GG_EFORMAT, "no IDX file: it begins with");
    }
    refused(write_bytes("dims", file, idx(file, 8, 7, (const int[]){1, 1, 1, 1, 1, 1, 1}, pixel, 1)), none, GG_EUNSUPPORTED, "7 dimensions");
    refused(write_bytes("huge", file, idx(file, 0x0E, 4, (const int[]){-1, -1, -1, -1}, pixel, 8)), none, GG_EFORMAT, "more than 2^63");
    size_t before, peak;
    before = gg_context_bytes(ctx, NULL);
    refused(write_bytes("large", file, idx(file, 8, 3, (const int[]){60000, 5000, 5000}, pixel, 72)), none, GG_EFORMAT, "promises 1500000000000 bytes");
    gg_context_bytes(ctx, &peak);
    assert_true(peak < before + (8 << 20)); /* no memory for what is not there */
    refused(write_bytes("none", file, idx(file, 8, 2, (const int[]){0, 4}, pixel, 0)), none, GG_EFORMAT, "no numbers");
    refused(write_bytes("labels", file, idx(file, 8, 1, (const int[]){6}, six_labels, 6)), none, GG_EMISMATCH, "these are labels");
}

static void labels_that_do_not_fit_their_images_are_refused(void **state)
{
    (void)state;
    uint8_t pixel[72], file[200];
    const char *path = six_images(pixel);
    const char *five = write_bytes("five", file, idx(file, 8, 1, (const int[]){5}, six_labels, 5));
    refused(path, (gg_data_options){.labels = five}, GG_EMISMATCH, "t-images-idx3-ubyte has 6 samples, ");
    const uint8_t large[] = {0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 2};
    refused(path, (gg_data_options){.labels = write_bytes("large", file, idx(file, 0x0c, 1, (const int[]){6}, large, sizeof large))}, GG_EINVAL,
            "label 4 is 2147483647: classes are whole numbers from 0");
    refused(path, (gg_data_options){.n_classes = 2}, GG_EINVAL, "label 2 is 2, the classes are 0..1");
    refused(path, (gg_data_options){.labels = path}, GG_EMISMATCH, "labels are whole numbers of one dimension");
    const uint8_t minus[] = {0, 1, 0xff, 0, 1, 2};
    refused(path, (gg_data_options){.labels = write_bytes("minus", file, idx(file, 9, 1, (const int[]){6}, minus, 6))}, GG_EINVAL, "label 2 is -1");
    refused(path, (gg_data_options){.labels = at("nowhere")}, GG_ENOENT, "nowhere");
    refused(write_bytes("plain", file, idx(file, 8, 2, (const int[]){2, 1}, pixel, 2)), (gg_data_options){0}, GG_EINVAL, "where are its labels?");
    refused(path, (gg_data_options){.target = GG_TARGET_VALUE}, GG_EINVAL, "IDX files have classes");
}

static void fashion_mnist_is_read_as_its_authors_made_it(void **state)
{
    (void)state;
    const char *path = "examples/train/fashion-mnist/t10k-images-idx3-ubyte.gz";
    if (access(path, R_OK) != 0)
        skip(); /* examples/train/fashion_mnist.sh fetches it */
    gg_data *d = open_data(path, (gg_data_options){0});
    int64_t count[10];
    assert_int_equal(gg_data_describe(d)->n, 10000);
    assert_ok(gg_data_class_counts(count, d));
    for (int k = 0; k < 10; k++)
        assert_int_equal(count[k], 1000);
    assert_int_equal(label_of(d, 0), 9); /* an ankle boot */
    gg_data_free(d);
}

/* --- NumPy ------------------------------------------------------------------------------------------------------------------------------------- */
static void arrays_of_numpy_are_samples(void **state)
{
    (void)state;
    const char *path = "tests/golden/data/xy.npz";
    gg_data *d = open_data(path, (gg_data_options){0});
    const int32_t y[] = {2, 0, 1, 2, 0, 1};
    float want[15], v[2];
    for (int64_t i = 0; i < 6; i++) {
        for (int x = 0; x < 15; x++)
            want[x] = (float)((40 * i + 7 * (x / 3) + 80 * (x % 3)) % 256);
        assert_row(d, i, want, 15, NULL);
        assert_int_equal(label_of(d, i), y[i]);
    }
    gg_data_free(d);
    d = open_data(path, (gg_data_options){.y = "v"});
    assert_true(gg_data_describe(d)->target == GG_TARGET_VALUE && gg_data_describe(d)->n_values == 2);
    assert_ok(gg_data_values(v, d, (const int64_t[]){5}, 1));
    assert_true(v[0] == (float)(10 / 11.0) && v[1] == 1);
    gg_data_free(d);
    refused(path, (gg_data_options){.x = "z"}, GG_ENOENT, "z");
    refused(path, (gg_data_options){.y = "v", .target = GG_TARGET_CLASS}, GG_EMISMATCH, "do not belong to the 6 samples");
    refused(path, (gg_data_options){.n_classes = 2}, GG_EINVAL, "label 0 is 2, the classes are 0..1");

    const float x[6] = {1, 2, 3, 4, 5, 6};
    const char *npy = at("x.npy"), *labels = at("y.npy");
    assert_ok(gg_npy_write(ctx, npy, GG_F32, 2, (const int64_t[]){3, 2}, x));
    assert_ok(gg_npy_write(ctx, labels, GG_I64, 1, (const int64_t[]){3}, (const int64_t[]){4, 0, 1}));
    d = open_data(npy, (gg_data_options){.y = labels});
    assert_true(gg_data_describe(d)->n_classes == 5 && label_of(d, 0) == 4);
    gg_data_free(d);
    d = open_data(npy, (gg_data_options){0});
    assert_int_equal(gg_data_describe(d)->target, GG_TARGET_NONE);
    gg_data_free(d);
    assert_ok(gg_npy_write(ctx, labels, GG_I64, 1, (const int64_t[]){2}, (const int64_t[]){4, 0}));
    refused(npy, (gg_data_options){.y = labels}, GG_EMISMATCH, "do not belong to the 3 samples");
    assert_ok(gg_npy_write(ctx, labels, GG_F64, 1, (const int64_t[]){3}, (const double[]){1, 0.5, 0}));
    refused(npy, (gg_data_options){.y = labels, .target = GG_TARGET_CLASS}, GG_EINVAL, "the label of sample 1 is 0.5");
    assert_ok(gg_npy_write(ctx, npy, GG_F32, 2, (const int64_t[]){3, 2}, (const float[]){1, 2, NAN, 4, 5, 6}));
    refused(npy, (gg_data_options){0}, GG_ENAN, "x.npy: sample 1, feature 0 is not a finite number");
}

/* --- images -------------------------------------------------------------------------------------------------------------------------------------- */
static const char *image(const char *folder, const char *name, const void *data, size_t n)
{
    char path[400];
    mkdir(at(folder), 0777);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return write_bytes(path, data, n);
}
static const char *image_text(const char *folder, const char *name, const char *text) { return image(folder, name, text, strlen(text)); }

static void a_folder_is_a_class(void **state)
{
    (void)state;
    mkdir(at("set"), 0777);
    image_text("set/b", "2.pgm", "P2\n# a comment\n3 2 255\n1 2 3 4 5 6\n");
    image("set/b", "1.pgm", "P5 3 2 255\n\0\1\2\3\4\5", 17);
    image_text("set/b", "notes.txt", "no image");
    image_text("set/a-c", "x.pgm", "P2 3 2 3  0 1 2 3 0 1");
    image_text("set/a", "y.PGM", "P2 3 2 255 9 9 9 9 9 9");
    gg_data *d = open_data(at("set"), (gg_data_options){0});
    const gg_data_description *a = gg_data_describe(d);
    assert_true(a->n == 4 && a->n_classes == 3 && a->sample.n == 3 && a->sample.d[0] == 1 && a->sample.d[1] == 2 && a->sample.d[2] == 3);
    assert_string_equal(a->class_name[0], "a");
    assert_string_equal(a->class_name[1], "a-c");
    assert_string_equal(a->class_name[2], "b");
    assert_row(d, 1, (const float[]){0, 85, 170, 255, 0, 85}, 6, NULL); /* of 3, to 255 */
    assert_row(d, 2, (const float[]){0, 1, 2, 3, 4, 5}, 6, NULL);
    assert_row(d, 3, (const float[]){1, 2, 3, 4, 5, 6}, 6, NULL);
    assert_true(label_of(d, 0) == 0 && label_of(d, 3) == 2);
    json_t *schema = NULL;
    assert_ok(gg_data_schema(&schema, d));
    gg_data_free(d);

    mkdir(at("later"), 0777); /* only class b: it stays the third */
    image_text("later/b", "1.pgm", "P2 3 2 255 1 1 1 1 1 1");
    d = open_data(at("later"), (gg_data_options){.schema = schema});
    assert_true(gg_data_describe(d)->n_classes == 3 && label_of(d, 0) == 2);
    gg_data_free(d);
    image_text("later/q", "1.pgm", "P2 3 2 255 1 1 1 1 1 1");
    refused(at("later"), (gg_data_options){.schema = schema}, GG_EMISMATCH, "the folder \"q\" is no class of the schema");
    json_decref(schema);

    image_text("set/a", "z.pgm", "P2 2 3 255 1 2 3 4 5 6");
    refused(at("set"), (gg_data_options){0}, GG_EMISMATCH, "set/a/z.pgm is 2 x 3 with 1 channels, ");
    unlink(at("set/a/z.pgm"));
    image("set/a", "z.ppm", "P6 3 2 255\n012345678901234567", 29);
    refused(at("set"), (gg_data_options){0}, GG_EMISMATCH, "z.ppm is 3 x 2 with 3 channels");
    unlink(at("set/a/z.ppm"));
    mkdir(at("set/void"), 0777);
    refused(at("set"), (gg_data_options){0}, GG_EINVAL, "the class \"void\" has no image");
    mkdir(at("bare"), 0777);
    refused(at("bare"), (gg_data_options){0}, GG_EINVAL, "one folder a class");
}

static void colours_are_planes(void **state)
{
    (void)state;
    mkdir(at("rgb"), 0777);
    image_text("rgb/a", "1.ppm", "P3 2 1 255  1 2 3  4 5 6");
    image("rgb/a", "2.ppm", "P6\n2 1\n255\n\7\10\11\12\13\14", 17);
    gg_data *d = open_data(at("rgb"), (gg_data_options){0});
    assert_int_equal(gg_data_describe(d)->sample.d[0], 3);
    assert_row(d, 0, (const float[]){1, 4, 2, 5, 3, 6}, 6, NULL);
    assert_row(d, 1, (const float[]){7, 10, 8, 11, 9, 12}, 6, NULL);
    gg_data_free(d);
}

static void damaged_images_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
        gg_status status;
    } bad[] = {{"P2 3 2 255 1 2", "bad.pgm: cut off", GG_EFORMAT}, {"P2 3 2 255 1 2 3 4 5 x ", "value 5 of its pixels is missing", GG_EFORMAT},
               {"P2 3 2 15 1 2 3 4 5 16", "is 16: 0..15", GG_EFORMAT}, {"P5 3 2 255\n12345", "cut off: 3 x 2 pixels need 6 bytes", GG_EFORMAT},
               {"P5 3 2 65535\n123456", "8 bits", GG_EUNSUPPORTED},
               {"P5 0 2 255\n", "expected width, height", GG_EFORMAT}, {"P5", "expected width", GG_EFORMAT},
               {"P5 999999 999999 255\n1", "cut off", GG_EFORMAT}, {"P4 3 2 1", "no image that golgi knows", GG_EFORMAT}, {"", "no image", GG_EFORMAT}};
    mkdir(at("broken"), 0777);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        image_text("broken/a", "bad.pgm", bad[i].text);
        refused(at("broken"), (gg_data_options){0}, bad[i].status, bad[i].says);
    }
}

static char *golden_file(size_t *n, const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "tests/golden/data/%s", name);
    FILE *f = fopen(path, "rb");
    char *data = malloc(4096);
    assert_non_null(f);
    *n = fread(data, 1, 4096, f);
    fclose(f);
    return data;
}

static void png_and_jpeg_are_what_pillow_wrote(void **state)
{
    (void)state;
    static const char *const names[] = {"grey.png", "colour.png", "palette.png", "alpha.png", "grey.jpg", "colour.jpg"};
    for (int k = 0; k < 6; k++) {
        size_t n;
        char *data = golden_file(&n, names[k]), folder[32];
        snprintf(folder, sizeof folder, "golden%d", k);
        mkdir(at(folder), 0777);
        snprintf(folder, sizeof folder, "golden%d/a", k);
        image(folder, names[k], data, n);
        snprintf(folder, sizeof folder, "golden%d", k);
        gg_data *d = NULL;
        const gg_status s = gg_data_open(&d, ctx, at(folder), NULL);
        if (s == GG_EUNSUPPORTED && strstr(gg_message(ctx), "built without PNG and JPEG")) {
            free(data);
            skip();
        }
        assert_ok(s);
        const int channels = k == 0 || k == 4 ? 1 : 3;
        float want[3 * 6 * 5];
        for (int i = 0; i < channels * 30; i++)
            want[i] = k < 4 ? (float)((40 * (i / 5 % 6) + 7 * (i % 5) + 80 * (i / 30)) % 256) : channels == 1 ? 100 : (float)(200 >> i / 30);
        assert_int_equal(gg_data_describe(d)->sample.d[0], channels);
        float got[90];
        assert_ok(gg_data_read(got, d, NULL, 1, NULL));
        for (int i = 0; i < channels * 30; i++)
            if (fabsf(got[i] - want[i]) > (k < 4 ? 0 : 1)) /* JPEG: rounding */
                fail_msg("%s: number %d is %g, not %g", names[k], i, (double)got[i], (double)want[i]);
        gg_data_free(d);
        for (size_t cut = 8; cut < n - 16; cut += 7) { /* cut off, never taken for whole */
            snprintf(folder, sizeof folder, "golden%d/a", k);
            image(folder, names[k], data, cut);
            snprintf(folder, sizeof folder, "golden%d", k);
            if (gg_data_open(&d, ctx, at(folder), NULL) != GG_EFORMAT)
                fail_msg("%s cut at byte %zu is taken for an image", names[k], cut);
        }
        free(data);
    }
}

/* --- text ------------------------------------------------------------------------------------------------------------------------------------------ */
static void a_text_becomes_windows_of_its_tokens(void **state)
{
    (void)state;
    gg_tokenizer *t = NULL;
    gg_token_list ids = {.ctx = ctx};
    const char *text = "In the beginning God created the heaven and the earth. And the earth was without form, and void.";
    assert_ok(gg_tokenizer_open_path(&t, ctx, "tests/golden/tinygguf/tiny.gguf"));
    assert_ok(gg_tokenizer_encode(t, &ids, text, strlen(text), 0, 0));
    gg_data *d = open_data(write_text_file("a.txt", text), (gg_data_options){.tokenizer = t, .length = 8, .stride = 4});
    int32_t in[8], next[8];
    const int64_t last = gg_data_describe(d)->n - 1;
    assert_int_equal(last, (ids.n - 1 - 8) / 4);
    assert_int_equal(gg_data_describe(d)->n_vocab, gg_tokenizer_size(t));
    assert_ok(gg_data_read_tokens(in, d, &last, 1));
    assert_ok(gg_data_labels(next, d, &last, 1));
    assert_memory_equal(in, ids.id + 4 * last, sizeof in);
    assert_memory_equal(next, ids.id + 4 * last + 1, sizeof next);
    gg_data_free(d);
    refused(at("a.txt"), (gg_data_options){0}, GG_EINVAL, "through a tokenizer");
    refused(write_text_file("b.txt", "In"), (gg_data_options){.tokenizer = t}, GG_EINVAL, "b.txt: ");
    gg_token_list_free(&ids);
    gg_tokenizer_free(t);
}

/* --- memory ------------------------------------------------------------------------------------------------------------------------------------------ */
static gg_status table_job(gg_context *c)
{
    gg_data *d = NULL, *part[2] = {NULL, NULL}, *train = NULL, *test = NULL;
    gg_scaler *s = NULL;
    gg_batches *b = NULL;
    gg_status status = gg_data_open(&d, c, at("memory.csv"), &(gg_data_options){.missing_mean = true, .group_column = "g"});
    if (status == GG_OK)
        status = gg_data_split(part, d, (const double[]){0.5, 0.5}, 2, &(gg_split_options){.stratify = true});
    if (status == GG_OK)
        status = gg_data_fold(&train, &test, d, 2, 0, &(gg_split_options){.grouped = true});
    if (status == GG_OK)
        status = gg_scaler_fit(&s, part[0], GG_SCALE_STANDARD);
    if (status == GG_OK)
        status = gg_batches_create(&b, part[0], NULL);
    gg_batches_free(b);
    gg_scaler_free(s);
    gg_data_free(train);
    gg_data_free(test);
    gg_data_free(part[0]);
    gg_data_free(part[1]);
    gg_data_free(d);
    return status;
}

static gg_status files_job(gg_context *c)
{
    gg_data *d = NULL;
    GG_TRY(gg_data_open(&d, c, at("numbers.csv"), NULL));
    gg_data_free(d);
    GG_TRY(gg_data_open(&d, c, at("memory.jsonl"), NULL));
    gg_data_free(d);
    GG_TRY(gg_data_open(&d, c, at("t-images-idx3-ubyte"), NULL));
    gg_data_free(d);
    GG_TRY(gg_data_open(&d, c, "tests/golden/data/xy.npz", NULL));
    gg_data_free(d);
    GG_TRY(gg_data_open(&d, c, at("rgb"), NULL));
    gg_data_free(d);
    return GG_OK;
}

static void memory_may_run_out_at_any_point(void **state)
{
    (void)state;
    uint8_t pixel[72];
    write_text_file("memory.csv", "a,g,c,y\n1,p,u,x\n,p,v,z\n3,q,u,x\n4,r,w,z\n5,r,w,x\n6,q,u,z\n");
    write_text_file("numbers.csv", "a,b,y\n1,2,3\n4,5,6\n");
    write_text_file("memory.jsonl", "{\"a\":1,\"y\":\"u\"}\n{\"a\":2,\"y\":\"v\"}\n");
    six_images(pixel);
    every_allocation_may_fail(table_job);
    every_allocation_may_fail(files_job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_are_what_they_are),
        cmocka_unit_test(columns_are_found_by_name_and_by_number),
        cmocka_unit_test(a_table_without_names_is_read_from_its_first_line),
        cmocka_unit_test(the_order_of_the_rows_decides_no_category),
        cmocka_unit_test(missing_values_are_told_or_filled_from_the_training_part),
        cmocka_unit_test(a_table_is_the_same_in_every_format),
        cmocka_unit_test(what_is_no_table_is_refused_with_its_line),
        cmocka_unit_test(numbers_are_read_to_the_bit),
        cmocka_unit_test(a_schema_fixes_columns_categories_and_classes),
        cmocka_unit_test(idx_images_come_with_their_labels),
        cmocka_unit_test(a_schema_names_classes_and_holds_the_shape),
        cmocka_unit_test(idx_numbers_of_every_type_are_turned),
        cmocka_unit_test(damaged_idx_is_refused_with_its_place),
        cmocka_unit_test(labels_that_do_not_fit_their_images_are_refused),
        cmocka_unit_test(fashion_mnist_is_read_as_its_authors_made_it),
        cmocka_unit_test(arrays_of_numpy_are_samples),
        cmocka_unit_test(a_folder_is_a_class),
        cmocka_unit_test(colours_are_planes),
        cmocka_unit_test(damaged_images_are_refused_by_name),
        cmocka_unit_test(png_and_jpeg_are_what_pillow_wrote),
        cmocka_unit_test(a_text_becomes_windows_of_its_tokens),
        cmocka_unit_test(memory_may_run_out_at_any_point),
    };
    return cmocka_run_group_tests(tests, io_setup, end_folder);
}
