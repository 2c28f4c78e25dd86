/* A whole file of any kind through a source: detection, gzip, zstd, zip, lines, DBN. */
#include "tests/fuzz/fuzz.h"

#include "tests/fuzz/source_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct source_options as[] = {
        {.format = SOURCE_AUTO, .payload_max = 4096},
        {.format = SOURCE_DBN, .payload_max = 4096},
        {.format = SOURCE_FIVE, .payload_max = 4096},
        {.format = SOURCE_LINES, .payload_max = 4096},
        {.format = SOURCE_LINES, .payload_max = 4096, .decode = SOURCE_BINANCE},
        {.format = SOURCE_CRYPTOFEED, .payload_max = 4096},
    };
    source_run(bytes, size, as, sizeof as / sizeof as[0]);
    return 0;
}
