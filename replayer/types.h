/*
 * types.h - turns the words of --type into a cursor's filters.
 *
 * A DBN schema or record type, wide-trade and wide-quote, a number, or the name that a track gave
 * to an opaque type. Such names are a track's own: a query for nothing else is one of the tracks
 * that have it. As a cursor filters by numbers, a query in whose range a number means something
 * that was not asked for is refused.
 */
#ifndef TDK_REPLAYER_TYPES_H
#define TDK_REPLAYER_TYPES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/option.h"
#include "tapedeck/tape.h"

struct types {
    struct tdk_type_filter *filters;
    size_t count;
    char **tracks; /* the tracks that have the opaque types asked for by name */
    size_t track_count;
};

/* Sets the query's types, and its tracks where the words choose them. Both point into `types` until
 * types_close(). TDK_EVALUE: a word that is no type. `tape` NULL: the tape is elsewhere; names that
 * only its tracks know are passed over. */
int types_open(struct types *types, struct tdk_tape *tape, const struct option_list *words,
               struct tdk_query *query, struct tdk_err *err);
void types_close(struct types *types); /* a zeroed one is fine */

#endif
