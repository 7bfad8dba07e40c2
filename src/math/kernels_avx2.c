/* The kernels for AVX2 with FMA. */
#if defined(__x86_64__)
#include "isa_avx2.h"
#include "kernels_body.h"
#include "isa_end.h"
#endif
