/*
 * dbn_head.h - the head of a DBN file made of a range of a tape.
 *
 * What the files said that went into the tracks (dataset, schema, symbology, mappings) comes back;
 * several tracks or epochs are merged, and where they contradict each other the head says "mixed".
 * Tracks that no file went into get mappings from the tape's symbols. Version 3, unless the records
 * may be of an older layout. Memory: proportional to the mappings.
 */
#ifndef TDK_CLI_DBN_HEAD_H
#define TDK_CLI_DBN_HEAD_H

#include "cli/depot.h"
#include "formats/dbn_metadata.h"
#include "tapedeck/tape.h"

struct dbn_head;

/* `query`: of all that comes out, what --prime puts in front of the range among it; borrowed.
 * `schema`: the one that was asked for by name, or DBN_SCHEMA_MIXED: the tracks' own. */
int dbn_head_open(struct dbn_head **head, struct depot *depot, const struct tdk_query *query,
                  uint16_t schema, struct tdk_err *err);
void dbn_head_close(struct dbn_head *head); /* NULL is fine */

/* Borrowed until close. */
const struct dbn_metadata *dbn_head_metadata(const struct dbn_head *head);

/* What a tick in this range would be, when they are all of one kind; type 0: that cannot be said.
 */
struct output_schema dbn_head_schema(const struct dbn_head *head);

#endif
