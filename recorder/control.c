#include "recorder/control.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/name.h"
#include "daemon/connection.h"
#include "recorder/inlets.h"
#include "recorder/recorder.h"

static struct recorder *recorder_of(const struct request *request)
{
    const struct control *c = request_context(request);
    return c->recorder;
}

/* ---- status, stats ---- */

static void state_text(const struct inlet *s, const char *all, char *text, size_t room)
{
    if (inlet_reason(s) != NULL)
        snprintf(text, room, "%s: %s", inlet_state_text(s), inlet_reason(s));
    else if (s->state == RING_ATTACHED)
        snprintf(text, room, "%s", all);
    else
        snprintf(text, room, "%s", inlet_state_text(s));
}

/* Everything here is about one epoch: the ring's, even if its ticks still wait there unread. */
static void put_ring(struct text_buffer *out, const struct inlet *s, const char *all)
{
    char state[sizeof s->reason + 16];
    struct tdk_ring_info info = {.produced = 0};
    if (s->ring != NULL)
        tdk_ring_info(s->ring, &info);
    const uint64_t unread = info.epoch > s->sequence.ring_epoch ? info.epoch : 0;
    const uint64_t epoch = s->sequence.epoch;
    state_text(s, all, state, sizeof state);
    wire_put_map(out, 13);
    wire_pair_string(out, "ring", s->asked->name);
    wire_pair_string(out, "name", s->asked->name);
    wire_pair_string(out, "track", s->track);
    wire_pair_u64(out, "epoch", unread != 0 ? unread : epoch);
    wire_pair_u64(out, "produced", info.produced);
    wire_pair_u64(out, "written", unread != 0 ? 0 : inlet_marked(&s->written, epoch));
    wire_pair_u64(out, "durable", unread != 0 ? 0 : inlet_marked(&s->durable, epoch));
    wire_pair_u64(out, "lost", unread != 0 ? 0 : s->counts.lost);
    wire_pair_u64(out, "lost_total", s->counts.lost_total);
    wire_pair_u64(out, "fill", info.fill);
    wire_pair_u64(out, "high_water", s->high_water > info.fill ? s->high_water : info.fill);
    wire_pair_u64(out, "capacity", s->capacity);
    wire_pair_string(out, "state", state);
}

static void put_disk(struct text_buffer *out, const struct status *status)
{
    wire_put_string(out, "disk");
    wire_put_map(out, 3);
    wire_pair_u64(out, "tape", status->tape_size);
    wire_pair_u64(out, "free", status->disk_free);
    wire_pair_u64(out, "full_in_ns", status->disk_full_ns);
}

static void put_seal(struct text_buffer *out, const struct sealers *sealers)
{
    struct sealers_view view;
    sealers_look(sealers, &view);
    wire_put_string(out, "seal");
    wire_put_map(out, 12);
    wire_pair_string(out, "state", view.state);
    wire_pair_bool(out, "asked", view.asked);
    wire_pair_u64(out, "segment", view.segment);
    wire_pair_u64(out, "read", view.read);
    wire_pair_u64(out, "size", view.total);
    wire_pair_u64(out, "left", view.left);
    wire_pair_u64(out, "left_bytes", view.left_bytes);
    wire_pair_u64(out, "packed", view.totals.segments);
    wire_pair_u64(out, "failed", view.totals.failed);
    wire_pair_u64(out, "ticks", view.totals.ticks);
    wire_pair_u64(out, "bytes_before", view.totals.bytes_before);
    wire_pair_u64(out, "bytes_after", view.totals.bytes_after);
}

static void on_status(struct request *request, struct wire_map params)
{
    const struct recorder *r = recorder_of(request);
    struct status status;
    (void)params;
    recorder_status(r, &status);
    struct text_buffer *out = request_answer(request);
    wire_put_map(out, 5);
    wire_pair_string(out, "state", status.state);
    wire_pair_u64(out, "segment", status.segment);
    put_disk(out, &status);
    put_seal(out, &r->sealers);
    wire_put_string(out, "rings");
    wire_put_list(out, status.rings);
    for (unsigned i = 0; i < r->inlet_count; i++)
        if (r->inlets[i].state != RING_DETACHED && !r->inlets[i].is_canary)
            put_ring(out, &r->inlets[i], status.state);
    request_done(request);
}

