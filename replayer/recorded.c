#include "replayer/recorded.h"

#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "shm/counters.h"
#include "shm/ring_state.h"

struct search {
    const char *ring;
    struct tdk_err *err;
};

/* Does the recorder read the ring, or will it when it can? */
static bool is_recorded(uint64_t state)
{
    return state != RING_QUARANTINED && state != RING_DETACHED;
}

static int look_at_page(const char *name, void *context)
{
    const struct search *search = context;
    struct counters_copy page;
    int rc = 0;
    if (strncmp(name, "recorder-", strlen("recorder-")) != 0 ||
        counters_read(&page, name, NULL) < 0)
        return 0;
    const struct counter_value *state = counters_find(&page, "ring_state", search->ring);
    if (page.alive && state != NULL && is_recorded(state->value))
        rc = err_say(search->err, TDK_EBUSY,
                     "ring %s is being recorded to tape %s, and a play into it would end the "
                     "recording: play into another ring",
                     search->ring, page.tape);
    counters_forget(&page);
    return rc;
}

int recorded_check(const char *ring, struct tdk_err *err)
{
    struct search search = {ring, err};
    int rc = counters_list(look_at_page, &search, NULL);
    return rc == TDK_EBUSY ? rc : 0;
}
