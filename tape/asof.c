/* The state at a time: what stood before a range, passed on tick by tick. */
#include "tape/prime.h"
#include "tapedeck/tape.h"

int tdk_tape_asof(struct tdk_tape *tape, const struct tdk_query *query,
                  int (*each)(const struct tdk_run *run, void *context), void *context,
                  uint64_t *damaged, struct tdk_err *err)
{
    const struct prime_options options = {.back_ns = 0};
    struct tdk_query before = *query;
    struct prime *prime;
    struct tdk_run run;
    if (before.from < UINT64_MAX)
        before.from++; /* ticks at exactly that time count */
    int rc = prime_open(&prime, tape, &before, &options, err);
    if (rc < 0)
        return rc;
    if (damaged != NULL)
        *damaged = prime_damaged(prime);
    while (rc == 0 && prime_next(prime, &run))
        rc = each(&run, context);
    prime_close(prime);
    return rc;
}
