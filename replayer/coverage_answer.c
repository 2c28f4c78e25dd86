#include "replayer/coverage_answer.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "wire/frame.h"

#define ITEMS_MAX FRAME_ANSWER_ITEMS

/* One kind of gaps of the current epoch, as items of a list. */
struct gaps {
    struct text_buffer items;
    uint32_t count;
};

struct answer {
    const struct coverage_wish *wish;     /* borrowed */
    const struct coverage_record *record; /* borrowed: the answer is read from it */
    struct text_buffer *out;
    size_t tracks_at, epochs_at; /* where the open lists begin */
    uint32_t tracks, epochs;
    bool in_track;
    bool behind; /* the current track is the one in which the last answer ended */
    bool full;   /* what comes now belongs in the next answer */
    struct coverage_place told;
    uint64_t walk;     /* where the rest of it is kept */
    const char *track; /* the current one */
    struct gaps lost, damaged, retired, away;
};

static const char *reason_word(uint32_t reason)
{
    static const char *const words[] = {
        [TDK_LOSS_RING_FULL] = "ring full", [TDK_LOSS_NO_SPACE] = "no space",
        [TDK_LOSS_DAMAGE] = "damage",       [TDK_LOSS_QUARANTINE] = "quarantine",
        [TDK_LOSS_UNKNOWN] = "unknown",     [TDK_LOSS_RETIRED] = "retired",
        [TDK_LOSS_AWAY] = "away",
    };
    return reason < array_size(words) && words[reason] != NULL ? words[reason] : "unknown";
}

static void end_track(struct answer *a)
{
    if (a->in_track)
        wire_close_list(a->out, a->epochs_at, a->epochs);
    a->in_track = false;
}

static void note_told(struct answer *a, uint64_t epoch, uint64_t seq)
{
    snprintf(a->told.track, sizeof a->told.track, "%s", a->track);
    a->told.epoch = epoch;
    a->told.seq = seq;
}

/* Is there room for one more item in a list that has this many? */
static bool has_room(struct answer *a, uint32_t items)
{
    size_t size = a->out->size + a->lost.items.size + a->damaged.items.size +
                  a->retired.items.size + a->away.items.size;
    a->full = a->full || items == ITEMS_MAX || size >= COVERAGE_SIZE;
    return !a->full;
}

static int on_track(const char *track, void *context)
{
    struct answer *a = context;
    int order = strcmp(track, a->wish->after.track);
    end_track(a);
    a->track = track;
    a->behind = order == 0;
    if (order < 0 || !has_room(a, a->tracks))
        return a->full;
    note_told(a, 0, 0);
    a->tracks++;
    a->epochs = 0;
    a->in_track = true;
    wire_put_map(a->out, 2);
    wire_pair_string(a->out, "track", track);
    wire_put_string(a->out, "epochs");
    a->epochs_at = wire_open_list(a->out);
    return 0;
}

/* Was this, or its whole track, reported by an earlier answer? */
static bool was_told(const struct answer *a, uint64_t epoch, uint64_t seq)
{
    return !a->in_track || (a->behind && coverage_place_has(&a->wish->after, a->track, epoch, seq));
}

static int on_gap(const struct tdk_gap *gap, void *context)
{
    struct answer *a = context;
    struct gaps *gaps = gap->damaged   ? &a->damaged
                        : gap->retired ? &a->retired
                        : gap->away    ? &a->away
                                       : &a->lost;
    if (a->full || was_told(a, gap->epoch, gap->first_seq) || a->epochs == ITEMS_MAX ||
        !has_room(a, gaps->count))
        return 0;
    note_told(a, gap->epoch, gap->first_seq);
    gaps->count++;
    wire_put_map(&gaps->items, 5);
    wire_pair_u64(&gaps->items, "first_seq", gap->first_seq);
    wire_pair_u64(&gaps->items, "count", gap->count);
    wire_pair_u64(&gaps->items, "from", gap->from);
    wire_pair_u64(&gaps->items, "to", gap->to);
    wire_pair_string(&gaps->items, "reason", reason_word(gap->reason));
    return 0;
}

static void forget_gaps(struct gaps *gaps)
{
    text_clear(&gaps->items);
    gaps->count = 0;
}

static void put_gaps(struct text_buffer *out, const char *key, struct gaps *gaps)
{
    wire_put_string(out, key);
    wire_put_list(out, gaps->count);
    text_add_buffer(out, &gaps->items);
    forget_gaps(gaps);
}

/* Is the answer full in the middle of this epoch's gaps, or does the record end there? Then the
 * epoch's row is written all the same, and again in the next answer. */
static bool is_cut(struct answer *a, uint64_t epoch)
{
    const struct coverage_place *cut = coverage_record_cut(a->record);
    if (cut != NULL && cut->epoch == epoch && cut->seq != UINT64_MAX &&
        strcmp(cut->track, a->track) == 0)
        a->full = true;
    return a->full && a->in_track && a->told.epoch == epoch;
}

