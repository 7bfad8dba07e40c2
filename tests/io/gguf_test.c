/* GGUF: what the gguf package wrote, and files put together here byte by byte from the specification. */
#include "io/tensor_files.h"

static void metadata_of_every_type_is_what_python_wrote(void **state)
{
    (void)state;
    gg_tensors *t = opened(GOLDEN "all.gguf");
    assert_int_equal(gg_tensors_kind_of(t), GG_TENSORS_GGUF);
    assert_string_equal(gg_tensors_path(t), GOLDEN "all.gguf");
    static const struct {
        const char *key;
        int64_t value;
    } whole[] = {{"t.u8", 250}, {"t.i8", -7}, {"t.u16", 65000}, {"t.i16", -300}, {"t.u32", 4000000000}, {"t.i32", -70000}, {"t.u64", 1ll << 40},
                 {"t.i64", -(1ll << 40)}, {"z.last", 99}};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        int64_t v = 0;
        double d = 0;
        bool b;
        assert_true(gg_tensors_int(t, whole[i].key, &v) && gg_tensors_double(t, whole[i].key, &d));
        assert_int_equal(v, whole[i].value);
        assert_true(d == (double)whole[i].value);
        assert_false(gg_tensors_bool(t, whole[i].key, &b));
    }
    double d = 0;
    assert_true(gg_tensors_double(t, "t.f32", &d) && d == (double)1e-5f);
    assert_true(gg_tensors_double(t, "t.f64", &d) && d == 0.1);
    assert_true(gg_tensors_double(t, "t.u64_above", &d) && d == 9223372036854775813.0);
    int64_t v = 42;
    assert_false(gg_tensors_int(t, "t.u64_above", &v) || gg_tensors_int(t, "t.f64", &v) || gg_tensors_int(t, "t.true", &v) || gg_tensors_int(t, "absent", &v));
    assert_int_equal(v, 42);
    bool b = false;
    assert_true(gg_tensors_bool(t, "t.true", &b) && b);
    assert_true(gg_tensors_bool(t, "t.false", &b) && !b);
    const char *text = NULL;
    assert_true(gg_tensors_text(t, "t.text", &text));
    assert_string_equal(text, "Grüße, neuron");
    assert_true(gg_tensors_has(t, "general.architecture"));
    assert_false(gg_tensors_has(t, "general"));
    gg_tensors_free(t);
}

static void elements_of_arrays_are_reached_one_by_one(void **state)
{
    (void)state;
    gg_tensors *t = opened(GOLDEN "all.gguf");
    int64_t v = 0;
    double d = 0;
    bool b = false;
    size_t n = 0;
    const char *text = NULL;
    assert_int_equal(gg_tensors_array(t, "a.i32"), 3);
    assert_true(gg_tensors_array_int(t, "a.i32", 1, &v) && v == -2);
    assert_true(gg_tensors_array_double(t, "a.i32", 2, &d) && d == 3);
    assert_true(gg_tensors_array_double(t, "a.f32", 1, &d) && d == -1.25);
    assert_true(gg_tensors_array_bool(t, "a.bool", 0, &b) && b);
    assert_true(gg_tensors_array_bool(t, "a.bool", 1, &b) && !b);
    assert_int_equal(gg_tensors_array(t, "a.text"), 4);
    static const char *const texts[] = {"one", "", "zwölf", "a\0b"};
    static const size_t lengths[] = {3, 0, 6, 3};
    for (int i = 0; i < 4; i++) {
        assert_true(gg_tensors_array_text(t, "a.text", i, &text, &n));
        assert_int_equal(n, lengths[i]);
        assert_memory_equal(text, texts[i], n);
    }
    assert_false(gg_tensors_array_int(t, "a.i32", 3, &v) || gg_tensors_array_int(t, "a.i32", -1, &v) || gg_tensors_array_text(t, "a.i32", 0, &text, &n));
    assert_int_equal(gg_tensors_array(t, "a.nested"), 2);
    assert_false(gg_tensors_array_int(t, "a.nested", 0, &v));
    assert_int_equal(gg_tensors_array(t, "t.u8"), -1);
    assert_int_equal(gg_tensors_array(t, "absent"), -1);
    gg_tensors_free(t);
}

