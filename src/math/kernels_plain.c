/* The kernels for any processor: vectors of four, which every compiler knows how to lower; no fused multiply-add. */
#include "isa_plain.h"
#include "kernels_body.h"
#include "isa_end.h"
