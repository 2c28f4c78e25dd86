#include "recorder/sealers.h"

#include <assert.h>
#include <string.h>

void sealers_init(struct sealers *s, unsigned count, uv_loop_t *loop, struct recovered *tape,
                  struct journal *journal, const struct sealer_options *options)
{
    assert(count >= 1 && count <= SEALERS_MAX);
    s->count = count;
    for (unsigned i = 0; i < count; i++) {
        struct sealer_options mine = *options;
        mine.share = i;
        mine.shares = count;
        sealer_init(&s->each[i], loop, tape, journal, &mine);
    }
}

void sealers_tend(struct sealers *s, uint64_t now_ns, bool behind)
{
    for (unsigned i = 0; i < s->count; i++)
        sealer_tend(&s->each[i], now_ns, behind);
}

void sealers_ask(struct sealers *s, uint64_t first, uint64_t last)
{
    for (unsigned i = 0; i < s->count; i++)
        sealer_ask(&s->each[i], first, last);
}

void sealers_stop(struct sealers *s)
{
    for (unsigned i = 0; i < s->count; i++)
        sealer_stop(&s->each[i]);
}

bool sealers_are_idle(const struct sealers *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (!sealer_is_idle(&s->each[i]))
            return false;
    return true;
}

static void add_totals(struct sealer_totals *sum, const struct sealer_totals *one)
{
    sum->segments += one->segments;
    sum->failed += one->failed;
    sum->ticks += one->ticks;
    sum->bytes_before += one->bytes_before;
    sum->bytes_after += one->bytes_after;
}

void sealers_look(const struct sealers *s, struct sealers_view *view)
{
    memset(view, 0, sizeof *view);
    for (unsigned i = 0; i < s->count; i++) {
        const struct sealer *one = &s->each[i];
        uint64_t segment = one->segment;
        if (view->state == NULL || (segment != 0 && view->segment == 0) ||
            (view->segment == 0 && one->asked))
            view->state = sealer_state_text(one);
        if (segment != 0 && (view->segment == 0 || segment < view->segment))
            view->segment = segment;
        view->asked |= one->asked;
        view->read += one->read;
        view->total += one->total;
        view->left += one->left;
        view->left_bytes += one->left_bytes;
        add_totals(&view->totals, &one->totals);
    }
}

void sealers_close(struct sealers *s)
{
    for (unsigned i = 0; i < s->count; i++)
        sealer_close(&s->each[i]);
}

void sealers_free(struct sealers *s)
{
    for (unsigned i = 0; i < s->count; i++)
        sealer_free(&s->each[i]);
}
