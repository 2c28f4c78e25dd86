#include "recorder/canary.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "recorder/inlets.h"
#include "tape/canary.h"
#include "tapedeck/tape.h"

#define RING_SIZE ((size_t)64 << 10) /* a quarter of an hour of ticks, if the disk hangs */

/* A ring's name is unique by its tape: two recorders may share a rings directory, but not a
 * tape. */
static void make_name(struct canary *c, const uint8_t tape_id[16])
{
    snprintf(c->name, sizeof c->name, TDK_CANARY_TRACK ".%016" PRIx64, load_u64(tape_id));
}

static int make_ring(const struct canary *c, const struct config *config, struct tdk_err *err)
{
    const struct tdk_ring_options options = {
        .capacity = RING_SIZE, .track = TDK_CANARY_TRACK, .on_disk = config->on_disk_ring};
    struct tdk_ring_info info;
    int rc = tdk_ring_stat(c->name, &info, NULL);
    if (rc == TDK_EVERSION || rc == TDK_EHOSTILE) /* it is ours alone: we hold the tape */
        tdk_ring_remove(c->name, true, NULL);
    rc = tdk_ring_create(c->name, &options, err);
    return rc == -EEXIST ? 0 : rc;
}

/* Say what its ticks are, before the first one. */
static void announce(const struct canary *c)
{
    static const char key[] = "type.3", value[] = "canary\tapplication/octet-stream";
    const struct tdk_info head = {.total = sizeof value - 1, .key_size = sizeof key - 1};
    struct tdk_frame *frame =
        tdk_ring_claim_raw(c->ring, sizeof head + sizeof key - 1 + sizeof value - 1);
    if (frame == NULL)
        return;
    unsigned char *at = (unsigned char *)(frame + 1);
    frame->type = TDK_TYPE_INFO;
    frame->flags = 0;
    frame->track = 0;
    frame->seq = 1;
    frame->ts = clock_wall();
    memcpy(at, &head, sizeof head);
    memcpy(at + sizeof head, key, sizeof key - 1);
    memcpy(at + sizeof head + sizeof key - 1, value, sizeof value - 1);
    tdk_ring_publish(c->ring);
}

/* If the ring is full, the tick is refused, and that is a loss on the tape like any other. */
static void put(const struct canary *c, uint64_t period_ns)
{
    const struct canary_tick tick = {.period_ns = period_ns};
    struct tdk_frame *frame = tdk_ring_claim(c->ring, sizeof tick);
    if (frame == NULL)
        return;
    frame->type = CANARY_TYPE;
    frame->ts = clock_wall();
    memcpy(frame + 1, &tick, sizeof tick);
    tdk_ring_publish(c->ring);
}

static int attach(struct canary *c, struct tdk_err *err)
{
    struct tdk_ring_info info;
    int rc = tdk_ring_attach(&c->ring, c->name, TDK_RING_PRODUCER, err);
    if (rc < 0)
        return rc;
    assert(c->ring != NULL);
    tdk_ring_info(c->ring, &info);
    memcpy(c->uuid, info.uuid, sizeof c->uuid);
    announce(c);
    return 0;
}

int canary_open(struct canary *c, const struct config *config, const uint8_t tape_id[16],
                struct inlet *inlets, unsigned count, struct tdk_err *err)
{
    struct config_ring ring = {.track = TDK_CANARY_TRACK};
    if (config->canary_ns == 0)
        return 0;
    c->config = config;
    make_name(c, tape_id);
    memcpy(ring.name, c->name, sizeof ring.name);
    int rc = make_ring(c, config, err);
    if (rc < 0)
        return err_wrap(err, rc, "--canary");
    struct inlet *inlet = inlets_add(inlets, count, &ring, err);
    if (inlet == NULL)
        return err_wrap(err, err->code, "--canary");
    inlet->is_canary = true;
    c->inlet = inlet;
    inlet_visit(inlet, config, clock_mono()); /* first, as it knows which epochs the tape has */
    rc = attach(c, err);
    if (rc < 0)
        return err_wrap(err, rc, "--canary");
    c->period_ns = config->canary_ns;
    return 0;
}

/* ---- a ring that is gone ---- */

static bool is_there(const struct canary *c, const uint8_t uuid[16])
{
    struct tdk_ring_info info;
    int rc = tdk_ring_stat(c->name, &info, NULL);
    return rc == 0 ? memcmp(info.uuid, uuid, sizeof info.uuid) == 0 : !inlet_is_no_ring(rc);
}

static void tell_once(struct canary *c, const struct tdk_err *err)
{
    if (!c->told)
        log_warn("the canary is silent: %s; its ring is tried again", err->text);
    c->told = true;
}

/* Somebody has removed the ring. What was in it is recorded, and the inlet detaches from it,
 * because its producer has gone. The new ring is published into as soon as the inlet has it. */
static void renew(struct canary *c)
{
    struct tdk_err err;
    if (c->ring != NULL) {
        log_warn("ring %s was removed: the canary gets a new one", c->name);
        tdk_ring_detach(c->ring);
        c->ring = NULL;
    }
    if (make_ring(c, c->config, &err) < 0) {
        tell_once(c, &err);
        return;
    }
    if (c->inlet->state != RING_ATTACHED || !is_there(c, c->inlet->uuid))
        return;
    if (attach(c, &err) < 0)
        tell_once(c, &err);
    else
        c->told = false;
}

/* After a standstill, one tick tells as much as all that were left out. */
void canary_tend(struct canary *c, uint64_t now_ns)
{
    if (c->period_ns == 0 || now_ns < c->due_ns)
        return;
    if (c->ring == NULL || !is_there(c, c->uuid))
        renew(c);
    if (c->ring == NULL)
        return; /* the next turn looks again */
    put(c, c->period_ns);
    c->due_ns += c->period_ns;
    if (c->due_ns <= now_ns)
        c->due_ns = now_ns + c->period_ns;
}

void canary_stop(struct canary *c)
{
    if (c->ring != NULL)
        put(c, 0);
    c->period_ns = 0;
}

void canary_close(struct canary *c, bool remove)
{
    tdk_ring_detach(c->ring);
    c->ring = NULL;
    if (remove && c->name[0] != '\0')
        tdk_ring_remove(c->name, false, NULL);
}
