/*
 * select.h - which ticks a query wants: times, types, and the instruments that its symbols mean.
 *
 * A query's words are checked and copied once; then a few compares decide about a tick. Times are
 * [from, last], inclusive, so that a range without end includes a tick stamped UINT64_MAX. What the
 * tape says of each track and epoch turns symbols into instrument ids, each with the time in which
 * it means that symbol. One thread at a time; any thread once the select does not change any more.
 */
#ifndef TDK_TAPE_SELECT_H
#define TDK_TAPE_SELECT_H

#include <stdbool.h>

#include "index/index.h"
#include "tape/frame.h"
#include "tape/tape.h"
#include "tapedeck/tape.h"

/* Can the query give ticks of this track? */
bool query_has_track(const struct tdk_query *query, const char *track);

/* An instrument, and the index time [from, to) in which it means what was asked for. `to`
 * UINT64_MAX: without end. */
struct pick {
    uint64_t epoch; /* 0: every epoch */
    uint32_t instrument_id;
    uint32_t zero;
    uint64_t from, to;
};

/* The picks of one epoch: by (instrument_id, from). A list may repeat an id. */
struct picks {
    struct pick *items; /* ours */
    size_t count;
    bool timed; /* at least one of them has a beginning or an end in time */
};

struct select {
    uint64_t from, last; /* from > last: nothing */
    enum tdk_axis axis;
    bool control;             /* control frames are wanted */
    bool by_type;             /* not every type passes */
    bool by_symbol;           /* not every instrument passes */
    bool types[256];          /* frame types that pass as a whole */
    bool dbn[256], wide[256]; /* rtypes of these two types */

    char **words; /* exact symbols, sorted; ours */
    size_t word_count;
    char **globs;
    size_t glob_count;
    uint32_t *ids; /* "#ID", sorted */
    size_t id_count;
};

/* -ENOMEM. */
int select_init(struct select *select, const struct tdk_query *query, struct tdk_err *err);
void select_close(struct select *select);

/* All instruments of a track that the query's symbols mean, by (epoch, instrument_id, from). */
int select_picks(const struct select *select, const struct symbols *symbols, struct picks *all,
                 struct tdk_err *err);

/* Copy the picks of one epoch, and the "#ID"s of the query, into `picks` (its memory is reused). */
int picks_of_epoch(struct picks *picks, const struct select *select, const struct picks *all,
                   uint64_t epoch, struct tdk_err *err);
int picks_copy(struct picks *picks, const struct picks *from); /* -ENOMEM */
void picks_close(struct picks *picks);

bool picks_pass(const struct picks *picks, const struct tdk_frame *tick);
bool picks_name(const struct picks *picks, uint32_t instrument_id); /* at some time at least */
bool picks_may_be_in(const struct picks *picks, const uint64_t filter[2]);

/* A frame's time on the axis of the query. */
static inline uint64_t select_time(const struct select *select, const struct tdk_frame *frame)
{
    return select->axis == TDK_AXIS_EVENT ? frame_event_ts(frame) : frame->ts;
}

static inline bool select_in_time(const struct select *select, uint64_t ts)
{
    return ts >= select->from && ts <= select->last;
}

static inline bool select_has_type(const struct select *select, const struct tdk_frame *tick)
{
    if (!select->by_type || select->types[tick->type])
        return true;
    if (!frame_is_record(tick))
        return false;
    uint8_t rtype = tdk_frame_payload(tick)[1];
    return tick->type == TDK_TYPE_DBN ? select->dbn[rtype] : select->wide[rtype];
}

/* Does this tick (not a control frame) pass? picks NULL: any instrument. */
static inline bool select_passes(const struct select *select, const struct picks *picks,
                                 const struct tdk_frame *tick)
{
    return select_in_time(select, select_time(select, tick)) && select_has_type(select, tick) &&
           (picks == NULL || picks_pass(picks, tick));
}

/* Is every tick of the block in the range of time? */
bool select_covers(const struct select *select, const struct block_ref *block);

/* Does a LOSS frame's gap overlap the range? Its times are receive times, on both axes. */
bool select_meets_loss(const struct select *select, const struct tdk_loss *loss);

#endif
