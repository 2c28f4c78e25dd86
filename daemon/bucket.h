/* bucket.h - a token bucket: a burst at once, and a rate a second in the long run. Pure. */
#ifndef TDK_DAEMON_BUCKET_H
#define TDK_DAEMON_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct bucket {
    uint64_t each_ns;  /* how long one token takes to come back; 0: there is no limit */
    uint64_t burst_ns; /* how long all tokens together take */
    uint64_t full_ns;  /* when it will be full again if nothing more is taken */
};

static inline void bucket_init(struct bucket *b, uint64_t per_second, uint64_t burst)
{
    b->each_ns = per_second != 0 ? NS_PER_S / per_second : 0;
    b->burst_ns = b->each_ns * burst;
    b->full_ns = 0;
}

/* Take one token. False: there is none, and the next one comes in *wait_ns. */
static inline bool bucket_take(struct bucket *b, uint64_t now_ns, uint64_t *wait_ns)
{
    uint64_t full = b->full_ns > now_ns ? b->full_ns : now_ns;
    uint64_t then = full + b->each_ns;
    if (then - now_ns > b->burst_ns) {
        *wait_ns = then - now_ns - b->burst_ns;
        return false;
    }
    b->full_ns = then;
    return true;
}

#endif
