/*
 * outstanding.h - memory for what was read for streams and is not taken yet: how much there may be,
 * and some that is kept for the next batch.
 *
 * On the loop alone.
 */
#ifndef TDK_REPLAYER_OUTSTANDING_H
#define TDK_REPLAYER_OUTSTANDING_H

#include "replayer/fill.h"

/* May there be so many bytes more? What is larger than all that is allowed goes alone. */
bool outstanding_has_room(const struct replayer *replayer, size_t size);

/* Room for `size` bytes at least. NULL: no memory. */
struct batch_memory *outstanding_take(struct replayer *replayer, size_t size);
void outstanding_give(struct replayer *replayer, struct batch_memory *memory);

void outstanding_free(struct replayer *replayer); /* what is kept */

#endif
