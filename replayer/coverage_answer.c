#include "replayer/coverage_answer.h"

#include <errno.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/err.h"
#include "wire/frame.h"

#define ITEMS_MAX FRAME_ANSWER_ITEMS

/* Gaps of the epoch at hand, as items of a list. */
struct gaps {
    struct text_buffer items;
    uint32_t count;
};

struct answer {
    struct text_buffer *out;
    const atomic_bool *stop;     /* borrowed */
    size_t tracks_at, epochs_at; /* where the open lists begin */
    uint32_t tracks, epochs;
    bool in_track, skipping; /* skipping: the lists are full */
    struct gaps lost, damaged, retired;
    bool complete, more;
};

static const char *reason_word(uint32_t reason)
{
    static const char *const words[] = {
        [TDK_LOSS_RING_FULL] = "ring full", [TDK_LOSS_NO_SPACE] = "no space",
        [TDK_LOSS_DAMAGE] = "damage",       [TDK_LOSS_QUARANTINE] = "quarantine",
        [TDK_LOSS_UNKNOWN] = "unknown",     [TDK_LOSS_RETIRED] = "retired",
    };
    return reason < array_size(words) && words[reason] != NULL ? words[reason] : "unknown";
}

static void end_track(struct answer *a)
{
    if (a->in_track)
        wire_close_list(a->out, a->epochs_at, a->epochs);
    a->in_track = false;
}

static int on_track(const char *track, void *context)
{
    struct answer *a = context;
    end_track(a);
    a->skipping = a->tracks == ITEMS_MAX;
    a->more = a->more || a->skipping;
    if (a->skipping)
        return 0;
    a->tracks++;
    a->epochs = 0;
    a->in_track = true;
    wire_put_map(a->out, 2);
    wire_pair_string(a->out, "track", track);
    wire_put_string(a->out, "epochs");
    a->epochs_at = wire_open_list(a->out);
    return 0;
}

static int on_gap(const struct tdk_gap *gap, void *context)
{
    struct answer *a = context;
    struct gaps *gaps = gap->damaged ? &a->damaged : gap->retired ? &a->retired : &a->lost;
    a->complete = false;
    if (gaps->count == ITEMS_MAX) {
        a->more = true;
        return 0;
    }
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
    text_add(out, gaps->items.bytes, gaps->items.size);
    forget_gaps(gaps);
}

static int on_epoch(const struct tdk_epoch_coverage *epoch, void *context)
{
    struct answer *a = context;
    struct text_buffer *out = a->out;
    bool timed = epoch->first_ts <= epoch->last_ts;
    if (a->skipping || a->epochs == ITEMS_MAX) {
        a->more = true;
        forget_gaps(&a->lost);
        forget_gaps(&a->damaged);
        forget_gaps(&a->retired);
        return 0;
    }
    a->epochs++;
    wire_put_map(out, 12);
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
    put_gaps(out, "lost", &a->lost);
    put_gaps(out, "damaged", &a->damaged);
    put_gaps(out, "retired", &a->retired);
    return 0;
}

static int on_progress(uint64_t bytes, uint64_t ticks, void *context)
{
    const struct answer *a = context;
    (void)bytes;
    (void)ticks;
    return *a->stop ? -ECANCELED : 0;
}

int coverage_answer(struct tdk_tape *tape, const struct tdk_query *query, const atomic_bool *stop,
                    struct text_buffer *out, struct tdk_err *err)
{
    struct answer a = {.out = out, .stop = stop, .complete = true};
    const struct tdk_coverage_walk walk = {.track = on_track,
                                           .gap = on_gap,
                                           .epoch = on_epoch,
                                           .progress = on_progress,
                                           .context = &a};
    text_init(&a.lost.items);
    text_init(&a.damaged.items);
    text_init(&a.retired.items);
    wire_put_map(out, 3);
    wire_put_string(out, "tracks");
    a.tracks_at = wire_open_list(out);
    int rc = tdk_tape_coverage(tape, query, &walk, err);
    end_track(&a);
    wire_close_list(out, a.tracks_at, a.tracks);
    wire_pair_bool(out, "complete", a.complete);
    wire_pair_bool(out, "more", a.more);
    text_close(&a.lost.items);
    text_close(&a.damaged.items);
    text_close(&a.retired.items);
    return rc == -ECANCELED ? err_say(err, rc, "coverage: the replayer ends") : rc;
}
