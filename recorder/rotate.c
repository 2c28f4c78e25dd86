#include "recorder/rotate.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

/* The next segment is made when this much of the current one is left: a quarter. For small segments
 * that is at once. */
#define AHEAD_MIN ((uint64_t)64 << 20)
#define RETRY_NS  NS_PER_S

static int reel_make(struct reel **out, struct recovered *tape, uint64_t number, uint64_t size,
                     struct tdk_err *err)
{
    struct reel *reel = calloc(1, sizeof *reel);
    if (reel == NULL)
        return err_set(err, -ENOMEM, "segment %llu", (unsigned long long)number);
    int rc = segment_create(&reel->file, &tape->folder, number, SEGMENT_OPEN, size, err);
    if (rc < 0) {
        free(reel);
        return rc;
    }
    reel->number = number;
    reel->size = size;
    reel->end = SEGMENT_FIRST_OFFSET;
    reel->synced_upto = SEGMENT_FIRST_OFFSET;
    *out = reel;
    return 0;
}

void reel_free(struct reel *reel)
{
    if (reel == NULL)
        return;
    segment_writer_close(reel->file);
    free(reel);
}

/* ---- the next one, on the pool ---- */

static void make_work(uv_work_t *work)
{
    struct rotate *r = container_of(work, struct rotate, work);
    r->made_status = reel_make(&r->made, r->tape, r->next_number, r->segment_size, &r->made_err);
}

static bool is_space(int status)
{
    return status == -ENOSPC || status == -EDQUOT;
}

static void make_failed(struct rotate *r)
{
    bool space = is_space(r->made_status);
    if (!space)
        r->failures++;
    if (!r->no_space || !space)
        log_error("%s; trying again each second", r->made_err.text);
    r->no_space = space;
    r->retry_ns = clock_mono() + RETRY_NS;
}

/* A disk that is full is waited for at the start as it is later on: retention may make room. */
int rotate_start(struct rotate *r, uv_loop_t *loop, struct recovered *tape, uint64_t segment_size,
                 uint64_t segment_age_ns, struct tdk_err *err)
{
    memset(r, 0, sizeof *r);
    r->previous_end = tape->previous_end;
    r->loop = loop;
    r->tape = tape;
    r->segment_size = segment_size;
    r->segment_age_ns = segment_age_ns;
    r->next_number = tape->next_segment;
    int rc = reel_make(&r->current, tape, r->next_number, segment_size, err);
    if (is_space(rc)) {
        r->made_status = rc;
        r->made_err = *err;
        make_failed(r);
        return 0;
    }
    if (rc < 0)
        return rc;
    r->current->previous_end = tape->previous_end;
    r->next_number++;
    return 0;
}

static void on_made(uv_work_t *work, int status)
{
    struct rotate *r = container_of(work, struct rotate, work);
    assert(status == 0); /* nothing cancels it */
    (void)status;
    r->making = false;
    if (r->made_status < 0) {
        make_failed(r);
    } else {
        if (r->no_space)
            log_info("there is space again: segment %llu is ready",
                     (unsigned long long)r->next_number);
        r->next = r->made;
        r->next_number++;
        r->no_space = false;
        r->failures = 0;
    }
    r->changed(r->context);
}

static void make_next(struct rotate *r, uint64_t now_ns)
{
    if (r->making || r->next != NULL || now_ns < r->retry_ns)
        return;
    if (uv_queue_work(r->loop, &r->work, make_work, on_made) == 0)
        r->making = true;
}

/* ---- the current one ---- */

static bool is_used(const struct reel *reel)
{
    return reel != NULL && reel->end > SEGMENT_FIRST_OFFSET;
}

static void close_current(struct rotate *r)
{
    struct reel **last = &r->closed;
    while (*last != NULL)
        last = &(*last)->next;
    *last = r->current;
    r->current->closed = true;
    r->previous_end = r->current->end;
    r->current = NULL;
}

struct reel *rotate_take_closed(struct rotate *r, uint64_t done)
{
    struct reel *reel = r->closed;
    if (reel == NULL || reel->last_write >= done)
        return NULL;
    r->closed = reel->next;
    reel->next = NULL;
    return reel;
}

/* Nothing was sent to the reels after it yet. Everything that was placed there will be placed
 * anew. */
static void empty_behind(struct rotate *r, struct reel *closed, uint64_t end)
{
    for (; closed != NULL; closed = closed->next) {
        closed->previous_end = end;
        closed->end = end = SEGMENT_FIRST_OFFSET;
        closed->blocks = 0;
    }
    if (r->current != NULL)
        r->current->previous_end = end;
    r->previous_end = end;
}

void rotate_abandon(struct rotate *r, struct reel *reel, uint64_t end)
{
    reel->end = end;
    if (reel == r->current)
        close_current(r);
    struct reel **at = &r->closed;
    while (*at != reel)
        at = &(*at)->next;
    empty_behind(r, reel->next, end);
    *at = reel->next;
    reel->next = NULL;
}

static void advance(struct rotate *r)
{
    if (r->current != NULL)
        close_current(r);
    r->next->previous_end = r->previous_end;
    r->current = r->next;
    r->next = NULL;
    r->wanted = false;
    log_info("segment %llu begins", (unsigned long long)r->current->number);
}

struct reel *rotate_reel(struct rotate *r, size_t size, uint64_t now_ns)
{
    bool fits =
        r->current != NULL && (!is_used(r->current) || r->current->end + size <= r->current->size);
    if (fits && !(r->wanted && r->next != NULL))
        return r->current;
    if (r->next == NULL) {
        make_next(r, now_ns);
        return NULL;
    }
    advance(r);
    return r->current;
}

void rotate_placed(struct rotate *r, size_t size, uint32_t blocks, uint64_t number, uint64_t now_ns)
{
    struct reel *reel = r->current;
    if (!is_used(reel))
        reel->since_ns = now_ns;
    reel->end += size;
    reel->blocks += blocks;
    reel->last_write = number;
}

void rotate_roll(struct rotate *r)
{
    r->wanted = is_used(r->current);
}

void rotate_tend(struct rotate *r, uint64_t now_ns)
{
    const struct reel *reel = r->current;
    if (is_used(reel) && r->segment_age_ns != 0 && now_ns - reel->since_ns >= r->segment_age_ns)
        r->wanted = true;
    uint64_t ahead = r->segment_size / 4 > AHEAD_MIN ? r->segment_size / 4 : AHEAD_MIN;
    bool low = reel == NULL || (is_used(reel) && reel->end + ahead >= reel->size);
    if (low || r->wanted)
        make_next(r, now_ns);
    if (r->wanted && r->next != NULL)
        advance(r);
}

void rotate_finish(struct rotate *r)
{
    r->wanted = false;
    if (is_used(r->current))
        close_current(r);
}

static void remove_unused(struct reel *reel)
{
    struct tdk_err err;
    if (reel == NULL)
        return;
    if (segment_remove(reel->file, &err) < 0)
        log_warn("%s", err.text);
    reel_free(reel);
}

void rotate_close(struct rotate *r)
{
    if (r->tape == NULL)
        return; /* it was never started */
    if (r->next != NULL)
        r->next_number--;
    remove_unused(r->next);
    if (r->current != NULL && !is_used(r->current)) {
        r->next_number--;
        remove_unused(r->current);
    } else {
        reel_free(r->current);
    }
    while (r->closed != NULL)
        reel_free(rotate_take_closed(r, UINT64_MAX));
    r->next = r->current = NULL;
    r->tape->next_segment = r->next_number;
}
