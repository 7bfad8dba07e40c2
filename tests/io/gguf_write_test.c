/* The GGUF writer: what is written is what the reader finds; numbers are quantised as the gguf package quantises; mistakes are told and leave no file. */
#include "io/tensor_files.h"
#include <math.h>

#define assert_written(call) assert_int_equal((call), GG_OK)

static gg_gguf_writer *writer(const char *path)
{
    gg_gguf_writer *w = NULL;
    assert_written(gg_gguf_writer_open(&w, ctx, path));
    return w;
}

static void what_is_written_is_what_is_read(void **state)
{
    (void)state;
    const char *path = at("all.gguf"), *text = NULL;
    static const char *const texts[] = {"one", "", "zwölf", "a\0b"};
    static const size_t lengths[] = {3, 0, 6, 3};
    static const int32_t numbers[] = {1, -2, INT32_MAX};
    static const int64_t shapes[3][4] = {{5}, {3, 4}, {2, 1, 3, 2}};
    static const int dims[3] = {1, 2, 4};
    float x[12];
    for (int i = 0; i < 12; i++)
        x[i] = (float)i * 0.1f - 0.3f;
    gg_gguf_writer *w = writer(path);
    assert_written(gg_gguf_writer_text(w, "a.text", "Grüße"));
    assert_written(gg_gguf_writer_uint(w, "a.uint", 4000000000u));
    assert_written(gg_gguf_writer_float(w, "a.float", 1e-5f));
    assert_written(gg_gguf_writer_bool(w, "a.yes", true));
    assert_written(gg_gguf_writer_texts(w, "a.texts", texts, lengths, 4));
    assert_written(gg_gguf_writer_texts(w, "a.none", NULL, NULL, 0));
    assert_written(gg_gguf_writer_ints(w, "a.ints", numbers, 3));
    for (int i = 0; i < 3; i++)
        assert_written(gg_gguf_writer_tensor(w, (const char *const[]){"first", "second", "third"}[i], i == 1 ? GG_BF16 : GG_F32, dims[i], shapes[i]));
    for (int i = 0; i < 3; i++)
        assert_written(gg_gguf_writer_data(w, x));
    assert_written(gg_gguf_writer_commit(w));
    gg_tensors *t = opened(path);
    assert_true(gg_tensors_text(t, "a.text", &text));
    assert_string_equal(text, "Grüße");
    int64_t i = 0;
    double d = 0;
    bool b = false;
    size_t n = 0;
    assert_true(gg_tensors_int(t, "a.uint", &i) && i == 4000000000);
    assert_true(gg_tensors_double(t, "a.float", &d) && d == (double)1e-5f);
    assert_true(gg_tensors_bool(t, "a.yes", &b) && b);
    assert_int_equal(gg_tensors_array(t, "a.texts"), 4);
    for (int k = 0; k < 4; k++) {
        assert_true(gg_tensors_array_text(t, "a.texts", k, &text, &n));
        assert_int_equal(n, lengths[k]);
        assert_memory_equal(text, texts[k], n);
    }
    assert_int_equal(gg_tensors_array(t, "a.none"), 0);
    for (int k = 0; k < 3; k++)
        assert_true(gg_tensors_array_int(t, "a.ints", k, &i) && i == numbers[k]);
    assert_int_equal(gg_tensors_count(t), 3);
    for (int k = 0; k < 3; k++) {
        const gg_tensor *y = gg_tensors_at(t, k);
        float back[12];
        int64_t count = 1;
        assert_int_equal(y->n_dims, dims[k]);
        assert_memory_equal(y->shape, shapes[k], sizeof *y->shape * (size_t)dims[k]);
        assert_int_equal((uintptr_t)y->data % 32, 0);
        for (int j = 0; j < dims[k]; j++)
            count *= y->shape[j];
        assert_written(gg_to_f32(back, y->data, y->dtype, count));
        for (int64_t j = 0; j < count; j++)
            assert_true(k == 1 ? fabsf(back[j] - x[j]) <= fabsf(x[j]) / 256 : back[j] == x[j]);
    }
    gg_tensors_free(t);
}

