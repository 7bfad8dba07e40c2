/* The roof: the most that this machine does, measured and not assumed. Figures of golgi are printed as parts of it. */
#ifndef GG_MATH_ROOF_H
#define GG_MATH_ROOF_H
#include "base/memory.h"
#include "base/work.h"
#include <golgi/array.h>

typedef struct gg_roof {
    double f32;    /* 1e9 operations a second (an FMA is two), float32 FMA in registers */
    double bf16;   /* bfloat16 pairs dotted into float32; 0: the CPU has no such instruction */
    double i8;     /* u8 x s8 dotted into int32; 0: none */
    double memory; /* 1e9 bytes a second read, from a buffer far larger than the caches */
} gg_roof;

/* one: a single thread; all: the context's threads at once. Best of several short runs, about a third of a second in all. */
gg_status gg_roof_measure(gg_roof *one, gg_roof *all, gg_context *ctx);
/* Appends {"isa": .., "threads": .., "one": {"f32": .., ...}, "all": {..}}. */
void gg_roof_json(gg_str *out, const gg_roof *one, const gg_roof *all, int n_threads);
/* The roof of one number format (GG_BF16, GG_I8, else float32) for all threads, operations a second, in some hundredths of a second; 0: this CPU has
 * no such instruction. */
gg_status gg_roof_of(double *out, gg_context *ctx, gg_dtype t);
/* Measures it, unless *roof (0 at first) has it already, and lets the progress line show the part of it that is reached. p NULL: nothing. */
gg_status gg_roof_show(gg_progress *p, double *roof, gg_context *ctx, gg_dtype t);
const char *gg_roof_isa(void); /* "AVX-512", "AVX2", "plain" */
#endif
