#include "recorder/sealer.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/quantity.h"
#include "tape/stub.h"

#define LOOK_NS  (2 * NS_PER_S)  /* between looks for segments that have come of age */
#define LATER_NS (60 * NS_PER_S) /* after a failure that may pass: no space, no memory */
#define CALM_NS  NS_PER_S        /* how long the recorder must not be behind, before it goes on */
#define NAP_MS   10u
#define CLOSE_MS 2000u
#define NICE     10

/* ---- on its thread ---- */

static bool on_go_on(void *context, uint64_t done)
{
    struct sealer *s = context;
    s->read = done;
    while (s->paused && !s->stop)
        uv_sleep(NAP_MS);
    return !s->stop;
}

/* The file's time is when it was sealed. If it was copied since, it counts as younger. */
static bool is_of_age(const struct sealer *s, uint64_t number)
{
    char path[TAPE_PATH_MAX];
    struct stat file;
    if (s->older_ns == UINT64_MAX)
        return true;
    folder_segment_path(&s->tape->folder, number, SEGMENT_SEALED, path);
    if (stat(path, &file) < 0)
        return false;
    uint64_t ns = (uint64_t)file.st_mtim.tv_sec * NS_PER_S + (uint64_t)file.st_mtim.tv_nsec;
    return ns <= s->older_ns;
}

static bool is_ours(const struct sealer *s, uint64_t number)
{
    return s->options.shares == 0 || number % s->options.shares == s->options.share;
}

static int note_segment(const struct segment_ref *ref, void *context)
{
    struct sealer *s = context;
    if (!ref->sealed || ref->generation != 0 || ref->number < s->first || ref->number > s->last ||
        !is_ours(s, ref->number) || !is_of_age(s, ref->number) ||
        stub_is_at(&s->tape->folder, ref->number, SEGMENT_SEALED))
        return 0;
    if (s->number == 0) {
        s->number = ref->number;
        s->size = ref->size;
    }
    s->left++;
    s->left_bytes += ref->size;
    return 0;
}

static void look(struct sealer *s)
{
    s->number = 0;
    s->left = 0;
    s->left_bytes = 0;
    s->status = index_segments(s->tape->index, note_segment, s, &s->err);
}

static void run(void *context)
{
    struct sealer *s = context;
    const struct seal_options options = {
        .level = s->options.level, .go_on = on_go_on, .context = s};
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE); /* of this thread alone */
    look(s);
    if (s->status == 0 && s->number != 0) {
        s->read = 0;
        s->total = s->size;
        s->segment = s->number;
        s->status = on_go_on(s, 0)
                        ? seal_pack(&s->sealing, &s->tape->folder, s->number, &options, &s->err)
                        : -ECANCELED;
    }
    s->returned = true;
    uv_async_send(&s->woken);
}

/* ---- on the loop ---- */

/* Aim at what has been sealed for long enough or, on request, at everything. */
static void aim(struct sealer *s)
{
    uint64_t wall = clock_wall(), after_ns = s->options.after_ns;
    s->for_asked = s->asked;
    s->asked_anew = false;
    s->first = s->asked ? s->asked_first : s->from;
    s->last = s->asked ? s->asked_last : UINT64_MAX;
    s->older_ns = s->asked ? UINT64_MAX : wall > after_ns ? wall - after_ns : 0;
}

/* Start on the next segment, if that is allowed. */
static void start(struct sealer *s)
{
    if (s->stop || indexer_state(&s->journal->indexer) != INDEXER_OK || clock_mono() < s->look_ns ||
        !(s->asked || s->options.automatic))
        return;
    aim(s);
    s->returned = false;
    s->err.code = 0;
    if (uv_thread_create(&s->thread, run, s) == 0)
        s->state = SEALER_WORKING;
    else
        s->look_ns = clock_mono() + LATER_NS;
}

static void end(struct sealer *s)
{
    seal_close(&s->sealing);
    s->segment = 0;
    s->read = 0;
    s->total = 0;
    s->state = SEALER_IDLE;
}

/* After a failure that may pass, it is tried again later. Other segments would not do better
 * now. */
static bool may_pass(int code)
{
    return code == -ENOSPC || code == -EDQUOT || code == -ENOMEM || code == -EMFILE ||
           code == -ENFILE || code == -EAGAIN;
}

static void fail(struct sealer *s, int status)
{
    if (status == -ECANCELED || status == -ENOENT || status == -EXDEV)
        return; /* given up; or deleted or moved meanwhile */
    if (may_pass(status)) {
        log_warn("packing: %s; tried again %s", s->err.text,
                 s->options.automatic ? "in a minute" : "when it is asked for");
        s->look_ns = clock_mono() + LATER_NS;
        s->asked = s->asked && (s->asked_anew || !s->for_asked); /* requests do not wait for it */
    } else {
        log_error("packing: %s; segment %llu stays as it was", s->err.text,
                  (unsigned long long)s->number);
    }
    s->totals.failed++;
}

