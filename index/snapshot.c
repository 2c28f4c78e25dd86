#include "index/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_MAX_COPIED ((uint64_t)1 << 30)
#define PIECE           ((size_t)1 << 20)

enum {
    TRIES = 50,
    HEADS = 2 * 4096, /* LMDB's pages have the size of the kernel's */
};

/* *size: how many bytes there were. */
static int read_some(int fd, void *bytes, size_t room, uint64_t offset, size_t *size)
{
    ssize_t n;
    do
        n = pread(fd, bytes, room, (off_t)offset);
    while (n < 0 && errno == EINTR);
    *size = n < 0 ? 0 : (size_t)n;
    return n < 0 ? errno : 0;
}

static int read_heads(int fd, unsigned char heads[HEADS])
{
    size_t size;
    int rc = read_some(fd, heads, HEADS, 0, &size);
    return rc != 0 ? rc : size == HEADS ? 0 : EINVAL;
}

static int copy_bytes(int from, int to, unsigned char *piece)
{
    size_t size;
    for (uint64_t at = 0;; at += size) {
        int rc = read_some(from, piece, PIECE, at, &size);
        if (rc != 0 || size == 0)
            return rc;
        ssize_t n = pwrite(to, piece, size, (off_t)at);
        if (n != (ssize_t)size)
            return n < 0 ? errno : ENOSPC;
    }
}

/* EBUSY: something was committed meanwhile. */
static int copy_once(int from, int to, unsigned char *piece)
{
    unsigned char before[HEADS], behind[HEADS];
    int rc = read_heads(from, before);
    if (rc == 0)
        rc = copy_bytes(from, to, piece);
    if (rc == 0)
        rc = read_heads(from, behind);
    return rc != 0 ? rc : memcmp(before, behind, HEADS) == 0 ? 0 : EBUSY;
}

static int copy(int from, int to)
{
    struct stat file;
    if (fstat(from, &file) < 0)
        return errno;
    if ((uint64_t)file.st_size > SIZE_MAX_COPIED)
        return EFBIG;
    unsigned char *piece = malloc(PIECE);
    int rc = piece != NULL ? EBUSY : ENOMEM;
    for (int i = 0; i < TRIES && rc == EBUSY; i++)
        rc = copy_once(from, to, piece);
    free(piece);
    return rc;
}

int snapshot_copy(const char *dir, int fd)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    int from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (from < 0)
        return errno;
    int rc = copy(from, fd);
    close(from);
    return rc;
}
