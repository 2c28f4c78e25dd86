#include "cli/publisher.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/attach.h"
#include "cli/command.h"
#include "cli/interrupt.h"

#define ROOM_SLICE_NS (100 * NS_PER_MS) /* how often a wait looks for an interrupt */
#define SPIN_NS       (60 * NS_PER_US)  /* sleeps end late by about this much */
#define BATCH_MAX     65536u            /* bytes: enough to make the wait for room cheap per tick */
#define EPOCH_SPAN    128u              /* room for the frame that begins an epoch */

const struct option publisher_rows[] = {
    {.name = "ring",
     .kind = OPTION_NAME,
     .required = true,
     .at = offsetof(struct publisher_options, ring),
     .help = "the ring to publish into; it must exist, unless --create or --lend"},
    {.name = "create",
     .kind = OPTION_SIZE,
     .is_power = true,
     .min = 1 << 16,
     .max = UINT64_C(1) << 40,
     .at = offsetof(struct publisher_options, create_size),
     .help = "create the ring with this capacity, a power of two, if it does not exist"},
    {.name = "allow-disk-ring",
     .kind = OPTION_FLAG,
     .at = offsetof(struct publisher_options, allow_disk),
     .help = "with --create: allow a rings directory that is not on tmpfs"},
    {.name = "lend",
     .kind = OPTION_TEXT,
     .value = "ADDRESS",
     .at = offsetof(struct publisher_options, lend),
     .help = "make the ring in sealed memory (of the size --create) and pass it to the recorder at "
             "unix:PATH; no rings directory is shared with it"},
    {.name = "wait",
     .kind = OPTION_DURATION,
     .at = offsetof(struct publisher_options, wait_ns),
     .help = "wait this long for the ring to appear, or with --lend for the recorder"},
    {.name = "no-wait",
     .kind = OPTION_FLAG,
     .at = offsetof(struct publisher_options, no_wait),
     .help = "drop and count ticks that find the ring full, instead of waiting for room"},
    {.name = "digest",
     .kind = OPTION_FLAG,
     .at = offsetof(struct publisher_options, digest),
     .help = "print a last line on stderr: digest HEX ticks N"},
    {.name = NULL},
};

static int create_ring(const struct publisher_options *options, struct tdk_err *err)
{
    struct tdk_ring_options ring = {.capacity = options->create_size,
                                    .on_disk = options->allow_disk};
    if (options->create_size == 0)
        return 0;
    int rc = tdk_ring_create(options->ring, &ring, err);
    return rc == -EEXIST ? 0 : rc;
}

static int lend_ring(struct publisher *p, const struct publisher_options *options,
                     struct tdk_err *err)
{
    const struct tdk_ring_options ring = {.capacity = options->create_size};
    int rc = tdk_ring_create_memory(&p->ring, options->ring, &ring, err);
    if (rc == 0)
        rc = loan_open(&p->loan, p->ring, options->ring, options->lend, options->wait_ns, err);
    return rc;
}

/* An epoch begins with each attach. */
static void begin_epoch(struct publisher *p)
{
    struct tdk_ring_info info;
    if (p->no_wait) /* a late tick may be a lost one */
        attach_warm(p->ring);
    tdk_ring_info(p->ring, &info);
    memcpy(p->track, info.track, sizeof p->track);
    p->epoch = tdk_ring_epoch(p->ring);
    p->next_seq = 1;
    p->room = 0;
    p->payload_max = info.payload_max;
    p->batch = info.capacity / 8 < BATCH_MAX ? (size_t)(info.capacity / 8) : BATCH_MAX;
    if (p->batch > p->payload_max)
        p->batch = p->payload_max;
}

int publisher_open(struct publisher *p, const struct publisher_options *options,
                   struct tdk_err *err)
{
    memset(p, 0, sizeof *p);
    p->no_wait = options->no_wait;
    int rc = options->lend != NULL ? lend_ring(p, options, err) : create_ring(options, err);
    if (rc == 0 && options->lend == NULL)
        rc = attach_ring(&p->ring, options->ring, TDK_RING_PRODUCER, options->wait_ns, err);
    if (rc < 0)
        return rc;
    begin_epoch(p);
    if (options->digest)
        rc = tdk_digest_open(&p->digest);
    return rc < 0 ? err_set(err, rc, "open a digest") : 0;
}

void publisher_close(struct publisher *p)
{
    if (p->ring != NULL) {
        publisher_flush(p);
        bool is_owed = p->loan.address != NULL && tdk_ring_hostile(p->ring) == NULL;
        if (is_owed && !loan_settle(&p->loan))
            cli_warn("interrupted before the recorder had taken all of it: the rest is lost");
        loan_close(&p->loan);
        tdk_ring_detach(p->ring);
        p->ring = NULL;
    }
    tdk_digest_close(p->digest);
    p->digest = NULL;
}

static void digest_run(struct publisher *p)
{
    if (p->digest != NULL && p->run_size > 0)
        tdk_digest_run(p->digest, p->track, p->epoch, p->run, p->run_size);
    p->run_size = 0;
}

void publisher_flush(struct publisher *p)
{
    if (p->ring == NULL) /* publisher_new_epoch() failed */
        return;
    digest_run(p);
    tdk_ring_publish(p->ring);
}

int publisher_new_epoch(struct publisher *p, struct tdk_err *err)
{
    struct tdk_ring_info info;
    tdk_ring_info(p->ring, &info);
    if (p->loan.address != NULL)
        return err_say(err, -ENOTSUP,
                       "ring %s is lent for one epoch: what needs another epoch needs another feed",
                       info.name);
    publisher_flush(p);
    tdk_ring_detach(p->ring);
    p->ring = NULL;
    int rc = tdk_ring_attach(&p->ring, info.name, TDK_RING_PRODUCER, err);
    if (rc == 0)
        begin_epoch(p);
    return rc;
}

