#include "formats/sheet_names.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/utf8.h"

void sheet_names_close(struct sheet_names *names)
{
    text_close(&names->bytes);
    free(names->ends);
    free(names->slots);
    *names = (struct sheet_names){.count = 0};
}

void sheet_names_clear(struct sheet_names *names)
{
    text_clear(&names->bytes);
    if (names->count > 0)
        memset(names->slots, 0, 2 * (size_t)names->room * sizeof *names->slots);
    names->count = 0;
}

static bool is_text(const struct sheet_names *names, uint32_t number, const char *text, size_t size)
{
    size_t known_size;
    const char *known = sheet_names_text(names, number, &known_size);
    return known_size == size && memcmp(known, text, size) == 0;
}

/* The slot of a text, or the free slot where it belongs. */
static uint32_t *slot_of(const struct sheet_names *names, const char *text, size_t size)
{
    uint32_t mask = 2 * names->room - 1, at = (uint32_t)XXH3_64bits(text, size) & mask;
    while (names->slots[at] != 0 && !is_text(names, names->slots[at] - 1, text, size))
        at = (at + 1) & mask;
    return &names->slots[at];
}

static bool grow(struct sheet_names *names)
{
    uint32_t room = names->room == 0 ? 64 : 2 * names->room;
    uint32_t *ends = realloc(names->ends, room * sizeof *ends);
    if (ends != NULL)
        names->ends = ends;
    uint32_t *slots = calloc(2 * (size_t)room, sizeof *slots);
    char *bytes = text_reserve(&names->bytes, 1); /* so that even the empty text has an address */
    if (ends == NULL || slots == NULL || bytes == NULL) {
        free(slots);
        return false;
    }
    free(names->slots);
    names->slots = slots;
    names->room = room;
    for (uint32_t i = 0; i < names->count; i++) {
        size_t size;
        const char *text = sheet_names_text(names, i, &size);
        *slot_of(names, text, size) = i + 1;
    }
    return true;
}

static uint32_t add(struct sheet_names *names, const char *text, size_t size)
{
    if (names->count == names->room && !grow(names)) {
        names->failed = true;
        return SHEET_NAMES_NONE;
    }
    uint32_t *slot = slot_of(names, text, size);
    if (*slot != 0)
        return *slot - 1;
    text_add(&names->bytes, text, size);
    if (text_error(&names->bytes) < 0) {
        names->failed = true;
        return SHEET_NAMES_NONE;
    }
    names->ends[names->count] = (uint32_t)names->bytes.size;
    *slot = ++names->count;
    return names->count - 1;
}

static uint32_t add_mended(struct sheet_names *names, const char *text, size_t size)
{
    struct text_buffer mended;
    text_init(&mended);
    for (size_t at = 0; at < size;) {
        size_t good = utf8_span(text + at, size - at);
        text_add(&mended, text + at, good);
        at += good;
        if (at < size) {
            text_add_string(&mended, "\xEF\xBF\xBD");
            at++;
        }
    }
    uint32_t number = SHEET_NAMES_NONE;
    if (text_error(&mended) == 0)
        number = add(names, mended.bytes, mended.size);
    else
        names->failed = true;
    text_close(&mended);
    return number;
}

uint32_t sheet_names_add(struct sheet_names *names, const char *text, size_t size)
{
    return utf8_span(text, size) == size ? add(names, text, size) : add_mended(names, text, size);
}
