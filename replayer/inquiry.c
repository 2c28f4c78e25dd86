#include "replayer/inquiry.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/name.h"

/* ---- lists of words ---- */

/* A word is a text, or, for a type, a number. */
static int add_word(struct text_buffer *words, struct wire_list list, uint32_t i, const char *key,
                    bool numbers, struct tdk_err *err)
{
    struct wire_text text = {NULL, 0};
    uint64_t number = 0;
    if (numbers && wire_item_u64(list, i, &number, NULL) > 0) {
        text_add_format(words, "%" PRIu64, number);
    } else if (wire_item_text(list, i, &text, NULL) > 0 && text.size > 0 &&
               memchr(text.bytes, '\0', text.size) == NULL) {
        text_add(words, text.bytes, text.size);
    } else {
        return err_say(err, TDK_EVALUE, "%s: item %u is not a text%s", key, i + 1,
                       numbers ? " or a number" : "");
    }
    text_add_char(words, '\0');
    return 0;
}

/* Append the words of one list, and count them. */
static int add_words(struct text_buffer *words, struct wire_map params, const char *key,
                     bool numbers, size_t *count, struct tdk_err *err)
{
    struct wire_list list = {NULL, 0};
    int rc = wire_list(params, key, &list, err);
    for (uint32_t i = 0; rc >= 0 && i < list.count; i++)
        rc = add_word(words, list, i, key, numbers, err);
    *count = list.count;
    return rc < 0 ? rc : 0;
}

/* Set pointers to the next `count` words from *at on. */
static int point(struct option_list *list, size_t count, const char **at)
{
    list->count = count;
    list->items = count > 0 ? calloc(count, sizeof *list->items) : NULL;
    if (count > 0 && list->items == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        list->items[i] = *at;
        *at += strlen(*at) + 1;
    }
    return 0;
}

static int take_words(struct inquiry *q, struct wire_map params, struct tdk_err *err)
{
    struct text_buffer words;
    size_t tracks = 0, symbols = 0, types = 0;
    text_init(&words);
    int rc = add_words(&words, params, "tracks", false, &tracks, err);
    if (rc == 0)
        rc = add_words(&words, params, "symbols", false, &symbols, err);
    if (rc == 0)
        rc = add_words(&words, params, "types", true, &types, err);
    if (rc == 0 && text_error(&words) < 0)
        rc = err_set(err, -ENOMEM, "read params");
    q->words = words.bytes; /* ours from here */
    if (rc < 0)
        return rc;
    const char *at = q->words;
    if (point(&q->tracks, tracks, &at) < 0 || point(&q->symbols, symbols, &at) < 0 ||
        point(&q->type_words, types, &at) < 0)
        return err_set(err, -ENOMEM, "read params");
    return 0;
}

/* ---- the rest ---- */

static int take_axis(struct inquiry *q, struct wire_map params, struct tdk_err *err)
{
    struct wire_text axis = {NULL, 0};
    int rc = wire_text(params, "axis", &axis, err);
    if (rc <= 0)
        return rc;
    bool event = wire_text_is(axis, "event");
    q->query.axis = event ? TDK_AXIS_EVENT : TDK_AXIS_RECV;
    if (!event && !wire_text_is(axis, "recv"))
        return err_say(err, TDK_EVALUE, "axis must be recv or event");
    return 0;
}

static int take_plain(struct inquiry *q, struct wire_map params, struct tdk_err *err)
{
    struct tdk_query *query = &q->query;
    int rc = wire_u64(params, "from", &query->from, err);
    if (rc >= 0)
        rc = wire_u64(params, "to", &query->to, err);
    if (rc >= 0)
        rc = wire_u64(params, "limit", &query->limit, err);
    if (rc >= 0)
        rc = wire_bool(params, "reverse", &query->reverse, err);
    if (rc >= 0)
        rc = wire_bool(params, "control", &query->control, err);
    if (rc >= 0)
        rc = wire_bool(params, "written", &query->written, err);
    if (rc >= 0)
        rc = wire_bool(params, "digest", &q->digest, err);
    if (rc >= 0)
        rc = take_axis(q, params, err);
    return rc < 0 ? rc : 0;
}

int inquiry_take(struct inquiry *q, struct wire_map params, struct tdk_err *err)
{
    memset(q, 0, sizeof *q);
    q->query.to = UINT64_MAX;
    q->digest = true;
    int rc = take_plain(q, params, err);
    if (rc == 0)
        rc = take_words(q, params, err);
    for (size_t i = 0; rc == 0 && i < q->tracks.count; i++)
        if (!name_is_valid(q->tracks.items[i], strlen(q->tracks.items[i])))
            rc = err_set(err, TDK_ENAME, "tracks: '%.80s'", q->tracks.items[i]);
    if (rc < 0) {
        inquiry_close(q);
        return rc;
    }
    q->query.tracks = q->tracks.items;
    q->query.track_count = q->tracks.count;
    q->query.symbols = q->symbols.items;
    q->query.symbol_count = q->symbols.count;
    return 0;
}

int inquiry_resolve(struct inquiry *q, struct tdk_tape *tape, struct tdk_err *err)
{
    return types_open(&q->types, tape, &q->type_words, &q->query, err);
}

void inquiry_close(struct inquiry *q)
{
    types_close(&q->types);
    free(q->tracks.items);
    free(q->symbols.items);
    free(q->type_words.items);
    free(q->words);
    memset(q, 0, sizeof *q);
}
