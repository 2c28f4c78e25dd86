/*
 * output_layout.h - which layout a tick has, and whether it is that of the ticks before it.
 *
 * Internal to cli/output*.c. Formats with one schema for each file (csv, parquet, arrow) settle on
 * that of their first tick and refuse any other.
 */
#ifndef TDK_CLI_OUTPUT_LAYOUT_H
#define TDK_CLI_OUTPUT_LAYOUT_H

#include "cli/output_kind.h"
#include "formats/dbn_layout.h"

/* Zeroed: nothing has been seen. */
struct output_layout {
    /* What the file holds, once settled. */
    bool settled, opaque, ts_out;
    const struct dbn_layout *layout; /* NULL: opaque */
    uint8_t rtype;
    /* A cache of the last tick's layout: ticks of one kind come in long runs. */
    uint8_t last_type, last_rtype;
    uint32_t last_size; /* of the payload; 0: nothing is cached */
    const struct dbn_layout *last;
};

/* Is it a record, judging by its frame: DBN or wide? */
bool output_is_record(const struct tdk_frame *frame);

/* NULL: opaque, or a payload that is not the record its type claims. */
const struct dbn_layout *output_layout_of(struct output_layout *state,
                                          const struct tdk_frame *frame);

/* `layout` is the tick's. The first one settles the file's. TDK_EFORMAT: it is another, and the
 * text says how to choose. */
int output_layout_match(const struct output *output, struct output_layout *state,
                        const struct tdk_frame *frame, const struct dbn_layout *layout,
                        struct tdk_err *err);

/* At the end, if there was no tick: use what one would have been. False: nobody knows. */
bool output_layout_suppose(struct output_layout *state, const struct output_schema *schema);

/* The symbol of a record of this layout, or NULL. It is the symbol on the record's own day,
 * whatever time the frame has. */
const char *output_record_symbol(const struct output *output, const struct output_run *run,
                                 const struct tdk_frame *frame);

#endif
