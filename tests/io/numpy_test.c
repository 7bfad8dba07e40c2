/* NPY and NPZ: what NumPy wrote is read, what golgi writes is what NumPy writes. */
#include "io/tensor_files.h"

static void arrays_are_what_numpy_wrote(void **state)
{
    (void)state;
    gg_tensors *t = opened(GOLDEN "c.npy");
    assert_int_equal(gg_tensors_kind_of(t), GG_TENSORS_NUMPY);
    assert_int_equal(gg_tensors_count(t), 1);
    assert_string_equal(gg_tensors_at(t, 0)->name, "c"); /* after its file */
    expect_shape(gg_tensors_at(t, 0), GG_F32, 2, 2, 3, 0);
    expect_ramp(gg_tensors_at(t, 0));
    assert_int_equal(t->n_copies, 0);
    gg_tensors_free(t);
    t = opened(GOLDEN "scalar.npy");
    expect_shape(gg_tensors_at(t, 0), GG_F64, 0, 0, 0, 0);
    assert_true(*(const double *)gg_tensors_at(t, 0)->data == 2.5);
    gg_tensors_free(t);
}

static void versions_2_and_3_have_longer_headers(void **state)
{
    (void)state;
    static const char *const names[] = {GOLDEN "v2.npy", GOLDEN "v3.npy"};
    for (int i = 0; i < 2; i++) {
        gg_tensors *t = opened(names[i]);
        expect_shape(gg_tensors_at(t, 0), GG_I64, 1, 5, 0, 0);
        expect_ramp(gg_tensors_at(t, 0));
        gg_tensors_free(t);
    }
}

static void fortran_order_comes_in_c_order(void **state)
{
    (void)state;
    gg_tensors *t = opened(GOLDEN "fortran.npy");
    expect_shape(gg_tensors_at(t, 0), GG_I16, 3, 2, 3, 4);
    expect_ramp(gg_tensors_at(t, 0));
    gg_tensors_free(t);
}

static void archives_stored_and_deflated_hold_the_same(void **state)
{
    (void)state;
    static const char *const names[] = {GOLDEN "stored.npz", GOLDEN "deflated.npz"};
    for (int i = 0; i < 2; i++) {
        gg_tensors *t = opened(names[i]);
        assert_int_equal(gg_tensors_count(t), 4);
        expect_shape(gg_tensors_find(t, "weights"), GG_F32, 2, 4, 5, 0);
        expect_shape(gg_tensors_find(t, "ids"), GG_U16, 1, 6, 0, 0);
        expect_shape(gg_tensors_find(t, "mask"), GG_BOOL, 1, 7, 0, 0);
        expect_shape(gg_tensors_find(t, "wide"), GG_F64, 2, 3, 4, 0);
        for (int64_t k = 0; k < 4; k++) {
            expect_ramp(gg_tensors_at(t, k));
            assert_int_equal((uintptr_t)gg_tensors_at(t, k)->data % (uintptr_t)gg_dtype_block_bytes(gg_tensors_at(t, k)->dtype), 0);
        }
        gg_tensors_free(t);
    }
}

static void what_golgi_cannot_read_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *file, *message;
        gg_status status;
    } bad[] = {
        {"big.npy", "array \"big\" is of NumPy type '>f4' (big-endian: save a.astype(a.dtype.newbyteorder('<')))", GG_EUNSUPPORTED},
        {"complex.npy", "is of NumPy type '<c8', which golgi does not read; supported: <f4 <f2 <f8 |i1", GG_EUNSUPPORTED},
        {"objects.npy", "is of NumPy type '|O' (Python objects, stored as a pickle)", GG_EUNSUPPORTED},
        {"structured.npy", "is of NumPy type 'structured'", GG_EUNSUPPORTED},
        {"bzip2.npz", "the member \"x.npy\" is packed with method 12; golgi reads 0 (stored) and 8 (deflated)", GG_EUNSUPPORTED},
        {"torch.pt", "a PyTorch checkpoint", GG_EUNSUPPORTED},
        {"foreign.zip", "a ZIP archive of 1 files, none of them .npy", GG_EFORMAT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char path[100];
        snprintf(path, sizeof path, GOLDEN "%s", bad[i].file);
        gg_tensors *t = NULL;
        assert_int_equal(gg_tensors_open(&t, ctx, path), bad[i].status);
        assert_null(t);
        expect_message(path);
        expect_message(bad[i].message);
    }
}

