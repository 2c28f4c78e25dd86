/*
 * output_layout.h - which layout a tick has, and whether it is that of the ticks before it.
 *
 * Internal to cli/output*.c. Formats with one schema a file (csv, parquet, arrow) settle on that of
 * their first tick and refuse another.
 */
#ifndef TDK_CLI_OUTPUT_LAYOUT_H
#define TDK_CLI_OUTPUT_LAYOUT_H

#include "cli/output_kind.h"
#include "formats/dbn_layout.h"

/* All zeros: nothing seen. */
struct output_layout {
    /* What the file is of, once settled. */
    bool settled, opaque, ts_out;
    const struct dbn_layout *layout; /* NULL: opaque */
    uint8_t rtype;
    /* Ticks of one kind come in long runs: the layout of the last one is at hand. */
    uint8_t last_type, last_rtype;
    uint32_t last_size; /* of the payload; 0: nothing at hand */
    const struct dbn_layout *last;
};

/* A record, by what its frame says: DBN or wide. */
bool output_is_record(const struct tdk_frame *frame);

/* NULL: opaque, or a payload that is not the record its type says. */
const struct dbn_layout *output_layout_of(struct output_layout *state,
                                          const struct tdk_frame *frame);

/* LAYOUT is the tick's. The first settles the file's; TDK_EFORMAT: another, and the text says how
 * to choose. */
int output_layout_match(const struct output *output, struct output_layout *state,
                        const struct tdk_frame *frame, const struct dbn_layout *layout,
                        struct tdk_err *err);

/* At the end, when there was no tick: what one would have been. False: nobody knows. */
bool output_layout_suppose(struct output_layout *state, const struct output_schema *schema);

/* The symbol of a record that has this layout, or NULL: by the record's own day, whatever the frame
 * was stamped with. */
const char *output_record_symbol(const struct output *output, const struct output_run *run,
                                 const struct tdk_frame *frame);

#endif
