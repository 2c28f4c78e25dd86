#include "replayer/announce.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

struct announcement {
    struct lane *lane;
    struct tdk_frame head; /* type and size are set for each frame */
    struct lane_patience *patience;
    struct tdk_err *err;
};

static int put(const struct announcement *a, uint8_t type, const void *bytes, size_t size,
               const void *body, size_t body_size)
{
    struct tdk_frame head = a->head;
    head.type = type;
    return lane_control(a->lane, &head, bytes, size, body, body_size, a->patience, a->err);
}

/* A value longer than a frame is split into parts. A key that leaves no room for a value is left
 * out. */
static int put_info(const char *key, const void *value, size_t size, void *context)
{
    const struct announcement *a = context;
    struct {
        struct tdk_info info;
        char key[256];
    } head = {.info = {.total = (uint32_t)size}};
    size_t key_size = strlen(key);
    if (key_size > sizeof head.key || sizeof head.info + key_size >= a->lane->payload_max ||
        size > UINT32_MAX)
        return 0;
    head.info.key_size = (uint16_t)key_size;
    memcpy(head.key, key, key_size);
    size_t head_size = sizeof head.info + key_size;
    size_t part_max = a->lane->payload_max - head_size;
    size_t offset = 0;
    do {
        size_t part = size - offset < part_max ? size - offset : part_max;
        head.info.offset = (uint32_t)offset;
        int rc = put(a, TDK_TYPE_INFO, &head, head_size, (const char *)value + offset, part);
        if (rc < 0)
            return rc;
        offset += part;
    } while (offset < size);
    return 0;
}

struct symbols {
    const struct announcement *announcement;
    uint64_t epoch;
};

static int put_symbol(const struct tdk_symbol_info *symbol, void *context)
{
    const struct symbols *s = context;
    if (symbol->epoch != s->epoch)
        return 0;
    struct tdk_symbol head = {
        .instrument_id = symbol->instrument_id, .from = symbol->from, .to = symbol->to};
    return put(s->announcement, TDK_TYPE_SYMBOL, &head, sizeof head, symbol->symbol,
               strlen(symbol->symbol));
}

static struct announcement announcement_of(struct lane *lane, const struct tdk_run *run,
                                           struct lane_patience *patience, struct tdk_err *err)
{
    return (struct announcement){
        .lane = lane,
        .head = {.track = run->number, .seq = run->frames->seq, .ts = run->frames->ts},
        .patience = patience,
        .err = err,
    };
}

int announce_track(struct lane *lane, struct tdk_tape *tape, const struct tdk_run *run,
                   uint8_t kind, struct lane_patience *patience, struct tdk_err *err)
{
    struct announcement a = announcement_of(lane, run, patience, err);
    size_t name_size = strlen(run->track);
    struct tdk_track_head head = {
        .epoch = run->epoch, .number = run->number, .kind = kind, .name_size = (uint8_t)name_size};
    int rc = put(&a, TDK_TYPE_TRACK, &head, sizeof head, run->track, name_size);
    if (rc == 0)
        rc = tdk_tape_properties(tape, run->track, run->epoch, put_info, &a, err);
    struct symbols symbols = {&a, run->epoch};
    if (rc == 0)
        rc = tdk_tape_symbols(tape, run->track, put_symbol, &symbols, err);
    return rc;
}

int announce_rebase(struct lane *lane, const struct tdk_run *run, uint64_t shift,
                    struct lane_patience *patience, struct tdk_err *err)
{
    struct announcement a = announcement_of(lane, run, patience, err);
    char value[24];
    int size = snprintf(value, sizeof value, "%lld", (long long)shift);
    return put_info(ANNOUNCE_REBASE_KEY, value, (size_t)size, &a);
}
