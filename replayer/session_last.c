#include "replayer/session_last.h"

#include "replayer/coverage_answer.h"
#include "replayer/session.h"

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

/* What the tape has of the range, in the form of the method `coverage`'s first answer. It comes
 * from the index alone: what was played has been read already, and the damage found is in
 * `damaged`. */
static void put_coverage(struct session *s, struct text_buffer *out)
{
    static const atomic_bool never;
    const struct coverage_wish wish = {
        .query = &s->params.inquiry.query, .unread = true, .stop = &never};
    size_t before = out->size;
    wire_put_string(out, "coverage");
    if (coverage_answer(s->tape, &wish, out, NULL) == 0)
        return;
    out->size = before;
    wire_put_string(out, "coverage");
    wire_put_nil(out);
}

uint32_t session_put_last(struct session *s, struct text_buffer *out)
{
    const struct player_report *r = player_report(s->player);
    uint32_t pairs = 14;
    put_fidelity(&r->lateness, out);
    put_coverage(s, out);
    wire_pair_string(out, "digest", r->digest_hex);
    wire_pair_u64(out, "bytes", r->bytes);
    wire_pair_u64(out, "digest_ticks", r->digest_ticks);
    wire_pair_u64(out, "rounds", r->rounds);
    wire_pair_u64(out, "primed", r->primed);
    wire_pair_u64(out, "lost", r->lost);
    wire_pair_u64(out, "damaged", r->damaged);
    wire_pair_bool(out, "complete", r->complete);
    wire_pair_bool(out, "stopped", r->stopped);
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
