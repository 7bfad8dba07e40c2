/* The kernels for AVX-512 with instructions on bfloat16. */
#if defined(__x86_64__)
#define ISA_BF16
#include "isa_avx512.h"
#include "kernels_body.h"
#include "isa_end.h"
#endif
