#include "cli/control_text.h"

#include <string.h>

#include "base/utf8.h"

static void key(struct text_buffer *text, const char *name)
{
    text_add_string(text, ",\"");
    text_add_string(text, name);
    text_add_string(text, "\":");
}

/* 64-bit integers are strings in JSON, as everywhere in tapedeck. */
static void number(struct text_buffer *text, const char *name, uint64_t value)
{
    key(text, name);
    text_add_char(text, '"');
    text_add_u64(text, value);
    text_add_char(text, '"');
}

static void string(struct text_buffer *text, const char *name, const void *bytes, size_t size)
{
    key(text, name);
    text_add_json(text, bytes, size);
}

static void hex(struct text_buffer *text, const char *name, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    key(text, name);
    text_add_char(text, '"');
    for (size_t i = 0; i < size; i++) {
        text_add_char(text, digits[bytes[i] >> 4]);
        text_add_char(text, digits[bytes[i] & 15]);
    }
    text_add_char(text, '"');
}

static const char *const reasons[] = {
    [TDK_LOSS_RING_FULL] = "ring full", [TDK_LOSS_NO_SPACE] = "no space",
    [TDK_LOSS_DAMAGE] = "damage",       [TDK_LOSS_QUARANTINE] = "quarantine",
    [TDK_LOSS_UNKNOWN] = "unknown",     [TDK_LOSS_RETIRED] = "retired",
    [TDK_LOSS_AWAY] = "away",
};

const char *control_text_reason(uint32_t reason)
{
    bool known = reason < sizeof reasons / sizeof reasons[0] && reasons[reason] != NULL;
    return known ? reasons[reason] : "unknown";
}

static void show_loss(struct text_buffer *text, const void *payload, size_t size)
{
    const struct tdk_loss *loss = payload;
    (void)size;
    number(text, "first_seq", loss->first_seq);
    number(text, "count", loss->count);
    number(text, "first_ts", loss->first_ts);
    number(text, "last_ts", loss->last_ts);
    const char *reason = control_text_reason(loss->reason);
    string(text, "reason", reason, strlen(reason));
}

static void show_clock(struct text_buffer *text, const void *payload, size_t size)
{
    const struct tdk_clock_jump *jump = payload;
    (void)size;
    number(text, "old_ts", jump->old_ts);
    number(text, "new_ts", jump->new_ts);
}

static void show_epoch(struct text_buffer *text, const void *payload, size_t size)
{
    const struct tdk_epoch *epoch = payload;
    (void)size;
    number(text, "new_epoch", epoch->epoch);
    number(text, "previous", epoch->previous);
    number(text, "previous_seq", epoch->previous_seq);
    number(text, "ring_epoch", epoch->ring_epoch);
    number(text, "pid", epoch->pid);
    hex(text, "boot_id", epoch->boot_id, sizeof epoch->boot_id);
    hex(text, "ring_uuid", epoch->ring_uuid, sizeof epoch->ring_uuid);
}

static void show_symbol(struct text_buffer *text, const void *payload, size_t size)
{
    const struct tdk_symbol *symbol = payload;
    key(text, "instrument_id");
    text_add_u64(text, symbol->instrument_id);
    number(text, "from", symbol->from);
    number(text, "to", symbol->to);
    string(text, "symbol", symbol + 1, size - sizeof *symbol);
}

static void show_mark(struct text_buffer *text, const void *payload, size_t size)
{
    size_t name_size = strnlen(payload, size);
    uint64_t back;
    string(text, "name", payload, name_size);
    if (size != name_size + 1 + sizeof back)
        return;
    memcpy(&back, (const char *)payload + name_size + 1, sizeof back);
    number(text, "back", back);
}

static void show_track(struct text_buffer *text, const void *payload, size_t size)
{
    const struct tdk_track_head *track = payload;
    size_t rest = size - sizeof *track;
    number(text, "new_epoch", track->epoch);
    key(text, "number");
    text_add_u64(text, track->number);
    string(text, "name", track + 1, track->name_size < rest ? track->name_size : rest);
}

static void show_end(struct text_buffer *text, const void *payload, size_t size)
{
    const struct tdk_end *end = payload;
    (void)size;
    number(text, "ticks", end->ticks);
    number(text, "lost", end->lost);
    hex(text, "digest", end->digest, sizeof end->digest);
    key(text, "complete");
    text_add_string(text, end->complete ? "true" : "false");
}

static void show_info(struct text_buffer *text, const void *payload, size_t size)
{
    const struct tdk_info *info = payload;
    const char *name = (const char *)(info + 1);
    size_t rest = size - sizeof *info;
    size_t name_size = info->key_size < rest ? info->key_size : rest;
    key(text, "total");
    text_add_u64(text, info->total);
    key(text, "offset");
    text_add_u64(text, info->offset);
    string(text, "key", name, name_size);
    const char *value = name + name_size;
    size_t value_size = rest - name_size;
    if (utf8_span(value, value_size) == value_size && memchr(value, '\0', value_size) == NULL) {
        string(text, "value", value, value_size);
    } else {
        key(text, "base64");
        text_add_char(text, '"');
        text_add_base64(text, value, value_size);
        text_add_char(text, '"');
    }
}

static const struct {
    const char *name;
    size_t size; /* of the fixed part of its payload */
    void (*show)(struct text_buffer *text, const void *payload, size_t size);
} kinds[] = {
    [TDK_TYPE_LOSS - TDK_TYPE_CONTROL] = {"loss", sizeof(struct tdk_loss), show_loss},
    [TDK_TYPE_CLOCK - TDK_TYPE_CONTROL] = {"clock", sizeof(struct tdk_clock_jump), show_clock},
    [TDK_TYPE_EPOCH - TDK_TYPE_CONTROL] = {"epoch", sizeof(struct tdk_epoch), show_epoch},
    [TDK_TYPE_SYMBOL - TDK_TYPE_CONTROL] = {"symbol", sizeof(struct tdk_symbol), show_symbol},
    [TDK_TYPE_MARK - TDK_TYPE_CONTROL] = {"mark", 0, show_mark},
    [TDK_TYPE_TRACK - TDK_TYPE_CONTROL] = {"track", sizeof(struct tdk_track_head), show_track},
    [TDK_TYPE_JOIN - TDK_TYPE_CONTROL] = {"join", 0, NULL},
    [TDK_TYPE_END - TDK_TYPE_CONTROL] = {"end", sizeof(struct tdk_end), show_end},
    [TDK_TYPE_INFO - TDK_TYPE_CONTROL] = {"info", sizeof(struct tdk_info), show_info},
};

void control_text_json(struct text_buffer *text, const char *track, uint64_t epoch,
                       const struct tdk_frame *frame)
{
    unsigned kind = frame->type - (unsigned)TDK_TYPE_CONTROL;
    bool known = kind < sizeof kinds / sizeof kinds[0] && kinds[kind].name != NULL;
    text_add_string(text, "{\"control\":");
    if (known)
        text_add_json(text, kinds[kind].name, strlen(kinds[kind].name));
    else
        text_add_u64(text, frame->type);
    string(text, "track", track, strlen(track));
    number(text, "epoch", epoch);
    number(text, "seq", frame->seq);
    number(text, "ts", frame->ts);
    if (known && kinds[kind].show != NULL && frame->size >= kinds[kind].size)
        kinds[kind].show(text, tdk_frame_payload(frame), frame->size);
    text_add_string(text, "}\n");
}
