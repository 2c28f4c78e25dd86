/*
 * barecopy.c - the least that a play at full speed has to do, without a tape: what the machine
 * gives.
 *
 *   barecopy [ROUNDS]
 *
 * One process reads a file of frames from the page cache by the MiB, sums each KiB, and copies
 * 64 KiB at a time into a ring of 16 MiB; another goes from frame to frame. Prints ticks of 72
 * bytes a second, best of the rounds: for copying alone, with reading, with reading and sums. To be
 * compared with `tapedeck bench play --unpaced` in the same minute.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffers.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "tapedeck/ring.h"

#define RING     "barecopy"
#define CAPACITY ((size_t)16 << 20)
#define WARM     ((size_t)1 << 20)
#define SUMMED   ((size_t)1 << 10)

enum { PAYLOAD = 48, SPAN = 72, PIECE = 910 * SPAN, BLOCK = 28 * 9 * 4096, BLOCKS = 200 };
static const uint64_t all_ticks = (uint64_t)BLOCKS * BLOCK / SPAN;

enum work { COPY, READ, SUM, WORKS };
static const char *const names[WORKS] = {"copy", "read, copy", "read, sum, copy"};

/* ---- the file: written, dropped, and read in order, like a tape that has been scanned once ----
 */

static void fill_block(unsigned char *block)
{
    for (uint64_t i = 0; i < BLOCK / SPAN; i++) {
        const struct tdk_frame frame = {
            .size = PAYLOAD, .track = 1, .type = TDK_TYPE_DBN, .seq = i + 1, .ts = i};
        memcpy(block + i * SPAN, &frame, sizeof frame);
        memset(block + i * SPAN + sizeof frame, (int)i, PAYLOAD);
    }
}

static int make_file(unsigned char *block)
{
    char path[] = "/var/tmp/tapedeck-barecopy-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0)
        return -1;
    unlink(path);
    fill_block(block);
    for (int i = 0; i < BLOCKS; i++)
        if (write(fd, block, BLOCK) != BLOCK)
            return -1;
    if (fdatasync(fd) < 0)
        return -1;
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    for (int i = 0; i < BLOCKS; i++)
        if (pread(fd, block, BLOCK, (off_t)i * BLOCK) != BLOCK)
            return -1;
    return fd;
}

/* ---- both sides ---- */

/* Says when it is ready, and when it has all of them. */
static void consume(int told)
{
    struct tdk_ring *ring;
    uint64_t ticks = 0;
    if (tdk_ring_attach(&ring, RING, TDK_RING_CONSUMER, NULL) < 0)
        _exit(1);
    while (tdk_ring_warm(ring, WARM))
        continue;
    if (write(told, "", 1) != 1)
        _exit(1);
    while (ticks < all_ticks) {
        const struct tdk_frame *frame = tdk_ring_next(ring);
        if (frame == NULL)
            continue;
        ticks += (uint64_t)tdk_frame_is_tick(frame);
        tdk_ring_release(ring);
    }
    _exit(write(told, "", 1) == 1 ? 0 : 1);
}

static bool produce(struct tdk_ring *ring, int fd, unsigned char *block, enum work work)
{
    static uint32_t sums[BLOCK / SUMMED + 1];
    for (int i = 0; i < BLOCKS; i++) {
        if (work >= READ && pread(fd, block, BLOCK, (off_t)i * BLOCK) != BLOCK)
            return false;
        if (work >= SUM)
            crc32c_chunks(block, BLOCK, SUMMED, sums);
        for (size_t at = 0; at < BLOCK; at += PIECE) {
            size_t size = BLOCK - at < PIECE ? BLOCK - at : PIECE;
            void *room;
            while ((room = tdk_ring_claim_run(ring, size)) == NULL)
                continue;
            memcpy(room, block + at, size);
            tdk_ring_publish(ring);
        }
    }
    return true;
}

/* ns until the last tick was taken; 0: it failed. */
static uint64_t measure(int fd, unsigned char *block, enum work work)
{
    const struct tdk_ring_options options = {.capacity = CAPACITY};
    struct tdk_ring *ring;
    int told[2], status;
    char byte;
    if (pipe(told) < 0 || tdk_ring_create(RING, &options, NULL) < 0 ||
        tdk_ring_attach(&ring, RING, TDK_RING_PRODUCER, NULL) < 0)
        return 0;
    pid_t pid = fork();
    if (pid == 0)
        consume(told[1]);
    while (tdk_ring_warm(ring, WARM))
        continue;
    uint64_t begin = read(told[0], &byte, 1) == 1 ? clock_mono() : 0;
    bool done = begin > 0 && produce(ring, fd, block, work);
    done = done && read(told[0], &byte, 1) == 1;
    uint64_t took = clock_mono() - begin;
    waitpid(pid, &status, 0);
    tdk_ring_detach(ring);
    tdk_ring_remove(RING, true, NULL);
    close(told[0]);
    close(told[1]);
    return done && status == 0 ? took : 0;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 5;
    unsigned char *block = buffers_map((size_t)2 << 20);
    int fd = block != NULL ? make_file(block) : -1;
    if (fd < 0) {
        perror("a file in /var/tmp");
        return 1;
    }
    for (enum work work = COPY; work < WORKS; work++) {
        uint64_t best = UINT64_MAX;
        for (long i = 0; i < rounds; i++) {
            uint64_t took = measure(fd, block, work);
            if (took == 0) {
                fprintf(stderr, "barecopy: ring %s: is there one left, or no room for it?\n", RING);
                return 1;
            }
            best = took < best ? took : best;
        }
        printf("%-16s %6.1f Mt/s  %5.2f GB/s\n", names[work],
               (double)all_ticks * 1e3 / (double)best, (double)all_ticks * SPAN / (double)best);
    }
    return 0;
}
