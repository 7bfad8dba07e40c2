/* y = x W^T + b with W packed once for oneDNN. A gg_linear is read-only after creation and shared by threads; what a thread
 * needs of its own is a gg_linear_scratch. The result of a row does not depend on n_rows or on its neighbours, bit for bit, in GG_F32. */
#ifndef GG_MATH_LINEAR_H
#define GG_MATH_LINEAR_H
#include <golgi/array.h>

typedef struct gg_linear gg_linear;
typedef struct gg_linear_scratch gg_linear_scratch;

/* W: (n_out, n_in) row-major in any dtype (dequantised while packing; row_stride_bytes 0: contiguous), bias (n_out,) float32 or NULL.
 * compute: GG_F32 (x float32), GG_BF16 (x bfloat16 as uint16_t, products summed in float32) or GG_I8 (weights rounded to int8 with a scale for
 * each output, x to int8 with a scale for each row by gg_f32_to_i8, sums exact). The output is float32.
 * GG_ENAN names the output row that is not finite; GG_EUNSUPPORTED: this processor has no such products. */
gg_status gg_linear_create(gg_linear **out, gg_context *ctx, const void *W, gg_dtype dtype, int64_t row_stride_bytes,
                           const float *bias, int64_t n_out, int64_t n_in, gg_dtype compute);
/* The same with W given as float32 and transposed, (n_in, n_out), as GPT-2's Conv1D stores it: see the `transposed` flag. */
gg_status gg_linear_create_f32(gg_linear **out, gg_context *ctx, const float *W, bool transposed, const float *bias,
                               int64_t n_out, int64_t n_in, gg_dtype compute);
void gg_linear_free(gg_linear *l);
int64_t gg_linear_bytes(const gg_linear *l);
int64_t gg_linear_n_out(const gg_linear *l);
int64_t gg_linear_n_in(const gg_linear *l);

gg_status gg_linear_scratch_create(gg_linear_scratch **out, gg_context *ctx);
void gg_linear_scratch_free(gg_linear_scratch *s);

/* y: (n_rows, n_out) float32 with row stride n_out; x: (n_rows, n_in) in the compute format. No allocation after the first call with
 * the same scratch and sizes. */
gg_status gg_linear_apply(const gg_linear *l, gg_linear_scratch *s, float *y, const void *x, int64_t n_rows);
/* Of GG_I8; x_scale: (n_rows,). */
gg_status gg_linear_apply_i8(const gg_linear *l, gg_linear_scratch *s, float *y, const int8_t *x, const float *x_scale, int64_t n_rows);

/* The twin: double accumulation over float32 weights. */
void gg_naive_linear(float *y, const float *x, const float *W, const float *bias, int64_t n_rows, int64_t n_out, int64_t n_in);

/* True where the CPU computes bf16 products at least as fast as fp32: measured once a process on a small product. */
bool gg_bf16_is_fast(gg_context *ctx);
/* The format that a word of GG_LINEAR_DTYPES names; auto: the faster of f32 and bf16 on this machine. */
#define GG_LINEAR_DTYPES "f32|bf16|i8|auto"
gg_dtype gg_linear_dtype(gg_context *ctx, const char *word);
/* True where GG_I8 can be computed. */
bool gg_i8_is_there(void);
#endif
