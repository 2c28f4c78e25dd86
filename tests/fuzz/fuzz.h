/* fuzz.h - the function that each fuzzer defines. It takes one input, whatever its bytes. It must
 * return 0 and leave nothing behind. */
#ifndef TDK_TESTS_FUZZ_H
#define TDK_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
