/*
 * symbol_page.h - a page of a tape's symbols, by name: {track?, glob?, limit?, after?, behind?} ->
 * {symbols: [{symbol, instrument_id, track, epoch, from, to, order}], more}.
 *
 * The next page is asked for with the last row of this one (`behind`) or its symbol (`after`). A
 * page ends with the last row of a symbol, so both miss none. But a symbol may have more rows than
 * a page, one for each epoch: then only `behind` leads to the rest. Memory: two pages.
 */
#ifndef TDK_REPLAYER_SYMBOL_PAGE_H
#define TDK_REPLAYER_SYMBOL_PAGE_H

#include "tapedeck/tape.h"
#include "wire/message.h"

#define SYMBOL_PAGE_TEXT 128

struct symbol_row {
    char symbol[SYMBOL_PAGE_TEXT];
    char track[TDK_NAME_MAX + 1];
    uint32_t instrument_id;
    uint64_t epoch, from, to;
    uint16_t order;
};

struct symbol_page {
    char track[TDK_NAME_MAX + 1]; /* empty: all */
    char glob[SYMBOL_PAGE_TEXT];
    struct symbol_row after; /* of `after` only its symbol */
    bool has_glob, has_after, has_behind;
    uint64_t limit;
    struct symbol_row *rows; /* ours */
    size_t count;
    bool more;
};

int symbol_page_take(struct symbol_page *page, struct wire_map params, struct tdk_err *err);

/* Call it on the pool. */
int symbol_page_read(struct symbol_page *page, struct tdk_tape *tape, struct text_buffer *result,
                     struct tdk_err *err);

void symbol_page_close(struct symbol_page *page); /* a zeroed one is fine */

#endif
