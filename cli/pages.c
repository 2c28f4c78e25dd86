#include "cli/pages.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "shm/ring_state.h"
#include "tape/folder.h"

static int add_page(const char *name, void *context)
{
    struct pages *pages = context;
    struct counters_copy copy;
    struct tdk_err err;
    if (pages->writer != NULL && strncmp(name, pages->writer, strlen(pages->writer)) != 0)
        return 0;
    if (counters_read(&copy, name, &err) < 0) {
        if (err.code != -ENOENT && !pages->quiet) /* it may have gone since it was listed */
            cli_warn("%s", err.text);
        return 0;
    }
    if (copy.alive && pages->count < PAGES_MAX)
        pages->items[pages->count++] = copy;
    else
        counters_forget(&copy);
    return 0;
}

/* Add the pages of one tape. */
static int add_pages_of(struct pages *pages, const char *tape, struct tdk_err *err)
{
    static const char *const writers[] = {"recorder", "replayer"};
    struct folder folder;
    int rc = folder_open(&folder, tape, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < sizeof writers / sizeof writers[0]; i++) {
        char name[COUNTERS_FILE_MAX];
        counters_file(name, writers[i], folder.tape_id);
        add_page(name, pages);
    }
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
    uint64_t now_ns = clock_wall(), mono_ns = clock_mono();
    uint64_t stood_ns = mono_ns > replayer->beat ? mono_ns - replayer->beat : 0;
    if (page_value(replayer, "replayer_canary", NULL) != 0)
        return page_value(replayer, "replayer_canary_age", NULL) + stood_ns;
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
    return state < sizeof words / sizeof words[0] ? words[state] : "unknown";
}

/* A ring without a problem of its own has its recorder's state. */
static const char *ring_state_word(const struct counters_copy *page, const char *ring)
{
    static const char *const words[] = {[RING_WAITING] = "waiting",
                                        [RING_HELD] = "held by another",
                                        [RING_ATTACHED] = NULL,
                                        [RING_QUARANTINED] = "quarantined"};
    uint64_t state = page_value(page, "ring_state", ring);
    if (state >= sizeof words / sizeof words[0])
        return "unknown";
    return words[state] != NULL ? words[state] : page_state(page);
}

static const char *ring_reason(const struct counters_copy *page, const char *ring)
{
    const struct counter_value *note = counters_find(page, "ring_quarantined", ring);
    return note != NULL && note->value != 0 ? note->help : NULL;
}

static void view_ring(struct ring_view *v, const struct counters_copy *page,
                      const struct counter_value *row)
{
    const char *ring = row->ring;
    *v = (struct ring_view){
        .name = ring,
        .track = row->track,
        .state = ring_state_word(page, ring),
        .reason = ring_reason(page, ring),
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
