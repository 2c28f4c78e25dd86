/*
 * dbn_head.h - makes the head of a DBN file from a range of a tape.
 *
 * The head repeats what the files said from which the tracks were made (dataset, schema, symbology,
 * mappings). Several tracks or epochs are merged; where they contradict each other the head says
 * "mixed". Tracks that were not made from a file get mappings from the tape's symbols. The head has
 * version 3, unless the records may be of an older layout. Memory: proportional to the mappings of
 * the epochs in the range.
 */
#ifndef TDK_CLI_DBN_HEAD_H
#define TDK_CLI_DBN_HEAD_H

#include "cli/depot.h"
#include "formats/dbn_metadata.h"
#include "tapedeck/tape.h"

struct dbn_head;

/* `query` must cover all that comes out, including what --prime puts before the range; borrowed.
 * `schema`: the one asked for by name, or DBN_SCHEMA_MIXED for the tracks' own. */
int dbn_head_open(struct dbn_head **head, struct depot *depot, const struct tdk_query *query,
                  uint16_t schema, struct tdk_err *err);
void dbn_head_close(struct dbn_head *head); /* NULL is fine */

/* Add the symbols and mappings. Only a DBN file has a place for them, and there may be very many.
 */
int dbn_head_add_symbols(struct dbn_head *head, struct tdk_err *err);

/* Borrowed until close. */
const struct dbn_metadata *dbn_head_metadata(const struct dbn_head *head);

/* What a tick in this range would be, if they are all of one kind. type 0: unknown. */
struct output_schema dbn_head_schema(const struct dbn_head *head);

#endif
