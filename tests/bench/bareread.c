/*
 * bareread.c - the minimum that an answer from a tape has to do, without a tape: what this machine
 * allows.
 *
 *   bareread FILE [SPAN TAKE [ROUNDS]]
 *
 * Of each SPAN bytes of the file, TAKE bytes are read into one warm buffer (both 1 MiB by default).
 * Each KiB is summed, and every 72nd byte is looked at, like a reader that adds up frames. It is
 * measured from the page cache, and from the disk, either with the next eight pieces requested
 * ahead or with the kernel's own reading ahead. To be compared with `tapedeck bench query` and a
 * store bench in the same minute: everything in order takes all of a tape, a symbol's day in a
 * sealed tape about 116 KB of each block of 310. One line of JSON for each, best of the rounds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffers.h"
#include "base/clock.h"
#include "base/crc32c.h"

#define MIB    ((size_t)1 << 20)
#define SUMMED ((size_t)1 << 10)

enum { AHEAD = 8, FRAME = 72 };
enum work { READ, SUM, WALK, WORKS };
static const char *const names[WORKS] = {"read", "read, sum", "read, sum, walk"};

struct file {
    int fd;
    size_t size, span, take;
    unsigned char *buffer;
    uint64_t walked;
};

static void expect(const struct file *file, size_t at)
{
    posix_fadvise(file->fd, (off_t)at, (off_t)file->take, POSIX_FADV_WILLNEED);
}

static bool read_piece(struct file *file, size_t at, enum work work)
{
    static uint32_t sums[1 << 15];
    ssize_t n = pread(file->fd, file->buffer, file->take, (off_t)at);
    if (n <= 0)
        return false;
    if (work >= SUM)
        crc32c_chunks(file->buffer, (size_t)n, SUMMED, sums);
    for (size_t i = 0; work >= WALK && i < (size_t)n; i += FRAME)
        file->walked += file->buffer[i];
    return true;
}

/* Returns ns; 0: it failed. */
static uint64_t measure(struct file *file, enum work work, bool cold)
{
    bool pieces = file->take < file->span;
    if (cold)
        posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
    posix_fadvise(file->fd, 0, 0, pieces ? POSIX_FADV_RANDOM : POSIX_FADV_SEQUENTIAL);
    uint64_t begin_ns = clock_mono();
    for (size_t i = 0; cold && pieces && i < AHEAD; i++)
        expect(file, i * file->span);
    for (size_t at = 0; at < file->size; at += file->span) {
        if (cold && pieces)
            expect(file, at + AHEAD * file->span);
        if (!read_piece(file, at, work))
            return 0;
    }
    return clock_mono() - begin_ns;
}

static bool tell(struct file *file, enum work work, bool cold, long rounds)
{
    uint64_t best_ns = UINT64_MAX;
    for (long i = 0; i < rounds; i++) {
        uint64_t took_ns = measure(file, work, cold);
        if (took_ns == 0)
            return false;
        best_ns = took_ns < best_ns ? took_ns : best_ns;
    }
    printf("{\"name\": \"%s%s\", \"seconds\": %.6f}\n", names[work], cold ? ", cold" : "",
           (double)best_ns / 1e9);
    return true;
}

static bool open_file(struct file *file, const char *path)
{
    struct stat status;
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &status) < 0)
        return false;
    if (!S_ISREG(status.st_mode) || status.st_size == 0) {
        errno = ENODATA; /* reading nothing takes no time */
        return false;
    }
    file->size = (size_t)status.st_size;
    file->buffer = buffers_map(file->take);
    return file->buffer != NULL && fdatasync(file->fd) == 0;
}

int main(int argc, char **argv)
{
    struct file file = {.span = MIB, .take = MIB};
    if (argc > 3) {
        file.span = strtoul(argv[2], NULL, 10);
        file.take = strtoul(argv[3], NULL, 10);
    }
    long rounds = argc > 4 ? strtol(argv[4], NULL, 10) : 5;
    if (argc < 2 || argc == 3 || file.take == 0 || file.take > file.span || file.take > 32 * MIB ||
        rounds < 1) {
        fprintf(stderr, "usage: bareread FILE [SPAN TAKE [ROUNDS]]; at most 32 MiB of each span\n");
        return 2;
    }
    if (!open_file(&file, argv[1])) {
        perror(argv[1]);
        return 1;
    }
    for (int cold = 1; cold >= 0; cold--)
        for (enum work work = READ; work < WORKS; work++)
            if ((cold == 0 || work != SUM) && !tell(&file, work, cold != 0, rounds)) {
                fprintf(stderr, "bareread: cannot read %s\n", argv[1]);
                return 1;
            }
    return file.walked == UINT64_MAX; /* uses the sum */
}
