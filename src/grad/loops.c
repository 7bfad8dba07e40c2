/* Which loops: those of the widest instruction set that the processor has. */
#include "grad/loops.h"
#include "math/kernels_isa.h"

extern const gg__loops *const gg__loops_plain[2];
#if defined(__x86_64__)
extern const gg__loops *const gg__loops_avx2[2], *const gg__loops_avx512[2];
#endif

const gg__loops *gg__loops_of(int isa, bool f64)
{
    if (!gg__kernels_of(isa))
        return NULL;
#if defined(__x86_64__)
    if (isa >= GG__ISA_AVX512) /* bfloat16's own instructions are of no use here */
        return gg__loops_avx512[f64];
    if (isa == GG__ISA_AVX2)
        return gg__loops_avx2[f64];
#endif
    return gg__loops_plain[f64];
}

const gg__loops *gg__loops_best(bool f64)
{
    for (int isa = GG__ISA_COUNT - 1; isa > GG__ISA_PLAIN; isa--)
        if (gg__loops_of(isa, f64))
            return gg__loops_of(isa, f64);
    return gg__loops_plain[f64];
}