static uint32_t put_counters(struct text_buffer *out, const struct status *s)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"ticks", s->ticks},
        {"bytes", s->bytes},
        {"lost", s->lost},
        {"passed", s->passed},
        {"rings", s->rings},
        {"rings_attached", s->attached},
        {"rings_quarantined", s->quarantined},
        {"writes", s->counts.writes},
        {"blocks", s->counts.blocks},
        {"bytes_written", s->counts.bytes},
        {"syncs", s->counts.syncs},
        {"write_max_ns", s->counts.write_max_ns},
        {"sync_max_ns", s->counts.sync_max_ns},
        {"rewritten", s->counts.rewritten},
        {"failed_segments", s->counts.failed_segments},
        {"segment", s->segment},
        {"segments_sealed", s->segments_sealed},
        {"buffers", s->buffers},
        {"buffers_used", s->buffers_used},
        {"segments_packed", s->packed.segments},
        {"packing_failed", s->packed.failed},
        {"packing_left", s->packing_left},
        {"packing_ticks", s->packed.ticks},
        {"packing_bytes_before", s->packed.bytes_before},
        {"packing_bytes_after", s->packed.bytes_after},
        {"tape_size", s->tape_size},
        {"disk_free", s->disk_free},
        {"disk_full_in_ns", s->disk_full_ns},
    };
    for (size_t i = 0; i < array_size(rows); i++)
        wire_pair_u64(out, rows[i].name, rows[i].value);
    return (uint32_t)array_size(rows);
}

static void on_stats(struct request *request, struct wire_map params)
{
    const struct recorder *r = recorder_of(request);
    struct status status;
    (void)params;
    recorder_status(r, &status);
    struct text_buffer *out = request_answer(request);
    wire_put_map(out, 1);
    wire_put_string(out, "counters");
    size_t map = wire_open_map(out);
    uint32_t pairs = put_counters(out, &status);
    pairs += server_put_counters(&r->control.server, out);
    wire_close_map(out, map, pairs);
    request_done(request);
}

/* ---- requests that wait for the tape ---- */

static struct round_task *ask(struct request *request, enum round_kind kind)
{
    struct control *c = request_context(request);
    struct round_task *task = rounds_add(&c->rounds, request, kind);
    if (task == NULL) {
        struct tdk_err err;
        err_set(&err, -ENOMEM, "%s", request->method->name);
        request_fail(request, &err);
    }
    return task;
}

void control_roll(struct control *c)
{
    if (rounds_add(&c->rounds, NULL, ROUND_ROLL) == NULL)
        log_warn("no memory to begin the next segment: ask again");
}

static int take_ring(struct wire_map params, struct config_ring *ring, struct tdk_err *err)
{
    memset(ring, 0, sizeof *ring);
    int rc = wire_string(params, "ring", ring->name, sizeof ring->name, err);
    if (rc == 0)
        return err_say(err, TDK_EVALUE, "ring is missing");
    if (rc > 0 && !name_is_valid(ring->name, strlen(ring->name)))
        return err_set(err, TDK_ENAME, "ring '%s'", ring->name);
    if (rc > 0)
        rc = wire_string(params, "track", ring->track, sizeof ring->track, err);
    if (rc > 0 && !name_is_valid(ring->track, strlen(ring->track)))
        return err_set(err, TDK_ENAME, "track '%s'", ring->track);
    return rc < 0 ? rc : 0;
}

/* NULL: no ring of this name is recorded; err says so. */
static struct inlet *find_ring(const struct recorder *r, const char *name, struct tdk_err *err)
{
    struct inlet *s = inlets_find(r->inlets, r->inlet_count, name);
    if (s == NULL)
        err_say(err, TDK_ENORING, "ring %s is not recorded here", name);
    return s;
}

