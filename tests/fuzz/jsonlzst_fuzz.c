/* Fuzzes .jsonl.zst files. */
#include "fuzz/fuzz.h"
#include "fuzz/rows.inc"
FUZZ_TARGET(".jsonl.zst")
