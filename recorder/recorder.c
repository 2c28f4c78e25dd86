#include "recorder/recorder.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "recorder/inlets.h"

#define STOP_MS       4500u /* of the five seconds that a stop may take */
#define TEND_MS       100u
#define SEAL_TRIES    32u /* at the end */
#define VISIT_TENDS   5u  /* attached rings are checked twice a second */
#define WARM_MS       1u
#define IDLE_MS       5u
#define WARM_START_NS (2 * NS_PER_S) /* for touching the rings' pages, before the ready line */
#define REPORT_NS     (10 * NS_PER_S)
#define BEHIND_PART   4u /* if this part of a ring is in use, packing holds still */
#define CLOCK_JUMP_NS ((int64_t)NS_PER_S)

/* ---- turns of the pump ---- */

static void on_hot(uv_idle_t *handle)
{
    recorder_turn(handle->data);
}

static void on_warm(uv_timer_t *timer)
{
    recorder_turn(timer->data);
}

static void set_pace(struct recorder *r, enum pump_pace pace)
{
    if (r->finished)
        return;
    if (pace == PUMP_HOT)
        uv_idle_start(&r->hot, on_hot);
    else
        uv_idle_stop(&r->hot);
    if (pace != r->pace && pace != PUMP_HOT) {
        uint64_t ms = pace == PUMP_WARM ? WARM_MS : IDLE_MS;
        uv_timer_start(&r->warm, on_warm, ms, ms);
    }
    if (pace != PUMP_HOT)
        r->pace = pace;
}

/* ---- the end ---- */

static void close_handles(struct recorder *r)
{
    r->finished = true;
    uv_close((uv_handle_t *)&r->hot, NULL);
    uv_close((uv_handle_t *)&r->warm, NULL);
    uv_close((uv_handle_t *)&r->tend, NULL);
    sealers_close(&r->sealers);
    control_close(&r->control);
}

static void finish(struct recorder *r, int exit_code)
{
    if (r->finished)
        return;
    close_handles(r);
    service_finish(&r->service, exit_code);
}

/* A segment that could not be sealed gets a few more chances before we exit. False: none is left,
 * or there is nothing to seal. */
static bool seal_again(struct recorder *r)
{
    if (r->journal.unsealed == NULL || r->seal_tries >= SEAL_TRIES)
        return false;
    r->seal_tries++;
    r->journal.retry_ns = 0;
    journal_tend(&r->journal, clock_mono());
    return true;
}

/* Stop step by step: rings dry, writes done, the last segment sealed. */
static void finish_when_done(struct recorder *r)
{
    if (!r->stopping || r->finished || !pump_is_dry(&r->pump))
        return;
    r->writer.draining = true;
    if (r->writer.done == r->writer.formed)
        rotate_finish(&r->rotate);
    writer_run(&r->writer, clock_mono());
    if (writer_is_idle(&r->writer) && r->rotate.closed == NULL && !r->rotate.making &&
        sealers_are_idle(&r->sealers) && !seal_again(r))
        finish(r, r->journal.unsealed == NULL ? 0 : 1);
}

/* Touch some pages of the first ring that has untouched ones. False: there is none. */
static bool warm_some(struct recorder *r)
{
    for (unsigned i = 0; i < r->inlet_count; i++) {
        struct inlet *s = &r->inlets[i];
        if (!s->cold)
            continue;
        inlet_warm(s);
        return true;
    }
    return false;
}

void recorder_turn(struct recorder *r)
{
    if (r->finished)
        return;
    enum pump_pace pace = pump_turn(&r->pump, clock_mono());
    set_pace(r, pace);
    if (pace != PUMP_HOT)
        warm_some(r);
    rounds_turn(&r->control.rounds);
    finish_when_done(r);
}

static void on_stop(void *context)
{
    struct recorder *r = context;
    r->stopping = true;
    log_info("stopping: writing what is in the rings to the tape");
    sealers_stop(&r->sealers);
    canary_stop(&r->canary);
    pump_end(&r->pump);
    recorder_turn(r);
}

static void on_dead(void *context)
{
    finish(context, 1);
}

/* ---- watermarks ---- */

static void tell_acks(struct recorder *r)
{
    for (unsigned i = 0; i < r->inlet_count; i++) {
        struct inlet *s = &r->inlets[i];
        if (s->owes_ack && ack_tell(&r->ack, s->track, s->durable.epoch, s->durable.seq))
            s->owes_ack = false;
    }
}

static void on_synced_to(void *context)
{
    tell_acks(context);
}