/* Frames claimed one after the other are contiguous, except at the ring's seam. */
static void run_add(struct publisher *p, const struct tdk_frame *frame, size_t span)
{
    if (p->run_size > 0 && (const char *)p->run + p->run_size != (const char *)frame)
        digest_run(p);
    if (p->run_size == 0)
        p->run = frame;
    p->run_size += span;
}

bool publisher_stopped(const struct publisher *p)
{
    return interrupted() || tdk_ring_hostile(p->ring) != NULL;
}

int publisher_check(const struct publisher *p, struct tdk_err *err)
{
    struct tdk_ring_info info;
    const char *broken = tdk_ring_hostile(p->ring);
    if (broken == NULL)
        return interrupted() ? err_say(err, -ECANCELED, "interrupted") : 0;
    tdk_ring_info(p->ring, &info);
    return err_say(err, TDK_EHOSTILE, "ring %s: %s", info.name, broken);
}

/* Wait until `span` bytes can be claimed. False: stopped. */
static bool wait_room(struct publisher *p, size_t span)
{
    if (span <= p->room)
        return true;
    size_t wanted = span > p->batch ? span : p->batch;
    publisher_flush(p);
    while (!tdk_ring_wait_room(p->ring, (uint32_t)(wanted - sizeof(struct tdk_frame)),
                               ROOM_SLICE_NS)) {
        if (publisher_stopped(p))
            return false;
        loan_tend(&p->loan);
    }
    /* The first frame of an epoch goes in before ours, so count on a little less. */
    p->room = wanted > span + EPOCH_SPAN ? wanted - EPOCH_SPAN : span;
    return true;
}

struct tdk_frame *publisher_claim(struct publisher *p, uint32_t size)
{
    size_t span = tdk_frame_span(size);
    if (!p->no_wait && !wait_room(p, span))
        return NULL;
    struct tdk_frame *frame = tdk_ring_claim(p->ring, size);
    if (frame == NULL && publisher_stopped(p))
        return NULL;
    if (frame == NULL) { /* its seq is spent */
        publisher_flush(p);
        p->dropped++;
        p->next_seq++;
        return NULL;
    }
    p->next_seq = frame->seq + 1;
    p->ticks++;
    p->bytes += span;
    if (!p->no_wait)
        p->room -= span;
    run_add(p, frame, span);
    return frame;
}

void publisher_control(struct publisher *p, uint8_t type, const void *head, size_t head_size,
                       const void *body, size_t body_size)
{
    uint32_t size = (uint32_t)(head_size + body_size);
    size_t span = tdk_frame_span(size);
    if (!p->no_wait && !wait_room(p, span))
        return;
    struct tdk_frame *frame = tdk_ring_claim_raw(p->ring, size);
    if (frame == NULL) {
        publisher_flush(p);
        p->controls_dropped++;
        return;
    }
    frame->type = type;
    frame->seq = p->next_seq;
    frame->track = 0;
    frame->flags = 0;
    frame->ts = clock_wall();
    unsigned char *payload = (unsigned char *)(frame + 1);
    memcpy(payload, head, head_size);
    if (body_size > 0)
        memcpy(payload + head_size, body, body_size);
    if (!p->no_wait)
        p->room -= span;
    run_add(p, frame, span);
}

void publisher_info(struct publisher *p, const char *key, const void *value, size_t size)
{
    unsigned char head[sizeof(struct tdk_info) + PUBLISHER_KEY_MAX];
    size_t key_size = strlen(key), head_size = sizeof(struct tdk_info) + key_size, offset = 0;
    assert(key_size <= PUBLISHER_KEY_MAX && size <= UINT32_MAX);
    if (head_size >= p->payload_max) {
        p->controls_dropped++;
        return;
    }
    do {
        size_t room = p->payload_max - head_size, left = size - offset;
        size_t part = left < room ? left : room;
        struct tdk_info info = {
            .total = (uint32_t)size, .offset = (uint32_t)offset, .key_size = (uint16_t)key_size};
        memcpy(head, &info, sizeof info);
        /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): its size goes with it */
        memcpy(head + sizeof info, key, key_size);
        publisher_control(p, TDK_TYPE_INFO, head, head_size, (const char *)value + offset, part);
        offset += part;
    } while (offset < size);
}

int publisher_verdict(const struct publisher *p)
{
    if (p->dropped > 0)
        cli_warn("%" PRIu64 " %s lost", p->dropped,
                 quantity_word(p->dropped, "tick found no room in the ring and is",
                               "ticks found no room in the ring and are"));
    if (p->controls_dropped > 0)
        cli_warn("%" PRIu64 " %s (symbols, properties) found no room in the ring",
                 p->controls_dropped,
                 quantity_word(p->controls_dropped, "announcement", "announcements"));
    return p->dropped + p->controls_dropped > 0 ? CLI_LOSSY : CLI_OK;
}

void publisher_wait_until(struct publisher *p, uint64_t due_ns)
{
    uint64_t now = clock_mono();
    if (now >= due_ns)
        return;
    publisher_flush(p);
    loan_tend(&p->loan);
    while ((now = clock_mono()) < due_ns && !interrupted()) {
        uint64_t left = due_ns - now;
        if (left > SPIN_NS)
            attach_sleep(left - SPIN_NS < ROOM_SLICE_NS ? left - SPIN_NS : ROOM_SLICE_NS);
    }
}
