#include "recorder/journal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#define RETRY_NS NS_PER_S

int journal_init(struct journal *j, uv_loop_t *loop, struct recovered *tape, struct ledger *ledger,
                 size_t writes_max)
{
    memset(j, 0, sizeof *j);
    j->loop = loop;
    j->tape = tape;
    j->ledger = ledger;
    indexer_init(&j->indexer, ledger);
    j->refused = catalog_refused(tape->catalog);
    j->room = writes_max;
    j->writes = calloc(writes_max, sizeof(struct write *));
    return j->writes != NULL ? 0 : -ENOMEM;
}

void journal_close(struct journal *j)
{
    while (j->unsealed != NULL) {
        struct reel *reel = j->unsealed;
        j->unsealed = reel->next;
        reel_free(reel);
    }
    free(j->writes);
    j->writes = NULL;
}

/* ---- on the pool ---- */

static int note_block(struct journal *j, const struct write *w, const struct piece *piece)
{
    const struct block_head *head = (const void *)(w->bytes + piece->at);
    struct block_ref ref;
    uint64_t offset = w->offset + piece->at;
    int rc = segment_note(j->reel->file, head, offset, &j->err);
    if (rc < 0)
        return rc;
    block_ref_of(head, offset, &ref);
    struct block_view view = block_view_of(head);
    rc = ledger_learn(j->ledger, &view, &ref, &j->err);
    if (rc == 0)
        indexer_put(&j->indexer, &ref);
    return rc;
}

static int note_all(struct journal *j)
{
    for (size_t i = 0; i < j->count; i++)
        for (unsigned k = 0; k < j->writes[i]->piece_count; k++) {
            int rc = note_block(j, j->writes[i], &j->writes[i]->pieces[k]);
            if (rc < 0)
                return rc;
        }
    return 0;
}

static void note_states(struct journal *j)
{
    for (size_t i = 0; i < j->count; i++)
        for (unsigned k = 0; k < j->writes[i]->piece_count; k++) {
            const struct write *w = j->writes[i];
            struct block_view view = block_view_of(w->bytes + w->pieces[k].at);
            segment_note_states(j->reel->file, &view);
        }
}

/* A foot needs the digest of the previous segment, whether that could be sealed yet or not.
 * `complete`: nothing lies after its blocks, such as writes that were given up. */
static void chain(struct journal *j, struct reel *reel, bool complete)
{
    if (reel->chained)
        return;
    reel->previous_digest = j->tape->previous_digest;
    /* If the reel is left as it is, nobody knows yet what recovery will make of it: 0, unknown. */
    j->tape->previous_digest = reel->failed || !complete ? 0 : reel->file->digest;
    reel->chained = true;
}

static int seal(struct journal *j, struct reel *reel)
{
    void *bytes = NULL;
    size_t size = 0;
    struct segment_writer *file = reel->file;
    chain(j, reel, true);
    int rc = ledger_encode(j->ledger, file->refs, file->count, &bytes, &size, &j->seal_err);
    if (rc == 0)
        rc = segment_seal(file, bytes, size, reel->previous_digest, &j->seal_err);
    reel->failed = reel->failed || file->unsure; /* a second sync would succeed without a word */
    free(bytes);
    return rc < 0 ? rc : segment_publish(file, &j->seal_err);
}

static void on_pool(uv_work_t *work)
{
    struct journal *j = container_of(work, struct journal, work);
    struct reel *reel = j->reel;
    assert(reel != NULL);
    note_states(j);
    indexer_begin(&j->indexer);
    j->status = note_all(j);
    if (j->status < 0)
        reel->failed = true;
    if (j->seal != NULL)
        j->seal_status = j->seal->failed ? TDK_EINTERNAL : seal(j, j->seal);
    indexer_end(&j->indexer, reel->file, j->seal == reel && j->seal_status == 0);
}

/* ---- on the loop ---- */

void journal_seal_later(struct journal *j, struct reel *reel)
{
    chain(j, reel, false);
    reel->next = j->unsealed;
    j->unsealed = reel;
}

static void tell_seal(struct journal *j)
{
    struct reel *reel = j->seal;
    if (reel == NULL)
        return;
    if (j->seal_status == 0) {
        j->sealed++;
        log_info("segment %llu sealed blocks=%zu ticks=%llu bytes=%llu",
                 (unsigned long long)reel->number, reel->file->count,
                 (unsigned long long)reel->file->ticks, (unsigned long long)reel->end);
        reel_free(reel);
    } else if (reel->failed) {
        log_warn("%s%ssegment %llu is left unsealed: the next start looks after it",
                 j->seal_err.text, j->seal_err.text[0] != '\0' ? "; " : "",
                 (unsigned long long)reel->number);
        reel_free(reel);
    } else {
        log_error("%s; segment %llu stays open, sealing it is tried again", j->seal_err.text,
                  (unsigned long long)reel->number);
        journal_seal_later(j, reel);
        j->retry_ns = clock_mono() + RETRY_NS;
    }
}

