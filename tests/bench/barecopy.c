/*
 * barecopy.c - the minimum that a play at full speed has to do, without a tape: what this machine
 * allows.
 *
 *   barecopy [ROUNDS]
 *
 * One process reads a file of frames by the MiB, sums each KiB, and copies 64 KiB at a time into a
 * ring of 16 MiB. Another goes from frame to frame. The result is ticks of 72 bytes per second, the
 * best of the rounds, one line of JSON each for: copying alone; with reading from the page cache;
 * with reading and sums; and the same with nothing of the file in the page cache. To be compared
 * with `tapedeck bench play --unpaced` in the same minute.
 */
#include <fcntl.h>
#include <signal.h>
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

enum work { COPY, READ, SUM, COLD, WORKS };
static const char *const names[WORKS] = {"bare play: copy", "bare play: read, copy",
                                         "bare play: read, sum, copy",
                                         "bare play: read, sum, copy, cold"};

/* ---- the file: dropped and read in order, like a tape that was scanned once ---- */

static void fill_block(unsigned char *block)
{
    for (uint64_t i = 0; i < BLOCK / SPAN; i++) {
        const struct tdk_frame frame = {
            .size = PAYLOAD, .track = 1, .type = TDK_TYPE_DBN, .seq = i + 1, .ts = i};
        memcpy(block + i * SPAN, &frame, sizeof frame);
        memset(block + i * SPAN + sizeof frame, (int)i, PAYLOAD);
    }
}

/* Begin with two small reads, as a scan of a tape does. Then the kernel reads ahead in large pieces
 * nearly from the beginning. */
static bool evict_file(int fd)
{
    char byte;
    return posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0 &&
           posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL) == 0 && pread(fd, &byte, 1, 0) == 1 &&
           pread(fd, &byte, 1, 4096) == 1;
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
    return fdatasync(fd) == 0 && evict_file(fd) ? fd : -1;
}

static bool read_file(int fd, unsigned char *block)
{
    for (int i = 0; i < BLOCKS; i++)
        if (pread(fd, block, BLOCK, (off_t)i * BLOCK) != BLOCK)
            return false;
    return true;
}

/* ---- both sides ---- */

/* Consume the ticks. Reports when it is ready, and when it has all of them. */
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

/* Returns ns until the last tick was taken; 0: it failed. The block is mapped after the fork,
 * because each page of an older one would be copied at the first write to it. */
static uint64_t play(struct tdk_ring *ring, int fd, enum work work, const int told[2])
{
    unsigned char *block = buffers_map(BLOCK);
    char byte;
    while (tdk_ring_warm(ring, WARM))
        continue;
    bool done = block != NULL && pread(fd, block, BLOCK, 0) == BLOCK &&
                (work == COLD ? evict_file(fd) : read_file(fd, block));
    if (work == COPY)
        fill_block(block);
    uint64_t begin = read(told[0], &byte, 1) == 1 ? clock_mono() : 0;
    done = done && begin > 0 && produce(ring, fd, block, work) && read(told[0], &byte, 1) == 1;
    uint64_t took = clock_mono() - begin;
    buffers_unmap(block, BLOCK);
    return done ? took : 0;
}

static uint64_t measure(int fd, enum work work)
{
    const struct tdk_ring_options options = {.capacity = CAPACITY};
    struct tdk_ring *ring;
    int told[2], status;
    if (pipe(told) < 0 || tdk_ring_create(RING, &options, NULL) < 0 ||
        tdk_ring_attach(&ring, RING, TDK_RING_PRODUCER, NULL) < 0)
        return 0;
    pid_t pid = fork();
    if (pid == 0)
        consume(told[1]);
    close(told[1]); /* so that the early end of a consumer is noticed */
    uint64_t took = pid > 0 ? play(ring, fd, work, told) : 0;
    if (pid > 0 && took == 0)
        kill(pid, SIGKILL);
    if (pid > 0 && (waitpid(pid, &status, 0) != pid || status != 0))
        took = 0;
    tdk_ring_detach(ring);
    tdk_ring_remove(RING, true, NULL);
    close(told[0]);
    return took;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 5;
    unsigned char *block = malloc(BLOCK);
    int fd = block != NULL ? make_file(block) : -1;
    free(block);
    if (fd < 0) {
        perror("a file in /var/tmp");
        return 1;
    }
    for (enum work work = COPY; work < WORKS; work++) {
        uint64_t best = UINT64_MAX;
        for (long i = 0; i < rounds; i++) {
            uint64_t took = measure(fd, work);
            if (took == 0) {
                fprintf(stderr, "barecopy: ring %s: is there one left, or no room for it?\n", RING);
                return 1;
            }
            best = took < best ? took : best;
        }
        printf("{\"name\": \"%s\", \"per_s\": %.0f}\n", names[work],
               (double)all_ticks * 1e9 / (double)best);
    }
    return 0;
}