/* What recovery found on the tape is durable, because recovery synced it first. */
static void tell_recovered(struct recorder *r)
{
    const struct catalog *catalog = r->tape.catalog;
    if (r->config->sync == SYNC_NONE)
        return;
    for (uint16_t track = 1; track != 0; track++) {
        const char *name = catalog_name(catalog, track);
        if (name == NULL)
            break;
        uint64_t last = catalog_last_epoch(catalog, track);
        const struct epoch_ref *epoch = last != 0 ? catalog_epoch(catalog, track, last) : NULL;
        if (epoch != NULL && epoch->ticks != 0)
            ack_tell(&r->ack, name, last, epoch->last_seq);
    }
}

/* Run once in the next round of the loop, however much changed in this one. Ticks are copied there,
 * and what has come back from the disk must not wait for one copy each. */
static void on_changed(void *context)
{
    struct recorder *r = context;
    if (!r->finished)
        uv_idle_start(&r->hot, on_hot);
}

/* ---- ten times a second ---- */

static void warn_of_fill(struct inlet *s)
{
    if (s->state != RING_ATTACHED || s->capacity == 0)
        return;
    unsigned percent = (unsigned)(s->high_water / (s->capacity / 100));
    unsigned level = percent >= 95 ? 95 : percent >= 80 ? 80 : 0;
    if (level <= s->fill_level)
        return;
    s->fill_level = level;
    log_warn("ring %s is %u %% full (%llu of %llu bytes): %s", s->asked->name, percent,
             (unsigned long long)s->high_water, (unsigned long long)s->capacity,
             level == 95 ? "what does not fit is lost; a larger ring or a faster disk is needed"
                         : "the recorder is behind");
}

/* A warning comes once in each report's time. */
static void forget_fill(struct recorder *r)
{
    for (unsigned i = 0; i < r->inlet_count; i++) {
        r->inlets[i].high_water = 0;
        r->inlets[i].fill_level = 0;
    }
    r->writer.counts.write_max_ns = r->writer.counts.sync_max_ns = r->writer.counts.pool_max = 0;
}

void recorder_status(const struct recorder *r, struct status *status)
{
    status_gather(status, r->inlets, r->inlet_count, &r->writer);
    status_add_tape(status, &r->retention, &r->sealers);
    status->tape_size += r->rotate.current != NULL ? r->rotate.current->end : 0;
}

static void report(struct recorder *r, bool asked, uint64_t now_ns)
{
    struct status status;
    recorder_status(r, &status);
    if (asked || status_moved(&status, &r->reported)) {
        status_log(&status, &r->reported, now_ns - r->reported_ns, r->inlets, r->inlet_count,
                   asked);
        r->reported = status;
    }
    r->reported_ns = now_ns;
    forget_fill(r);
}

static void watch_clock(struct recorder *r)
{
    uint64_t wall = clock_wall();
    int64_t offset = (int64_t)(wall - clock_mono());
    int64_t jump = offset - r->clock_offset;
    if (jump < CLOCK_JUMP_NS && jump > -CLOCK_JUMP_NS)
        return; /* slewing moves it by less, and is not recorded */
    r->clock_offset = offset;
    log_warn("the host's clock jumped by %lld ms", (long long)(jump / (int64_t)NS_PER_MS));
    pump_clock_jumped(&r->pump, wall - (uint64_t)jump, wall);
}

static void watch_idle(struct recorder *r, uint64_t now_ns)
{
    uint64_t since = r->pump.moved_ns > r->ready_ns ? r->pump.moved_ns : r->ready_ns;
    if (r->config->idle_exit_ns != 0 && !r->stopping && r->pump.waiting == 0 &&
        r->writer.told == r->writer.formed && now_ns - since >= r->config->idle_exit_ns) {
        log_info("the rings have been empty for long enough");
        service_stop(&r->service);
    }
}

static void visit_rings(struct recorder *r, uint64_t now_ns)
{
    for (unsigned i = 0; i < r->inlet_count; i++) {
        struct inlet *s = &r->inlets[i];
        bool quiet = s->state == RING_ATTACHED || s->state == RING_QUARANTINED;
        if (!quiet || (r->tends + i) % VISIT_TENDS == 0)
            inlet_visit(s, r->config, now_ns);
        warn_of_fill(s);
    }
}

static void count(struct recorder *r, uint64_t now_ns)
{
    struct status status;
    recorder_status(r, &status);
    gauges_update(&r->gauges, &status, r->inlets, r->inlet_count, now_ns);
}

/* If a ring fills up, or writes wait for the disk, others must leave both alone. On a full disk the
 * wait is for room, which packing may bring. */
static bool is_behind(const struct recorder *r)
{
    const struct writer *w = &r->writer;
    if (writer_has_no_space(w))
        return false;
    for (unsigned i = 0; i < r->inlet_count; i++) {
        const struct inlet *s = &r->inlets[i];
        if (s->state == RING_ATTACHED && s->waiting > s->capacity / BEHIND_PART)
            return true;
    }
    return w->state != WRITER_OK || w->formed - w->done > w->count / 2;
}