static void headers_written_by_other_hands_are_read(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
        "{\"shape\":(3L,),\"descr\":\"<f4\",\"fortran_order\":False}",            /* Python 2, other quotes, other order */
        " { 'fortran_order' : True , 'descr' : '<f4' , 'shape' : ( 3 , ) } \n\n", /* one dimension has one order */
        "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 1)}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        bytes b = {.n = 0};
        put(&b, "\x93NUMPY\x01\x00", 8);
        const uint16_t n = (uint16_t)strlen(headers[i]);
        put(&b, &n, 2);
        put(&b, headers[i], n);
        for (int k = 0; k < 3; k++)
            put_f32(&b, (float)(k - 5) / 4);
        gg_tensors *t = parsed(&b, "x.npy");
        expect_shape(gg_tensors_find(t, "x"), GG_F32, i == 3 ? 2 : 1, 3, 1, 0);
        expect_ramp(gg_tensors_find(t, "x"));
        gg_tensors_free(t);
    }
}

static void written_files_are_those_of_numpy(void **state)
{
    (void)state;
    float x[6];
    for (int i = 0; i < 6; i++)
        x[i] = (float)(i - 5) / 4;
    assert_int_equal(gg_npy_write(ctx, at("c.npy"), GG_F32, 2, (const int64_t[]){2, 3}, x), GG_OK);
    assert_int_equal(gg_npy_write(ctx, at("scalar.npy"), GG_F64, 0, NULL, &(double){2.5}), GG_OK);
    static const char *const names[] = {"c.npy", "scalar.npy"};
    for (int i = 0; i < 2; i++) {
        size_t n, m;
        char path[100];
        snprintf(path, sizeof path, GOLDEN "%s", names[i]);
        uint8_t *want = read_whole(&n, path), *got = read_whole(&m, at(names[i]));
        assert_int_equal(n, m);
        assert_memory_equal(want, got, n);
        free(want);
        free(got);
    }
}

static void every_number_format_and_shape_is_written_and_read_back(void **state)
{
    (void)state;
    static const uint8_t zeros[720 * 8] = {0};
    const int64_t shape[GG_MAX_DIMS] = {1, 2, 3, 4, 5, 6};
    for (gg_dtype f = 0; f < GG_DTYPE_COUNT; f++)
        for (int n_dims = 0; n_dims <= GG_MAX_DIMS; n_dims++) {
            const bool known = gg_dtype_block(f) == 1 && f != GG_BF16;
            const gg_status s = gg_npy_write(ctx, at("any.npy"), f, n_dims, shape, zeros);
            assert_int_equal(s, known ? GG_OK : GG_EINVAL);
            if (!known)
                continue;
            gg_tensors *t = opened(at("any.npy"));
            const gg_tensor *w = gg_tensors_find(t, "any");
            assert_int_equal(w->dtype, f);
            assert_int_equal(w->n_dims, n_dims);
            for (int d = 0; d < n_dims; d++)
                assert_int_equal(w->shape[d], shape[d]);
            assert_int_equal((uintptr_t)w->data % 64, 0);
            assert_int_equal(t->n_copies, 0);
            gg_tensors_free(t);
        }
    assert_int_equal(gg_npy_write(ctx, at("any.npy"), GG_F32, 7, shape, zeros), GG_EINVAL);
    assert_int_equal(gg_npy_write(ctx, at("any.npy"), GG_F32, 1, (const int64_t[]){-1}, zeros), GG_EINVAL);
    const int64_t largest[GG_MAX_DIMS] = {1, 1, 1, 1, INT64_MAX / 8, 0}; /* the longest header */
    assert_int_equal(gg_npy_write(ctx, at("any.npy"), GG_F64, 6, largest, zeros), GG_OK);
}

static gg_status read_and_write(gg_context *c)
{
    static const char *const names[] = {GOLDEN "fortran.npy", GOLDEN "stored.npz", GOLDEN "deflated.npz"};
    for (int i = 0; i < 3; i++) {
        gg_tensors *t = NULL;
        GG_TRY(gg_tensors_open(&t, c, names[i]));
        gg_tensors_free(t);
    }
    return gg_npy_write(c, at("few.npy"), GG_F32, 0, NULL, &(float){1});
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    every_allocation_may_fail(read_and_write);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_are_what_numpy_wrote),
        cmocka_unit_test(versions_2_and_3_have_longer_headers),
        cmocka_unit_test(fortran_order_comes_in_c_order),
        cmocka_unit_test(archives_stored_and_deflated_hold_the_same),
        cmocka_unit_test(what_golgi_cannot_read_is_named),
        cmocka_unit_test(headers_written_by_other_hands_are_read),
        cmocka_unit_test(written_files_are_those_of_numpy),
        cmocka_unit_test(every_number_format_and_shape_is_written_and_read_back),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, io_setup, end_folder);
}
