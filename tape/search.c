#include "tape/search.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/moment.h"
#include "tape/border.h"
#include "tape/hole.h"
#include "tape/moved.h"

/* True: the view may have tracks that the tape itself does not know yet. */
static bool is_ahead(const struct view *view)
{
    return view != NULL && view->under != NULL;
}

static int all_tracks(struct tdk_tape *tape, struct view *view, struct track ***found,
                      size_t *count, struct tdk_err *err)
{
    if (is_ahead(view))
        return tape_tracks_of(tape, view, found, count, err);
    *found = tape_tracks(tape, count);
    return *found != NULL ? 0 : err_set(err, -ENOMEM, "look for tracks");
}

/* The tracks that a query without names means. */
static int meant_tracks(struct tdk_tape *tape, struct view *view, const struct tdk_query *query,
                        struct track ***found, size_t *count, struct tdk_err *err)
{
    size_t all;
    int rc = all_tracks(tape, view, found, &all, err);
    if (rc < 0)
        return rc;
    assert(*found != NULL);
    *count = 0;
    for (size_t i = 0; i < all; i++)
        if (query_has_track(query, (*found)[i]->ref.name))
            (*found)[(*count)++] = (*found)[i];
    return 0;
}

static struct track *find_track(struct tdk_tape *tape, struct view *view, const char *name)
{
    struct track **tracks, *found = tape_track(tape, name);
    size_t count;
    if (found != NULL || !is_ahead(view) || tape_tracks_of(tape, view, &tracks, &count, NULL) < 0)
        return found;
    for (size_t i = 0; i < count && found == NULL; i++)
        if (strcmp(tracks[i]->ref.name, name) == 0)
            found = tracks[i];
    free(tracks);
    return found;
}

int search_tracks(struct tdk_tape *tape, struct view *view, const struct tdk_query *query,
                  struct track ***found, size_t *count, struct tdk_err *err)
{
    if (query->track_count == 0)
        return meant_tracks(tape, view, query, found, count, err);
    struct track **tracks = calloc(query->track_count, sizeof(struct track *));
    if (tracks == NULL)
        return err_set(err, -ENOMEM, "look for tracks");
    for (size_t i = 0; i < query->track_count; i++) {
        tracks[i] = find_track(tape, view, query->tracks[i]);
        if (tracks[i] == NULL) {
            free(tracks);
            return err_say(err, TDK_ENOTRACK, "no track %.64s on this tape", query->tracks[i]);
        }
    }
    tracks_sort(tracks, query->track_count);
    *count = 0;
    for (size_t i = 0; i < query->track_count; i++)
        if (*count == 0 || tracks[i] != tracks[*count - 1])
            tracks[(*count)++] = tracks[i];
    *found = tracks;
    return 0;
}

static bool is_reverse(const struct search *search)
{
    return search->answer->reverse;
}

/* New symbols from a recorder are not in what the tape has read of them before. */
static int find_picks(struct search *search, struct tdk_err *err)
{
    const struct answer *answer = search->answer;
    struct symbols *symbols = NULL;
    uint16_t number = search->track->ref.number;
    int rc = answer->view->live ? symbols_read(answer->view, number, 0, &symbols, err)
                                : tape_symbols(answer->tape, number, &symbols, err);
    if (rc == 0)
        rc = select_picks(&answer->select, symbols, &search->all, err);
    symbols_drop(symbols);
    return rc;
}

int search_open(struct search *search, struct answer *answer, const struct track *track,
                struct tdk_err *err)
{
    *search = (struct search){.answer = answer, .track = track};
    int rc = tape_epochs(answer->tape, answer->view, track->ref.number, &search->epochs,
                         &search->epoch_count, err);
    if (rc == 0 && answer->select.by_symbol)
        rc = find_picks(search, err);
    if (rc < 0)
        search_close(search);
    else
        search_rewind(search);
    return rc;
}

void search_close(struct search *search)
{
    picks_close(&search->all);
    picks_close(&search->here);
    listing_close(&search->listing);
    free(search->epochs);
    search->epochs = NULL;
}

void search_rewind(struct search *search)
{
    search->epoch_at = is_reverse(search) ? search->epoch_count : 0;
    search->in_epoch = false;
    search->is_border_seen = false;
}

void search_begin_behind(struct search *search, const struct place *place)
{
    search->start = *place;
    search->met = place->block;
}

