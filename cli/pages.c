#include "cli/pages.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/command.h"
#include "shm/ring_state.h"

static bool is_wanted(const struct pages *pages, const char *writer)
{
    return pages->writer == NULL || strncmp(writer, pages->writer, strlen(pages->writer)) == 0;
}

/* Add a page as it was read, with what reading it returned. It may have gone since it was listed.
 */
static void add(struct pages *pages, int rc, struct counters_copy *copy, const struct tdk_err *err)
{
    if (rc < 0 && rc != -ENOENT && !pages->quiet)
        cli_warn("%s", err->text);
    if (rc < 0)
        return;
    if (copy->alive && pages->count < PAGES_MAX) {
        pages->items[pages->count++] = *copy;
        return;
    }
    if (copy->alive && !pages->quiet)
        cli_warn("%s of %s is left out: more than %d daemons run here; name a tape with -T",
                 copy->writer, copy->tape, PAGES_MAX);
    counters_forget(copy);
}

static int add_page(const char *name, void *context)
{
    struct counters_copy copy;
    struct tdk_err err;
    if (is_wanted(context, name))
        add(context, counters_read(&copy, name, &err), &copy, &err);
    return 0;
}

int page_read_recorder(struct counters_copy *page, const struct folder *folder, struct tdk_err *err)
{
    int rc = counters_read_of(page, "recorder", folder->tape_id, err);
    if (rc < 0 || !page->alive || !folder_is_not_held_by(folder, page->pid))
        return rc;
    rc = err_say(err, -ENOENT, "the recorder with the tape's id records another copy, %s",
                 page->tape);
    counters_forget(page);
    return rc;
}

/* Add the pages of one tape. */
static int add_pages_of(struct pages *pages, const char *tape, struct tdk_err *err)
{
    struct counters_copy copy;
    struct folder folder;
    int rc = folder_open(&folder, tape, err);
    if (rc < 0)
        return rc;
    if (is_wanted(pages, "recorder"))
        add(pages, page_read_recorder(&copy, &folder, err), &copy, err);
    if (is_wanted(pages, "replayer"))
        add(pages, counters_read_of(&copy, "replayer", folder.tape_id, err), &copy, err);
    folder_close(&folder);
    return 0;
}

int pages_read(struct pages *pages, const char *tape, struct tdk_err *err)
{
    pages->count = 0;
    if (tape != NULL)
        return add_pages_of(pages, tape, err);
    return counters_list(add_page, pages, err);
}

void pages_forget(struct pages *pages)
{
    for (unsigned i = 0; i < pages->count; i++)
        counters_forget(&pages->items[i]);
    pages->count = 0;
}

const struct counters_copy *pages_same(const struct pages *pages, const struct counters_copy *page)
{
    for (unsigned i = 0; i < pages->count; i++)
        if (pages->items[i].started == page->started && pages->items[i].pid == page->pid &&
            strcmp(pages->items[i].writer, page->writer) == 0)
            return &pages->items[i];
    return NULL;
}

/* ---- a canary ---- */

/* How long the canary's tick has not been found. If a replayer has found none yet: since both run.
 * A replayer that stands still tells the age of its last round: it has become older since. */
static uint64_t canary_age(const struct counters_copy *recorder,
                           const struct counters_copy *replayer)
{
    uint64_t now_ns = clock_wall();
    if (page_value(replayer, "replayer_canary", NULL) != 0)
        return page_value(replayer, "replayer_canary_age", NULL) +
               counters_silence(replayer, clock_mono());
    uint64_t since = recorder->started > replayer->started ? recorder->started : replayer->started;
    return now_ns > since ? now_ns - since : 0;
}

bool page_canary_age(const struct counters_copy *recorder, uint64_t *age_ns)
{
    struct counters_copy replayer;
    if (counters_read_of(&replayer, "replayer", recorder->tape_id, NULL) < 0)
        return false;
    bool looks = replayer.alive;
    if (looks)
        *age_ns = canary_age(recorder, &replayer);
    counters_forget(&replayer);
    return looks;
}

/* ---- a ring ---- */

uint64_t page_value(const struct counters_copy *page, const char *name, const char *ring)
{
    const struct counter_value *found = counters_find(page, name, ring);
    return found != NULL ? found->value : 0;
}

const char *page_state(const struct counters_copy *page)
{
    static const char *const words[] = {"ok", "degraded: no space", "degraded: sync",
                                        "degraded: write", "degraded: index"};
    uint64_t state = page_value(page, "recorder_state", NULL);
    if (counters_silence(page, clock_mono()) > COUNTERS_SILENT_NS)
        return "hangs";
    return state < sizeof words / sizeof words[0] ? words[state] : "unknown";
}

/* A ring without a problem of its own has its recorder's state. */
static const char *ring_state_word(const struct counters_copy *page, const char *ring)
{
    static const char *const words[] = {
        [RING_WAITING] = "waiting",   [RING_HELD] = "held by another",
        [RING_ATTACHED] = NULL,       [RING_QUARANTINED] = "quarantined",
        [RING_DETACHED] = "detached", [RING_REFUSED] = "refused"};
    uint64_t state = page_value(page, "ring_state", ring);
    if (state >= sizeof words / sizeof words[0])
        return "unknown";
    return words[state] != NULL ? words[state] : page_state(page);
}

const char *page_ring_reason(const struct counters_copy *page, const char *ring)
{
    static const char *const notes[] = {"ring_quarantined", "ring_refused"};
    for (size_t i = 0; i < array_size(notes); i++) {
        const struct counter_value *note = counters_find(page, notes[i], ring);
        if (note != NULL && note->value != 0)
            return note->help;
    }
    return NULL;
}

static void view_ring(struct ring_view *v, const struct counters_copy *page,
                      const struct counter_value *row)
{
    const char *ring = row->ring;
    *v = (struct ring_view){
        .name = ring,
        .track = row->track,
        .state = ring_state_word(page, ring),
        .reason = page_ring_reason(page, ring),
        .epoch = page_value(page, "ring_epoch", ring),
        .written = page_value(page, "ring_written_seq", ring),
        .durable = page_value(page, "ring_durable_seq", ring),
        .lost_total = page_value(page, "ring_lost", ring),
        .fill = page_value(page, "ring_fill", ring),
        .high_water = page_value(page, "ring_high_water", ring),
        .ticks = page_value(page, "ring_ticks", ring),
        .bytes = page_value(page, "ring_taken", ring),
    };
    v->seen = tdk_ring_stat(ring, &v->info, NULL) == 0;
}

void page_rings(const struct counters_copy *page, ring_cb *each, void *context)
{
    for (unsigned i = 0; i < page->rows; i++) {
        struct ring_view view;
        if (strcmp(page->values[i].name, "ring_state") != 0 ||
            page->values[i].value == RING_DETACHED)
            continue;
        view_ring(&view, page, &page->values[i]);
        each(&view, page, context);
    }
}
