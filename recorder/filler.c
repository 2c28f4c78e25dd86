#include "recorder/filler.h"

void filler_drop(struct filler *f)
{
    if (f->inlet != NULL) {
        f->inlet->at = f->before;
        f->inlet->counts = f->counted;
    }
    f->inlet = NULL;
}

void filler_end(struct filler *f)
{
    struct inlet *s = f->inlet;
    struct write *w = f->write;
    if (s == NULL)
        return;
    if (!f->content) {
        filler_drop(f);
        return;
    }
    struct piece *piece = &w->pieces[w->piece_count++];
    *piece = (struct piece){
        .inlet = s,
        .at = w->size,
        .size = block_seal(&f->block),
        .position = tdk_ring_position(s->ring),
        .mark = {f->block.head.epoch, f->block.head.count != 0 ? f->block.head.last_seq : 0},
        .lost = f->block.head.lost,
    };
    w->size += piece->size;
    s->out++;
    if (f->named)
        s->named_in = f->segment;
    f->inlet = NULL;
}

size_t filler_room(const struct filler *f)
{
    const struct write *w = f->write;
    return w->piece_count < w->piece_room ? f->limit - w->size : 0;
}

/* The track gets its number when its first block is made. */
static bool learn_number(struct inlet *s)
{
    struct tdk_err err;
    if (s->kind == TDK_KIND_MIXED)
        s->kind = inlet_kind(s);
    if (s->at.track != 0)
        return true;
    if (ledger_track(s->ledger, s->track, s->kind, &s->at.track, &err) == 0)
        return true;
    inlet_quarantine(s, err.text);
    return false;
}

enum fill_step filler_need(struct filler *f, struct inlet *s, uint32_t size)
{
    size_t need = block_room_for(size);
    if (f->inlet == s)
        return STEP_ON;
    filler_end(f);
    if (!learn_number(s))
        return STEP_DRY;
    if (filler_room(f) < need) {
        f->need = need;
        return STEP_FULL;
    }
    f->inlet = s;
    f->before = s->at;
    f->counted = s->counts;
    f->content = f->begins = false;
    f->named = s->named_in != f->segment;
    block_begin(&f->block, f->write->bytes + f->write->size, filler_room(f), f->scratch, &s->at,
                f->now_ns);
    if (f->named)
        block_add_track(&f->block, s->track, (uint8_t)s->kind);
    return STEP_ON;
}
