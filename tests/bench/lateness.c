/*
 * lateness.c - how late things are on this machine in this minute, to compare a play with.
 *
 *   lateness loop RATE SECONDS   a bare loop with a schedule, which only watches the clock: how
 * late it notices that a moment has come, and how long everything took lateness ring RING COUNT for
 * what comes through a ring after JOIN: the time from each tick's ts, which the feed stamped, to
 * when it is seen here
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "tapedeck/ring.h"

static void show(const char *what, const struct histogram *h, uint64_t took_ns, uint64_t due_ns)
{
    printf("what\tcount\tp50_ns\tp99_ns\tp99_9_ns\tmax_ns\ttook_ns\tdue_ns\n");
    printf("%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64
           "\t%" PRIu64 "\n",
           what, h->count, histogram_quantile(h, 500000), histogram_quantile(h, 990000),
           histogram_quantile(h, 999000), h->max, took_ns, due_ns);
}

static int loop(uint64_t rate, uint64_t seconds)
{
    static struct histogram late;
    uint64_t begin = clock_mono(), now = begin, count = rate * seconds;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t due = begin + i * NS_PER_S / rate;
        while (now < due)
            now = clock_mono();
        histogram_add(&late, now - due);
    }
    show("loop", &late, now - begin, (count - 1) * NS_PER_S / rate);
    return 0;
}

static int ring(const char *name, uint64_t count)
{
    static struct histogram late;
    struct tdk_ring *r;
    struct tdk_err err;
    bool joined = false;
    if (tdk_ring_attach(&r, name, TDK_RING_CONSUMER, &err) < 0) {
        fprintf(stderr, "lateness: %s\n", err.text);
        return 1;
    }
    uint64_t begin = clock_mono();
    while (late.count < count && clock_mono() - begin < 60 * NS_PER_S) {
        size_t size;
        const struct tdk_frame *frame = tdk_ring_peek(r, &size);
        if (frame == NULL)
            continue;
        const struct tdk_frame *end = (const void *)((const char *)frame + size);
        for (uint64_t now = clock_wall(); frame < end; frame = tdk_frame_after(frame)) {
            joined = joined || frame->type == TDK_TYPE_JOIN;
            if (joined && tdk_frame_is_tick(frame))
                histogram_add(&late, now > frame->ts ? now - frame->ts : 0);
        }
        tdk_ring_skip(r, size);
        tdk_ring_release(r);
    }
    show(name, &late, clock_mono() - begin, 0);
    tdk_ring_detach(r);
    return late.count == count ? 0 : 1;
}

int main(int argc, char **argv)
{
    uint64_t number = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;
    if (number > 0 && strcmp(argv[1], "loop") == 0)
        return loop(strtoull(argv[2], NULL, 10), number);
    if (number > 0 && strcmp(argv[1], "ring") == 0)
        return ring(argv[2], number);
    fprintf(stderr, "usage: lateness loop RATE SECONDS | ring RING COUNT\n");
    return 2;
}
