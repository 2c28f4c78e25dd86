#include "tape/tape.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "tape/follow.h"

#define DEAR_PAUSE_NS (100 * NS_PER_MS) /* least time between two expensive looks */

/* ---- tracks ---- */

static int compare_names(const void *a, const void *b)
{
    const struct track *const *x = a, *const *y = b;
    return strcmp((*x)->ref.name, (*y)->ref.name);
}

void tracks_sort(struct track **tracks, size_t count)
{
    if (count > 0)
        qsort(tracks, count, sizeof(struct track *), compare_names);
}

struct track_list {
    struct tdk_tape *tape;
    struct track **items;
    size_t count, room;
};

static struct track *find_track(const struct tdk_tape *tape, const char *name)
{
    size_t low = 0, high = tape->track_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, tape->tracks[middle]->ref.name);
        if (order == 0)
            return tape->tracks[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* The track that is known by this name and number, or a new one. */
static struct track *intern(struct tdk_tape *tape, const struct track_ref *ref)
{
    struct track *t = find_track(tape, ref->name);
    if (t != NULL && t->ref.number == ref->number)
        return t;
    for (t = tape->all; t != NULL; t = t->next)
        if (t->ref.number == ref->number && strcmp(t->ref.name, ref->name) == 0)
            return t;
    t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    t->ref = *ref;
    t->next = tape->all;
    tape->all = t;
    return t;
}

static int note_track(const struct track_ref *ref, void *context)
{
    struct track_list *list = context;
    struct track **items = array_grow(list->items, &list->room, list->count + 1, sizeof *items);
    if (items == NULL)
        return -ENOMEM;
    list->items = items;
    list->items[list->count] = intern(list->tape, ref);
    if (list->items[list->count] == NULL)
        return -ENOMEM;
    list->count++;
    return 0;
}

/* With the lock held, or before any other thread has the tape. */
static int list_tracks(struct tdk_tape *tape, struct index *index, struct track_list *list,
                       struct tdk_err *err)
{
    *list = (struct track_list){.tape = tape};
    int rc = index_tracks(index, note_track, list, err);
    if (rc < 0) {
        free(list->items);
        return rc == -ENOMEM ? err_set(err, rc, "list tracks") : rc;
    }
    tracks_sort(list->items, list->count);
    return 0;
}

/* Same condition. */
static int load_tracks(struct tdk_tape *tape, struct tdk_err *err)
{
    struct track_list list;
    int rc = list_tracks(tape, tape->view->index, &list, err);
    if (rc < 0)
        return rc;
    free(tape->tracks);
    tape->tracks = list.items;
    tape->track_count = list.count;
    return 0;
}

int tape_tracks_of(struct tdk_tape *tape, struct view *view, struct track ***tracks, size_t *count,
                   struct tdk_err *err)
{
    struct track_list list;
    pthread_mutex_lock(&tape->lock);
    int rc = list_tracks(tape, view->index, &list, err);
    pthread_mutex_unlock(&tape->lock);
    if (rc < 0)
        return rc;
    *tracks = list.items;
    *count = list.count;
    return 0;
}

struct track *tape_track(struct tdk_tape *tape, const char *name)
{
    pthread_mutex_lock(&tape->lock);
    struct track *track = find_track(tape, name);
    pthread_mutex_unlock(&tape->lock);
    return track;
}

struct track *tape_track_number(struct tdk_tape *tape, uint16_t number)
{
    struct track *track = NULL;
    pthread_mutex_lock(&tape->lock);
    for (size_t i = 0; i < tape->track_count && track == NULL; i++)
        if (tape->tracks[i]->ref.number == number)
            track = tape->tracks[i];
    pthread_mutex_unlock(&tape->lock);
    return track;
}

/* ---- open, refresh, close ---- */

bool tape_is_from_start(const struct tdk_tape *tape)
{
    return tape->lone[0] == '\0' && tape->folder.first_segment <= 1;
}

struct view *tape_view(struct tdk_tape *tape)
{
    pthread_mutex_lock(&tape->lock);
    struct view *view = view_hold(tape->view);
    pthread_mutex_unlock(&tape->lock);
    return view;
}

int tape_view_of(struct tdk_tape *tape, bool written, struct view **view, struct tdk_err *err)
{
    struct view *own = tape_view(tape);
    if (!written || own->under != NULL || tape->lone[0] != '\0') {
        *view = own;
        return 0;
    }
    int rc = view_open_written(view, own, &tape->folder, err);
    view_drop(own);
    return rc;
}

static int open_lone(struct tdk_tape *tape, const char *path, struct tdk_err *err)
{
    size_t size = strlen(path) + 1;
    if (size > sizeof tape->lone)
        return err_set(err, -ENAMETOOLONG, "open %s", path);
    memcpy(tape->lone, path, size);
    return view_open_lone(&tape->view, path, tape->folder.tape_id, err);
}

static int open_folder(struct tdk_tape *tape, const char *path, struct tdk_err *err)
{
    view_expect(path);
    int rc = folder_open(&tape->folder, path, err);
    if (rc < 0)
        return rc;
    leases_open(&tape->leases, &tape->folder);
    return view_open(&tape->view, &tape->folder, err);
}

int tdk_tape_open(struct tdk_tape **tape, const char *path, struct tdk_err *err)
{
    struct stat file;
    if (stat(path, &file) < 0)
        return err_advise(err, err_set(err, -errno, "open tape %s", path), -EACCES, FOLDER_READERS);

    struct tdk_tape *t = calloc(1, sizeof *t);
    if (t == NULL)
        return err_set(err, -ENOMEM, "open tape %s", path);
    bool is_lone = S_ISREG(file.st_mode);
    pthread_mutex_init(&t->lock, NULL);
    segments_init(&t->segments, &t->folder, is_lone ? t->lone : NULL);
    shelf_init(&t->shelf, &t->segments);
    tallies_init(&t->tallies);
    leases_init(&t->leases);
    t->folder.lock_fd = -1;
    int rc = is_lone ? open_lone(t, path, err) : open_folder(t, path, err);
    if (rc == 0)
        rc = load_tracks(t, err);
    if (rc < 0) {
        tdk_tape_close(t);
        return rc;
    }
    *tape = t;
    return 0;
}

static void drop_symbols(struct tdk_tape *tape)
{
    while (tape->symbols != NULL) {
        struct symbols *next = tape->symbols->next;
        symbols_drop(tape->symbols);
        tape->symbols = next;
    }
}

void tdk_tape_close(struct tdk_tape *tape)
{
    if (tape == NULL)
        return;
    drop_symbols(tape);
    while (tape->all != NULL) {
        struct track *next = tape->all->next;
        free(tape->all);
        tape->all = next;
    }
    free(tape->tracks);
    view_drop(tape->view);
    shelf_close(&tape->shelf);
    tallies_close(&tape->tallies);
    segments_close(&tape->segments);
    leases_close(&tape->leases);
    retired_drop(tape->retired);
    free(tape->spans);
    missing_close(&tape->missing);
    if (tape->lone[0] == '\0')
        folder_close(&tape->folder);
    pthread_mutex_destroy(&tape->lock);
    free(tape);
}

static int take_view(struct tdk_tape *tape, struct view *fresh, struct tdk_err *err)
{
    pthread_mutex_lock(&tape->lock);
    struct view *old = tape->view;
    tape->view = fresh;
    int rc = load_tracks(tape, err);
    if (rc == 0) {
        drop_symbols(tape);
        tape->spans_known = false;
    } else {
        tape->view = old;
    }
    pthread_mutex_unlock(&tape->lock);
    view_drop(rc == 0 ? old : fresh);
    return rc;
}

/* The disk gets the room of deleted files back only when nobody has them open. */
static void let_go(struct tdk_tape *tape)
{
    shelf_tidy(&tape->shelf);
    segments_tidy(&tape->segments);
}

/* Where the tape was moved, or its disk is away, there would be nothing, and nothing missing: what
 * was known tells what is. */
static int open_fresh(struct tdk_tape *tape, struct view **fresh, struct tdk_err *err)
{
    if (view_open_trusted(fresh, &tape->folder, NULL) == 0)
        return 0;
    int rc = folder_check(&tape->folder, err);
    return rc < 0 ? rc : view_open(fresh, &tape->folder, err);
}

int tdk_tape_refresh(struct tdk_tape *tape, struct tdk_err *err)
{
    if (tape->lone[0] != '\0')
        return 0; /* a segment that is read alone stays as it was */
    let_go(tape);
    struct view *fresh;
    int rc = open_fresh(tape, &fresh, err);
    return rc < 0 ? rc : take_view(tape, fresh, err);
}

/* For a tape that grows and whose index cannot be trusted or shared: refresh as often as that takes
 * only a small share of our time, and once more when its writer is gone. */
static int refresh_dearly(struct tdk_tape *tape, struct tdk_err *err)
{
    uint64_t begun_ns = clock_mono();
    bool may_have_grown = tape->view->is_of_growing || folder_is_held(&tape->folder);
    if (begun_ns < tape->dear_ns || !may_have_grown)
        return 0;
    int rc = tdk_tape_refresh(tape, err);
    uint64_t now_ns = clock_mono();
    tape->dear_ns = now_ns + max_u64(DEAR_PAUSE_NS, 10 * (now_ns - begun_ns));
    return rc;
}

int tape_refresh_cheaply(struct tdk_tape *tape, struct tdk_err *err)
{
    struct view *fresh;
    if (tape->lone[0] != '\0')
        return 0;
    let_go(tape);
    bool is_dear = tape->view->is_copy && folder_is_held(&tape->folder);
    if (is_dear || view_open_trusted(&fresh, &tape->folder, NULL) != 0)
        return refresh_dearly(tape, err);
    return take_view(tape, fresh, err);
}

int tape_refresh_written(struct tdk_tape *tape, struct tdk_err *err)
{
    struct view *fresh;
    int rc = tape_view_of(tape, true, &fresh, err);
    return rc < 0 ? rc : take_view(tape, fresh, err);
}

/* The file that the block was in is gone, and a packed one is in its place. */
static bool was_packed(const struct tdk_tape *tape, const struct block_ref *ref)
{
    char path[TAPE_PATH_MAX];
    struct stat file;
    if (tape->lone[0] != '\0' || block_ref_generation(ref) != 0)
        return false;
    folder_segment_path(&tape->folder, ref->segment, SEGMENT_SEALED, path);
    if (stat(path, &file) == 0)
        return false;
    folder_segment_path(&tape->folder, ref->segment, SEGMENT_PACKED, path);
    return stat(path, &file) == 0;
}

bool tape_renew_view(struct tdk_tape *tape, const struct block_ref *ref, struct view **view)
{
    struct view *fresh, *old = *view;
    const bool written = old->under != NULL;
    if (!was_packed(tape, ref))
        return false;
    struct view *current = tape_view(tape);
    const bool is_known = current != (written ? old->under : old); /* by another cursor */
    view_drop(current);
    if ((!is_known && tdk_tape_refresh(tape, NULL) < 0) ||
        tape_view_of(tape, written, &fresh, NULL) < 0)
        return false;
    view_drop(old);
    *view = fresh;
    return true;
}

/* ---- what was there ---- */

/* With the lock held: is this still the file that was read? */
static bool is_same_retired(const struct tdk_tape *tape, const struct stat *file)
{
    return tape->retired != NULL && tape->retired_inode == file->st_ino &&
           tape->retired_size == (uint64_t)file->st_size &&
           tape->retired_ns ==
               (uint64_t)file->st_mtim.tv_sec * NS_PER_S + (uint64_t)file->st_mtim.tv_nsec;
}

static void read_retired(struct tdk_tape *tape, const struct stat *file)
{
    struct retired *now;
    if (retired_load(&now, &tape->folder, NULL) < 0)
        return; /* verify will report it; what was known stays */
    retired_drop(tape->retired);
    tape->retired = now;
    tape->retired_inode = file->st_ino;
    tape->retired_size = (uint64_t)file->st_size;
    tape->retired_ns = (uint64_t)file->st_mtim.tv_sec * NS_PER_S + (uint64_t)file->st_mtim.tv_nsec;
}

struct retired *tape_retired_now(struct tdk_tape *tape)
{
    char path[TAPE_PATH_MAX];
    struct stat file;
    snprintf(path, sizeof path, "%s/retired", tape->folder.path);
    if (tape->lone[0] != '\0' || stat(path, &file) < 0)
        return NULL;
    if (!is_same_retired(tape, &file))
        read_retired(tape, &file);
    return tape->retired != NULL ? retired_hold(tape->retired) : NULL;
}

struct retired *tape_retired(struct tdk_tape *tape)
{
    pthread_mutex_lock(&tape->lock);
    struct retired *retired = tape_retired_now(tape);
    pthread_mutex_unlock(&tape->lock);
    return retired;
}

bool tape_is_retired(struct tdk_tape *tape, uint64_t segment)
{
    struct retired *retired = tape_retired(tape);
    bool is_retired = retired != NULL && retired_find(retired, segment) != NULL;
    retired_drop(retired);
    return is_retired;
}

bool tape_trim_retired(struct tdk_tape *tape, uint16_t track, uint64_t epoch, uint64_t *first_seq,
                       uint64_t *last_seq)
{
    struct retired *retired = tape_retired(tape);
    bool left = retired == NULL || retired_trim(retired, track, epoch, first_seq, last_seq);
    retired_drop(retired);
    return left;
}

/* ---- what is there ---- */

struct epoch_list {
    struct epoch_ref *items;
    size_t count, room;
};

static int note_epoch(const struct epoch_ref *epoch, void *context)
{
    struct epoch_list *list = context;
    struct epoch_ref *items = array_grow(list->items, &list->room, list->count + 1, sizeof *items);
    if (items == NULL)
        return -ENOMEM;
    list->items = items;
    list->items[list->count++] = *epoch;
    return 0;
}

/* An epoch begins with seq 1 or, if a recorder joined it later, in the block with its EPOCH frame.
 * Otherwise, what lies before the first existing block is missing. */
static int behead(struct tdk_tape *tape, struct view *view, struct epoch_ref *epoch,
                  struct tdk_err *err)
{
    const struct index_range everything = {
        .track = epoch->track, .epoch = epoch->epoch, .to = UINT64_MAX};
    struct block_ref first;
    if (epoch->last_seq == 0 || epoch->first_seq == 1)
        return 0;
    int n = index_find(view->index, &everything, NULL, false, &first, 1, err);
    if (n != 1 || (first.flags & BLOCK_BEGINS_EPOCH) != 0)
        return n < 0 ? n : 0;
    uint64_t from = 1, to = epoch->first_seq - 1;
    if (tape_trim_retired(tape, epoch->track, epoch->epoch, &from, &to))
        epoch->first_seq = from;
    return 0;
}

int tape_epochs(struct tdk_tape *tape, struct view *view, uint16_t track, struct epoch_ref **epochs,
                size_t *count, struct tdk_err *err)
{
    struct epoch_list list = {0};
    int rc = index_epochs(view->index, track, note_epoch, &list, err);
    if (rc < 0) {
        free(list.items);
        return rc == -ENOMEM ? err_set(err, rc, "list epochs") : rc;
    }
    for (size_t i = 0; i < list.count && tape_is_from_start(tape) && rc >= 0; i++)
        rc = behead(tape, view, &list.items[i], err);
    if (rc < 0) {
        free(list.items);
        return rc;
    }
    *epochs = list.items;
    *count = list.count;
    return 0;
}

static int add_epoch(const struct epoch_ref *epoch, void *context)
{
    struct tdk_track_info *info = context;
    if (epoch->min_ts <= epoch->max_ts) {
        if (epoch->min_ts < info->first_ts)
            info->first_ts = epoch->min_ts;
        if (epoch->max_ts > info->last_ts)
            info->last_ts = epoch->max_ts;
    }
    info->ticks += epoch->ticks;
    info->bytes += epoch->bytes;
    info->lost += epoch->lost;
    info->epochs++;
    return 0;
}

static int track_info(struct view *view, const struct track *track, struct tdk_track_info *info,
                      struct tdk_err *err)
{
    *info = (struct tdk_track_info){
        .number = track->ref.number, .kind = track->ref.kind, .first_ts = UINT64_MAX};
    memcpy(info->name, track->ref.name, sizeof info->name);
    return index_epochs(view->index, track->ref.number, add_epoch, info, err);
}

struct track **tape_tracks(struct tdk_tape *tape, size_t *count)
{
    pthread_mutex_lock(&tape->lock);
    *count = tape->track_count;
    struct track **tracks = calloc(tape->track_count + 1, sizeof(struct track *));
    if (tracks != NULL && tape->track_count > 0)
        memcpy(tracks, tape->tracks, tape->track_count * sizeof(struct track *));
    pthread_mutex_unlock(&tape->lock);
    return tracks;
}

int tdk_tape_tracks(struct tdk_tape *tape,
                    int (*each)(const struct tdk_track_info *track, void *context), void *context,
                    struct tdk_err *err)
{
    size_t count;
    struct track **tracks = tape_tracks(tape, &count);
    if (tracks == NULL)
        return err_set(err, -ENOMEM, "list tracks");
    struct view *view = tape_view(tape);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct tdk_track_info info;
        rc = track_info(view, tracks[i], &info, err);
        if (rc == 0)
            rc = each(&info, context);
    }
    view_drop(view);
    free(tracks);
    return rc;
}

