#include "cli/patience.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/interrupt.h"
#include "shm/counters.h"

#define LOOK_NS (50 * NS_PER_MS) /* between looks at the page */
#define CALM_NS NS_PER_S /* the recorder must have kept up for this long before the job goes on */

enum { NICE = 10, BEHIND_PART = 4, STATE_NO_SPACE = 1 };

static uint64_t value_of(const struct counters_copy *page, const char *name, const char *ring)
{
    const struct counter_value *value = counters_find(page, name, ring);
    return value != NULL ? value->value : 0;
}

/* On a full disk the recorder waits for room, and the job may be what makes room. */
static bool page_is_behind(const struct counters_copy *page)
{
    uint64_t state = value_of(page, "recorder_state", NULL);
    if (state == STATE_NO_SPACE)
        return false;
    if (state != 0 || value_of(page, "recorder_buffers_used", NULL) >
                          value_of(page, "recorder_buffers", NULL) / 2)
        return true;
    for (unsigned i = 0; i < page->rows; i++) {
        const struct counter_value *fill = &page->values[i];
        if (strcmp(fill->name, "ring_fill") == 0 &&
            fill->value > value_of(page, "ring_capacity", fill->ring) / BEHIND_PART)
            return true;
    }
    return false;
}

static bool is_behind(const struct patience *p)
{
    struct counters_copy page;
    if (counters_read_of(&page, "recorder", p->tape_id, NULL) < 0)
        return false;
    bool behind = page.alive && page_is_behind(&page);
    counters_forget(&page);
    return behind;
}

void patience_begin(struct patience *patience, const uint8_t tape_id[16])
{
    *patience = (struct patience){.calm_ns = 1};
    memcpy(patience->tape_id, tape_id, sizeof patience->tape_id);
    setpriority(PRIO_PROCESS, 0, NICE);
}

static void look(struct patience *p, uint64_t now_ns)
{
    p->looked_ns = now_ns;
    if (is_behind(p))
        p->calm_ns = 0;
    else if (p->calm_ns == 0)
        p->calm_ns = now_ns;
}

void patience_wait(struct patience *p)
{
    uint64_t begun_ns = clock_mono(), now_ns = begun_ns;
    if (now_ns - p->looked_ns < LOOK_NS && p->calm_ns != 0)
        return;
    for (look(p, now_ns); (p->calm_ns == 0 || now_ns - p->calm_ns < CALM_NS) && !interrupted();
         look(p, now_ns)) {
        usleep((unsigned)(LOOK_NS / 1000));
        now_ns = clock_mono();
    }
    p->waited_ns += now_ns - begun_ns;
}
