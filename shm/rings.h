/*
 * rings.h - the rings directory: $TAPEDECK_RINGS, or /dev/shm/tapedeck.
 *
 * The ring NAME is the file NAME.ring in it. Names are data from others: each is checked before it
 * becomes part of a path, and files are opened relative to the directory, so no name leads out of
 * it.
 */
#ifndef TDK_SHM_RINGS_H
#define TDK_SHM_RINGS_H

#include <stdbool.h>

#include "tapedeck/err.h"
#include "tapedeck/tick.h"

#define RINGS_FILE_MAX (TDK_NAME_MAX + sizeof ".ring")

/* The path of the rings directory, borrowed from the environment. */
const char *rings_path(void);

/* A descriptor of it for openat(). The caller closes it. With `create` the directory is made if it
 * is not there (0770). -ENOENT and other -errno. */
int rings_open(bool create, struct tdk_err *err);

/* What to do where the directory's rights are why: behind the error's text. Returns the code. */
int rings_advise(struct tdk_err *err, int code);

/* "NAME.ring"; TDK_ENAME if `name` is none. */
int rings_file(char file[RINGS_FILE_MAX], const char *name, struct tdk_err *err);

/* May a ring be made in this directory? 0: yes, it is on tmpfs, whose pages are memory and do not
 * depend on a disk. */
int rings_check_memory(int folder, struct tdk_err *err);

#endif
