/*
 * scout.h - a thread that reads the next blocks of a scan while its caller is busy with one.
 *
 * To read, check and unpack a block is most of what a scan costs, and no block needs another. So a
 * scout goes ahead; and who comes for a block that is still being read does the one behind it
 * meanwhile. What a scout cannot read it leaves: the caller tries again, and tells why.
 *
 * Whole blocks it lays down in memory of its own, which it lends and gets back: to write where
 * another processor wrote or read last can take it twice as long.
 *
 * A process has one scout less than processors it may use, however many scans it runs, or as many
 * as it says: a scan that gets none goes on without. A scout has its caller's priority and takes no
 * signals. All calls are the caller's, from one thread at a time.
 */
#ifndef TDK_TAPE_SCOUT_H
#define TDK_TAPE_SCOUT_H

#include "tape/select.h"
#include "tape/shelf.h"

/* Blocks. More than two would leave the cache before their turn; of packed blocks in parts little
 * enough is laid down for more, with which neither side waits for the other. */
enum { SCOUT_AHEAD = 2, SCOUT_AHEAD_MAX = 4 };

struct scout;

/* So many in this process. 0: it has other use for its processors. Any thread. */
void scout_limit(int max);

/* NULL: there are enough of them, or there is no thread to be had. */
struct scout *scout_start(struct shelf *shelf);
void scout_stop(struct scout *scout); /* NULL is fine; what was read goes on the shelf */

/* From here on whole blocks (NULL), or of each the ticks of these instruments, which are copied.
 * Nothing that it was sent for before is kept. False: no memory, and it is sent for nothing. */
bool scout_aim(struct scout *scout, const struct picks *picks);

/* A block, and how it is to be read: as slice_begin() and struct slice want to know. */
struct scout_errand {
    struct block_ref ref;
    bool dense, is_near;
};

/* To read it, unless that is under way; in the order in which they will be taken. */
void scout_send(struct scout *scout, const struct scout_errand *errand);

/* The slice in which the block is, the caller's until scout_give(), and how much was read for it;
 * NULL: it was not sent for, has not begun or could not be read. Those sent for before it are
 * dropped. */
struct slice *scout_take(struct scout *scout, const struct block_ref *ref, uint64_t *bytes_read);

/* Back to the scout, or on the shelf, wherever it is from. Behind scout_stop() all go there. */
void scout_give(struct scout *scout, struct slice *slice); /* no slice is fine */

#endif
