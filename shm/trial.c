#include "shm/trial.h"

unsigned trial_next(struct trial *trial, unsigned ways, bool *timed)
{
    uint32_t at = trial->at;
    trial->at = at + 1 < TRIAL_ROUND ? at + 1 : 0;
    *timed = at < ways * TRIAL_EACH;
    for (unsigned way = 0; at == 0 && way < ways; way++)
        trial->least[way] = UINT64_MAX;
    return *timed ? at / TRIAL_EACH : trial->fastest;
}

static unsigned fastest_of(const struct trial *trial, unsigned ways)
{
    unsigned fastest = 0;
    for (unsigned way = 1; way < ways; way++)
        if (trial->least[way] < trial->least[fastest])
            fastest = way;
    return fastest;
}

/* Keep the least time of each way, so that a time slice given to another process does not decide.
 * The first piece of each way does not count: it waits for what the previous way has left in the
 * store buffer. */
void trial_note(struct trial *trial, unsigned ways, unsigned way, uint64_t ns, size_t bytes)
{
    uint64_t cost = (ns << 16) / bytes;
    bool first = (trial->at - 1) % TRIAL_EACH == 0;
    if (!first && cost < trial->least[way])
        trial->least[way] = cost;
    if (trial->at == ways * TRIAL_EACH)
        trial->fastest = fastest_of(trial, ways);
}
