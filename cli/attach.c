#include "cli/attach.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/interrupt.h"

#define POLL_NS    (5 * NS_PER_MS)
#define WARM_BYTES ((size_t)16 << 20)

void attach_sleep(uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
    nanosleep(&t, NULL); /* if a signal cuts it short, the caller looks again */
}

int attach_ring(struct tdk_ring **ring, const char *name, enum tdk_ring_role role, uint64_t wait_ns,
                struct tdk_err *err)
{
    uint64_t begin_ns = clock_mono();
    for (;;) {
        int rc = tdk_ring_attach(ring, name, role, err);
        if (rc != TDK_ENORING || clock_mono() - begin_ns >= wait_ns)
            return rc;
        if (interrupted())
            return err_say(err, -ECANCELED, "interrupted while waiting for the ring %s", name);
        attach_sleep(POLL_NS);
    }
}

void attach_warm(struct tdk_ring *ring)
{
    while (!interrupted() && tdk_ring_warm(ring, WARM_BYTES))
        continue;
}
