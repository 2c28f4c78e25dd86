/*
 * simfs.h - a file system in memory that loses, tears, reorders and fails on command.
 *
 * It replaces the table of tape/files.h. What is written can be read at once. But bytes are durable
 * only when their file was synced, and a name only when its folder was. Of the rest a power cut
 * keeps any part in any combination, with writes torn at 512 bytes. Everything depends on one seed,
 * so what failed once fails again.
 *
 *     simfs_begin(seed, "/where/the/tape/will/be");
 *     simfs_crash_after(40);      nothing changes any more after the 40th change from here
 *     ...                         whatever writes or recovers a tape
 *     simfs_restart(true);        true: the power was cut; false: only the process died
 *     ...                         recover, check
 *     simfs_end();
 *
 * The index is LMDB's, which does its own file calls. It stays on the real disk, in the folder
 * `index` below the root, which the caller makes. Any thread.
 */
#ifndef TDK_TESTS_SIMFS_H
#define TDK_TESTS_SIMFS_H

#include <stdbool.h>
#include <stdint.h>

/* Ways in which the simulated disk is worse than a disk may be. A test that does not notice them is
 * worthless. */
enum simfs_lie {
    SIMFS_HONEST,
    SIMFS_LIE_SYNC,   /* a file's sync reports success and does nothing */
    SIMFS_LIE_FOLDER, /* the same for a folder's sync */
    SIMFS_LIE_RETRY,  /* a failed sync reports success, as if tried again */
};

/* `root` is an empty folder that is durable. */
void simfs_begin(uint64_t seed, const char *root);
void simfs_end(void);

/* The nth change from now is the last one that happens; 0: all happen. Later calls fail with
 * EIO. */
void simfs_crash_after(unsigned changes);
bool simfs_has_crashed(void);
unsigned simfs_changes(void); /* since the beginning or the last restart */

/* One call in this many fails, with a code that fits it, or is short; 0: none. */
void simfs_fail_one_in(unsigned sides);
unsigned simfs_failed(void);

void simfs_set_full(bool full); /* everything that needs room fails with ENOSPC */
void simfs_set_lie(enum simfs_lie lie);

/* Drops descriptors and locks, and ends all faults. */
void simfs_restart(bool power_cut);

#endif
