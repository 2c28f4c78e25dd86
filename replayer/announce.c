#include "replayer/announce.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "tape/tape.h"

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

static int put_symbol(const struct announcement *a, const struct symbol_ref *symbol)
{
    struct tdk_symbol head = {
        .instrument_id = symbol->instrument_id, .from = symbol->from, .to = symbol->to};
    return put(a, TDK_TYPE_SYMBOL, &head, sizeof head, symbol->symbol, strlen(symbol->symbol));
}

/* Of several names at one time the first that is told is used in text. The tape has it last. */
static int put_symbols(const struct announcement *a, const struct symbols *symbols)
{
    const struct symbol_ref *items = symbols->items;
    int rc = 0;
    for (size_t first = 0, end; first < symbols->count && rc == 0; first = end) {
        for (end = first + 1; end < symbols->count; end++)
            if (items[end].instrument_id != items[first].instrument_id ||
                items[end].from != items[first].from)
                break;
        for (size_t i = end; i > first && rc == 0; i--)
            rc = put_symbol(a, &items[i - 1]);
    }
    return rc;
}

/* They are read at once and then put: a full ring may make us wait for long. */
static int announce_symbols(const struct announcement *a, struct tdk_tape *tape,
                            const struct tdk_run *run)
{
    const struct track *track = tape_track(tape, run->track);
    if (track == NULL)
        return err_say(a->err, TDK_ENOTRACK, "no track %.64s on this tape", run->track);
    struct view *view = tape_view(tape);
    struct symbols *symbols = NULL;
    int rc = symbols_read(view, track->ref.number, run->epoch, &symbols, a->err);
    view_drop(view);
    if (rc == 0)
        rc = put_symbols(a, symbols);
    symbols_drop(symbols);
    return rc;
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
    return rc < 0 ? rc : announce_symbols(&a, tape, run);
}

int announce_rebase(struct lane *lane, const struct tdk_run *run, uint64_t shift,
                    struct lane_patience *patience, struct tdk_err *err)
{
    struct announcement a = announcement_of(lane, run, patience, err);
    char value[24];
    int size = snprintf(value, sizeof value, "%lld", (long long)shift);
    return put_info(ANNOUNCE_REBASE_KEY, value, (size_t)size, &a);
}