static void tell_packed(struct sealer *s)
{
    char before[QUANTITY_TEXT], after[QUANTITY_TEXT];
    const struct sealing *sealing = &s->sealing;
    s->totals.segments++;
    s->totals.ticks += sealing->ticks;
    s->totals.bytes_before += sealing->bytes_before;
    s->totals.bytes_after += sealing->bytes_after;
    log_info("segment %llu packed ticks=%llu bytes=%s was=%s", (unsigned long long)s->number,
             (unsigned long long)sealing->ticks, quantity_size_text(after, sealing->bytes_after),
             quantity_size_text(before, sealing->bytes_before));
}

/* Numbers go up. A segment that failed is not tried again until somebody asks, except if the
 * failure may pass. */
static void go_past(struct sealer *s, int status)
{
    if (may_pass(status) || status == -ECANCELED)
        return;
    if (!s->for_asked)
        s->from = s->number + 1;
    else if (!s->asked_anew)
        s->asked_first = s->number + 1;
}

static void on_switched(void *context, int status, const struct tdk_err *err)
{
    struct sealer *s = context;
    assert(s->state == SEALER_SWITCHING);
    go_past(s, status);
    if (status < 0) {
        s->err = *err;
        fail(s, status);
    } else {
        tell_packed(s);
    }
    end(s);
    start(s);
}

/* The journal takes one at a time. Another sealer's may be in hand. */
static void switch_over(struct sealer *s)
{
    if (s->journal->switching != NULL)
        return;
    s->state = SEALER_SWITCHING;
    journal_switch(s->journal, &s->sealing, on_switched, s);
}

static void rest(struct sealer *s)
{
    if (s->status < 0)
        log_warn("packing: %s", s->err.text);
    if (!s->asked_anew)
        s->asked = false;
    if (!s->for_asked)
        s->look_ns = clock_mono() + LOOK_NS;
    s->state = SEALER_IDLE;
}

static void on_woken(uv_async_t *async)
{
    struct sealer *s = async->data;
    if (s->state != SEALER_WORKING || !s->returned)
        return;
    uv_thread_join(&s->thread);
    if (s->number == 0) {
        rest(s);
        return;
    }
    if (s->status < 0) {
        go_past(s, s->status);
        fail(s, s->status);
        end(s);
        start(s);
        return;
    }
    s->state = SEALER_PACKED;
    switch_over(s);
}

void sealer_init(struct sealer *s, uv_loop_t *loop, struct recovered *tape, struct journal *journal,
                 const struct sealer_options *options)
{
    memset(s, 0, sizeof *s);
    s->loop = loop;
    s->tape = tape;
    s->journal = journal;
    s->options = *options;
    s->from = 1;
    uv_async_init(loop, &s->woken, on_woken);
    s->woken.data = s;
}

void sealer_tend(struct sealer *s, uint64_t now_ns, bool behind)
{
    if (behind)
        s->calm_ns = 0;
    else if (s->calm_ns == 0)
        s->calm_ns = now_ns;
    s->paused = s->calm_ns == 0 || now_ns - s->calm_ns < CALM_NS;
    if (s->state == SEALER_IDLE)
        start(s);
    else if (s->state == SEALER_PACKED)
        switch_over(s);
}

void sealer_ask(struct sealer *s, uint64_t first, uint64_t last)
{
    bool more = s->asked;
    if (last == 0)
        last = UINT64_MAX;
    s->asked_first = more && s->asked_first < first ? s->asked_first : first;
    s->asked_last = more && s->asked_last > last ? s->asked_last : last;
    s->asked = s->asked_anew = true;
    s->look_ns = 0;
}

void sealer_stop(struct sealer *s)
{
    s->stop = true;
    s->asked = false;
}

bool sealer_is_idle(const struct sealer *s)
{
    return s->state == SEALER_IDLE;
}

const char *sealer_state_text(const struct sealer *s)
{
    if (s->segment == 0)
        return s->options.automatic || s->asked ? "idle" : "off";
    return s->paused && s->state == SEALER_WORKING ? "paused" : "packing";
}

void sealer_close(struct sealer *s)
{
    if (s->closed || s->loop == NULL)
        return;
    s->closed = true;
    s->stop = true;
    for (unsigned ms = 0; s->state == SEALER_WORKING && !s->returned; ms += NAP_MS) {
        if (ms >= CLOSE_MS) {
            log_error("packing hangs on the disk, so it is abandoned; the next start takes it up");
            _exit(1);
        }
        uv_sleep(NAP_MS);
    }
    if (s->state == SEALER_WORKING)
        uv_thread_join(&s->thread);
    uv_close((uv_handle_t *)&s->woken, NULL);
}

void sealer_free(struct sealer *s)
{
    seal_close(&s->sealing);
}
