/*
 * scout.h - a thread that reads the next blocks of a scan while its caller works on the current
 * one.
 *
 * Reading, checking and unpacking blocks is most of what a scan costs, and no block depends on
 * another. So a scout goes ahead. If the caller comes for a block that is still being read, it does
 * the block behind that one meanwhile. What a scout cannot read it leaves: the caller tries again,
 * and says why it fails.
 *
 * A scout puts whole blocks into memory of its own, which it lends and gets back: writing where
 * another processor wrote or read last can take twice as long.
 *
 * However many scans a process runs, it has at most one scout fewer than it has processors, or as
 * many as it says. A scan that gets none goes on without. A scout has its caller's priority and
 * takes no signals. All calls are for the caller, from one thread at a time.
 */
#ifndef TDK_TAPE_SCOUT_H
#define TDK_TAPE_SCOUT_H

#include "tape/select.h"
#include "tape/shelf.h"

/* How many blocks a scout is ahead. More than two whole ones would leave the cache before their
 * turn. Of packed blocks that are read in part so little is kept that there may be more, and then
 * neither side waits for the other. */
enum { SCOUT_AHEAD = 2, SCOUT_AHEAD_MAX = 4 };

struct scout;

/* Set how many scouts this process may have. 0: it has other use for its processors. Any thread. */
void scout_limit(int max);

/* NULL: there are as many as there may be, or no thread could be made. */
struct scout *scout_start(struct shelf *shelf);
void scout_stop(struct scout *scout); /* NULL is fine; what was read goes to the shelf */

/* Say what to read from here on: whole blocks (NULL), or of each block the ticks of these
 * instruments, whose list is copied. Drops what was sent for before. False: there is no memory, and
 * the scout reads nothing. */
bool scout_aim(struct scout *scout, const struct picks *picks);

/* A block, and how to read it: see slice_begin() and struct slice. */
struct scout_errand {
    struct block_ref ref;
    bool dense, is_near;
};

/* Read this block, unless that is under way. Send blocks in the order in which they will be taken.
 */
void scout_send(struct scout *scout, const struct scout_errand *errand);

/* Take the slice that has this block; it is the caller's until scout_give(). *bytes_read: how much
 * was read for it. NULL: the block was not sent for, was not begun, or could not be read. Drops the
 * blocks that were sent for before it. */
struct slice *scout_take(struct scout *scout, const struct block_ref *ref, uint64_t *bytes_read);

/* Give a slice back, to the scout or the shelf, whichever it came from. After scout_stop() all go
 * to the shelf. */
void scout_give(struct scout *scout, struct slice *slice); /* no slice is fine */

#endif
