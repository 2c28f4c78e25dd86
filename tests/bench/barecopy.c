/*
 * barecopy.c - the minimum that a play at full speed has to do, without a tape: what this machine
 * allows.
 *
 *   barecopy [ROUNDS]
 *
 * One process reads a file of frames by the MiB, sums each KiB, and copies 64 KiB at a time into a
 * ring of 16 MiB. Another goes from frame to frame. The result is ticks of 72 bytes per second, the
 * best of the rounds, one line of JSON each for: copying alone; with reading from the page cache;
 * with reading and sums; the same with nothing of the file in the page cache; and likewise for a
 * sealed tape, of which a fourteenth is read and the frames are laid down from a few that are in
 * the nearest cache, by the 4 MB, without unpacking anything. To be compared with `tapedeck bench
 * play --unpaced` in the same minute.
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
#include "shm/producer.h"
#include "tapedeck/ring.h"

#define RING     "barecopy"
#define CAPACITY ((size_t)16 << 20)
#define WARM     ((size_t)1 << 20)
#define SUMMED   ((size_t)1 << 10)

enum { PAYLOAD = 48, SPAN = 72, PIECE = 910 * SPAN, BLOCK = 28 * 9 * 4096, BLOCKS = 200 };

/* A packed block has the frames of LAID of ours. */
enum { LAID = 4, PACKED = 304000, FEW = 128 * SPAN };
static_assert(BLOCKS % LAID == 0 && BLOCK % FEW == 0, "whole ones");
static const uint64_t all_ticks = (uint64_t)BLOCKS * BLOCK / SPAN;

enum work { COPY, READ, SUM, COLD, LAY, LAY_COLD, WORKS };
static const char *const names[WORKS] = {"bare play: copy",
                                         "bare play: read, copy",
                                         "bare play: read, sum, copy",
                                         "bare play: read, sum, copy, cold",
                                         "bare play: read, lay, copy",
                                         "bare play: read, lay, copy, cold"};

static bool is_cold(enum work work)
{
    return work == COLD || work == LAY_COLD;
}

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

/* Read a packed block, and write its frames. */
static bool lay_blocks(int fd, unsigned char *blocks, int at)
{
    static unsigned char packed[PACKED], few[FEW];
    static uint32_t sums[PACKED / SUMMED + 1];
    if (few[0] == 0)
        memcpy(few, blocks, FEW);
    if (pread(fd, packed, PACKED, (off_t)at / LAID * PACKED) != PACKED)
        return false;
    crc32c_chunks(packed, PACKED, SUMMED, sums);
    for (size_t done = 0; done < (size_t)LAID * BLOCK; done += FEW)
        memcpy(blocks + done, few, FEW);
    return true;
}

static bool read_block(int fd, unsigned char *block, int at, enum work work)
{
    static uint32_t sums[BLOCK / SUMMED + 1];
    if (work >= READ && pread(fd, block, BLOCK, (off_t)at * BLOCK) != BLOCK)
        return false;
    if (work >= SUM)
        crc32c_chunks(block, BLOCK, SUMMED, sums);
    return true;
}

static void put_block(struct tdk_ring *ring, const unsigned char *block)
{
    for (size_t at = 0; at < BLOCK; at += PIECE) {
        size_t size = BLOCK - at < PIECE ? BLOCK - at : PIECE;
        void *room;
        while ((room = tdk_ring_claim_run(ring, size)) == NULL)
            continue;
        producer_copy(ring, room, block + at, size);
        tdk_ring_publish(ring);
    }
}

static bool produce(struct tdk_ring *ring, int fd, unsigned char *blocks, enum work work)
{
    for (int i = 0; i < BLOCKS; i++) {
        const int in_laid = work >= LAY ? i % LAID : 0;
        if (work < LAY ? !read_block(fd, blocks, i, work)
                       : in_laid == 0 && !lay_blocks(fd, blocks, i))
            return false;
        put_block(ring, blocks + (size_t)in_laid * BLOCK);
    }
    return true;
}

/* Returns ns until the last tick was taken; 0: it failed. The blocks are mapped after the fork,
 * because each page of older ones would be copied at the first write to it. */
static uint64_t play(struct tdk_ring *ring, int fd, enum work work, const int told[2])
{
    unsigned char *blocks = buffers_map((size_t)LAID * BLOCK);
    char byte;
    while (tdk_ring_warm(ring, WARM))
        continue;
    bool done = blocks != NULL;
    for (int i = 0; done && i < LAID; i++)
        done = pread(fd, blocks + (size_t)i * BLOCK, BLOCK, 0) == BLOCK;
    done = done && (is_cold(work) ? evict_file(fd) : read_file(fd, blocks));
    if (done && (work == COPY || work >= LAY))
        fill_block(blocks);
    uint64_t begin = read(told[0], &byte, 1) == 1 ? clock_mono() : 0;
    done = done && begin > 0 && produce(ring, fd, blocks, work) && read(told[0], &byte, 1) == 1;
    uint64_t took = clock_mono() - begin;
    buffers_unmap(blocks, (size_t)LAID * BLOCK);
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