static int add_track(const struct tdk_track_info *track, void *context)
{
    struct tdk_tape_info *info = context;
    if (strcmp(track->name, TDK_CANARY_TRACK) == 0)
        return 0;
    if (track->first_ts < info->first_ts)
        info->first_ts = track->first_ts;
    if (track->last_ts > info->last_ts)
        info->last_ts = track->last_ts;
    info->ticks += track->ticks;
    info->bytes += track->bytes;
    info->lost += track->lost;
    info->tracks++;
    return 0;
}

static int add_segment(const struct segment_ref *segment, void *context)
{
    struct tdk_tape_info *info = context;
    info->size_on_disk += segment->size;
    info->segments++;
    return 0;
}

void tdk_tape_info(struct tdk_tape *tape, struct tdk_tape_info *info)
{
    struct view *view = tape_view(tape);
    *info = (struct tdk_tape_info){
        .created_ns = tape->folder.created_ns,
        .first_ts = UINT64_MAX,
        .recording = tape->lone[0] == '\0' && folder_is_held(&tape->folder),
        .index_used = !view->is_private,
    };
    memcpy(info->tape_id, tape->folder.tape_id, sizeof info->tape_id);
    tdk_tape_tracks(tape, add_track, info, NULL);
    index_segments(view->index, add_segment, info, NULL);
    view_drop(view);
}
