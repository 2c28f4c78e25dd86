/*
 * snapshot.h - an index that somebody writes to, as it is at one moment, copied.
 *
 * For who may not write to LMDB's lock file, or whom LMDB takes for another (two processes with one
 * pid in different pid namespaces): the writer would not know of his reading. A transaction leaves
 * the pages of the one before it alone; so a copy between whose beginning and end nothing was
 * committed is whole, and LMDB's two heads, which each commit changes, tell that.
 */
#ifndef TDK_INDEX_SNAPSHOT_H
#define TDK_INDEX_SNAPSHOT_H

/* Of the index in a folder into an empty file. 0, EBUSY: it is committed to faster than it can be
 * copied; EFBIG: it is too large for that; another errno. */
int snapshot_copy(const char *dir, int fd);

#endif
