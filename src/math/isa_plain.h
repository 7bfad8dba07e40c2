/* What follows is compiled for any processor: vectors of four, which every compiler knows how to lower; no fused multiply-add. First in a file; isa_end.h
 * closes it. */
#define W 4                    /* floats a vector */
#define ISA_NAME "plain"
#define ISA(name) name##_plain
#define GEMM_ROWS 4            /* of a tile */
#define FMA(a, b, c) ((a) * (b) + (c))
#define FMA_F64(a, b, c) ((a) * (b) + (c))
#define MAX(a, b) SELECT((a) > (b), (a), (b)) /* b where either is NaN, as the x86 instructions do */
#define MIN(a, b) SELECT((a) < (b), (a), (b))
#define SELECT(m, a, b) ((vf)(((m) & (vi)(a)) | (~(m) & (vi)(b))))
#define ANY(m) ((m)[0] | (m)[1] | (m)[2] | (m)[3])
#define LOW_F32(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH_F32(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define EVENS_F32(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#define ODDS_F32(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7)
#define LOW_F64(a, b) __builtin_shufflevector(a, b, 0, 2)
#define HIGH_F64(a, b) __builtin_shufflevector(a, b, 1, 3)
