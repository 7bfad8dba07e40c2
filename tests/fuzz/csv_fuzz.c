/* Fuzzes .csv files. */
#include "fuzz/fuzz.h"
#include "fuzz/rows.inc"
FUZZ_TARGET(".csv")
