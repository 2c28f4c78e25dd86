/* name.h - valid names of rings and tracks: [A-Za-z0-9][A-Za-z0-9._-]{0,63}. */
#ifndef TDK_BASE_NAME_H
#define TDK_BASE_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "tapedeck/tick.h"

static inline bool name_char_is_valid(char c, bool first)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return !first && (c == '.' || c == '_' || c == '-');
}

/* `name` need not end with a NUL: `size` characters are checked. A name is never a path. */
static inline bool name_is_valid(const char *name, size_t size)
{
    if (size == 0 || size > TDK_NAME_MAX)
        return false;
    for (size_t i = 0; i < size; i++)
        if (!name_char_is_valid(name[i], i == 0))
            return false;
    return true;
}

#endif