static void keys_are_listed_in_file_order_with_short_values(void **state)
{
    (void)state;
    gg_tensors *t = opened(GOLDEN "all.gguf");
    static const char *const want[][2] = {{"t.f32", "1e-05"}, {"t.f64", "0.1"}, {"t.u64_above", "9223372036854775813"}, {"t.true", "true"},
                                          {"t.text", "\"Grüße, neuron\""}, {"a.i32", "[1, -2, 3]"}, {"a.bool", "[true, false, true]"},
                                          {"a.text", "[4 texts]"}, {"a.nested", "[2 arrays]"}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        char about[100];
        gg_tensors_describe(t, want[i][0], about, sizeof about);
        assert_string_equal(about, want[i][1]);
    }
    char narrow[4];
    gg_tensors_describe(t, "t.text", narrow, sizeof narrow);
    assert_true(strlen(narrow) < sizeof narrow);
    gg_tensors_describe(t, "absent", narrow, sizeof narrow);
    assert_string_equal(narrow, "");
    assert_string_equal(gg_tensors_key(t, 0), "general.architecture");
    assert_string_equal(gg_tensors_key(t, 20), "z.last");
    assert_null(gg_tensors_key(t, 21));
    assert_null(gg_tensors_key(t, -1));
    gg_tensors_free(t);
}

static void tensors_are_what_python_wrote_slowest_dimension_first(void **state)
{
    (void)state;
    gg_tensors *t = opened(GOLDEN "all.gguf");
    static const struct {
        const char *name;
        gg_dtype dtype;
    } plain[] = {{"float32", GG_F32}, {"float16", GG_F16}, {"float64", GG_F64}, {"int8", GG_I8}, {"int16", GG_I16}, {"int32", GG_I32}, {"int64", GG_I64}};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        const gg_tensor *w = gg_tensors_find(t, plain[i].name);
        expect_shape(w, plain[i].dtype, 3, 2, 3, 4);
        expect_ramp(w);
    }
    assert_int_equal(t->n_copies, 0); /* weights are mapped, not copied */
    for (int64_t i = 0; i < gg_tensors_count(t); i++)
        assert_int_equal((uintptr_t)gg_tensors_at(t, i)->data % 32, 0);
    assert_null(gg_tensors_at(t, gg_tensors_count(t)));
    assert_null(gg_tensors_at(t, -1));
    gg_tensors_free(t);
}

static void block_formats_read_as_the_gguf_package_reads_them(void **state)
{
    (void)state;
    gg_tensors *t = opened(GOLDEN "all.gguf");
    static const char *const formats[] = {"BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        char path[100];
        snprintf(path, sizeof path, GOLDEN "%s.npy", formats[i]);
        gg_tensors *n = opened(path);
        const gg_tensor *w = gg_tensors_find(t, formats[i]), *want = gg_tensors_find(n, formats[i]);
        expect_shape(w, w->dtype, 2, 2, 64, 0);
        assert_string_equal(gg_dtype_name(w->dtype), formats[i]);
        float got[128];
        assert_int_equal(gg_to_f32(got, w->data, w->dtype, 128), GG_OK);
        assert_memory_equal(got, want->data, sizeof got);
        gg_tensors_free(n);
    }
    gg_tensors_free(t);
}

static void a_split_model_is_one_model(void **state)
{
    (void)state;
    gg_tensors *t = opened(GOLDEN "split-00001-of-00003.gguf");
    assert_int_equal(gg_tensors_count(t), 5);
    for (int i = 0; i < 5; i++) {
        char name[20];
        snprintf(name, sizeof name, "blk.%d.w", i);
        expect_shape(gg_tensors_find(t, name), GG_F32, 2, 3, 2, 0);
        expect_ramp_plus(gg_tensors_find(t, name), i);
    }
    int64_t v = 0;
    assert_true(gg_tensors_int(t, "test.block_count", &v) && v == 5);
    gg_tensors_free(t);
}

/* Copies a golden file into the test's folder under a new name. */
static const char *copied(const char *from, const char *to)
{
    size_t n;
    uint8_t *data = read_whole(&n, from);
    const char *path = write_bytes(to, data, n);
    free(data);
    return path;
}

