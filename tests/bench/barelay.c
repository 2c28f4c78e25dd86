/*
 * barelay.c - the minimum that an answer from a sealed tape has to do, without a tape: what this
 * machine allows.
 *
 *   barelay FILE SPAN LAID [ROUNDS]
 *
 * Two threads take turns. Each reads the next SPAN bytes of the file and writes LAID bytes of
 * frames, copied from a few that are in the nearest cache. Then it may look at each frame, like a
 * reader that adds them up. Nothing is checked or decompressed. As in a new process that makes one
 * query, the time includes opening, starting threads and the first touch of memory. It is measured
 * from the page cache, and from the disk. To be compared with a store bench's "everything in order,
 * sealed" in the same minute: blocks of some 308 KB, which contain 4187 KB of frames. One line of
 * JSON for each, best of the rounds.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffers.h"
#include "base/clock.h"

#define MIB ((size_t)1 << 20)

enum { FRAME = 72, FRAMES = 128, THREADS = 2 };
enum work { READ, LAY, WALK, WORKS };
static const char *const names[WORKS] = {"read", "read, lay", "read, lay, walk"};

struct answer {
    int fd;
    size_t size, span, laid;
    enum work work;
    atomic_size_t next; /* offset of what has not been read yet */
    atomic_uint_fast64_t walked;
    atomic_bool failed;
};

/* Write `size` bytes of frames, and look at each. */
static uint64_t lay(const struct answer *answer, unsigned char *frames, size_t size)
{
    static const unsigned char some[FRAMES * FRAME] = {1};
    uint64_t walked = 0;
    for (size_t at = 0; at < size; at += sizeof some)
        memcpy(frames + at, some, size - at < sizeof some ? size - at : sizeof some);
    for (size_t at = 0; answer->work == WALK && at < size; at += FRAME)
        walked += frames[at];
    return walked;
}

static bool read_all(struct answer *answer, unsigned char *block, unsigned char *frames)
{
    size_t at;
    while ((at = atomic_fetch_add(&answer->next, answer->span)) < answer->size) {
        ssize_t n = pread(answer->fd, block, answer->span, (off_t)at);
        if (n <= 0)
            return false;
        if (answer->work >= LAY) /* a cut block gives frames in proportion */
            answer->walked += lay(answer, frames, answer->laid * (size_t)n / answer->span);
    }
    return true;
}

static void *take_turns(void *context)
{
    struct answer *answer = context;
    unsigned char *block = buffers_map(answer->span), *frames = buffers_map(answer->laid);
    if (block == NULL || frames == NULL || !read_all(answer, block, frames))
        answer->failed = true;
    buffers_unmap(block, answer->span);
    buffers_unmap(frames, answer->laid);
    return NULL;
}

/* Open the file and advise the scan as for a tape, beginning with two small reads. */
static bool begin(struct answer *answer, const char *path)
{
    char byte;
    answer->next = 0;
    answer->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (answer->fd < 0)
        return false;
    posix_fadvise(answer->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return pread(answer->fd, &byte, 1, 0) == 1 && pread(answer->fd, &byte, 1, 4096) == 1;
}

/* Returns ns; 0: it failed. */
static uint64_t measure(struct answer *answer, const char *path)
{
    pthread_t other;
    uint64_t begin_ns = clock_mono();
    if (!begin(answer, path) || pthread_create(&other, NULL, take_turns, answer) != 0)
        return 0;
    take_turns(answer);
    pthread_join(other, NULL);
    uint64_t took_ns = clock_mono() - begin_ns;
    close(answer->fd);
    return answer->failed ? 0 : took_ns;
}

static bool evict(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool done = fdatasync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0;
    close(fd);
    return done;
}

static bool tell(struct answer *answer, const char *path, bool cold, long rounds)
{
    uint64_t best_ns = UINT64_MAX;
    for (long i = 0; i < rounds; i++) {
        uint64_t took_ns = !cold || evict(path) ? measure(answer, path) : 0;
        if (took_ns == 0)
            return false;
        best_ns = took_ns < best_ns ? took_ns : best_ns;
    }
    printf("{\"name\": \"%s%s\", \"seconds\": %.6f}\n", names[answer->work], cold ? ", cold" : "",
           (double)best_ns / 1e9);
    return true;
}

static bool look_at(struct answer *answer, const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return false;
    if (!S_ISREG(status.st_mode) || status.st_size <= 4096) {
        errno = ENODATA;
        return false;
    }
    answer->size = (size_t)status.st_size;
    return true;
}

int main(int argc, char **argv)
{
    static struct answer answer;
    answer.span = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    answer.laid = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    long rounds = argc > 4 ? strtol(argv[4], NULL, 10) : 5;
    if (answer.span - 1 >= 32 * MIB || answer.laid - 1 >= 32 * MIB || rounds < 1) {
        fprintf(stderr, "usage: barelay FILE SPAN LAID [ROUNDS]; at most 32 MiB each\n");
        return 2;
    }
    if (!look_at(&answer, argv[1])) {
        perror(argv[1]);
        return 1;
    }
    for (int cold = 1; cold >= 0; cold--)
        for (answer.work = READ; answer.work < WORKS; answer.work++)
            if (!tell(&answer, argv[1], cold != 0, rounds)) {
                fprintf(stderr, "barelay: cannot read %s\n", argv[1]);
                return 1;
            }
    return answer.walked == UINT64_MAX; /* uses the sum */
}
