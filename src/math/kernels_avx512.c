/* The kernels for AVX-512 (F, BW, DQ, VL). */
#if defined(__x86_64__)
#include "isa_avx512.h"
#include "kernels_body.h"
#include "isa_end.h"
#endif
