#include "replayer/session_params.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/name.h"
#include "formats/dbn_names.h"
#include "tapedeck/dbn.h"

#define WORD_ROOM 256u

/* ---- lists of words ---- */

static void words_close(struct session_words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i]);
    free(words->items);
    *words = (struct session_words){0};
}

static int copy_word(struct wire_text text, char **word, const char *key, struct tdk_err *err)
{
    if (text.size == 0 || text.size >= WORD_ROOM || memchr(text.bytes, '\0', text.size) != NULL)
        return err_say(err, TDK_EVALUE, "%s: a name of 1 to %u characters is wanted", key,
                       WORD_ROOM - 1);
    *word = strndup(text.bytes, text.size);
    return *word != NULL ? 0 : err_set(err, -ENOMEM, "read %s", key);
}

static int read_words(struct wire_map map, const char *key, struct session_words *words,
                      struct tdk_err *err)
{
    struct wire_list list;
    int rc = wire_list(map, key, &list, err);
    if (rc <= 0)
        return rc;
    words->items = calloc(list.count + 1u, sizeof *words->items);
    if (words->items == NULL)
        return err_set(err, -ENOMEM, "read %s", key);
    for (uint32_t i = 0; i < list.count; i++) {
        struct wire_text text = {0};
        if (wire_item_text(list, i, &text, err) < 0)
            return err_say(err, TDK_EVALUE, "%s: a list of texts is wanted", key);
        rc = copy_word(text, &words->items[words->count], key, err);
        if (rc < 0)
            return rc;
        words->count++;
    }
    return 0;
}

/* ---- types ---- */

static bool parse_type(const char *word, struct tdk_type_filter *filter)
{
    uint8_t rtype;
    uint64_t number;
    if (dbn_rtype_parse(word, &rtype)) {
        bool wide = rtype == TDK_RTYPE_WIDE_TRADE || rtype == TDK_RTYPE_WIDE_QUOTE;
        *filter = (struct tdk_type_filter){wide ? TDK_TYPE_WIDE : TDK_TYPE_DBN, rtype};
        return true;
    }
    if (quantity_count(word, &number, NULL) < 0 || number == 0 || number > TDK_TYPE_OPAQUE_LAST)
        return false;
    *filter = (struct tdk_type_filter){(uint8_t)number, -1};
    return true;
}

static int read_types(struct session_params *p, struct wire_map map, struct tdk_err *err)
{
    struct session_words words = {0};
    int rc = read_words(map, "types", &words, err);
    p->types = calloc(words.count + 1, sizeof *p->types);
    if (p->types == NULL) {
        words_close(&words);
        return rc < 0 ? rc : err_set(err, -ENOMEM, "read types");
    }
    for (size_t i = 0; i < words.count && rc == 0; i++)
        if (!parse_type(words.items[i], &p->types[i]))
            rc = err_say(err, TDK_EVALUE,
                         "types: '%.80s' is no DBN schema, not wide-trade or wide-quote, and no "
                         "number of a type",
                         words.items[i]);
    p->query.types = p->types;
    p->query.type_count = words.count;
    words_close(&words);
    return rc;
}

/* ---- one value ---- */

static int read_axis(struct wire_map map, enum tdk_axis *axis, struct tdk_err *err)
{
    struct wire_text text;
    int rc = wire_text(map, "axis", &text, err);
    if (rc <= 0)
        return rc;
    if (!wire_text_is(text, "recv") && !wire_text_is(text, "event"))
        return err_say(err, TDK_EVALUE, "axis: recv or event is wanted");
    *axis = wire_text_is(text, "event") ? TDK_AXIS_EVENT : TDK_AXIS_RECV;
    return 0;
}

int session_params_speed(struct wire_map map, struct speed *speed, struct tdk_err *err)
{
    char word[64];
    int rc = wire_string(map, "speed", word, sizeof word, err);
    if (rc != 1)
        return rc;
    return quantity_speed(word, speed, err) < 0 ? TDK_EVALUE : 1;
}