static void on_tend(uv_timer_t *timer)
{
    struct recorder *r = timer->data;
    uint64_t now_ns = clock_mono();
    r->tends++;
    watch_clock(r);
    if (!r->stopping) {
        visit_rings(r, now_ns);
        canary_tend(&r->canary, now_ns);
    }
    rotate_tend(&r->rotate, now_ns);
    journal_tend(&r->journal, now_ns);
    if (!r->stopping)
        retention_tend(&r->retention, now_ns, r->writer.counts.bytes, r->rotate.no_space);
    sealers_tend(&r->sealers, now_ns, is_behind(r));
    if (now_ns - r->reported_ns >= REPORT_NS)
        report(r, false, now_ns);
    tell_acks(r);
    count(r, now_ns);
    watch_idle(r, now_ns);
    recorder_turn(r);
}

static void on_roll(void *context)
{
    struct recorder *r = context;
    control_roll(&r->control);
    recorder_turn(r);
}

static void on_statistics(void *context)
{
    report(context, true, clock_mono());
}

/* ---- start ---- */

static void on_found(const char *text, void *context)
{
    (void)context;
    log_warn("recovery: %s", text);
}

static int hold_tape(struct recorder *r, struct tdk_err *err)
{
    const struct recover_options options = {
        .create = true, .index_may_fail = true, .found = on_found};
    int rc = recover_open(&r->tape, r->config->tape, &options, err);
    if (rc < 0)
        return rc;
    const struct recover_report *report = &r->tape.report;
    log_info("tape %s segments=%llu sealed_now=%llu torn_bytes=%llu damaged=%llu set_aside=%llu%s",
             r->config->tape, (unsigned long long)report->segments,
             (unsigned long long)report->sealed_now, (unsigned long long)report->torn_bytes,
             (unsigned long long)report->damaged, (unsigned long long)report->set_aside,
             report->index_rebuilt ? " index rebuilt" : "");
    return 0;
}

static int open_writer(struct recorder *r, struct tdk_err *err)
{
    const struct config *c = r->config;
    struct writer_options options = {
        .limit = c->block_size,
        .memory = c->memory,
        .pieces_max = 2 * r->inlet_count + 16,
        .sync = c->sync,
        .interval_ns = c->sync_interval_ns,
    };
    int rc =
        writer_init(&r->writer, &r->service.loop, &r->rotate, &r->journal, &r->tape, &options, err);
    r->writer.synced_to = on_synced_to;
    r->writer.changed = on_changed;
    r->writer.dead = on_dead;
    r->writer.context = r;
    return rc;
}

static int open_inlets(struct recorder *r, struct tdk_err *err)
{
    const struct config *c = r->config;
    struct pump_options options = {
        .block_size = c->block_size,
        .block_age_ns = c->block_age_ns,
        .sync_interval_ns = c->sync == SYNC_INTERVAL ? c->sync_interval_ns : 0,
    };
    r->inlets = calloc(r->inlet_count, sizeof *r->inlets);
    if (r->inlets == NULL ||
        pump_init(&r->pump, r->inlets, r->inlet_count, &r->writer, &options) < 0)
        return err_set(err, -ENOMEM, "rings");
    inlets_init(r->inlets, r->inlet_count, c, &r->ledger);
    return 0;
}

static void open_sealers(struct recorder *r)
{
    const struct config *c = r->config;
    const struct sealer_options options = {.automatic = c->seal == CONFIG_SEAL_AUTO,
                                           .after_ns = c->seal_after_ns,
                                           .level = (int)c->seal_level};
    sealers_init(&r->sealers, (unsigned)c->cpu_workers, &r->service.loop, &r->tape, &r->journal,
                 &options);
}

static int open_parts(struct recorder *r, struct tdk_err *err)
{
    uv_loop_t *loop = &r->service.loop;
    int rc = rotate_start(&r->rotate, loop, &r->tape, r->config->segment_size,
                          r->config->segment_age_ns, err);
    if (rc < 0)
        return rc;
    r->rotate.changed = on_changed;
    r->rotate.context = r;
    rc = open_writer(r, err);
    if (rc < 0)
        return rc;
    if (journal_init(&r->journal, loop, &r->tape, &r->ledger, r->writer.count) < 0)
        return err_set(err, -ENOMEM, "journal");
    writer_use_journal(&r->writer);
    indexer_log(&r->journal.indexer);
    retention_init(&r->retention, loop, &r->tape, &r->journal, &r->config->retain,
                   r->config->warn_full_ns);
    open_sealers(r);
    if (gauges_open(&r->gauges, &r->tape, r->inlet_count) < 0)
        return err_set(err, -ENOMEM, "counters");
    r->gauges.canary_ns = r->config->canary_ns;
    rc = open_inlets(r, err);
    if (rc < 0)
        return rc;
    return canary_open(&r->canary, r->config, r->tape.folder.tape_id, r->inlets, r->inlet_count,
                       err);
}

