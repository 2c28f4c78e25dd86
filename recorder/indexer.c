#include "recorder/indexer.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/quantity.h"

#define RETRY_NS        NS_PER_S
#define RETRY_SHARE     10 /* times a commit's duration, at least: the journal waits for it */
#define TIDY_NS         (60 * NS_PER_S)
#define HELD_GROWTH_MAX (UINT64_C(4) << 30) /* while a reader holds its pages: a few hours */
#define GATHERED_MAX    ((size_t)64 << 20)  /* some 250,000 blocks: a tape of 250 GiB */

void indexer_init(struct indexer *x, struct ledger *ledger)
{
    *x = (struct indexer){.tape = ledger->tape, .ledger = ledger};
    if (x->tape->index_err.code == 0)
        return;
    x->err = x->tape->index_err;
    folder_doubt_index(&x->tape->folder, true);
    atomic_store(&x->state, INDEXER_GIVEN_UP);
}

enum indexer_state indexer_state(const struct indexer *x)
{
    return (enum indexer_state)atomic_load(&x->state);
}

/* ---- on the pool ---- */

static void give_up(struct indexer *x)
{
    index_abort(x->tape->index);
    folder_doubt_index(&x->tape->folder, true);
    atomic_store(&x->state, INDEXER_GIVEN_UP);
}

/* May the same bytes succeed another time? */
static bool may_pass(int code)
{
    return code != TDK_ECORRUPT && code != TDK_EVERSION && code != TDK_EINTERNAL;
}

static void try_later(struct indexer *x, uint64_t begun_ns)
{
    uint64_t now_ns = clock_mono();
    x->retry_ns = now_ns + max_u64(RETRY_NS, RETRY_SHARE * (now_ns - begun_ns));
}

static void commit(struct indexer *x)
{
    uint64_t begun_ns = clock_mono();
    int rc = index_commit(x->tape->index, &x->err);
    if (rc == 0) {
        if (indexer_state(x) == INDEXER_BEHIND)
            folder_doubt_index(&x->tape->folder, false);
        atomic_store(&x->state, INDEXER_OK);
    } else if (!may_pass(rc) || (indexer_state(x) == INDEXER_BEHIND &&
                                 index_gathered(x->tape->index) > x->gathered + GATHERED_MAX)) {
        give_up(x);
    } else {
        if (indexer_state(x) == INDEXER_OK)
            x->gathered = index_gathered(x->tape->index);
        folder_doubt_index(&x->tape->folder, true);
        atomic_store(&x->state, INDEXER_BEHIND);
        try_later(x, begun_ns);
    }
}

/* Having no index is better than an index that fills the disk. */
static void give_up_held(struct indexer *x)
{
    char size[QUANTITY_TEXT];
    err_say(&x->err, TDK_EFULL,
            "it has grown to %s, because process %d is stopped while it reads the index",
            quantity_size_text(size, x->held.size), x->held.pid);
    give_up(x);
}

/* A reader that died in a transaction keeps every page that was freed since then from being used
 * again, so the map would only grow. */
static void tidy(struct indexer *x)
{
    uint64_t now_ns = clock_mono();
    if (now_ns - x->tidied_ns < TIDY_NS)
        return;
    index_tidy(x->tape->index, &x->held);
    x->tidied_ns = now_ns;
    if (x->held.pid == 0)
        x->free_size = x->held.size;
    else if (x->held.size > x->free_size + HELD_GROWTH_MAX)
        give_up_held(x);
}

void indexer_begin(struct indexer *x)
{
    if (indexer_state(x) != INDEXER_OK)
        return;
    tidy(x);
    if (index_begin(x->tape->index, &x->err) < 0)
        give_up(x);
}

void indexer_put(struct indexer *x, const struct block_ref *ref)
{
    if (indexer_state(x) != INDEXER_GIVEN_UP && index_put_block(x->tape->index, ref, &x->err) < 0)
        give_up(x);
}

static int put_segment(struct indexer *x, const struct segment_writer *segment, bool sealed)
{
    struct segment_ref ref;
    if (sealed)
        return segment_put(segment, x->tape->index, &x->err);
    segment_ref_of(segment, false, &ref);
    return index_put_segment(x->tape->index, &ref, &x->err);
}

void indexer_end(struct indexer *x, const struct segment_writer *segment, bool sealed)
{
    if (indexer_state(x) == INDEXER_GIVEN_UP)
        return;
    if (ledger_store(x->ledger, &x->err) < 0 || put_segment(x, segment, sealed) < 0)
        give_up(x);
    else if (indexer_state(x) == INDEXER_OK || clock_mono() >= x->retry_ns)
        commit(x);
}

void indexer_retry(struct indexer *x)
{
    if (indexer_state(x) == INDEXER_BEHIND)
        commit(x);
}

/* It may stop half-way: the rest is done another time (tape/retire_index.c). */
bool indexer_follow(struct indexer *x)
{
    uint64_t begun_ns = clock_mono();
    int rc = indexer_state(x) == INDEXER_OK ? ledger_follow(x->ledger, &x->err) : 0;
    x->is_stuck = rc < 0 && (may_pass(rc) || retired_may_pass(rc));
    if (x->is_stuck)
        try_later(x, begun_ns);
    else if (rc < 0)
        give_up(x);
    return !x->is_stuck;
}

/* ---- on the loop ---- */

bool indexer_is_due(const struct indexer *x, uint64_t now_ns)
{
    return indexer_state(x) == INDEXER_BEHIND && now_ns >= x->retry_ns;
}

bool indexer_may_follow(const struct indexer *x, uint64_t now_ns)
{
    return indexer_state(x) == INDEXER_OK && now_ns >= x->retry_ns;
}

/* After each tidying there may be more to say. */
static void tell_held(struct indexer *x)
{
    char size[QUANTITY_TEXT];
    if (x->held.pid == 0)
        return;
    log_warn(
        "index: process %d has been stopped for a minute or more while it looked into it; until it "
        "continues or exits, no room in the index is reused and the index grows: %s by now",
        x->held.pid, quantity_size_text(size, x->held.size));
    x->held.pid = 0;
}

static void tell_stuck(struct indexer *x)
{
    if (x->is_stuck == x->stuck_told)
        return;
    x->stuck_told = x->is_stuck;
    if (x->is_stuck)
        log_warn("index: %s; what was deleted stays in it meanwhile; trying again each second",
                 x->err.text);
    else if (indexer_state(x) == INDEXER_OK)
        log_info("what was deleted has left the index");
}

void indexer_log(struct indexer *x)
{
    tell_held(x);
    tell_stuck(x);
    enum indexer_state state = indexer_state(x);
    if ((int)state == x->told)
        return;
    x->told = (int)state;
    if (state == INDEXER_BEHIND)
        log_error(
            "degraded: index: %s; readers use the segments themselves; trying again each second",
            x->err.text);
    else if (state == INDEXER_GIVEN_UP)
        log_error("degraded: index: %s; recording goes on without it, readers look into the "
                  "segments themselves; the next start builds it anew",
                  x->err.text);
    else
        log_info("the index has caught up");
}
