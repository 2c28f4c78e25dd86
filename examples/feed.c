/*
 * feed.c - the smallest possible feed handler: publishes N trades into a ring.
 *
 *     feed RING N
 *
 * The ring must exist (tapedeck ring create RING). Nothing here waits: when the ring is full, the
 * tick is dropped, and counted exactly.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tapedeck/dbn.h>
#include <tapedeck/ring.h>

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc != 3 || argv[2][0] == '\0' || argv[2][strspn(argv[2], "0123456789")] != '\0') {
        fprintf(stderr, "usage: feed RING N\n");
        return 2;
    }
    struct tdk_err err;
    struct tdk_ring *ring;
    if (tdk_ring_attach(&ring, argv[1], TDK_RING_PRODUCER, &err) < 0) {
        fprintf(stderr, "feed: %s\n", err.text);
        return 1;
    }
    while (tdk_ring_warm(ring, 1 << 20)) /* so that no tick has to touch a page first */
        continue;

    unsigned long long refused = 0, n = strtoull(argv[2], NULL, 10);
    for (unsigned long long i = 0; i < n; i++) {
        struct tdk_frame *frame = tdk_ring_claim(ring, sizeof(struct tdk_wide_trade));
        if (frame == NULL) { /* full: this tick is lost, and every reader will see that */
            refused++;
            continue;
        }
        frame->type = TDK_TYPE_WIDE;
        frame->ts = now_ns();
        struct tdk_wide_trade trade = {
            .head = {.length = sizeof trade / 4,
                     .rtype = TDK_RTYPE_WIDE_TRADE,
                     .instrument_id = 1,
                     .ts_event = frame->ts},
            .price = 50000 * INT64_C(1000000000) + (int64_t)(i % 1000) * 10000000, /* 1e-9 */
            .size = 1500000000,                                                    /* 1.5 */
            .id = i + 1,
            .side = i % 2 ? 'A' : 'B',
        };
        memcpy(frame + 1, &trade, sizeof trade);
        tdk_ring_publish(ring);
    }
    printf("published %llu, refused %llu\n", n - refused, refused);
    tdk_ring_detach(ring);
    return 0;
}
