/*
 * A ring whose producer stored anything: in its counters, its epoch, its frames. The input is eight
 * words for the shared page, then what lies from `consumed` on.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/region.h"
#include "tapedeck/ring.h"

#define CAPACITY ((size_t)64 << 10)

static char folder[] = "/dev/shm/tapedeck-fuzz-XXXXXX";
static struct tdk_ring *victim; /* the input is written through its mapping */

static void remove_ring(void)
{
    tdk_ring_detach(victim);
    tdk_ring_remove("fuzz", true, NULL);
    rmdir(folder);
}

static void make_ring(void)
{
    struct tdk_ring_options options = {.capacity = CAPACITY};
    if (!mkdtemp(folder) || setenv("TAPEDECK_RINGS", folder, 1) < 0 ||
        tdk_ring_create("fuzz", &options, NULL) < 0 ||
        tdk_ring_attach(&victim, "fuzz", TDK_RING_PRODUCER, NULL) < 0)
        abort();
    atexit(remove_ring);
}

static void write_input(const uint8_t *bytes, size_t size)
{
    struct tdk_ring_shared *shared = victim->shared;
    uint64_t words[8] = {0};
    size_t head = size < sizeof words ? size : sizeof words;
    memcpy(words, bytes, head);
    shared->produced = words[0];
    shared->consumed = words[1];
    shared->reserved = words[2];
    shared->generation = words[3];
    shared->epochs[words[3] & 1].epoch = words[4];
    shared->epochs[words[3] & 1].at = words[5];
    shared->epochs[words[3] & 1].previous = words[6];
    shared->high_water = words[7];

    size_t rest = size - head < CAPACITY ? size - head : CAPACITY;
    memset(victim->data, 0, CAPACITY);
    if (rest > 0)
        memcpy(victim->data + (words[1] & (CAPACITY - 1)), bytes + head, rest);
}

static void consume(void)
{
    struct tdk_ring *ring;
    if (tdk_ring_attach(&ring, "fuzz", TDK_RING_CONSUMER, NULL) < 0)
        return;
    uint64_t start = tdk_ring_position(ring);
    for (const struct tdk_frame *frame; (frame = tdk_ring_next(ring)) != NULL;) {
        assert(frame->size <= CAPACITY / 4);
        tdk_ring_release(ring);
    }
    assert(tdk_ring_position(ring) - start <= CAPACITY);
    size_t size;
    tdk_ring_peek(ring, &size);
    assert(size == 0);
    tdk_ring_detach(ring);
}

static void tap(void)
{
    static uint64_t buffer[CAPACITY / 8];
    struct tdk_ring *ring;
    uint64_t missed;
    if (tdk_ring_attach(&ring, "fuzz", TDK_RING_TAP, NULL) < 0)
        return;
    victim->shared->produced += CAPACITY / 2;
    int64_t size = tdk_ring_tap(ring, buffer, sizeof buffer, &missed);
    assert(size <= (int64_t)sizeof buffer);
    tdk_ring_detach(ring);
}

static void look(void)
{
    struct tdk_ring_info info;
    uint64_t unread;
    if (tdk_ring_stat("fuzz", &info, NULL) < 0)
        abort(); /* the header is good: looking is always possible */
    assert(info.fill <= info.capacity);
    if (tdk_ring_unread("fuzz", &unread, NULL) < 0)
        abort();
}

/* Read the same bytes as a header. It is accepted only if it says the same as the file's size. */
static void check_header(const uint8_t *bytes, size_t size)
{
    struct tdk_ring_shared head = {0};
    memcpy(&head, bytes, size < sizeof head ? size : sizeof head);
    if (region_check(&head, 4096 + CAPACITY, 4096, "fuzz", NULL) == 0)
        assert(head.capacity == CAPACITY && head.payload_max <= CAPACITY / 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (!victim)
        make_ring();
    check_header(bytes, size);
    write_input(bytes, size);
    look();
    consume();
    tap();
    return 0;
}
