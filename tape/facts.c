/* facts.c - what a tape says about its ticks: epochs, properties, symbols. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tape/tape.h"

static int no_track(const char *name, struct tdk_err *err)
{
    return err_say(err, TDK_ENOTRACK, "no track %.64s on this tape", name);
}

/* ---- epochs and properties ---- */

struct epoch_walk {
    int (*each)(const struct tdk_epoch_info *epoch, void *context);
    void *context;
};

static int tell_epoch(const struct epoch_ref *epoch, void *context)
{
    const struct epoch_walk *walk = context;
    bool timed = epoch->min_ts <= epoch->max_ts;
    const struct tdk_epoch_info info = {
        .epoch = epoch->epoch,
        .first_seq = epoch->first_seq,
        .last_seq = epoch->last_seq,
        .first_ts = timed ? epoch->min_ts : UINT64_MAX,
        .last_ts = timed ? epoch->max_ts : 0,
        .ticks = epoch->ticks,
        .bytes = epoch->bytes,
        .lost = epoch->lost,
    };
    return walk->each(&info, walk->context);
}

int tdk_tape_epochs(struct tdk_tape *tape, const char *track,
                    int (*each)(const struct tdk_epoch_info *epoch, void *context), void *context,
                    struct tdk_err *err)
{
    const struct track *t = tape_track(tape, track);
    if (t == NULL)
        return no_track(track, err);
    struct epoch_walk walk = {each, context};
    struct view *view = tape_view(tape);
    int rc = index_epochs(view->index, t->ref.number, tell_epoch, &walk, err);
    view_drop(view);
    return rc;
}

static int keep_last(const struct epoch_ref *epoch, void *context)
{
    *(uint64_t *)context = epoch->epoch;
    return 0;
}

/* Epoch 0 means the last one: find its number. It stays 0 if the track has no epoch. */
static int resolve_epoch(const struct view *view, uint16_t track, uint64_t *epoch,
                         struct tdk_err *err)
{
    return *epoch != 0 ? 0 : index_epochs(view->index, track, keep_last, epoch, err);
}

int tdk_tape_property(struct tdk_tape *tape, const char *track, uint64_t epoch, const char *key,
                      void **value, size_t *size, struct tdk_err *err)
{
    const struct track *t = tape_track(tape, track);
    if (t == NULL)
        return no_track(track, err);
    struct view *view = tape_view(tape);
    int rc = resolve_epoch(view, t->ref.number, &epoch, err);
    if (rc == 0 && epoch == 0)
        rc = err_say(err, -ENOENT, "track %s has no epoch yet", track);
    if (rc == 0) {
        rc = index_info(view->index, t->ref.number, epoch, key, value, size, err);
        if (rc == -ENOENT)
            err_say(err, rc, "track %s has no property %.100s in its epoch %llu", track, key,
                    (unsigned long long)epoch);
    }
    view_drop(view);
    return rc;
}

int tdk_tape_properties(struct tdk_tape *tape, const char *track, uint64_t epoch,
                        int (*each)(const char *key, const void *value, size_t size, void *context),
                        void *context, struct tdk_err *err)
{
    const struct track *t = tape_track(tape, track);
    if (t == NULL)
        return no_track(track, err);
    struct view *view = tape_view(tape);
    int rc = resolve_epoch(view, t->ref.number, &epoch, err);
    if (rc == 0 && epoch != 0)
        rc = index_infos(view->index, t->ref.number, epoch, each, context, err);
    view_drop(view);
    return rc;
}

/* ---- symbols ---- */

struct symbol_walk {
    int (*each)(const struct tdk_symbol_info *symbol, void *context);
    void *context;
    const char *track;
};

static int tell_symbol(const struct symbol_ref *symbol, void *context)
{
    const struct symbol_walk *walk = context;
    const struct tdk_symbol_info info = {
        .symbol = symbol->symbol,
        .track = walk->track,
        .epoch = symbol->epoch,
        .instrument_id = symbol->instrument_id,
        .from = symbol->from,
        .to = symbol->to,
        .order = symbol->order,
    };
    return walk->each(&info, walk->context);
}

int tdk_tape_symbols(struct tdk_tape *tape, const char *track,
                     int (*each)(const struct tdk_symbol_info *symbol, void *context),
                     void *context, struct tdk_err *err)
{
    if (track != NULL && tape_track(tape, track) == NULL)
        return no_track(track, err);
    size_t count;
    struct track **tracks = tape_tracks(tape, &count);
    if (tracks == NULL)
        return err_set(err, -ENOMEM, "list symbols");
    struct view *view = tape_view(tape);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct symbol_walk walk = {each, context, tracks[i]->ref.name};
        if (track == NULL || strcmp(track, walk.track) == 0)
            rc = index_symbols(view->index, tracks[i]->ref.number, 0, tell_symbol, &walk, err);
    }
    view_drop(view);
    free(tracks);
    return rc;
}

