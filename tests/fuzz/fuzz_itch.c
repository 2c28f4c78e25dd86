/* ITCH messages, each after its length, or in datagrams of a capture. */
#include "tests/fuzz/fuzz.h"

#include "tests/fuzz/source_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct source_options as[] = {
        {.format = SOURCE_ITCH, .payload_max = 4096, .midnight = 1293166800000000000},
        {.format = SOURCE_AUTO, .payload_max = 4096},
    };
    source_run(bytes, size, as, sizeof as / sizeof as[0]);
    return 0;
}