/* Feeds may send more than there is room for. Each time more is left out, that is logged. */
static void tell_refused(struct journal *j)
{
    uint64_t refused = catalog_refused(j->tape->catalog);
    if (refused == j->refused)
        return;
    log_warn("%llu names or parts of properties exceed what an epoch may have (2M names, 128 MiB "
             "of properties): they are recorded, but no query finds their instruments by name",
             (unsigned long long)(refused - j->refused));
    j->refused = refused;
}

static void on_done(uv_work_t *work, int status)
{
    struct journal *j = container_of(work, struct journal, work);
    assert(status == 0); /* nothing cancels it */
    (void)status;
    j->busy = false;
    if (j->status < 0)
        log_error("%s; segment %llu is left for the next start to recover", j->err.text,
                  (unsigned long long)j->reel->number);
    indexer_log(&j->indexer);
    tell_refused(j);
    tell_seal(j);
    j->done(j->context, j->count);
}

void journal_start(struct journal *j, size_t count, struct reel *reel, bool seal_it)
{
    assert(!j->busy && count <= j->room);
    j->count = count;
    j->reel = reel;
    j->seal = seal_it ? reel : NULL;
    j->status = j->seal_status = 0;
    j->seal_err.text[0] = '\0';
    j->busy = uv_queue_work(j->loop, &j->work, on_pool, on_done) == 0;
}

/* ---- the index alone: what was deleted, and what is behind ---- */

static void tend_pool(uv_work_t *work)
{
    struct journal *j = container_of(work, struct journal, work);
    indexer_retry(&j->indexer);
    if (j->following)
        j->following = !indexer_follow(&j->indexer);
}

static void on_tended(uv_work_t *work, int status)
{
    struct journal *j = container_of(work, struct journal, work);
    assert(status == 0); /* nothing cancels it */
    (void)status;
    j->busy = false;
    j->follow_wanted = j->follow_wanted || j->following; /* not everything could be removed */
    indexer_log(&j->indexer);
    j->done(j->context, 0);
}

void journal_follow(struct journal *j)
{
    j->follow_wanted = true;
}

/* True: the pool has something to do. */
static bool tend_index(struct journal *j, uint64_t now_ns)
{
    j->following = j->follow_wanted && indexer_may_follow(&j->indexer, now_ns);
    if (!j->following && !indexer_is_due(&j->indexer, now_ns))
        return false;
    j->busy = uv_queue_work(j->loop, &j->work, tend_pool, on_tended) == 0;
    if (j->busy && j->following)
        j->follow_wanted = false;
    return j->busy;
}

/* ---- what was packed ---- */

static int check_wanted(struct journal *j)
{
    int rc = seal_check(j->switching, &j->err);
    if (rc < 0)
        return rc;
    return indexer_state(&j->indexer) != INDEXER_OK
               ? err_say(&j->err, -ECANCELED, "the index is not kept now")
               : 0;
}

static void switch_pool(uv_work_t *work)
{
    struct journal *j = container_of(work, struct journal, work);
    j->status = check_wanted(j);
    if (j->status == 0)
        j->status = seal_switch(j->switching, j->tape->index, &j->err);
    if (j->status == 0)
        j->status = seal_drop(j->switching, &j->err);
    else
        seal_undo(j->switching, NULL);
}

static void on_switch_done(uv_work_t *work, int status)
{
    struct journal *j = container_of(work, struct journal, work);
    assert(status == 0); /* nothing cancels it */
    (void)status;
    j->busy = false;
    j->switching = NULL;
    j->switched(j->switch_context, j->status, &j->err);
    j->done(j->context, 0);
}

static bool switch_next(struct journal *j)
{
    if (j->switching != NULL)
        j->busy = uv_queue_work(j->loop, &j->work, switch_pool, on_switch_done) == 0;
    return j->busy;
}

void journal_switch(struct journal *j, const struct sealing *sealing,
                    void (*switched)(void *context, int status, const struct tdk_err *err),
                    void *context)
{
    assert(j->switching == NULL);
    j->switching = sealing;
    j->switched = switched;
    j->switch_context = context;
    if (!j->busy)
        switch_next(j);
}

void journal_tend(struct journal *j, uint64_t now_ns)
{
    if (!j->busy && (tend_index(j, now_ns) || switch_next(j)))
        return;
    if (j->busy || j->unsealed == NULL || now_ns < j->retry_ns)
        return;
    struct reel *reel = j->unsealed;
    j->unsealed = reel->next;
    journal_start(j, 0, reel, true);
}
