/*
 * snapshot.h - copies an index that somebody writes to, as it is at one moment.
 *
 * This is for a reader of which the writer cannot know: one that may not write to LMDB's lock file,
 * or that LMDB takes for another (two processes with one pid in different pid namespaces). A
 * transaction does not touch the pages of the one before it. So a copy is whole if nothing was
 * committed between its beginning and its end; LMDB's two heads, which each commit changes, tell
 * whether that is so.
 */
#ifndef TDK_INDEX_SNAPSHOT_H
#define TDK_INDEX_SNAPSHOT_H

/* Copy the index of a folder into an empty file. 0, or an errno. EBUSY: commits come faster than it
 * can be copied. EFBIG: it is too large for that. */
int snapshot_copy(const char *dir, int fd);

#endif