struct symbol_list {
    struct symbols *symbols;
    size_t room;
};

static int note_symbol(const struct symbol_ref *symbol, void *context)
{
    struct symbol_list *list = context;
    struct symbols *s = list->symbols;
    if (s->count == list->room) {
        size_t room = list->room == 0 ? 64 : 2 * list->room;
        s = realloc(s, sizeof *s + room * sizeof s->items[0]);
        if (s == NULL)
            return -ENOMEM;
        list->symbols = s;
        list->room = room;
    }
    s->items[s->count++] = *symbol;
    s->items[s->count - 1].symbol[sizeof symbol->symbol - 1] = '\0';
    return 0;
}

/* The index returns them in the order that is needed. */
int symbols_read(struct view *view, uint16_t track, uint64_t epoch, struct symbols **symbols,
                 struct tdk_err *err)
{
    struct symbol_list list = {.symbols = calloc(1, sizeof *list.symbols)};
    int rc = list.symbols == NULL ? -ENOMEM : 0;
    if (rc == 0)
        rc = index_symbols(view->index, track, epoch, note_symbol, &list, err);
    if (rc < 0) {
        free(list.symbols);
        return rc == -ENOMEM ? err_set(err, rc, "list symbols") : rc;
    }
    list.symbols->holders = 1;
    list.symbols->track = track;
    *symbols = list.symbols;
    return 0;
}

static struct symbols *hold(struct symbols *symbols)
{
    __atomic_fetch_add(&symbols->holders, 1, __ATOMIC_RELAXED);
    return symbols;
}

void symbols_drop(struct symbols *symbols)
{
    if (symbols != NULL && __atomic_sub_fetch(&symbols->holders, 1, __ATOMIC_ACQ_REL) == 0)
        free(symbols);
}

/* With the lock held. The result is the tape's own, borrowed. */
static int find_symbols(struct tdk_tape *tape, uint16_t track, struct symbols **symbols,
                        struct tdk_err *err)
{
    struct symbols *found = tape->symbols, *fresh = NULL;
    while (found != NULL && found->track != track)
        found = found->next;
    int rc = found == NULL ? symbols_read(tape->view, track, 0, &fresh, err) : 0;
    if (fresh != NULL) {
        fresh->next = tape->symbols;
        found = tape->symbols = fresh;
    }
    *symbols = found;
    return rc;
}

int tape_symbols(struct tdk_tape *tape, uint16_t track, struct symbols **symbols,
                 struct tdk_err *err)
{
    pthread_mutex_lock(&tape->lock);
    int rc = find_symbols(tape, track, symbols, err);
    if (rc == 0)
        hold(*symbols);
    pthread_mutex_unlock(&tape->lock);
    return rc;
}

static int compare_symbol(const struct symbol_ref *a, uint64_t epoch, uint32_t instrument_id,
                          uint64_t from)
{
    if (a->epoch != epoch)
        return a->epoch < epoch ? -1 : 1;
    if (a->instrument_id != instrument_id)
        return a->instrument_id < instrument_id ? -1 : 1;
    return a->from <= from ? -1 : 1;
}

static const char *find_symbol(const struct symbols *symbols, uint64_t epoch,
                               uint32_t instrument_id, uint64_t ts)
{
    size_t low = 0, high = symbols->count; /* find the last that begins at `ts` or before */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_symbol(&symbols->items[middle], epoch, instrument_id, ts) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low > 0; low--) { /* the latest that still applies; they may overlap */
        const struct symbol_ref *at = &symbols->items[low - 1];
        if (at->epoch != epoch || at->instrument_id != instrument_id)
            return NULL;
        if (ts < at->to || at->to == UINT64_MAX)
            return at->symbol;
    }
    return NULL;
}

/* The symbol is owned by the tape, until the tape is refreshed. */
const char *tdk_tape_symbol(struct tdk_tape *tape, uint16_t track, uint64_t epoch,
                            uint32_t instrument_id, uint64_t ts)
{
    struct symbols *symbols;
    const char *symbol = NULL;
    pthread_mutex_lock(&tape->lock);
    if (find_symbols(tape, track, &symbols, NULL) == 0)
        symbol = find_symbol(symbols, epoch, instrument_id, ts);
    pthread_mutex_unlock(&tape->lock);
    return symbol;
}
