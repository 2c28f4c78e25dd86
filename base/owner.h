/*
 * owner.h - what root makes in somebody's folder belongs to that one.
 *
 * A tape is its recorder's, and so is a directory of rings. What root puts there when it seals,
 * imports, recovers or makes a ring is for the recorder to read and to write on, and for its group:
 * made as root's own it would keep both out. For everybody else these calls are the system's, and
 * so they are for root where the folder is root's, or where it may not give a file away. Any
 * thread; errno as the system leaves it.
 */
#ifndef TDK_BASE_OWNER_H
#define TDK_BASE_OWNER_H

#include <sys/types.h>

/* open(), with O_CLOEXEC. */
int owner_open(const char *path, int flags, mode_t mode);

int owner_mkdir(const char *path, mode_t mode);

/* A file that root has just made in a folder, by its descriptor, and the folder's. */
void owner_give(int fd, int folder);

/* A folder that root has just made becomes the one's whose `model` is, and its group's. */
void owner_give_folder(const char *path, const char *model);

#endif