static int on_epoch(const struct tdk_epoch_coverage *epoch, void *context)
{
    struct answer *a = context;
    struct text_buffer *out = a->out;
    bool timed = epoch->first_ts <= epoch->last_ts;
    bool cut = is_cut(a, epoch->epoch);
    if (!cut && (was_told(a, epoch->epoch, UINT64_MAX) || !has_room(a, a->epochs)))
        return a->full;
    if (!cut)
        note_told(a, epoch->epoch, UINT64_MAX);
    a->epochs++;
    wire_put_map(out, 14);
    wire_pair_u64(out, "epoch", epoch->epoch);
    wire_pair_u64(out, "first_seq", epoch->first_seq);
    wire_pair_u64(out, "last_seq", epoch->last_seq);
    wire_put_string(out, "first_ts");
    timed ? wire_put_u64(out, epoch->first_ts) : wire_put_nil(out);
    wire_put_string(out, "last_ts");
    timed ? wire_put_u64(out, epoch->last_ts) : wire_put_nil(out);
    wire_pair_u64(out, "ticks", epoch->ticks);
    wire_pair_u64(out, "lost_ticks", epoch->lost);
    wire_pair_u64(out, "damaged_ticks", epoch->damaged);
    wire_pair_u64(out, "retired_ticks", epoch->retired);
    wire_pair_u64(out, "away_ticks", epoch->away);
    put_gaps(out, "lost", &a->lost);
    put_gaps(out, "damaged", &a->damaged);
    put_gaps(out, "retired", &a->retired);
    put_gaps(out, "away", &a->away);
    return a->full;
}

int coverage_take_after(struct coverage_wish *wish, struct wire_map params, struct tdk_err *err)
{
    struct wire_map map = {NULL, 0};
    struct coverage_place *after = &wish->after;
    int rc = wire_map(params, "after", &map, err);
    if (rc <= 0)
        return rc;
    rc = wire_string(map, "track", after->track, sizeof after->track, err);
    if (rc > 0)
        rc = wire_u64(map, "epoch", &after->epoch, err);
    if (rc >= 0)
        rc = wire_u64(map, "seq", &after->seq, err);
    if (rc >= 0)
        rc = wire_u64(map, "walk", &wish->walk, err);
    return rc < 0 ? rc : 0;
}

static void put_lost(const struct answer *a)
{
    size_t count;
    const struct tdk_lost_segments *lost = coverage_record_lost(a->record, &count);
    wire_put_string(a->out, "lost_segments");
    wire_put_list(a->out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        wire_put_map(a->out, 3);
        wire_pair_u64(a->out, "first", lost[i].first);
        wire_pair_u64(a->out, "last", lost[i].last);
        wire_pair_bool(a->out, "cut", lost[i].is_cut);
    }
}

static void put_next(const struct answer *a)
{
    put_lost(a);
    wire_pair_bool(a->out, "complete", coverage_record_is_complete(a->record));
    wire_pair_bool(a->out, "more", a->full);
    if (!a->full)
        return;
    wire_put_string(a->out, "next");
    wire_put_map(a->out, 4);
    wire_pair_string(a->out, "track", a->told.track);
    wire_pair_u64(a->out, "epoch", a->told.epoch);
    wire_pair_u64(a->out, "seq", a->told.seq);
    wire_pair_u64(a->out, "walk", a->walk);
}

/* Write what the record has after wish->after, as far as it fits in an answer. True: there is
 * more. */
static bool put_rows(struct answer *a)
{
    const struct tdk_coverage_walk walk = {
        .track = on_track, .gap = on_gap, .epoch = on_epoch, .context = a};
    text_init(&a->lost.items);
    text_init(&a->damaged.items);
    text_init(&a->retired.items);
    text_init(&a->away.items);
    wire_put_string(a->out, "tracks");
    a->tracks_at = wire_open_list(a->out);
    (void)coverage_record_walk(a->record, &walk);
    end_track(a);
    wire_close_list(a->out, a->tracks_at, a->tracks);
    text_close(&a->lost.items);
    text_close(&a->damaged.items);
    text_close(&a->retired.items);
    text_close(&a->away.items);
    a->full = a->full || coverage_record_cut(a->record) != NULL;
    return a->full;
}

/* Take the last answer's record from the shelf, if it is there and has something not reported yet.
 * Otherwise walk the tape. */
static int find_record(struct coverage_record **record, struct tdk_tape *tape,
                       const struct coverage_wish *wish, struct tdk_err *err)
{
    const struct coverage_walk walk = {.query = wish->query,
                                       .after = wish->after,
                                       .unread = wish->unread,
                                       .size_max = wish->shelf != NULL ? wish->shelf->record_size
                                                                       : 2 * COVERAGE_SIZE,
                                       .stop = wish->stop};
    *record = wish->shelf != NULL && wish->walk != 0
                  ? coverage_shelf_take(wish->shelf, wish->walk, wish->query)
                  : NULL;
    const struct coverage_place *cut = *record != NULL ? coverage_record_cut(*record) : NULL;
    if (*record != NULL &&
        (cut == NULL || !coverage_place_has(&wish->after, cut->track, cut->epoch, cut->seq)))
        return 0;
    coverage_record_close(*record);
    if (wish->shelf != NULL)
        atomic_fetch_add(&wish->shelf->walks, 1);
    return coverage_record_make(record, tape, &walk, err);
}

int coverage_answer(struct tdk_tape *tape, const struct coverage_wish *wish,
                    struct text_buffer *out, struct tdk_err *err)
{
    struct coverage_record *record = NULL;
    int rc = find_record(&record, tape, wish, err);
    if (rc < 0)
        return rc;
    struct answer a = {.out = out, .wish = wish, .record = record, .told = wish->after};
    size_t map = wire_open_map(out);
    bool more = put_rows(&a);
    if (more && wish->shelf != NULL)
        a.walk = coverage_shelf_number(wish->shelf);
    put_next(&a);
    wire_close_map(out, map, more ? 5 : 4);
    if (a.walk != 0)
        coverage_shelf_put(wish->shelf, a.walk, record, wish->query);
    else
        coverage_record_close(record);
    return 0;
}