struct place search_end(const struct search *search)
{
    struct place place = search->start;
    if (search->epoch_count > 0) {
        const struct epoch_ref *last = &search->epochs[search->epoch_count - 1];
        if (last->epoch > place.epoch)
            place.last_seq = 0;
        if (last->epoch >= place.epoch) {
            place.epoch = last->epoch;
            place.ring_epoch = last->ring_epoch;
            memcpy(place.ring_uuid, last->ring_uuid, sizeof place.ring_uuid);
            if (last->last_seq > place.last_seq)
                place.last_seq = last->last_seq;
        }
    }
    place.block.span = 0;
    if (search->met.span != 0 && search->met.epoch == place.epoch)
        place.block = search->met;
    return place;
}

/* ---- epochs ---- */

/* True: all of the epoch lies before the place where the search begins. */
static bool epoch_is_told(const struct search *search, const struct epoch_ref *epoch)
{
    return epoch->epoch < search->start.epoch;
}

static bool begins_inside(const struct search *search, const struct epoch_ref *epoch)
{
    return search->start.epoch != 0 && epoch->epoch == search->start.epoch;
}

static bool epoch_in_time(const struct select *select, const struct epoch_ref *epoch)
{
    if (select->axis == TDK_AXIS_EVENT)
        return epoch->max_event >= select->from && epoch->min_event <= select->last;
    return epoch->odd > 0 || (epoch->max_ts >= select->from && epoch->min_ts <= select->last);
}

/* May the epoch have anything for the answer? */
static bool epoch_matters(const struct search *search, const struct epoch_ref *epoch)
{
    const struct select *select = &search->answer->select;
    if (select->control || epoch->lost > 0 || epoch_has_hole(epoch))
        return true;
    return epoch->ticks > 0 && epoch_in_time(select, epoch) &&
           (!select->by_symbol || search->here.count > 0);
}

static int tell_hole(const struct search *search, uint64_t epoch, const struct hole *hole,
                     struct tdk_err *err)
{
    char from[MOMENT_TEXT], to[MOMENT_TEXT];
    search->answer->stats.damaged_blocks++;
    return err_say(
        err, TDK_ECORRUPT,
        "track %s epoch %llu: seqs %llu to %llu, between %s and %s, are missing from the "
        "tape",
        search->track->ref.name, (unsigned long long)epoch, (unsigned long long)hole->first_seq,
        (unsigned long long)hole->last_seq, moment_text(from, hole->from),
        moment_text(to, hole->to));
}

/* Is anything missing at the border of epochs where the search is? What is in front of the place
 * that it begins behind was told. */
static int look_at_border(struct search *search, struct tdk_err *err)
{
    const struct answer *answer = search->answer;
    const struct epoch_ref *behind = &search->epochs[search->epoch_at];
    struct border border = {.behind = behind};
    uint64_t epoch;
    struct hole hole;
    if (search->is_border_seen || search->epoch_at == search->epoch_count ||
        behind->epoch <= search->start.epoch)
        return 0;
    search->is_border_seen = true;
    if (search->epoch_at > 0)
        border.before = behind - 1;
    int rc = border_look(&border, answer->tape, answer->view, &answer->select, &epoch, &hole, err);
    if (rc == 1 && tape_trim_retired(answer->tape, search->track->ref.number, epoch,
                                     &hole.first_seq, &hole.last_seq))
        return tell_hole(search, epoch, &hole, err);
    return rc < 0 ? rc : 0;
}

static void pass_epoch(struct search *search)
{
    search->epoch_at += is_reverse(search) ? (size_t)-1 : 1;
    search->is_border_seen = false;
}

/* 1: entered the next epoch that matters; 0: there is none. TDK_ECORRUPT: something is missing
 * before it. */
static int enter_epoch(struct search *search, struct tdk_err *err)
{
    bool reverse = is_reverse(search);
    for (;;) {
        int looked = look_at_border(search, err);
        if (looked < 0 || search->epoch_at == (reverse ? 0 : search->epoch_count))
            return looked;
        const struct epoch_ref *epoch = &search->epochs[search->epoch_at - (reverse ? 1 : 0)];
        const struct select *select = &search->answer->select;
        if (select->by_symbol) {
            int rc = picks_of_epoch(&search->here, select, &search->all, epoch->epoch, err);
            if (rc < 0)
                return rc;
            listing_ask(&search->listing, &search->here);
        }
        if (!epoch_is_told(search, epoch) && epoch_matters(search, epoch)) {
            search->in_epoch = true;
            search->ref_count = search->ref_at = 0;
            search->refs_end = false;
            search->seen = reverse ? UINT64_MAX : 0;
            search->is_holed = epoch_has_hole(epoch);
            search->is_held = false;
            search->turned_back = 0;
            search->before.track = 0;
            if (begins_inside(search, epoch)) {
                search->seen = search->start.last_seq;
                search->before = search->start.block;
            }
            return 1;
        }
        pass_epoch(search);
    }
}

