#include "tape/damage.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

void damage_tell(struct damage *damage, const char *format, ...)
{
    char text[500];
    if (damage == NULL || damage->found == NULL)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    damage->found(text, damage->context);
}

void damage_tell_missing(struct damage *damage, uint64_t first, uint64_t last)
{
    if (damage != NULL)
        damage->segments += last - first + 1;
    if (first == last)
        damage_tell(damage, "segment %llu is missing", (unsigned long long)first);
    else
        damage_tell(damage, "segments %llu to %llu are missing", (unsigned long long)first,
                    (unsigned long long)last);
}

uint64_t damage_tell_absent(struct damage *damage, const struct retired *retired, uint64_t first,
                            uint64_t last)
{
    uint64_t from = first, to = last, count = 0;
    if (retired == NULL) {
        damage_tell_missing(damage, first, last);
        return last - first + 1;
    }
    for (uint64_t at = first; retired_next_missing(retired, &at, last, &from, &to);) {
        damage_tell_missing(damage, from, to);
        count += to - from + 1;
    }
    return count;
}

uint64_t damage_count(const struct damage *damage)
{
    return damage->blocks + damage->heads + damage->footers + damage->segments;
}
