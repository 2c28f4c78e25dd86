/* The first line is a map, and the rest is a file: columns by name, by place, and known ones. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "formats/csv.h"
#include "tests/fuzz/source_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const uint8_t *newline = size > 0 ? memchr(bytes, '\n', size) : NULL;
    char map[4096];
    struct csv_map parsed;
    if (newline == NULL || (size_t)(newline - bytes) >= sizeof map)
        return 0;
    memcpy(map, bytes, (size_t)(newline - bytes));
    map[newline - bytes] = '\0';
    int rc = csv_map_parse(&parsed, map, NULL);
    csv_map_close(&parsed);
    if (rc < 0)
        return 0;
    const struct source_options as[] = {
        {.format = SOURCE_CSV, .payload_max = 4096, .map = map, .symbol = "X", .midnight = 1},
        {.format = SOURCE_CSV, .payload_max = 4096, .map = map, .symbol = "X", .separator = ';'},
        {.format = SOURCE_AUTO, .payload_max = 4096, .symbol = "X"},
    };
    source_run(newline + 1, size - (size_t)(newline + 1 - bytes), as, sizeof as / sizeof as[0]);
    return 0;
}