static void start_handles(struct recorder *r)
{
    uv_loop_t *loop = &r->service.loop;
    uv_idle_init(loop, &r->hot);
    uv_timer_init(loop, &r->warm);
    uv_timer_init(loop, &r->tend);
    r->hot.data = r->warm.data = r->tend.data = r;
    r->pace = PUMP_HOT; /* neither of the timed ones, so that set_pace() acts */
    set_pace(r, PUMP_WARM);
    uv_timer_start(&r->tend, on_tend, TEND_MS, TEND_MS);
}

/* This comes last, because it has threads. */
static int open_http(struct recorder *r, struct tdk_err *err)
{
    struct http_options options = {.address = r->config->server.http,
                                   .remote = r->config->server.allow_remote,
                                   .writer = "recorder",
                                   .tape = r->config->tape};
    if (options.address == NULL)
        return 0;
    memcpy(options.tape_id, r->tape.folder.tape_id, sizeof options.tape_id);
    return http_open(&r->http, &options, err);
}

int recorder_open(struct recorder *r, const struct config *config, struct tdk_err *err)
{
    static const struct service_events events = {
        .stop = on_stop, .roll = on_roll, .statistics = on_statistics};
    memset(r, 0, sizeof *r);
    r->config = config;
    r->inlet_count = config->ring_count + INLETS_SPARE;
    r->ack.fd = config->ack_fd;

    int rc = tdk_ring_guard(err); /* a ring that is cut under us is quarantined, and kills nobody */
    if (rc == 0)
        rc = hold_tape(r, err);
    if (rc < 0)
        return rc;
    rc = service_init(&r->service, &events, r, (unsigned)config->io_workers, STOP_MS, err);
    if (rc < 0) {
        recover_close(&r->tape, false, NULL);
        return rc;
    }
    start_handles(r);
    rc = ledger_init(&r->ledger, &r->tape);
    if (rc == 0)
        rc = open_parts(r, err);
    if (rc == 0)
        rc = control_open(&r->control, r, err);
    if (rc == 0)
        rc = open_http(r, err);
    if (rc < 0)
        recorder_close(r, 1);
    return rc;
}

/* The process that starts us waits for the ready line anyway. But ticks that are already in the
 * rings must not wait. */
static void warm_rings(struct recorder *r, uint64_t now_ns)
{
    bool idle = true, more = true;
    uint64_t deadline_ns = now_ns + WARM_START_NS;
    while (idle && more && clock_mono() < deadline_ns) {
        more = warm_some(r);
        for (unsigned i = 0; idle && i < r->inlet_count; i++)
            idle = inlet_look(&r->inlets[i], now_ns) == 0;
    }
}

static void say_ready(const struct config *config)
{
    char line[PATH_MAX + 64];
    snprintf(line, sizeof line, "ready tape=%s rings=%u", config->tape, config->ring_count);
    service_ready(line);
}

int recorder_run(struct recorder *r)
{
    uint64_t now_ns = clock_mono();
    r->clock_offset = (int64_t)(clock_wall() - now_ns);
    r->ready_ns = r->reported_ns = r->pump.moved_ns = now_ns;
    visit_rings(r, now_ns);
    warm_rings(r, now_ns);
    recorder_status(r, &r->reported);
    count(r, now_ns);
    tell_recovered(r);
    say_ready(r->config);
    return service_run(&r->service);
}

int recorder_close(struct recorder *r, int exit_code)
{
    struct tdk_err err;
    if (!r->finished)
        close_handles(r);
    service_close(&r->service);
    control_free(&r->control);
    sealers_free(&r->sealers);
    for (unsigned i = 0; r->inlets != NULL && i < r->inlet_count; i++)
        inlet_close(&r->inlets[i]);
    canary_close(&r->canary, exit_code == 0);
    rotate_close(&r->rotate);
    bool clean = exit_code == 0 && indexer_state(&r->journal.indexer) == INDEXER_OK &&
                 r->journal.unsealed == NULL;
    pump_close(&r->pump);
    retention_close(&r->retention);
    journal_close(&r->journal);
    writer_close(&r->writer);
    ledger_close(&r->ledger);
    http_close(r->http);
    gauges_close(&r->gauges);
    free(r->inlets);
    if (recover_close(&r->tape, clean, &err) < 0) {
        log_error("%s", err.text);
        exit_code = 1;
    }
    if (exit_code == 0 && (r->tape.report.damaged != 0 || r->tape.report.set_aside != 0 ||
                           r->tape.report.meta_rebuilt))
        exit_code = 3; /* they were logged when they were found */
    return exit_code;
}