static const struct epoch_ref *current_epoch(const struct search *search)
{
    return &search->epochs[search->epoch_at - (is_reverse(search) ? 1 : 0)];
}

void search_leave(struct search *search)
{
    search->in_epoch = false;
    pass_epoch(search);
}

/* ---- blocks ---- */

/* The range to ask the index for, in the current epoch. */
static struct index_range search_range(const struct search *search)
{
    const struct select *select = &search->answer->select;
    const struct epoch_ref *epoch = current_epoch(search);
    return (struct index_range){
        .track = search->track->ref.number,
        .axis = select->axis == TDK_AXIS_EVENT ? INDEX_AXIS_EVENT : INDEX_AXIS_RECV,
        .epoch = epoch->epoch,
        .from = select->from,
        .to = select->last == UINT64_MAX ? UINT64_MAX : select->last + 1,
        .step_back = epoch->step_back,
    };
}

/* Does the block hold something that was not returned yet? For a block without ticks its place
 * decides. */
static bool goes_on(const struct search *search, const struct block_ref *ref)
{
    if (is_reverse(search))
        return ref->first_seq < search->seen;
    return ref->last_seq > search->seen ||
           (ref->last_seq + 1 == ref->first_seq && ref->first_seq > search->seen);
}

/* Find the first block from here on, as the index is now, that holds something not returned yet. 1:
 * *found; 0: there is none. */
static int find_rest(const struct search *search, const struct block_ref *from,
                     struct block_ref *found, struct tdk_err *err)
{
    struct index_range range = search_range(search);
    struct block_ref after = *from;
    const struct block_ref *behind = is_reverse(search) ? NULL : &after;
    int n;
    while ((n = index_find(search->answer->view->index, &range, behind, is_reverse(search), found,
                           1, err)) == 1 &&
           !goes_on(search, found)) {
        after = *found;
        behind = &after;
    }
    return n;
}

bool search_again(struct search *search, struct block_ref *ref)
{
    enum { TURNS = 8 }; /* a wrong index could return the same blocks in turn for ever */
    struct block_ref below = block_below(ref), found;
    if (block_is_there(search->answer->view->index, ref))
        return false;
    if (search->turned_back == TURNS || find_rest(search, &below, &found, NULL) != 1 ||
        memcmp(&found, ref, sizeof found) == 0)
        return false;
    search->turned_back++;
    *ref = search->refs[0] = found; /* the search goes on after it */
    search->ref_count = search->ref_at = 1;
    search->refs_end = false;
    return true;
}

/* Where to go on from. False: from the beginning of the epoch. */
static bool last_met(const struct search *search, struct block_ref *last)
{
    if (search->ref_count > 0)
        *last = search->refs[search->ref_count - 1];
    else if (begins_inside(search, current_epoch(search)) && search->start.block.span != 0)
        *last = search->start.block;
    else
        return false;
    return true;
}

static int find_refs(struct search *search, struct tdk_err *err)
{
    struct index *index = search->answer->view->index;
    struct index_range range = search_range(search);
    struct block_ref last;
    bool goes_on_behind = last_met(search, &last);
    int room = SEARCH_REFS, n;
    if (goes_on_behind && !block_is_there(index, &last)) {
        struct block_ref below = block_below(&last);
        room = 1;
        n = find_rest(search, &below, &search->refs[0], err);
    } else {
        n = index_find(index, &range, goes_on_behind ? &last : NULL, is_reverse(search),
                       search->refs, room, err);
    }
    search->refs_end = n < room;
    return n;
}

/* If the index cannot be read here, it cannot be read the next time either. The rest of the epoch
 * is reported as one missing part. */
static int fetch_refs(struct search *search, struct tdk_err *err)
{
    int n = find_refs(search, err);
    search->ref_count = n < 0 ? 0 : n;
    search->ref_at = 0;
    search->answer->stats.damaged_blocks += n == TDK_ECORRUPT;
    return n < 0 ? n : 0;
}

/* The next block of the epoch, which is at refs[ref_at - 1] then. 0: there are no more. */
static int next_ref(struct search *search, struct tdk_err *err)
{
    if (search->ref_at == search->ref_count) {
        int rc = search->refs_end ? 0 : fetch_refs(search, err);
        if (rc < 0)
            return rc;
        if (search->ref_at == search->ref_count)
            return 0;
    }
    search->ref_at++;
    return 1;
}

