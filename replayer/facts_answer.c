#include "replayer/facts_answer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "wire/frame.h"

#define PART_MAX ((size_t)512 << 10) /* bytes of a value in one answer, at most */

/* ---- params ---- */

static int need(int rc, const char *key, struct tdk_err *err)
{
    return rc == 0 ? err_say(err, TDK_EVALUE, "%s is missing", key) : rc;
}

int facts_take_epochs(struct facts_wish *wish, struct wire_map params, struct tdk_err *err)
{
    int rc = need(wire_string(params, "track", wish->track, sizeof wish->track, err), "track", err);
    if (rc > 0)
        rc = wire_u64(params, "after", &wish->after, err);
    return rc < 0 ? rc : 0;
}

int facts_take_property(struct facts_wish *wish, struct wire_map params, struct tdk_err *err)
{
    int rc = need(wire_string(params, "track", wish->track, sizeof wish->track, err), "track", err);
    if (rc > 0)
        rc = need(wire_string(params, "key", wish->key, sizeof wish->key, err), "key", err);
    if (rc > 0)
        rc = wire_u64(params, "epoch", &wish->epoch, err);
    if (rc >= 0)
        rc = wire_u64(params, "offset", &wish->offset, err);
    return rc < 0 ? rc : 0;
}

/* ---- answers ---- */

/* nil if no tick had a time that can be trusted. */
static void put_times(struct text_buffer *out, uint64_t first, uint64_t last)
{
    bool any = first <= last;
    wire_put_string(out, "first_ts");
    any ? wire_put_u64(out, first) : wire_put_nil(out);
    wire_put_string(out, "last_ts");
    any ? wire_put_u64(out, last) : wire_put_nil(out);
}

int facts_info(struct tdk_tape *tape, struct text_buffer *out, struct tdk_err *err)
{
    struct tdk_tape_info info;
    char id[2 * sizeof info.tape_id + 1];
    (void)err;
    tdk_tape_info(tape, &info);
    for (size_t i = 0; i < sizeof info.tape_id; i++)
        snprintf(id + 2 * i, 3, "%02x", info.tape_id[i]);
    wire_put_map(out, 12);
    wire_pair_string(out, "id", id);
    wire_pair_u64(out, "created", info.created_ns);
    put_times(out, info.first_ts, info.last_ts);
    wire_pair_u64(out, "ticks", info.ticks);
    wire_pair_u64(out, "bytes", info.bytes);
    wire_pair_u64(out, "lost", info.lost);
    wire_pair_u64(out, "size_on_disk", info.size_on_disk);
    wire_pair_u64(out, "tracks", info.tracks);
    wire_pair_u64(out, "segments", info.segments);
    wire_pair_bool(out, "recording", info.recording);
    wire_pair_bool(out, "index_used", info.index_used);
    return 0;
}

struct epoch_rows {
    struct text_buffer *out;
    uint64_t after;
    uint32_t count;
    bool more;
};

static int put_epoch(const struct tdk_epoch_info *epoch, void *context)
{
    struct epoch_rows *rows = context;
    struct text_buffer *out = rows->out;
    if (epoch->epoch <= rows->after)
        return 0;
    rows->more = rows->count == FRAME_ANSWER_ITEMS;
    if (rows->more)
        return 1;
    rows->count++;
    wire_put_map(out, 8);
    wire_pair_u64(out, "epoch", epoch->epoch);
    wire_pair_u64(out, "first_seq", epoch->first_seq);
    wire_pair_u64(out, "last_seq", epoch->last_seq);
    put_times(out, epoch->first_ts, epoch->last_ts);
    wire_pair_u64(out, "ticks", epoch->ticks);
    wire_pair_u64(out, "bytes", epoch->bytes);
    wire_pair_u64(out, "lost", epoch->lost);
    return 0;
}

int facts_epochs(struct tdk_tape *tape, const struct facts_wish *wish, struct text_buffer *out,
                 struct tdk_err *err)
{
    struct epoch_rows rows = {.out = out, .after = wish->after};
    wire_put_map(out, 2);
    wire_put_string(out, "epochs");
    size_t list = wire_open_list(out);
    int rc = tdk_tape_epochs(tape, wish->track, put_epoch, &rows, err);
    wire_close_list(out, list, rows.count);
    wire_pair_bool(out, "more", rows.more);
    return rc < 0 ? rc : 0;
}

int facts_property(struct tdk_tape *tape, const struct facts_wish *wish, struct text_buffer *out,
                   struct tdk_err *err)
{
    void *value = NULL;
    size_t size = 0;
    int rc = tdk_tape_property(tape, wish->track, wish->epoch, wish->key, &value, &size, err);
    if (rc < 0)
        return rc;
    size_t from = wish->offset < size ? (size_t)wish->offset : size;
    size_t part = size - from < PART_MAX ? size - from : PART_MAX;
    wire_put_map(out, 2);
    wire_pair_u64(out, "size", size);
    wire_put_string(out, "value");
    wire_put_bytes(out, (const char *)value + from, part);
    free(value);
    return 0;
}
