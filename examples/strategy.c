/*
 * strategy.c - a strategy that cannot tell live from a replay: only the ring's name differs.
 *
 *     strategy RING
 *
 * It keeps a moving average of each instrument's trades, and prints a line when a price crosses it.
 * Live, it taps the ring that a recorder consumes. A play's ring it consumes itself, so that the
 * tape waits for it. The time comes from the ring's clock. It ends with END, or after three seconds
 * of silence.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <tapedeck/clock.h>
#include <tapedeck/dbn.h>
#include <tapedeck/ring.h>

#define INSTRUMENTS 4096u
#define SILENCE_NS  UINT64_C(3000000000)

struct state {
    int64_t average; /* of prices in 1e-9; 0: no trade yet */
    uint32_t instrument;
    bool above;
};

static struct state states[INSTRUMENTS];
static struct tdk_clock_page *tape_clock;
static uint64_t ticks, signals, age_ns;

/* Get a trade's instrument and price, whatever kind of trade it is. */
static bool read_trade(const struct tdk_frame *frame, uint32_t *instrument, int64_t *price)
{
    const void *payload = frame + 1;
    bool is_trade = frame->type == TDK_TYPE_DBN || frame->type == TDK_TYPE_WIDE;
    if (!is_trade || !tdk_dbn_check(frame->type, payload, frame->size))
        return false;
    struct tdk_dbn_head head;
    memcpy(&head, payload, sizeof head);
    if (head.rtype != (frame->type == TDK_TYPE_DBN ? TDK_RTYPE_TRADES : TDK_RTYPE_WIDE_TRADE))
        return false;
    *instrument = head.instrument_id;
    memcpy(price, (const char *)payload + sizeof head, sizeof *price); /* in both, after the head */
    return *price != TDK_PRICE_UNDEFINED;
}

/* From its place on, the first that is its own or nobody's. NULL: there are too many. */
static struct state *find_state(uint32_t instrument)
{
    for (uint32_t i = 0; i < INSTRUMENTS; i++) {
        struct state *s = &states[(instrument + i) % INSTRUMENTS];
        if (s->average == 0)
            s->instrument = instrument;
        if (s->instrument == instrument)
            return s;
    }
    return NULL;
}

static void on_trade(const struct tdk_frame *frame, uint32_t instrument, int64_t price)
{
    struct state *s = find_state(instrument);
    if (s == NULL)
        return;
    bool above = price > s->average;
    /* The prologue of a primed play is state to begin with, not something to act on. */
    if (s->average != 0 && above != s->above && (frame->flags & TDK_FLAG_PROLOGUE) == 0) {
        signals++;
        printf("%" PRIu64 " %s %" PRIu32 " at %.4f\n", frame->ts, above ? "buy" : "sell",
               instrument, (double)price / 1e9);
    }
    s->above = above;
    s->average = s->average == 0 ? price : s->average + (price - s->average) / 16;
}

/* Returns false when the play is over. */
static bool on_frame(const struct tdk_frame *frame, const char *ring)
{
    uint32_t instrument;
    int64_t price;
    if (tape_clock == NULL && tdk_clock_attach(&tape_clock, ring, NULL) < 0)
        return false;
    if (frame->type == TDK_TYPE_END)
        return false;
    if (!tdk_frame_is_tick(frame))
        return true;
    uint64_t now = tdk_clock_now(tape_clock);
    age_ns += now > frame->ts ? now - frame->ts : 0;
    ticks++;
    if (read_trade(frame, &instrument, &price))
        on_trade(frame, instrument, price);
    return true;
}

/* For a ring that nobody else consumes: the producer waits for us (a play), or refuses ticks (a
 * feed). */
static void consume(struct tdk_ring *ring, const char *name)
{
    for (;;) {
        const struct tdk_frame *frame = tdk_ring_next(ring);
        if (frame == NULL) {
            if (!tdk_ring_wait_frame(ring, TDK_WAIT_PARK, SILENCE_NS))
                return;
            continue;
        }
        bool more = on_frame(frame, name);
        tdk_ring_release(ring);
        if (!more)
            return;
    }
}

/* For a ring that is being recorded: a tap, which nobody notices. */
static void follow(struct tdk_ring *ring, const char *name)
{
    static uint64_t room[(2u << 20) / 8]; /* 8-aligned, like frames */
    for (;;) {
        uint64_t missed;
        int64_t size = tdk_ring_tap(ring, room, sizeof room, &missed);
        if (size == TDK_ELAPPED)
            fprintf(stderr, "strategy: too slow, %" PRIu64 " bytes were not seen\n", missed);
        else if (size < 0)
            return;
        if (size == 0 && !tdk_ring_wait_frame(ring, TDK_WAIT_PARK, SILENCE_NS))
            return;
        const struct tdk_frame *frame = (const void *)room;
        const char *end = (const char *)room + (size > 0 ? size : 0);
        for (; (const char *)frame < end; frame = tdk_frame_after(frame))
            if (!on_frame(frame, name))
                return;
    }
}

int main(int argc, char **argv)
{
    struct tdk_err err;
    struct tdk_ring *ring;
    if (argc != 2) {
        fprintf(stderr, "usage: strategy RING\n");
        return 2;
    }
    int rc = tdk_ring_attach(&ring, argv[1], TDK_RING_CONSUMER, &err);
    bool consumes = rc == 0;
    if (rc == TDK_EBUSY) /* a recorder consumes it */
        rc = tdk_ring_attach(&ring, argv[1], TDK_RING_TAP, &err);
    if (rc < 0) {
        fprintf(stderr, "strategy: %s\n", err.text);
        return 1;
    }
    (consumes ? consume : follow)(ring, argv[1]);
    fprintf(stderr, "strategy: %" PRIu64 " ticks, %" PRIu64 " signals, %.1f us old on average\n",
            ticks, signals, ticks > 0 ? (double)age_ns / (double)ticks / 1000 : 0);
    tdk_clock_detach(tape_clock);
    tdk_ring_detach(ring);
    return 0;
}
