/*
 * sheet_names.h - the different texts of a column, numbered from 0 in the order they come.
 *
 * A zeroed one is empty. When memory runs out it returns SHEET_NAMES_NONE, and remembers that. One
 * thread.
 */
#ifndef TDK_FORMATS_SHEET_NAMES_H
#define TDK_FORMATS_SHEET_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text_buffer.h"

#define SHEET_NAMES_NONE UINT32_MAX

struct sheet_names {
    struct text_buffer bytes; /* one after the other */
    uint32_t *ends;           /* of each, in `bytes` */
    uint32_t *slots;          /* number + 1 by hash; 0: free */
    uint32_t count, room;     /* slots: 2 * room, a power of two */
    bool failed;
};

void sheet_names_close(struct sheet_names *names);
void sheet_names_clear(struct sheet_names *names);

/* The text's number. Bytes that are not UTF-8 are kept as U+FFFD each. */
uint32_t sheet_names_add(struct sheet_names *names, const char *text, size_t size);

static inline const char *sheet_names_text(const struct sheet_names *names, uint32_t number,
                                           size_t *size)
{
    uint32_t begin = number == 0 ? 0 : names->ends[number - 1];
    *size = names->ends[number] - begin;
    return names->bytes.bytes + begin;
}

#endif