static void numbers_are_quantised_as_by_the_gguf_package(void **state)
{
    (void)state;
    gg_tensors *want = opened("tests/golden/lm/quants.safetensors");
    const gg_tensor *x = gg_tensors_find(want, "x");
    static const struct {
        const char *name;
        gg_dtype t;
    } formats[] = {{"f16", GG_F16}, {"bf16", GG_BF16}, {"q8_0", GG_Q8_0}};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const char *path = at("q.gguf");
        gg_gguf_writer *w = writer(path);
        assert_written(gg_gguf_writer_tensor(w, "x", formats[i].t, 2, x->shape));
        assert_written(gg_gguf_writer_data(w, x->data));
        assert_written(gg_gguf_writer_commit(w));
        gg_tensors *t = opened(path);
        const gg_tensor *found = gg_tensors_find(t, "x"), *wanted = gg_tensors_find(want, formats[i].name);
        assert_int_equal(found->dtype, formats[i].t);
        assert_int_equal(found->n_bytes, wanted->n_bytes);
        assert_memory_equal(found->data, wanted->data, (size_t)wanted->n_bytes);
        gg_tensors_free(t);
    }
    gg_tensors_free(want);
    float tiny[32] = {1e-38f}, back[32] = {1}; /* the divisor of this block is below every normal number */
    uint8_t block[34];
    assert_written(gg_from_f32(block, GG_Q8_0, tiny, 32));
    assert_written(gg_to_f32(back, block, GG_Q8_0, 32));
    for (int i = 0; i < 32; i++)
        assert_true(back[i] == 0);
    assert_int_equal(gg_from_f32(block, GG_Q8_0, tiny, 31), GG_EINVAL);
    assert_int_equal(gg_from_f32(block, GG_Q4_0, tiny, 32), GG_EUNSUPPORTED);
}

static void says(gg_status found, gg_status status, const char *part)
{
    assert_int_equal(found, status);
    if (!strstr(gg_message(ctx), part))
        fail_msg("\"%s\" does not say \"%s\"", gg_message(ctx), part);
}

static void mistakes_are_told_and_leave_no_file(void **state)
{
    (void)state;
    const char *path = at("wrong.gguf");
    const int64_t shape[5] = {2, 48, 1, 1, 1}, none[1] = {0};
    float x[96] = {0};
    char name[65];
    memset(name, 'n', 64);
    name[64] = 0;
    gg_gguf_writer *w = writer(path);
    assert_written(gg_gguf_writer_text(w, "k", "v"));
    says(gg_gguf_writer_uint(w, "k", 1), GG_EINVAL, "the key \"k\" is given twice");
    says(gg_gguf_writer_tensor(w, "x", GG_Q8_0, 2, shape), GG_EINVAL, "rows of 48");
    says(gg_gguf_writer_tensor(w, "x", GG_U8, 2, shape), GG_EINVAL, "no number format U8");
    says(gg_gguf_writer_tensor(w, "x", GG_F32, 5, shape), GG_EINVAL, "5 dimensions");
    says(gg_gguf_writer_tensor(w, "x", GG_F32, 1, none), GG_EINVAL, "with numbers in it");
    says(gg_gguf_writer_tensor(w, name, GG_F32, 2, shape), GG_EINVAL, "63 bytes at most");
    says(gg_gguf_writer_data(w, x), GG_EINVAL, "numbers of 0 tensors were announced");
    assert_written(gg_gguf_writer_tensor(w, "x", GG_F16, 2, shape));
    says(gg_gguf_writer_tensor(w, "x", GG_F16, 2, shape), GG_EINVAL, "the tensor \"x\" is given twice");
    assert_written(gg_gguf_writer_tensor(w, "y", GG_Q4_0, 1, (int64_t[]){96}));
    x[50] = 65520;
    says(gg_gguf_writer_data(w, x), GG_EINVAL, "tensor \"x\" holds 65520, which float16 does not");
    says(gg_gguf_writer_data(w, x), GG_EUNSUPPORTED, "not as Q4_0");
    says(gg_gguf_writer_text(w, "late", "v"), GG_EINVAL, "\"late\" comes after the first numbers");
    gg_gguf_writer_discard(w);
    assert_int_equal(access(path, F_OK), -1);
    w = writer(path);
    assert_written(gg_gguf_writer_tensor(w, "x", GG_F32, 2, shape));
    says(gg_gguf_writer_commit(w), GG_EINVAL, "1 tensors were announced, numbers came for 0");
    assert_int_equal(access(path, F_OK), -1);
    gg_gguf_writer_discard(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_what_is_read),
        cmocka_unit_test(numbers_are_quantised_as_by_the_gguf_package),
        cmocka_unit_test(mistakes_are_told_and_leave_no_file),
    };
    return cmocka_run_group_tests(tests, io_setup, end_folder);
}
