#include "formats/lines.h"

#include "base/err.h"

int lines_decode(const char *line, size_t size, uint64_t *ts, const char **payload,
                 size_t *payload_size, struct tdk_err *err)
{
    uint64_t ns = 0;
    size_t at = 0;
    for (; at < size && line[at] >= '0' && line[at] <= '9'; at++)
        if (__builtin_mul_overflow(ns, (uint64_t)10, &ns) ||
            __builtin_add_overflow(ns, (uint64_t)(line[at] - '0'), &ns))
            return err_say(err, TDK_EVALUE, "the time is beyond 2^64-1 ns");
    if (at == 0)
        return err_say(err, TDK_EVALUE, "does not begin with a time in ns");
    if (at == size || line[at] != ' ')
        return err_say(err, TDK_EVALUE, "no space after the time in ns");
    *ts = ns;
    *payload = line + at + 1;
    *payload_size = size - at - 1;
    return 0;
}
