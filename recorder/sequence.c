#include "recorder/sequence.h"

static void begin_at(struct sequence *s, uint64_t ring_epoch, const struct sequence_known *known,
                     uint64_t fresh_seq)
{
    s->ring_epoch = ring_epoch;
    s->epoch = known->epoch;
    s->last_epoch = known->last_epoch;
    s->next_seq = known->epoch != 0 ? known->next_seq : fresh_seq;
    s->passing = known->epoch != 0;
    s->stale = known->epoch != 0 && known->epoch < known->last_epoch;
}

/* An epoch of which the tape has nothing, joined somewhere in the middle. What came before us is
 * not a loss of this tape, whoever has it. */
void sequence_attach(struct sequence *s, uint64_t ring_epoch, const struct sequence_known *known)
{
    begin_at(s, ring_epoch, known, 0);
}

/* An epoch joined at its EPOCH frame begins with seq 1: what is missing then was refused. */
void sequence_turned(struct sequence *s, uint64_t ring_epoch, const struct sequence_known *known)
{
    begin_at(s, ring_epoch, known, 1);
}

enum sequence_verdict sequence_look(const struct sequence *s, uint64_t seq, uint64_t *lost)
{
    if (s->ring_epoch == 0 || seq == 0)
        return SEQUENCE_WRONG;
    if (s->stale && seq < s->next_seq)
        return SEQUENCE_PASS;
    if (s->stale || s->epoch == 0)
        return SEQUENCE_BEGIN;
    if (seq == s->next_seq || s->next_seq == 0)
        return SEQUENCE_NEXT;
    if (seq < s->next_seq)
        return s->passing ? SEQUENCE_PASS : SEQUENCE_WRONG;
    *lost = seq - s->next_seq;
    return *lost <= SEQUENCE_HOLE_MAX ? SEQUENCE_HOLE : SEQUENCE_WRONG;
}

void sequence_take(struct sequence *s, uint64_t next_seq)
{
    s->next_seq = next_seq;
    s->passing = false;
}

uint64_t sequence_begin(struct sequence *s)
{
    s->epoch = s->ring_epoch > s->last_epoch ? s->ring_epoch : s->last_epoch + 1;
    s->last_epoch = s->epoch;
    s->stale = false;
    return s->epoch;
}

enum sequence_verdict sequence_turn(const struct sequence *s, const struct tdk_epoch *told,
                                    uint64_t *lost)
{
    if (told->epoch == 0 || (s->ring_epoch != 0 && told->epoch < s->ring_epoch))
        return SEQUENCE_WRONG;
    if (told->previous != s->ring_epoch || s->epoch == 0 || s->next_seq == 0 ||
        told->previous_seq < s->next_seq)
        return SEQUENCE_NEXT;
    *lost = told->previous_seq + 1 - s->next_seq;
    return *lost <= SEQUENCE_HOLE_MAX ? SEQUENCE_HOLE : SEQUENCE_WRONG;
}
