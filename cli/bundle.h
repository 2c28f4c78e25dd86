/*
 * bundle.h - many files as one: a pack, which is a tar archive compressed with zstd. bundle.c is
 * the only file that includes libarchive's headers.
 *
 * The last member is the manifest: the lines that the pack's maker gives, then one line `file
 * CRC32C SIZE NAME` for each other member. A reader trusts nothing before it has checked names
 * against what a pack may hold, and sizes and checksums against the manifest. One thread.
 */
#ifndef TDK_CLI_BUNDLE_H
#define TDK_CLI_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

#define BUNDLE_MANIFEST "pack/manifest"

struct bundle;

/* Write to a descriptor, which stays the caller's. `what`: its name for messages; borrowed. */
int bundle_open(struct bundle **bundle, int fd, const char *what, struct tdk_err *err);
int bundle_add(struct bundle *bundle, const char *name, const void *bytes, size_t size,
               struct tdk_err *err);

/* Add `size` bytes of a file from its beginning. If it is shorter, the rest is zeros. `progress`
 * may be NULL; if it returns anything but 0, this ends with -ECANCELED. */
int bundle_add_file(struct bundle *bundle, const char *name, int fd, uint64_t size,
                    int (*progress)(uint64_t bytes, void *context), void *context,
                    struct tdk_err *err);

/* Write the manifest, with these lines in front, and end the pack. */
int bundle_finish(struct bundle *bundle, const char *lines, struct tdk_err *err);
void bundle_close(struct bundle *bundle); /* NULL is fine */

/* Unpack all of it ("-": of stdin) into a folder that exists. Each file is synced, their names are
 * not. TDK_EFORMAT: no pack; TDK_ECORRUPT: cut or changed. What was written stays for the caller to
 * remove. */
int bundle_extract(const char *path, const char *folder,
                   int (*progress)(uint64_t bytes, void *context), void *context,
                   struct tdk_err *err);

/* May a pack hold a file of this name? Pure. */
bool bundle_name_is_valid(const char *name);

#endif
