#include "replayer/session_params.h"

#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/name.h"

/* ---- one value ---- */

int session_params_speed(struct wire_map map, struct speed *speed, struct tdk_err *err)
{
    char word[64];
    int rc = wire_string(map, "speed", word, sizeof word, err);
    if (rc != 1)
        return rc;
    return quantity_speed(word, speed, err) < 0 ? TDK_EVALUE : 1;
}

/* "now", or a time. */
static int read_rebase(struct session_params *p, struct wire_map map, struct tdk_err *err)
{
    struct wire_text text;
    p->rebase_ts = UINT64_MAX;
    int rc = wire_text(map, "rebase", &text, NULL);
    if (rc == 1 && !wire_text_is(text, "now"))
        return err_say(err, TDK_EVALUE, "rebase must be now, or a time in ns");
    if (rc < 0)
        rc = wire_u64(map, "rebase", &p->rebase_ts, err);
    p->rebase = rc == 1;
    return rc;
}

static int read_into(struct session_params *p, struct wire_map map, struct tdk_err *err)
{
    int rc = wire_string(map, "into", p->into, sizeof p->into, err);
    if (rc == 0)
        return err_say(err, TDK_EVALUE, "into must be the name of a ring");
    if (rc == 1 && !name_is_valid(p->into, strlen(p->into)))
        return err_say(err, TDK_EVALUE, "into: '%.64s' cannot be a ring's name", p->into);
    return rc;
}

static int check(const struct session_params *p, struct tdk_err *err)
{
    if (p->loop == 0)
        return err_say(err, TDK_EVALUE, "loop must be at least 1");
    if (p->stall_ns == 0)
        return err_say(err, TDK_EVALUE, "stall_timeout must be at least a nanosecond");
    if (p->create_size != 0 && (p->create_size < 65536 || !is_power_of_two(p->create_size)))
        return err_say(err, TDK_EVALUE,
                       "create: a ring's size must be a power of two, at least 65536");
    if (p->inquiry.query.reverse)
        return err_say(err, TDK_EVALUE,
                       "reverse: a play goes forward in time; query can give the reverse");
    if (p->then_live &&
        (p->inquiry.query.to != UINT64_MAX || p->loop != 1 || p->rebase || p->lockstep))
        return err_say(err, TDK_EVALUE,
                       "then_live cannot be combined with to, loop, rebase or lockstep: the "
                       "present has no end, one round and its own times");
    return 0;
}

static int read_flags(struct session_params *p, struct wire_map map, struct tdk_err *err)
{
    const struct {
        const char *key;
        bool *at;
    } flags[] = {
        {"per_track", &p->per_track}, {"paused", &p->paused},     {"prime", &p->prime},
        {"then_live", &p->then_live}, {"lockstep", &p->lockstep}, {"detach", &p->detach},
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0] && rc >= 0; i++)
        rc = wire_bool(map, flags[i].key, flags[i].at, err);
    return rc;
}

static int read_numbers(struct session_params *p, struct wire_map map, struct tdk_err *err)
{
    const struct {
        const char *key;
        uint64_t *at;
    } numbers[] = {
        {"loop", &p->loop},
        {"max_idle", &p->max_idle_ns},
        {"wait_consumers", &p->wait_consumers},
        {"wait_timeout", &p->wait_timeout_ns},
        {"stall_timeout", &p->stall_ns},
        {"prime_back", &p->prime_back_ns},
        {"create", &p->create_size},
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && rc >= 0; i++)
        rc = wire_u64(map, numbers[i].key, numbers[i].at, err);
    return rc;
}

int session_params_read(struct session_params *p, struct wire_map map, struct tdk_err *err)
{
    *p = (struct session_params){
        .loop = 1, .speed = {.kind = SPEED_MAX}, .stall_ns = SESSION_STALL_NS};
    int rc = inquiry_take(&p->inquiry, map, err);
    if (rc == 0)
        rc = read_numbers(p, map, err);
    if (rc >= 0)
        rc = read_flags(p, map, err);
    if (rc >= 0)
        rc = read_into(p, map, err);
    if (rc >= 0)
        rc = session_params_speed(map, &p->speed, err);
    if (rc >= 0)
        rc = read_rebase(p, map, err);
    return rc < 0 ? rc : check(p, err);
}

void session_params_close(struct session_params *p)
{
    inquiry_close(&p->inquiry);
}