/* A client that names a ring relies on it: if that ring is not recorded here, or is quarantined,
 * the answer is an error. */
static int check_flush(const struct recorder *r, struct wire_map params, struct tdk_err *err)
{
    struct config_ring ring;
    struct wire_text named;
    if (wire_text(params, "ring", &named, NULL) == 0)
        return 0;
    int rc = take_ring(params, &ring, err);
    if (rc < 0)
        return rc;
    const struct inlet *s = find_ring(r, ring.name, err);
    if (s == NULL)
        return TDK_ENORING;
    if (s->state == RING_QUARANTINED)
        return err_say(err, TDK_EHOSTILE, "ring %s is quarantined: %s", ring.name, s->reason);
    return 0;
}

static void on_flush(struct request *request, struct wire_map params)
{
    struct tdk_err err;
    if (check_flush(recorder_of(request), params, &err) < 0)
        request_fail(request, &err);
    else if (ask(request, ROUND_FLUSH) != NULL)
        recorder_turn(recorder_of(request));
}

static void on_roll(struct request *request, struct wire_map params)
{
    (void)params;
    if (ask(request, ROUND_ROLL) != NULL)
        recorder_turn(recorder_of(request));
}

static int take_mark(struct wire_map params, char name[TDK_NAME_MAX + 1], uint64_t *back,
                     struct tdk_err *err)
{
    int rc = wire_string(params, "name", name, TDK_NAME_MAX + 1, err);
    if (rc == 0)
        return err_say(err, TDK_EVALUE, "mark: name is missing");
    if (rc > 0 && !name_is_valid(name, strlen(name)))
        return err_set(err, TDK_ENAME, "mark: name '%s'", name);
    if (rc > 0)
        rc = wire_u64(params, "back", back, err);
    return rc < 0 ? rc : 0;
}

static void on_mark(struct request *request, struct wire_map params)
{
    char name[TDK_NAME_MAX + 1];
    uint64_t back = 0;
    struct tdk_err err;
    if (take_mark(params, name, &back, &err) < 0) {
        request_fail(request, &err);
        return;
    }
    struct round_task *task = ask(request, ROUND_MARK);
    if (task == NULL)
        return;
    task->ts = clock_wall();
    task->back = back;
    memcpy(task->name, name, sizeof task->name);
    recorder_turn(recorder_of(request));
}

/* ---- rings that come and go ---- */

static void answer_ring(struct request *request, const struct inlet *s)
{
    struct text_buffer *out = request_answer(request);
    wire_put_map(out, 3);
    wire_pair_string(out, "ring", s->asked->name);
    wire_pair_string(out, "track", s->track);
    wire_pair_string(out, "state", inlet_state_text(s));
    request_done(request);
}

/* The ring is recorded from the next turn on. If it is not there, we wait for it, as at start. */
static void on_attach(struct request *request, struct wire_map params)
{
    struct recorder *r = recorder_of(request);
    struct config_ring ring;
    struct tdk_err err;
    struct inlet *s = NULL;
    if (take_ring(params, &ring, &err) == 0)
        s = inlets_add(r->inlets, r->inlet_count, &ring, &err);
    if (s == NULL) {
        request_fail(request, &err);
        return;
    }
    inlet_visit(s, r->config, clock_mono());
    answer_ring(request, s);
    recorder_turn(r);
}

/* The ring is in memory, and came as a file beside the request. */
static void on_lend(struct request *request, struct wire_map params)
{
    struct recorder *r = recorder_of(request);
    int file = connection_take_file(request->connection);
    struct config_ring ring;
    struct tdk_err err;
    struct inlet *s = NULL;
    if (file < 0)
        err_say(&err, TDK_EVALUE, "lend: no file came with it; only a Unix socket can pass one");
    else if (take_ring(params, &ring, &err) == 0)
        s = inlets_lend(r->inlets, r->inlet_count, &ring, file, &err);
    if (file >= 0)
        close(file);
    if (s == NULL) {
        request_fail(request, &err);
        return;
    }
    answer_ring(request, s);
    recorder_turn(r);
}