static void parts_that_are_missing_or_mixed_up_are_named(void **state)
{
    (void)state;
    gg_tensors *t = NULL;
    assert_int_equal(gg_tensors_open(&t, ctx, GOLDEN "split-00002-of-00003.gguf"), GG_EINVAL);
    expect_message("part 2 of 3 of a split file: open the first one");
    assert_int_equal(gg_tensors_open(&t, ctx, copied(GOLDEN "split-00001-of-00003.gguf", "renamed.gguf")), GG_EFORMAT);
    expect_message("renamed.gguf: the file says that it is the first of 3 parts; expected a name that ends in \"-00001-of-00003.gguf\"");
    const char *first = copied(GOLDEN "split-00001-of-00003.gguf", "m-00001-of-00003.gguf");
    assert_int_equal(gg_tensors_open(&t, ctx, first), GG_ENOENT);
    expect_message("m-00002-of-00003.gguf");
    copied(GOLDEN "split-00003-of-00003.gguf", "m-00002-of-00003.gguf");
    assert_int_equal(gg_tensors_open(&t, ctx, first), GG_EFORMAT);
    expect_message("m-00002-of-00003.gguf: the file says that it is part 3 of 3; expected part 2 of 3");
    copied(GOLDEN "all.gguf", "m-00002-of-00003.gguf");
    assert_int_equal(gg_tensors_open(&t, ctx, first), GG_EFORMAT);
    expect_message("part 1 of 1; expected part 2 of 3");
    assert_null(t);
}

static void the_hash_is_that_of_all_bytes_in_order(void **state)
{
    (void)state;
    char one[65], all[65], want[65];
    gg_tensors *t = opened(GOLDEN "all.gguf");
    assert_int_equal(gg_tensors_hash(t, one), GG_OK);
    assert_int_equal(gg_tensors_hash(t, all), GG_OK);
    assert_string_equal(one, all);
    gg_tensors_free(t);
    t = opened(GOLDEN "split-00001-of-00003.gguf");
    assert_int_equal(gg_tensors_hash(t, all), GG_OK);
    gg_tensors_free(t);
    gg_hash *h = NULL;
    assert_int_equal(gg_hash_create(&h, ctx), GG_OK);
    for (int i = 1; i <= 3; i++) {
        char path[100];
        snprintf(path, sizeof path, GOLDEN "split-0000%d-of-00003.gguf", i);
        size_t n;
        uint8_t *data = read_whole(&n, path);
        gg_hash_add(h, data, n);
        free(data);
    }
    gg_hash_finish(h, want);
    assert_string_equal(all, want);
}

static void a_folder_with_one_gguf_is_that_file(void **state)
{
    (void)state;
    char folder[600];
    snprintf(folder, sizeof folder, "%s", at("one"));
    assert_int_equal(gg_file_mkdirs(ctx, folder), GG_OK);
    gg_tensors *t = NULL;
    assert_int_equal(gg_tensors_open(&t, ctx, folder), GG_ENOENT);
    expect_message("no model in the folder; expected model.safetensors (with config.json), model.safetensors.index.json or one .gguf");
    copied(GOLDEN "all.gguf", "one/m.gguf");
    t = opened(folder);
    assert_int_equal(gg_tensors_kind_of(t), GG_TENSORS_GGUF);
    assert_true(strstr(gg_tensors_path(t), "/one/m.gguf") != NULL);
    gg_tensors_free(t);
    t = NULL;
    copied(GOLDEN "all.gguf", "one/n.gguf");
    assert_int_equal(gg_tensors_open(&t, ctx, folder), GG_ENOENT);
    expect_message("2 GGUF files in the folder (the first is m.gguf): name one of them");
    snprintf(folder, sizeof folder, "%s", at("parts"));
    assert_int_equal(gg_file_mkdirs(ctx, folder), GG_OK);
    copied(GOLDEN "split-00001-of-00003.gguf", "parts/x-00001-of-00003.gguf");
    copied(GOLDEN "split-00002-of-00003.gguf", "parts/x-00002-of-00003.gguf");
    copied(GOLDEN "split-00003-of-00003.gguf", "parts/x-00003-of-00003.gguf");
    t = opened(folder);
    assert_int_equal(gg_tensors_count(t), 5);
    gg_tensors_free(t);
}

