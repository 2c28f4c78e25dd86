#include "cli/two_tapes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/command.h"
#include "cli/range.h"

const struct option two_tapes_rows[] = {
    {.name = "from",
     .kind = OPTION_MOMENT,
     .at = offsetof(struct two_tapes_args, from),
     .help =
         "only ticks received at this time or later; `start` and `end` are those of both tapes"},
    {.name = "to",
     .kind = OPTION_MOMENT,
     .at = offsetof(struct two_tapes_args, to),
     .help = "only ticks received before this time"},
    {.name = "tz",
     .kind = OPTION_ZONE,
     .at = offsetof(struct two_tapes_args, zone),
     .help = "time zone of times without one"},
    {.name = "track",
     .kind = OPTION_LIST,
     .value = "TRACK",
     .at = offsetof(struct two_tapes_args, tracks),
     .help = "only this track"},
    {.name = NULL},
};

/* Resolve the times over both tapes together. */
static void resolve(struct two_tapes *two, const struct two_tapes_args *args)
{
    struct moment_bounds bounds = {.now = clock_wall(), .start = UINT64_MAX};
    for (size_t i = 0; i < SIDES; i++) {
        struct tdk_tape_info info;
        tdk_tape_info(two->tapes[i], &info);
        if (info.first_ts > info.last_ts)
            continue;
        if (info.first_ts < bounds.start)
            bounds.start = info.first_ts;
        if (info.last_ts + 1 > bounds.end)
            bounds.end = info.last_ts + 1;
    }
    two->query.from = moment_resolve(&args->from, &bounds, 0);
    two->query.to = moment_resolve(&args->to, &bounds, UINT64_MAX);
}

int two_tapes_open(struct two_tapes *two, const struct two_tapes_args *args,
                   const struct option_list *operands)
{
    *two = (struct two_tapes){.only = &args->tracks};
    for (size_t i = 0; i < SIDES; i++) {
        two->paths[i] = operands->items[i];
        int status = range_open_tape(&two->tapes[i], two->paths[i]);
        if (status != CLI_OK) {
            two_tapes_close(two);
            return status;
        }
    }
    resolve(two, args);
    if (two->query.from <= two->query.to)
        return CLI_OK;
    two_tapes_close(two);
    return cli_usage("--from %s is after --to %s", args->from.text, args->to.text);
}

void two_tapes_close(struct two_tapes *two)
{
    for (size_t i = 0; i < SIDES; i++)
        tdk_tape_close(two->tapes[i]);
    *two = (struct two_tapes){.only = NULL};
}

/* ---- their tracks ---- */

struct name {
    char text[TDK_NAME_MAX + 1];
    bool has[SIDES];
};

struct names {
    struct name *items;
    size_t count, room;
    size_t side;
};

static int note_name(const struct tdk_track_info *track, void *context)
{
    struct names *names = context;
    size_t i = 0;
    while (i < names->count && strcmp(names->items[i].text, track->name) != 0)
        i++;
    if (i == names->count) {
        struct name *items =
            array_grow(names->items, &names->room, names->count + 1, sizeof *items);
        if (items == NULL)
            return -ENOMEM;
        names->items = items;
        names->items[names->count++] = (struct name){.has = {false}};
        memcpy(names->items[i].text, track->name, sizeof track->name);
    }
    names->items[i].has[names->side] = true;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    return strcmp(x->text, y->text);
}

static int list_names(struct two_tapes *two, struct names *names, struct tdk_err *err)
{
    int rc = 0;
    for (; names->side < SIDES && rc == 0; names->side++)
        rc = tdk_tape_tracks(two->tapes[names->side], note_name, names, err);
    if (names->count > 0)
        qsort(names->items, names->count, sizeof *names->items, compare_names);
    return rc == -ENOMEM ? err_set(err, rc, "list tracks") : rc;
}

static bool is_asked_for(const struct two_tapes *two, const char *track)
{
    for (size_t i = 0; i < two->only->count; i++)
        if (strcmp(two->only->items[i], track) == 0)
            return true;
    return two->only->count == 0 && strcmp(track, TDK_CANARY_TRACK) != 0;
}

static int check_asked(const struct two_tapes *two, const struct names *names, struct tdk_err *err)
{
    for (size_t i = 0; i < two->only->count; i++) {
        size_t k = 0;
        while (k < names->count && strcmp(names->items[k].text, two->only->items[i]) != 0)
            k++;
        if (k == names->count)
            return err_say(err, TDK_ENOTRACK, "no track %.64s on either tape", two->only->items[i]);
    }
    return 0;
}

int two_tapes_each(struct two_tapes *two,
                   int (*each)(const char *track, struct tdk_tape *const tapes[SIDES],
                               void *context, struct tdk_err *err),
                   void *context, struct tdk_err *err)
{
    struct names names = {.count = 0};
    int rc = list_names(two, &names, err);
    if (rc == 0)
        rc = check_asked(two, &names, err);
    for (size_t i = 0; i < names.count && rc == 0; i++) {
        const struct name *name = &names.items[i];
        struct tdk_tape *const has[SIDES] = {name->has[SIDE_A] ? two->tapes[SIDE_A] : NULL,
                                             name->has[SIDE_B] ? two->tapes[SIDE_B] : NULL};
        if (is_asked_for(two, name->text))
            rc = each(name->text, has, context, err);
    }
    free(names.items);
    return rc;
}