/* The answer comes when what was published so far is durable and the ring is free for another
 * consumer. */
static void on_detach(struct request *request, struct wire_map params)
{
    struct recorder *r = recorder_of(request);
    struct config_ring ring;
    struct tdk_err err;
    struct inlet *s = NULL;
    if (take_ring(params, &ring, &err) == 0)
        s = find_ring(r, ring.name, &err);
    if (s == NULL) {
        request_fail(request, &err);
        return;
    }
    struct round_task *task = ask(request, ROUND_DETACH);
    if (task == NULL)
        return;
    task->inlet = s;
    inlet_leave(s);
    recorder_turn(r);
}

static void on_stop(struct request *request, struct wire_map params)
{
    struct recorder *r = recorder_of(request);
    (void)params;
    wire_put_map(request_answer(request), 0);
    request_done(request);
    log_info("asked to stop");
    service_stop(&r->service);
}

/* This only begins it; status says how far it is. */
static void on_seal(struct request *request, struct wire_map params)
{
    struct recorder *r = recorder_of(request);
    uint64_t first = 1, last = 0;
    struct tdk_err err;
    int rc = wire_u64(params, "first", &first, &err);
    if (rc >= 0)
        rc = wire_u64(params, "last", &last, &err);
    if (rc >= 0 && last != 0 && last < first)
        rc = err_say(&err, TDK_EVALUE, "seal: last is before first");
    if (rc >= 0 && indexer_state(&r->journal.indexer) != INDEXER_OK)
        rc = err_say(&err, TDK_ECORRUPT, "seal: the index is not kept now: see the recorder's log");
    if (rc < 0) {
        request_fail(request, &err);
        return;
    }
    sealers_ask(&r->sealers, first, last);
    wire_put_map(request_answer(request), 0);
    request_done(request);
}

/* ---- open, close ---- */

static const struct method methods[] = {
    {.name = "status", .flags = METHOD_BATCH | METHOD_GUEST, .call = on_status},
    {.name = "stats", .flags = METHOD_BATCH, .call = on_stats},
    {.name = "flush", .flags = METHOD_BATCH | METHOD_GUEST, .call = on_flush},
    {.name = "roll", .flags = METHOD_BATCH | METHOD_CONTROL, .call = on_roll},
    {.name = "mark", .flags = METHOD_BATCH | METHOD_CONTROL, .call = on_mark},
    {.name = "seal", .flags = METHOD_BATCH | METHOD_CONTROL, .call = on_seal},
    {.name = "attach", .flags = METHOD_BATCH | METHOD_CONTROL, .call = on_attach},
    {.name = "lend", .flags = METHOD_CONTROL | METHOD_GUEST, .call = on_lend},
    {.name = "detach", .flags = METHOD_BATCH | METHOD_CONTROL, .call = on_detach},
    {.name = "stop", .flags = METHOD_BATCH | METHOD_CONTROL, .call = on_stop},
    {.name = NULL},
};

int control_open(struct control *c, struct recorder *r, struct tdk_err *err)
{
    static const struct method *const tables[] = {methods, NULL};
    struct server_options options;
    memset(c, 0, sizeof *c);
    c->recorder = r;
    rounds_init(&c->rounds, r);
    if (r->config->server.socket_path[0] == '\0' && r->config->server.listen == NULL)
        return 0;
    server_defaults(&options);
    options.program = "tapedeck-recorder";
    options.version = TDK_VERSION;
    options.tape = r->config->tape;
    options.guests = r->config->feeds;
    options.takes_files = true;
    options.tables = tables;
    options.context = c;
    server_config_apply(&r->config->server, &options);
    return server_open(&c->server, &r->service.loop, &options, err);
}

void control_close(struct control *c)
{
    c->recorder = NULL;
    rounds_close(&c->rounds);
    server_close(&c->server);
}

void control_free(struct control *c)
{
    server_free(&c->server);
}