/* "now", or a time. */
static int read_rebase(struct session_params *p, struct wire_map map, struct tdk_err *err)
{
    struct wire_text text;
    p->rebase_ts = UINT64_MAX;
    int rc = wire_text(map, "rebase", &text, NULL);
    if (rc == 1 && !wire_text_is(text, "now"))
        return err_say(err, TDK_EVALUE, "rebase: now or a time in ns is wanted");
    if (rc < 0)
        rc = wire_u64(map, "rebase", &p->rebase_ts, err);
    p->rebase = rc == 1;
    return rc;
}

static int read_into(struct session_params *p, struct wire_map map, struct tdk_err *err)
{
    int rc = wire_string(map, "into", p->into, sizeof p->into, err);
    if (rc == 0)
        return err_say(err, TDK_EVALUE, "into: the name of a ring is wanted");
    if (rc == 1 && !name_is_valid(p->into, strlen(p->into)))
        return err_say(err, TDK_EVALUE, "into: '%.64s' is no name of a ring", p->into);
    return rc;
}

static int check(const struct session_params *p, struct tdk_err *err)
{
    if (p->loop == 0)
        return err_say(err, TDK_EVALUE, "loop: how often, at least once");
    if (p->create_size != 0 && p->create_size < 65536)
        return err_say(err, TDK_EVALUE, "create: a ring has at least 65536 bytes");
    if (p->then_live && (p->query.to != UINT64_MAX || p->loop != 1 || p->rebase || p->lockstep))
        return err_say(err, TDK_EVALUE,
                       "then_live: the present has no end, one round and its own times; it does "
                       "not go with to, loop, rebase and lockstep");
    return 0;
}

static int read_flags(struct session_params *p, struct wire_map map, struct tdk_err *err)
{
    const struct {
        const char *key;
        bool *at;
    } flags[] = {
        {"per_track", &p->per_track}, {"paused", &p->paused},     {"prime", &p->prime},
        {"then_live", &p->then_live}, {"lockstep", &p->lockstep}, {"detach", &p->detach},
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0] && rc >= 0; i++)
        rc = wire_bool(map, flags[i].key, flags[i].at, err);
    return rc;
}

static int read_numbers(struct session_params *p, struct wire_map map, struct tdk_err *err)
{
    const struct {
        const char *key;
        uint64_t *at;
    } numbers[] = {
        {"from", &p->query.from},      {"to", &p->query.to},
        {"limit", &p->query.limit},    {"loop", &p->loop},
        {"max_idle", &p->max_idle_ns}, {"wait_consumers", &p->wait_consumers},
        {"create", &p->create_size},
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && rc >= 0; i++)
        rc = wire_u64(map, numbers[i].key, numbers[i].at, err);
    return rc;
}

int session_params_read(struct session_params *p, struct wire_map map, struct tdk_err *err)
{
    *p = (struct session_params){
        .query = {.to = UINT64_MAX}, .loop = 1, .speed = {.kind = SPEED_MAX}};
    int rc = read_numbers(p, map, err);
    if (rc >= 0)
        rc = read_flags(p, map, err);
    if (rc >= 0)
        rc = read_into(p, map, err);
    if (rc >= 0)
        rc = session_params_speed(map, &p->speed, err);
    if (rc >= 0)
        rc = read_rebase(p, map, err);
    if (rc >= 0)
        rc = read_axis(map, &p->query.axis, err);
    if (rc >= 0)
        rc = read_words(map, "tracks", &p->tracks, err);
    if (rc >= 0)
        rc = read_words(map, "symbols", &p->symbols, err);
    if (rc >= 0)
        rc = read_types(p, map, err);
    if (rc < 0)
        return rc;
    p->query.tracks = (const char *const *)p->tracks.items;
    p->query.track_count = p->tracks.count;
    p->query.symbols = (const char *const *)p->symbols.items;
    p->query.symbol_count = p->symbols.count;
    return check(p, err);
}

void session_params_close(struct session_params *p)
{
    words_close(&p->tracks);
    words_close(&p->symbols);
    free(p->types);
    p->types = NULL;
}
