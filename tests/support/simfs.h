/*
 * simfs.h - a file system in memory that loses, tears, reorders and fails on command.
 *
 * It stands behind the table of tape/files.h. What is written can be read at once, but is durable
 * only when its file was synced; a name only when its folder was. A power cut keeps of the rest any
 * part in any combination, writes torn at 512 bytes. All by one seed: what failed once fails again.
 *
 *     simfs_begin(seed, "/where/the/tape/will/be");
 *     simfs_crash_after(40);      nothing changes any more behind the 40th change from here
 *     ...                         whatever writes or recovers a tape
 *     simfs_restart(true);        true: the power was cut; false: only the process died
 *     ...                         recover, look
 *     simfs_end();
 *
 * The index is LMDB's, which does its own file calls: it stays on the real disk, in the folder
 * `index` below the root, which the caller makes. Any thread.
 */
#ifndef TDK_TESTS_SIMFS_H
#define TDK_TESTS_SIMFS_H

#include <stdbool.h>
#include <stdint.h>

/* How the simulated disk is worse than a disk may be: a harness that does not notice is no harness.
 */
enum simfs_lie {
    SIMFS_HONEST,
    SIMFS_LIE_SYNC,   /* syncs of files say yes and do nothing */
    SIMFS_LIE_FOLDER, /* those of folders */
    SIMFS_LIE_RETRY,  /* a sync that failed is tried again, and that is believed */
};

/* `root` is a folder, empty, and durable. */
void simfs_begin(uint64_t seed, const char *root);
void simfs_end(void);

/* The nth change from now is the last that happens; 0: all do. Calls behind it fail with EIO. */
void simfs_crash_after(unsigned changes);
bool simfs_has_crashed(void);
unsigned simfs_changes(void); /* since the begin or the last restart */

/* One call in so many fails, with a code that fits it, or is short; 0: none. */
void simfs_fail_one_in(unsigned sides);
unsigned simfs_failed(void);

void simfs_set_full(bool full); /* whatever needs room fails with ENOSPC */
void simfs_set_lie(enum simfs_lie lie);

/* Descriptors and locks are gone, faults are over. */
void simfs_restart(bool power_cut);

#endif