static void versions_2_and_3_are_read_and_vocabularies_without_tensors(void **state)
{
    (void)state;
    for (uint32_t version = 2; version <= 3; version++) {
        bytes b = gguf_head(version, 0, 2);
        put_key(&b, "empty", 8);
        put_text(&b, "");
        put_key(&b, "none", 9);
        put_u32(&b, 8);
        put_u64(&b, 0);
        gg_tensors *t = parsed(&b, "v.gguf");
        const char *text = NULL;
        assert_true(gg_tensors_text(t, "empty", &text));
        assert_string_equal(text, "");
        assert_int_equal(gg_tensors_array(t, "none"), 0);
        assert_int_equal(gg_tensors_count(t), 0);
        gg_tensors_free(t);
    }
}

static void data_begin_at_the_alignment_that_the_file_names(void **state)
{
    (void)state;
    for (uint32_t alignment = 8; alignment <= 256; alignment *= 2) {
        bytes b = gguf_head(3, 2, 1);
        put_key(&b, "general.alignment", 4);
        put_u32(&b, alignment);
        put_tensor(&b, "a", 2, 1, 0, 0);
        put_tensor(&b, "b", 1, 2, 0, alignment);
        pad_to(&b, alignment);
        put_f32(&b, 1.5f);
        put_f32(&b, 2.5f);
        pad_to(&b, alignment);
        put_f32(&b, 3.5f);
        put_f32(&b, 4.5f);
        gg_tensors *t = parsed(&b, "aligned.gguf");
        expect_shape(gg_tensors_find(t, "a"), GG_F32, 2, 1, 2, 0);
        expect_shape(gg_tensors_find(t, "b"), GG_F32, 2, 2, 1, 0);
        float v[4];
        memcpy(v, gg_tensors_find(t, "a")->data, 8);
        memcpy(v + 2, gg_tensors_find(t, "b")->data, 8);
        assert_true(v[0] == 1.5f && v[1] == 2.5f && v[2] == 3.5f && v[3] == 4.5f);
        gg_tensors_free(t);
    }
}

static void a_missing_tensor_is_told_with_the_nearest_name(void **state)
{
    (void)state;
    gg_tensors *t = opened(GOLDEN "split-00001-of-00003.gguf");
    const gg_tensor *w = NULL;
    assert_int_equal(gg_tensors_need(&w, t, "blk.3.w"), GG_OK);
    assert_string_equal(w->name, "blk.3.w");
    assert_int_equal(gg_tensors_need(&w, t, "blk.9.w"), GG_ENOENT);
    expect_message("there is no tensor \"blk.9.w\" among the 5 of the file; the nearest name is \"blk.");
    assert_int_equal(gg_tensors_need(&w, t, "something else"), GG_ENOENT);
    expect_message("there is no tensor \"something else\" among the 5 of the file");
    gg_tensors_free(t);
}

static gg_status open_all(gg_context *c)
{
    gg_tensors *t = NULL;
    GG_TRY(gg_tensors_open(&t, c, GOLDEN "all.gguf"));
    gg_tensors_free(t);
    GG_TRY(gg_tensors_open(&t, c, GOLDEN "split-00001-of-00003.gguf"));
    gg_tensors_free(t);
    return GG_OK;
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    every_allocation_may_fail(open_all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata_of_every_type_is_what_python_wrote),
        cmocka_unit_test(elements_of_arrays_are_reached_one_by_one),
        cmocka_unit_test(keys_are_listed_in_file_order_with_short_values),
        cmocka_unit_test(tensors_are_what_python_wrote_slowest_dimension_first),
        cmocka_unit_test(block_formats_read_as_the_gguf_package_reads_them),
        cmocka_unit_test(a_split_model_is_one_model),
        cmocka_unit_test(parts_that_are_missing_or_mixed_up_are_named),
        cmocka_unit_test(the_hash_is_that_of_all_bytes_in_order),
        cmocka_unit_test(a_folder_with_one_gguf_is_that_file),
        cmocka_unit_test(versions_2_and_3_are_read_and_vocabularies_without_tensors),
        cmocka_unit_test(data_begin_at_the_alignment_that_the_file_names),
        cmocka_unit_test(a_missing_tensor_is_told_with_the_nearest_name),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, io_setup, end_folder);
}
