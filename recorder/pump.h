/*
 * pump.h - from rings to writes: when a write is worth forming, and what goes into it.
 *
 * Frames stay in their rings, where a killed recorder finds them again, until a write is worth
 * forming: a block's worth of bytes waits, a ring is a quarter full, or a tick has waited long
 * enough. Every inlet gets its turn. One with many frames fills a write alone; slow ones share one.
 * The loop's thread.
 */
#ifndef TDK_RECORDER_PUMP_H
#define TDK_RECORDER_PUMP_H

#include "recorder/fill.h"
#include "recorder/writer.h"
#include "tape/mark.h"

struct pump {
    struct inlet *inlets; /* borrowed */
    unsigned count;
    unsigned turn;         /* the inlet that comes first */
    struct writer *writer; /* borrowed */
    struct filler filler;
    size_t block_size;
    uint64_t age_ns, small_age_ns; /* how long a tick may wait; how long if only little waits */
    bool ending;                   /* the last turns: everything goes out, whatever its age */
    bool pushing;                  /* somebody waits for what was published, whatever its age */
    struct tdk_clock_jump jump;    /* of the host's clock, for inlets that owe a CLOCK frame */
    unsigned char mark[MARK_PAYLOAD_MAX]; /* for inlets that owe a MARK frame */
    uint32_t mark_size;
    uint64_t mark_ts;
    uint64_t moved_ns; /* when ticks other than the canary's were last seen waiting */

    /* as the last turn saw it */
    size_t waiting;
    uint64_t oldest_ns; /* 0: nothing waits */
    bool pressing;      /* a ring is a quarter full */
    bool filling;       /* a ring is an eighth full: look again at once */
};

struct pump_options {
    size_t block_size;
    uint64_t block_age_ns;
    uint64_t sync_interval_ns; /* nothing waits longer than this; 0: there is none */
};

int pump_init(struct pump *pump, struct inlet *inlets, unsigned count, struct writer *writer,
              const struct pump_options *options);
void pump_close(struct pump *pump);

enum pump_pace {
    PUMP_HOT,  /* come again at once */
    PUMP_WARM, /* in a millisecond */
    PUMP_IDLE, /* in some milliseconds */
};

/* Look at every ring, and form a write if one is due. Says how soon to come again. */
enum pump_pace pump_turn(struct pump *pump, uint64_t now_ns);

/* Put what is in the rings at this moment into writes, whatever its age, and behind it a mark of
 * that name on each track (NULL: no mark). One push at a time; pump_is_pushed() says when it is
 * done. */
void pump_push(struct pump *pump, const char *mark, uint64_t mark_back, uint64_t mark_ts);
bool pump_is_pushed(const struct pump *pump);

/* Begin to end: take only what is in the rings at this moment. */
void pump_end(struct pump *pump);

/* While ending: is everything formed, including the losses behind the last ticks? */
bool pump_is_dry(const struct pump *pump);

/* The host's clock jumped: each track gets a CLOCK frame before its next tick. */
void pump_clock_jumped(struct pump *pump, uint64_t old_ns, uint64_t new_ns);

#endif
