/* The number formats: the block formats against frozen vectors of the gguf package, 16-bit floats against their definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <golgi/array.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* value of a binary float of the given field widths, by its definition, in double */
static double value_of(uint32_t bits, int n_exponent, int n_mantissa)
{
    int bias = (1 << (n_exponent - 1)) - 1, top = (1 << n_exponent) - 1;
    int e = (int)(bits >> n_mantissa) & top, m = (int)(bits & ((1u << n_mantissa) - 1));
    double sign = bits >> (n_exponent + n_mantissa) & 1 ? -1 : 1;
    if (e == top)
        return m ? NAN : sign * INFINITY;
    return sign * (e ? ldexp(1 + ldexp(m, -n_mantissa), e - bias) : ldexp(m, 1 - bias - n_mantissa));
}

static void check_format(gg_dtype t, const char *file)
{
    char path[128];
    snprintf(path, sizeof path, "tests/golden/dequant/%s.bin", file);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    int32_t n = 0;
    assert_int_equal(fread(&n, 4, 1, f), 1);
    int64_t values = n * gg_dtype_block(t), bytes = gg_dtype_bytes(t, values);
    assert_int_equal(bytes, n * gg_dtype_block_bytes(t));
    uint8_t *raw = malloc((size_t)bytes + 1);
    float *want = malloc((size_t)values * 4), *got = malloc((size_t)values * 4);
    assert_int_equal(fread(raw + 1, 1, (size_t)bytes, f), (size_t)bytes);
    assert_int_equal(fread(want, 4, (size_t)values, f), (size_t)values);
    fclose(f);
    assert_int_equal(gg_to_f32(got, raw + 1, t, values), GG_OK); /* at an odd address: files promise no alignment */
    for (int64_t i = 0; i < values; i++)
        if (memcmp(got + i, want + i, 4))
            fail_msg("%s value %d: expected %a, found %a", file, (int)i, (double)want[i], (double)got[i]);
    assert_int_equal(gg_to_f32(got, raw + 1, t, values - 1), GG_EINVAL);
    free(raw);
    free(want);
    free(got);
}

