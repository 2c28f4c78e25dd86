/* verify_states.c - compare what a segment says of the state in its blocks with the blocks. */
#include <errno.h>
#include <string.h>

#include "tape/kinds.h"
#include "tape/verify_segment.h"

static void find(struct report *report, const struct segment_foot *foot, int code, const char *what)
{
    report_add(report, foot->end + foot->table_size + foot->catalog_size, code, "%s", what);
}

struct comparing {
    struct index *index;
    uint32_t told, missing;
};

static int compare_one(const struct state_ref *state, void *context)
{
    struct comparing *c = context;
    struct state_ref found;
    c->told++;
    if (index_states(c->index, state->track, state->epoch, state->instrument_id, state->segment,
                     &found, 1, NULL) != 1 ||
        found.segment != state->segment || found.kinds != state->kinds)
        c->missing++;
    return 0;
}

struct finding_ref {
    uint64_t number;
    uint16_t states;
};

static int take_ref(const struct segment_ref *ref, void *context)
{
    struct finding_ref *f = context;
    if (ref->number != f->number)
        return 0;
    f->states = ref->states;
    return 1;
}

/* If the index says that it knows this segment's states, it must know all of them, because looks
 * back in time rely on it. */
static void compare_index(const struct verify_reader *reader, const struct states *states,
                          const struct segment_foot *foot, const struct block_ref *refs,
                          struct report *report)
{
    struct comparing c = {.index = reader->index};
    struct finding_ref known = {.number = foot->number};
    if (index_segments(reader->index, take_ref, &known, NULL) != 1 || known.states == 0)
        return;
    int rc = states_each(states, refs, compare_one, &c);
    if (rc < 0)
        report->failed = rc;
    else if (c.missing > 0)
        report_add(report, UINT64_MAX, TDK_ECORRUPT,
                   "the index lacks what it has of %u of %u instruments", c.missing, c.told);
}

static void compare_blocks(struct verify_reader *reader, const struct states *states,
                           const struct segment_foot *foot, struct report *report)
{
    size_t size;
    const void *made = states_made(reader->states, foot->blocks, &size);
    /* Not all blocks are known, or the list is of a version that did not include all
     * instruments. */
    if (report->bad_blocks > 0 || states->kinds != KINDS_TOLD)
        return;
    if (made == NULL || size != states->starts[states->blocks] ||
        memcmp(made, states->bytes, size) != 0)
        find(report, foot, TDK_ECORRUPT,
             "its footer names other instruments or states than its blocks have");
}

void verify_states(struct verify_reader *reader, const struct segment *segment,
                   const struct segment_foot *foot, const struct block_ref *refs,
                   struct report *report)
{
    struct tdk_err err;
    struct states states;
    if (reader->states == NULL || foot->states_size == 0)
        return;
    int rc = segment_read_states(segment, foot, &states, &err);
    if (rc == -ENOMEM)
        report->failed = rc;
    else if (rc < 0)
        find(report, foot, rc, err.text);
    if (rc < 0)
        return;
    compare_blocks(reader, &states, foot, report);
    if (reader->index != NULL && !reader->live)
        compare_index(reader, &states, foot, refs, report);
    states_close(&states);
}
