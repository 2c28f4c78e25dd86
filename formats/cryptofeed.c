#include "formats/cryptofeed.h"

#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "formats/five.h"

static bool has_arrow(const char *line, size_t size)
{
    static const char *const arrows[] = {" <-> ", " <- ", " -> "};
    for (size_t i = 0; i < sizeof arrows / sizeof arrows[0]; i++)
        if (memmem(line, size, arrows[i], strlen(arrows[i])) != NULL)
            return true;
    return false;
}

int cryptofeed_decode(const char *line, size_t size, uint64_t *ts, const char **payload,
                      size_t *payload_size, struct tdk_err *err)
{
    if (size == 0 || line[0] < '0' || line[0] > '9') {
        if (has_arrow(line, size < 512 ? size : 512))
            return 0;
        return err_say(err, TDK_EVALUE, "does not begin with a time in seconds");
    }
    const char *colon = memmem(line, size, ": ", 2);
    bool negative = false;
    if (colon == NULL || five_decimal(line, (size_t)(colon - line), ts, &negative) < 0)
        return err_say(err, TDK_EVALUE, "no time in seconds and a colon at its beginning");
    *payload = colon + 2;
    *payload_size = size - (size_t)(colon + 2 - line);
    return 1;
}
