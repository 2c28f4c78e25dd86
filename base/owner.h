/*
 * owner.h - what root makes in another user's folder belongs to that user.
 *
 * A tape belongs to its recorder, and so does a directory of rings. What root puts there when it
 * seals, imports, recovers or makes a ring must be readable and writable for the recorder, and for
 * its group. If it belonged to root, it would shut both out. For any other user these calls do what
 * the system's do. For root they do so, too, where the folder is root's, or where root may not give
 * a file away. Any thread; errno is as the system leaves it.
 */
#ifndef TDK_BASE_OWNER_H
#define TDK_BASE_OWNER_H

#include <sys/types.h>

/* open(), with O_CLOEXEC. */
int owner_open(const char *path, int flags, mode_t mode);

int owner_mkdir(const char *path, mode_t mode);

/* Give away a file that root has just made in a folder. Both are given by their descriptors. */
void owner_give(int fd, int folder);

/* Give a folder that root has just made to the owner and the group of `model`. */
void owner_give_folder(const char *path, const char *model);

#endif
