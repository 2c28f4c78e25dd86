/*
 * tail.c - the smallest possible strategy: reads N ticks from a ring, live or replayed.
 *
 *     tail RING N
 *
 * It makes no difference here whether a feed or a replay publishes into the ring.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tapedeck/ring.h>

int main(int argc, char **argv)
{
    if (argc != 3 || argv[2][0] == '\0' || argv[2][strspn(argv[2], "0123456789")] != '\0') {
        fprintf(stderr, "usage: tail RING N\n");
        return 2;
    }
    struct tdk_err err;
    struct tdk_ring *ring;
    if (tdk_ring_attach(&ring, argv[1], TDK_RING_CONSUMER, &err) < 0) {
        fprintf(stderr, "tail: %s\n", err.text);
        return 1;
    }

    unsigned long long left = strtoull(argv[2], NULL, 10);
    while (left > 0) {
        const struct tdk_frame *frame = tdk_ring_next(ring);
        if (frame == NULL) { /* empty: sleep until somebody publishes, at most ten seconds */
            if (!tdk_ring_wait_frame(ring, TDK_WAIT_PARK, UINT64_C(10000000000)))
                break;
            continue;
        }
        if (tdk_frame_is_tick(frame)) {
            printf("%" PRIu64 " seq %" PRIu64 " type %u, %u bytes\n", frame->ts, frame->seq,
                   frame->type, frame->size);
            left--;
        }
        tdk_ring_release(ring); /* the frame was ours until here */
    }
    tdk_ring_detach(ring);
    return left == 0 ? 0 : 1;
}
