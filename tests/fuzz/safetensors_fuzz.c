/* Fuzzes safetensors files. */
#include "fuzz/fuzz.h"
#include "fuzz/tensors.inc"
FUZZ_TARGET(".safetensors")
