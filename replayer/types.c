#include "replayer/types.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/nearest.h"
#include "base/quantity.h"
#include "formats/dbn_names.h"
#include "tape/select.h"
#include "tapedeck/dbn.h"

#define TYPES_MAX 256u

void types_close(struct types *types)
{
    for (size_t i = 0; i < types->track_count; i++)
        free(types->tracks[i]);
    free(types->tracks);
    free(types->filters);
    *types = (struct types){.filters = NULL};
}

/* ---- opaque types by name: the tracks are asked ---- */

/* An opaque type as a track names it. */
struct type_name {
    const char *at; /* borrowed, not ended by NUL */
    size_t size;
    uint64_t number;
};

static bool is_called(const struct type_name *name, const char *word)
{
    return name->size == strlen(word) && memcmp(name->at, word, name->size) == 0;
}

/* "type.3" = "line\tapplication/octet-stream". False: the property names no type. */
static bool read_name(const char *key, const void *value, size_t size, struct type_name *name)
{
    if (strncmp(key, "type.", 5) != 0 || quantity_count(key + 5, &name->number, NULL) < 0 ||
        name->number < TDK_TYPE_OPAQUE || name->number > TDK_TYPE_OPAQUE_LAST)
        return false;
    const char *tab = memchr(value, '\t', size);
    name->at = value;
    name->size = tab != NULL ? (size_t)(tab - name->at) : size;
    return true;
}

struct search {
    struct types *types;
    struct tdk_tape *tape;
    const struct tdk_query *query;
    const char *name;  /* of the type */
    const char *track; /* the one being searched */
    bool numbers[TYPES_MAX];
    bool here, anywhere; /* found in this track; in any */
    struct tdk_err *err;
};

static int look_at_property(const char *key, const void *value, size_t size, void *context)
{
    struct search *search = context;
    struct type_name name;
    if (read_name(key, value, size, &name) && is_called(&name, search->name))
        search->here = search->numbers[name.number] = true;
    return 0;
}

static int look_at_epoch(const struct tdk_epoch_info *epoch, void *context)
{
    struct search *search = context;
    return tdk_tape_properties(search->tape, search->track, epoch->epoch, look_at_property, search,
                               search->err);
}

static int add_track(struct types *types, const char *name, struct tdk_err *err)
{
    for (size_t i = 0; i < types->track_count; i++)
        if (strcmp(types->tracks[i], name) == 0)
            return 0;
    char **tracks = reallocarray(types->tracks, types->track_count + 1, sizeof *tracks);
    if (tracks != NULL)
        types->tracks = tracks;
    char *copy = tracks != NULL ? strdup(name) : NULL;
    if (copy == NULL)
        return err_set(err, -ENOMEM, "read --type");
    tracks[types->track_count++] = copy;
    return 0;
}

static int look_at_track(const struct tdk_track_info *track, void *context)
{
    struct search *search = context;
    if (!query_has_track(search->query, track->name))
        return 0;
    search->track = track->name;
    search->here = false;
    int rc = tdk_tape_epochs(search->tape, track->name, look_at_epoch, search, search->err);
    if (rc == 0 && search->here)
        rc = add_track(search->types, track->name, search->err);
    search->anywhere |= search->here;
    return rc;
}

/* ---- a number that is something else elsewhere ---- */

struct check {
    struct tdk_tape *tape;
    const struct tdk_query *query;
    const struct option_list *words;
    const char *const *named; /* by number: the word that it was found by; NULL: by none */
    const char *track;        /* being asked */
    struct tdk_err *err;
};

/* By its name or by its number. */
static bool is_asked_for(const struct check *check, const struct type_name *name)
{
    for (size_t i = 0; i < check->words->count; i++) {
        const char *word = check->words->items[i];
        uint64_t number;
        if (is_called(name, word) ||
            (quantity_count(word, &number, NULL) == 0 && number == name->number))
            return true;
    }
    return false;
}

static int check_property(const char *key, const void *value, size_t size, void *context)
{
    const struct check *check = context;
    struct type_name name;
    if (!read_name(key, value, size, &name) || check->named[name.number] == NULL ||
        is_asked_for(check, &name))
        return 0;
    return err_say(check->err, TDK_EVALUE,
                   "--type '%.80s' is number %u, which is '%.*s' on track %s in this range: choose "
                   "tracks with --track, or another range",
                   check->named[name.number], (unsigned)name.number,
                   (int)(name.size < 80 ? name.size : 80), name.at, check->track);
}

