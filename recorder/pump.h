/*
 * pump.h - rings into writes: when one is worth forming, and what goes into it.
 *
 * Frames stay in their rings, where a killed recorder finds them again, until a write is worth it:
 * a block's worth waits, a ring is a quarter full, or a tick has waited long enough. Every inlet
 * gets its turn; one that has much fills a write alone, slow ones share. The loop's thread.
 */
#ifndef TDK_RECORDER_PUMP_H
#define TDK_RECORDER_PUMP_H

#include "recorder/fill.h"
#include "recorder/writer.h"
#include "tape/mark.h"

struct pump {
    struct inlet *inlets; /* borrowed */
    unsigned count;
    unsigned turn;         /* who comes first */
    struct writer *writer; /* borrowed */
    struct filler filler;
    size_t block_size;
    uint64_t age_ns, small_age_ns; /* how long a tick may wait; the same when little waits */
    bool ending;                   /* the last turns: everything out, whatever its age */
    bool pushing;                  /* what was published is wanted in writes, whatever its age */
    struct tdk_clock_jump jump;    /* of the host's clock; told to inlets that owe it */
    unsigned char mark[MARK_PAYLOAD_MAX]; /* told to inlets that owe it */
    uint32_t mark_size;
    uint64_t mark_ts;
    uint64_t moved_ns; /* when something of others was last seen waiting */

    /* as seen in the last turn */
    size_t waiting;
    uint64_t oldest_ns; /* 0: nothing waits */
    bool pressing;      /* a ring is a quarter full */
    bool filling;       /* one is an eighth full: look again at once */
};

struct pump_options {
    size_t block_size;
    uint64_t block_age_ns;
    uint64_t sync_interval_ns; /* 0: there is none; else nothing waits longer than that */
};

int pump_init(struct pump *pump, struct inlet *inlets, unsigned count, struct writer *writer,
              const struct pump_options *options);
void pump_close(struct pump *pump);

enum pump_pace {
    PUMP_HOT,  /* again at once */
    PUMP_WARM, /* in a millisecond */
    PUMP_IDLE, /* in some */
};

/* Look at every ring; form what is due, a bounded number of writes. Says how soon to come again. */
enum pump_pace pump_turn(struct pump *pump, uint64_t now_ns);

/* What is in the rings at this moment is wanted in writes now, and behind it, on each track, a mark
 * of that name (NULL: none). One push at a time. */
void pump_push(struct pump *pump, const char *mark, uint64_t mark_back, uint64_t mark_ts);
bool pump_is_pushed(const struct pump *pump);

/* From now on only what is in the rings at this moment. */
void pump_end(struct pump *pump);

/* While ending: everything is formed, also the losses behind the last ticks. */
bool pump_is_dry(const struct pump *pump);

/* The host's clock jumped: a CLOCK frame for each track before its next tick. */
void pump_clock_jumped(struct pump *pump, uint64_t old_ns, uint64_t new_ns);

#endif
