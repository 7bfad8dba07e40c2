/* The end of what isa_avx2.h or isa_avx512.h began. */
#if defined(__clang__) && defined(__x86_64__) && W > 4
#pragma clang attribute pop
#endif