/* Is something missing between the last block met and this one (found false: the end)? */
static int check_hole(struct search *search, bool found, struct tdk_err *err)
{
    const struct block_ref *last = search->before.track != 0 ? &search->before : NULL;
    const struct block_ref *next = found ? &search->refs[search->ref_at - 1] : NULL;
    struct hole hole;
    bool reverse = is_reverse(search);
    if (found && block_is_bare(next))
        return 0;
    int rc = hole_between(search->answer->view->index, &search->answer->select,
                          current_epoch(search), epoch_since(current_epoch(search), search->epochs),
                          reverse ? next : last, reverse ? last : next, &hole, err);
    if (found)
        search->before = *next;
    if (rc == 1 &&
        !tape_trim_retired(search->answer->tape, search->track->ref.number,
                           current_epoch(search)->epoch, &hole.first_seq, &hole.last_seq))
        rc = 0; /* it was deleted on purpose */
    return rc == 1 ? tell_hole(search, current_epoch(search)->epoch, &hole, err) : rc;
}

/* next_ref(), after a check whether anything is missing in front of it. */
static int next_found(struct search *search, struct tdk_err *err)
{
    if (search->is_held) {
        search->is_held = false;
        return search->held;
    }
    int rc = next_ref(search, err);
    if (rc < 0 || !search->is_holed)
        return rc;
    search->held = rc;
    int hole = check_hole(search, rc == 1, err);
    search->is_held = hole == TDK_ECORRUPT;
    return hole < 0 ? hole : rc;
}

/* True: the block was written after the stream was opened. */
static bool is_later(const struct search *search, const struct block_ref *ref)
{
    return ref->first_seq > current_epoch(search)->last_seq && (ref->count > 0 || ref->lost > 0);
}

/* True: all of the block has been returned already. */
static bool is_repeat(const struct search *search, const struct block_ref *ref)
{
    if (block_is_bare(ref))
        return false;
    return is_reverse(search) ? ref->first_seq >= search->seen : ref->last_seq <= search->seen;
}

/* True: the block has something that is returned whatever instruments are asked for. */
static bool is_told_anyway(const struct search *search, const struct block_ref *ref)
{
    return (ref->flags & BLOCK_HAS_LOSS) != 0 ||
           (search->answer->select.control && (ref->flags & BLOCK_HAS_CONTROL) != 0);
}

static bool may_hold(struct search *search, const struct block_ref *ref)
{
    enum { MISSES = 4 }; /* a list costs about as much as this many blocks */
    const struct answer *answer = search->answer;
    if (is_told_anyway(search, ref))
        return true;
    if (ref->count == 0 || !answer->select.by_symbol)
        return ref->count > 0;
    return picks_may_be_in(&search->here, ref->filter) &&
           (search->misses < MISSES ||
            listing_may_hold(&search->listing, answer->tape, answer->view->index, ref));
}

void search_missed(struct search *search)
{
    search->misses++;
}

int search_next(struct search *search, struct block_ref *ref, struct tdk_err *err)
{
    if (search->answer->select.from > search->answer->select.last)
        return 0;
    for (;;) {
        int rc = search->in_epoch ? 1 : enter_epoch(search, err);
        if (rc <= 0)
            return rc;
        rc = next_found(search, err);
        if (rc < 0)
            return rc;
        if (rc == 0) {
            search_leave(search);
            continue;
        }
        const struct block_ref *found = &search->refs[search->ref_at - 1];
        if (is_later(search, found))
            continue;
        if (search->met.span == 0 || !is_reverse(search))
            search->met = *found;
        if (is_repeat(search, found))
            continue;
        if (may_hold(search, found)) {
            *ref = *found;
            return 1;
        }
        search->answer->stats.blocks_skipped++;
    }
}

void search_told(struct search *search, const struct block_ref *ref)
{
    search->turned_back = 0;
    if (ref->count > 0 || ref->lost > 0)
        search->seen = is_reverse(search) ? ref->first_seq : ref->last_seq;
}

bool search_is_short(const struct search *search)
{
    enum { FEW = 8 };
    return search->refs_end && search->ref_count <= FEW;
}

const struct block_ref *search_ahead(const struct search *search, int n)
{
    int at = search->ref_at - 1 + n;
    if (at >= search->ref_count || !listing_is_thought_to_hold(&search->listing, &search->refs[at]))
        return NULL;
    return &search->refs[at];
}
