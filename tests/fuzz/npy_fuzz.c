/* Fuzzes npy files. */
#include "fuzz/fuzz.h"
#include "fuzz/tensors.inc"
FUZZ_TARGET(".npy")
