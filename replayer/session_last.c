#include "replayer/session_last.h"

#include "replayer/session.h"

#define GAPS_MAX 1000u /* told one by one; `complete` is right all the same */

static void put_fidelity(const struct histogram *h, struct text_buffer *out)
{
    wire_put_string(out, "fidelity");
    if (h->count == 0) {
        wire_put_nil(out);
        return;
    }
    wire_put_map(out, 4);
    wire_pair_u64(out, "p50", histogram_quantile(h, 500000));
    wire_pair_u64(out, "p99", histogram_quantile(h, 990000));
    wire_pair_u64(out, "p99_9", histogram_quantile(h, 999000));
    wire_pair_u64(out, "max", h->max);
}

/* ---- coverage ---- */

struct coverage {
    struct text_buffer *out;
    struct text_buffer lost, damaged; /* the gaps of the epoch at hand */
    uint32_t lost_count, damaged_count, told;
    uint32_t tracks, epochs;
    size_t epochs_at; /* where the list of the track at hand began */
    bool in_track, complete;
};

static void end_track(struct coverage *c)
{
    if (c->in_track)
        wire_close_list(c->out, c->epochs_at, c->epochs);
    c->in_track = false;
}

static int on_track(const char *track, void *context)
{
    struct coverage *c = context;
    end_track(c);
    wire_put_map(c->out, 2);
    wire_pair_string(c->out, "track", track);
    wire_put_string(c->out, "epochs");
    c->epochs_at = wire_open_list(c->out);
    c->epochs = 0;
    c->in_track = true;
    c->tracks++;
    return 0;
}

static int on_gap(const struct tdk_gap *gap, void *context)
{
    struct coverage *c = context;
    c->complete = false;
    if (c->told++ >= GAPS_MAX)
        return 0;
    struct text_buffer *out = gap->damaged ? &c->damaged : &c->lost;
    *(gap->damaged ? &c->damaged_count : &c->lost_count) += 1;
    wire_put_map(out, 4);
    wire_pair_u64(out, "first_seq", gap->first_seq);
    wire_pair_u64(out, "count", gap->count);
    wire_pair_u64(out, "from", gap->from);
    wire_pair_u64(out, "to", gap->to);
    return 0;
}

static void put_gaps(struct coverage *c, const char *key, struct text_buffer *gaps, uint32_t *count)
{
    wire_put_string(c->out, key);
    wire_put_list(c->out, *count);
    if (gaps->size > 0)
        text_add(c->out, gaps->bytes, gaps->size);
    text_clear(gaps);
    *count = 0;
}

static int on_epoch(const struct tdk_epoch_coverage *epoch, void *context)
{
    struct coverage *c = context;
    wire_put_map(c->out, 5);
    wire_pair_u64(c->out, "epoch", epoch->epoch);
    wire_pair_u64(c->out, "first_seq", epoch->first_seq);
    wire_pair_u64(c->out, "last_seq", epoch->last_seq);
    put_gaps(c, "lost", &c->lost, &c->lost_count);
    put_gaps(c, "damaged", &c->damaged, &c->damaged_count);
    c->epochs++;
    return 0;
}

/* By the index: what was played has been read already, and damage met is in `damaged`. */
static void put_coverage(struct session *s, struct text_buffer *out)
{
    struct coverage c = {.out = out, .complete = true};
    const struct tdk_coverage_walk walk = {
        .unread = true, .track = on_track, .gap = on_gap, .epoch = on_epoch, .context = &c};
    text_init(&c.lost);
    text_init(&c.damaged);
    wire_put_string(out, "coverage");
    wire_put_map(out, 2);
    wire_put_string(out, "tracks");
    size_t tracks_at = wire_open_list(out);
    int rc = tdk_tape_coverage(s->tape, &s->params.query, &walk, NULL);
    end_track(&c);
    wire_close_list(out, tracks_at, c.tracks);
    wire_pair_bool(out, "complete", rc == 0 && c.complete);
    text_close(&c.lost);
    text_close(&c.damaged);
}

uint32_t session_put_last(struct session *s, struct text_buffer *out)
{
    const struct player_report *r = player_report(s->player);
    uint32_t pairs = 11;
    put_fidelity(&r->lateness, out);
    put_coverage(s, out);
    wire_pair_string(out, "digest", r->digest_hex);
    wire_pair_u64(out, "bytes", r->bytes);
    wire_pair_u64(out, "rounds", r->rounds);
    wire_pair_u64(out, "lost", r->lost);
    wire_pair_u64(out, "damaged", r->damaged);
    wire_pair_bool(out, "complete", r->complete);
    wire_pair_u64(out, "stalls", r->stalls);
    wire_pair_u64(out, "stalled", r->stalled_ns);
    wire_pair_u64(out, "elapsed", r->elapsed_ns);
    if (s->rc < 0) {
        wire_put_string(out, "error");
        wire_put_error(out, &s->err, 0);
        pairs++;
    }
    return pairs;
}
