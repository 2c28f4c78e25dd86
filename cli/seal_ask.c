#include "cli/seal_ask.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/ask.h"

#define TIMEOUT_NS (30 * NS_PER_S)
#define LOOK_US    100000u

/* What the recorder's status says about packing. */
struct view {
    bool asked;
    uint64_t packed, failed, ticks, before, after, read, left, left_bytes;
};

static int look(struct tdk_client *client, struct view *v, struct tdk_err *err)
{
    struct wire_map status, seal;
    *v = (struct view){.asked = false};
    wire_put_map(client_begin(client, "status"), 0);
    int rc = client_call(client, NULL, NULL, &status, err);
    if (rc < 0)
        return rc;
    if (wire_map(status, "seal", &seal, err) != 1)
        return err_say(err, TDK_EVERSION, "the recorder that holds the tape cannot pack");
    const struct {
        const char *key;
        uint64_t *value;
    } rows[] = {{"packed", &v->packed},       {"failed", &v->failed},        {"ticks", &v->ticks},
                {"bytes_before", &v->before}, {"bytes_after", &v->after},    {"read", &v->read},
                {"left", &v->left},           {"left_bytes", &v->left_bytes}};
    rc = wire_bool(seal, "asked", &v->asked, err);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && rc >= 0; i++)
        rc = wire_u64(seal, rows[i].key, rows[i].value, err);
    return rc < 0 ? rc : 0;
}

static int begin(struct tdk_client *client, const struct seal_tape_options *o, struct tdk_err *err)
{
    struct wire_map result;
    struct text_buffer *params = client_begin(client, "seal");
    wire_put_map(params, 2);
    wire_pair_u64(params, "first", o->first);
    wire_pair_u64(params, "last", o->last);
    return client_call(client, NULL, NULL, &result, err);
}

/* Count what happened since the recorder was asked. */
static void count(struct seal_totals *t, const struct view *begun, const struct view *now)
{
    t->segments = now->packed - begun->packed;
    t->failed = now->failed - begun->failed;
    t->ticks = now->ticks - begun->ticks;
    t->bytes_before = now->before - begun->before;
    t->bytes_after = now->after - begun->after;
    t->bytes = t->bytes_before + now->read;
    t->bytes_total = t->bytes_before + now->left_bytes;
    if (t->bytes_total < t->bytes)
        t->bytes_total = t->bytes;
    t->to_do = t->segments + t->failed;
}

static int watch(struct tdk_client *client, const struct seal_tape_options *o,
                 const struct view *begun, struct seal_totals *totals, struct tdk_err *err)
{
    struct view now = {.asked = true};
    while (now.asked) {
        usleep(LOOK_US);
        int rc = look(client, &now, err);
        if (rc < 0)
            return rc;
        count(totals, begun, &now);
        if (o->go_on != NULL && !o->go_on(totals, o->context))
            return err_say(err, -ECANCELED, "interrupted; the recorder goes on packing by itself");
    }
    return 0;
}

int seal_by_recorder(const char *tape, const struct seal_tape_options *o,
                     struct seal_totals *totals, struct tdk_err *err)
{
    const struct tdk_client_options options = {.name = "tapedeck", .timeout_ns = TIMEOUT_NS};
    char address[PATH_MAX + 64];
    struct tdk_client *client;
    struct tdk_err why;
    struct view begun;
    snprintf(address, sizeof address, "unix:%s/%s", tape, ASK_RECORDER);
    if (tdk_client_open(&client, address, &options, &why) < 0)
        return TDK_EBUSY; /* err says so already */
    int rc = look(client, &begun, err);
    if (rc == 0)
        rc = begin(client, o, err);
    if (rc == 0)
        rc = watch(client, o, &begun, totals, err);
    tdk_client_close(client);
    return rc;
}
