/* The inner loops for avx512. */
#if defined(__x86_64__)
#include "math/isa_avx512.h"
#include "loops.h"
#include "math/vector_body.h"
#include "slopes_body.h"
#define T float
#define NAME(x) x##_f32
#define F64 0
#include "loops_body.h"
#define T double
#define NAME(x) x##_f64
#define F64 1
#include "loops_body.h"
extern const gg__loops *const ISA(gg__loops)[2];
const gg__loops *const ISA(gg__loops)[2] = {&loops_f32, &loops_f64};
#include "math/isa_end.h"
#endif