static void block_formats_equal_the_gguf_package_bit_for_bit(void **state)
{
    (void)state;
    static const struct {
        gg_dtype t;
        const char *file;
    } table[] = {{GG_Q4_0, "q4_0"}, {GG_Q4_1, "q4_1"}, {GG_Q5_0, "q5_0"}, {GG_Q5_1, "q5_1"}, {GG_Q8_0, "q8_0"},
                 {GG_Q2_K, "q2_k"}, {GG_Q3_K, "q3_k"}, {GG_Q4_K, "q4_k"}, {GG_Q5_K, "q5_k"}, {GG_Q6_K, "q6_k"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        check_format(table[i].t, table[i].file);
}

static void every_half_and_bfloat16_widens_exactly(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        uint16_t in = (uint16_t)h;
        float y;
        assert_int_equal(gg_to_f32(&y, &in, GG_F16, 1), GG_OK);
        double want = value_of(h, 5, 10);
        assert_true(isnan(want) ? isnan(y) : y == want && !signbit(y) == !(h >> 15));
        assert_int_equal(gg_to_f32(&y, &in, GG_BF16, 1), GG_OK);
        want = value_of(h, 8, 7);
        assert_true(isnan(want) ? isnan(y) : y == want && !signbit(y) == !(h >> 15));
    }
}

/* Rounding is right when no neighbour is nearer, and on a tie the result is even. */
static void check_rounding(uint32_t bits, bool bf16)
{
    int ne = bf16 ? 8 : 5, nm = bf16 ? 7 : 10;
    float x;
    uint16_t h;
    memcpy(&x, &bits, 4);
    (bf16 ? gg_f32_to_bf16 : gg_f32_to_f16)(&h, &x, 1);
    double y = value_of(h, ne, nm);
    if (isnan(x)) {
        assert_true(isnan(y));
        return;
    }
    assert_int_equal(h >> 15, bits >> 31);
    uint32_t a = h & 0x7fff, inf = (1u << (ne + nm)) - (1u << nm);
    double up = a >= inf ? INFINITY : value_of(a + 1, ne, nm), down = a ? value_of(a - 1, ne, nm) : -1, at = fabs(y), v = fabs((double)x);
    double limit = ldexp(1, 1 << (ne - 1)); /* what infinity stands for when distances are compared */
    if (isinf(v)) {
        assert_int_equal(a, inf);
        return;
    }
    at = isinf(at) ? limit : at;
    up = isinf(up) ? limit : up;
    double error = fabs(at - v);
    bool right = a == inf ? v - down >= fabs(limit - v) || v >= limit
                          : (error < fabs(up - v) || (error == fabs(up - v) && a % 2 == 0)) &&
                                (a == 0 || error < fabs(down - v) || (error == fabs(down - v) && a % 2 == 0));
    if (!right)
        fail_msg("%a rounds to %a", (double)x, y);
}

static void rounding_is_to_nearest_even(void **state)
{
    (void)state;
    for (int bf16 = 0; bf16 < 2; bf16++) {
        int cut = bf16 ? 16 : 13;
        for (uint32_t top = 0; top < 1u << (32 - cut); top += bf16 ? 1 : 7)
            for (int k = 0; k < 4; k++) /* on a value, just below, on, just above half way */
                check_rounding(top << cut | (k ? (1u << (cut - 1)) + (uint32_t)k - 2 : 0), bf16);
        uint32_t r = 1;
        for (int i = 0; i < 200000; i++)
            check_rounding(r = r * 1664525u + 1013904223u, bf16);
    }
}

static void integers_and_doubles_convert(void **state)
{
    (void)state;
    float y[2];
    const int64_t i64[2] = {-3, INT64_C(1) << 40};
    const uint64_t u64[2] = {0, UINT64_MAX};
    const int16_t i16[2] = {-32768, 7};
    const int8_t i8[2] = {-128, 127};
    const uint8_t u8[2] = {0, 255};
    const uint32_t u32[2] = {1, UINT32_MAX};
    const double f64[2] = {0.1, -1e300};
    assert_int_equal(gg_to_f32(y, i64, GG_I64, 2), GG_OK);
    assert_true(y[0] == -3 && y[1] == 0x1p40f);
    assert_int_equal(gg_to_f32(y, u64, GG_U64, 2), GG_OK);
    assert_true(y[0] == 0 && y[1] == 0x1p64f);
    assert_int_equal(gg_to_f32(y, i16, GG_I16, 2), GG_OK);
    assert_true(y[0] == -32768 && y[1] == 7);
    assert_int_equal(gg_to_f32(y, i8, GG_I8, 2), GG_OK);
    assert_true(y[0] == -128 && y[1] == 127);
    assert_int_equal(gg_to_f32(y, u8, GG_U8, 2), GG_OK);
    assert_true(y[0] == 0 && y[1] == 255);
    assert_int_equal(gg_to_f32(y, u8, GG_BOOL, 2), GG_OK);
    assert_true(y[0] == 0 && y[1] == 1);
    assert_int_equal(gg_to_f32(y, u32, GG_U32, 2), GG_OK);
    assert_true(y[0] == 1 && y[1] == 0x1p32f);
    assert_int_equal(gg_to_f32(y, f64, GG_F64, 2), GG_OK);
    assert_true(y[0] == 0.1f && y[1] == -INFINITY);
}

static void sizes_are_refused_before_they_overflow(void **state)
{
    (void)state;
    assert_int_equal(gg_dtype_bytes(GG_Q4_1, 64), 40);
    assert_int_equal(gg_dtype_bytes(GG_Q4_1, 33), -1);
    assert_int_equal(gg_dtype_bytes(GG_F32, -1), -1);
    assert_int_equal(gg_dtype_bytes(GG_F32, INT64_MAX), -1);
    assert_int_equal(gg_dtype_bytes(GG_U8, INT64_MAX), INT64_MAX);
    assert_int_equal(gg_dtype_bytes((gg_dtype)99, 1), -1);
    assert_string_equal(gg_dtype_name((gg_dtype)-1), "?");
    assert_string_equal(gg_dtype_name(GG_Q6_K), "Q6_K");
    float y;
    assert_int_equal(gg_to_f32(&y, NULL, GG_Q6_K, 0), GG_OK);
    assert_int_equal(gg_to_f32(&y, "", GG_Q6_K, -256), GG_EINVAL);
    assert_int_equal(gg_to_f32(&y, "", (gg_dtype)77, 1), GG_EINVAL);
    gg_array a = gg_array_rows(&y, GG_F32, 3, 5);
    assert_int_equal(gg_array_count(&a), 15);
    assert_int_equal(a.stride[0], 5);
    a.shape[0] = INT64_MAX;
    assert_int_equal(gg_array_count(&a), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_formats_equal_the_gguf_package_bit_for_bit),
        cmocka_unit_test(every_half_and_bfloat16_widens_exactly),
        cmocka_unit_test(rounding_is_to_nearest_even),
        cmocka_unit_test(integers_and_doubles_convert),
        cmocka_unit_test(sizes_are_refused_before_they_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