static int check_epoch(const struct tdk_epoch_info *epoch, void *context)
{
    struct check *check = context;
    const struct tdk_query *query = check->query;
    bool timed = query->axis == TDK_AXIS_RECV;
    if (epoch->first_ts > epoch->last_ts ||
        (timed && (epoch->first_ts >= query->to || epoch->last_ts < query->from)))
        return 0;
    return tdk_tape_properties(check->tape, check->track, epoch->epoch, check_property, check,
                               check->err);
}

static int check_track(const struct tdk_track_info *track, void *context)
{
    struct check *check = context;
    check->track = track->name;
    return query_has_track(check->query, track->name)
               ? tdk_tape_epochs(check->tape, track->name, check_epoch, check, check->err)
               : 0;
}

/* ---- one word ---- */

static void add(struct types *types, uint8_t type, int16_t rtype)
{
    types->filters[types->count++] = (struct tdk_type_filter){.type = type, .rtype = rtype};
}

static int say_unknown(const char *word, struct tdk_err *err)
{
    struct nearest nearest;
    nearest_begin(&nearest, word);
    for (unsigned rtype = 0; rtype < 256; rtype++)
        if (dbn_rtype_name((uint8_t)rtype) != NULL)
            nearest_try(&nearest, dbn_rtype_name((uint8_t)rtype));
    nearest_try(&nearest, "tbbo"); /* shares its records with mbp-1 */
    bool near = nearest.best != NULL;
    return err_say(err, TDK_EVALUE,
                   "--type '%.80s' is neither a DBN schema, nor wide-trade or wide-quote, nor an "
                   "opaque type of these tracks%s%s%s",
                   word, near ? "; did you mean '" : "", near ? nearest.best : "",
                   near ? "'?" : "");
}

static int add_by_name(struct search *search, const char *named[TYPES_MAX])
{
    int rc = tdk_tape_tracks(search->tape, look_at_track, search, search->err);
    if (rc < 0)
        return rc;
    if (!search->anywhere)
        return say_unknown(search->name, search->err);
    for (unsigned number = 0; number < TYPES_MAX; number++)
        if (search->numbers[number]) {
            add(search->types, (uint8_t)number, -1);
            named[number] = search->name;
        }
    return 0;
}

/* True: the word names a type that is the same on every track. */
static bool add_common(struct types *types, const char *word)
{
    uint8_t rtype;
    uint64_t number;
    if (dbn_rtype_parse(word, &rtype)) {
        bool wide = rtype == TDK_RTYPE_WIDE_TRADE || rtype == TDK_RTYPE_WIDE_QUOTE;
        add(types, wide ? TDK_TYPE_WIDE : TDK_TYPE_DBN, rtype);
        return true;
    }
    if (quantity_count(word, &number, NULL) < 0 || number == 0 || number > TDK_TYPE_OPAQUE_LAST)
        return false;
    add(types, (uint8_t)number, -1);
    return true;
}

static bool is_number(const char *word)
{
    uint64_t number;
    return quantity_count(word, &number, NULL) == 0;
}

int types_open(struct types *types, struct tdk_tape *tape, const struct option_list *words,
               struct tdk_query *query, struct tdk_err *err)
{
    *types = (struct types){.count = 0};
    if (words->count == 0)
        return 0;
    types->filters = calloc(words->count, TYPES_MAX * sizeof *types->filters);
    if (types->filters == NULL)
        return err_set(err, -ENOMEM, "read --type");
    const char *named[TYPES_MAX] = {NULL};
    bool all_by_name = true;
    for (size_t i = 0; i < words->count; i++) {
        const char *word = words->items[i];
        if (add_common(types, word)) {
            all_by_name = false;
            continue;
        }
        if (is_number(word))
            return err_say(err, TDK_EVALUE,
                           "--type %s: a type's number is 1 (DBN), 2 (wide) or 3 to 191", word);
        if (tape == NULL)
            continue;
        struct search search = {
            .types = types, .tape = tape, .query = query, .name = word, .err = err};
        int rc = add_by_name(&search, named);
        if (rc < 0)
            return rc;
    }
    query->types = types->filters;
    query->type_count = types->count;
    if (all_by_name && tape != NULL) {
        query->tracks = (const char *const *)types->tracks;
        query->track_count = types->track_count;
    }
    if (types->track_count == 0) /* none by name */
        return 0;
    struct check check = {.tape = tape, .query = query, .words = words, .named = named, .err = err};
    return tdk_tape_tracks(tape, check_track, &check, err);
}
