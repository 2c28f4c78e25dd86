/*
 * outstanding.h - memory for batches that were read for streams and that clients have not taken
 * yet: how much there may be in all, and some that is kept for the next batch.
 *
 * The loop's thread.
 */
#ifndef TDK_REPLAYER_OUTSTANDING_H
#define TDK_REPLAYER_OUTSTANDING_H

#include "replayer/fill.h"

/* May there be so many bytes more? A batch that is larger than the limit may go alone. */
bool outstanding_has_room(const struct replayer *replayer, size_t size);

/* Memory for at least `size` bytes. NULL: there is none. */
struct batch_memory *outstanding_take(struct replayer *replayer, size_t size);
void outstanding_give(struct replayer *replayer, struct batch_memory *memory);

void outstanding_free(struct replayer *replayer); /* all that is kept */

#endif
