#include "cli/fidelity.h"

#include <string.h>

#include "base/err.h"
#include "base/quantity.h"

int fidelity_parse(const char *text, struct fidelity *fidelity, struct tdk_err *err)
{
    static const struct {
        const char *word;
        uint32_t quantile;
    } words[] = {{"p50", 500000}, {"p99", 990000}, {"p99.9", 999000}, {"max", 1000000}};
    const char *less = strchr(text, '<');
    size_t size = less != NULL ? (size_t)(less - text) : 0;
    for (size_t i = 0; less != NULL && i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i].word) != size || memcmp(words[i].word, text, size) != 0)
            continue;
        struct fidelity f = {.quantile = words[i].quantile};
        int rc = quantity_duration(less + 1, &f.limit_ns, err);
        if (rc == 0)
            *fidelity = f;
        return rc;
    }
    return err_say(err, TDK_EVALUE,
                   "'%.80s' is not a condition; write p50, p99, p99.9 or max, then < and a "
                   "duration, as in p99<50us",
                   text);
}
