#include "cli/stretch.h"

#include <stdlib.h>

bool stretch_parse(const char *text, uint64_t *first, uint64_t *last)
{
    char *end;
    if (text == NULL)
        return true;
    if (*text < '0' || *text > '9')
        return false;
    *first = *last = strtoull(text, &end, 10);
    if (*end == '-') {
        text = end + 1;
        *last = 0; /* to the end */
        if (*text == '\0')
            return *first > 0;
        if (*text < '0' || *text > '9')
            return false;
        *last = strtoull(text, &end, 10);
    }
    return *end == '\0' && *first > 0 && *last >= *first;
}
