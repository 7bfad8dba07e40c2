/* The kernels for any processor: vectors of four, which every compiler knows how to lower. No fused multiply-add. */
#define W 4
#define ISA_NAME "plain"
#define ISA_TABLE gg__kernels_plain
#define FMA(a, b, c) ((a) * (b) + (c))
#define MAX(a, b) SELECT((a) > (b), (a), (b)) /* b where either is NaN, as the x86 instructions do */
#define MIN(a, b) SELECT((a) < (b), (a), (b))
#define SELECT(m, a, b) ((vf)(((m) & (vi)(a)) | (~(m) & (vi)(b))))
#define ANY(m) ((m)[0] | (m)[1] | (m)[2] | (m)[3])
#include "kernels_body.h"
