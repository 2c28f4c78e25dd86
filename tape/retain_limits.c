#include "tape/retain_limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/name.h"

#define LIMIT_ROWS(prefix)                                                                         \
    {                                                                                              \
        {.name = prefix "max-age",                                                                 \
         .kind = OPTION_DURATION,                                                                  \
         .at = offsetof(struct retain_limits, max_age_ns),                                         \
         .help = "delete a segment when its last tick is older than this"},                        \
            {.name = prefix "track-age",                                                           \
             .kind = OPTION_LIST,                                                                  \
             .value = "TRACK=DURATION",                                                            \
             .at = offsetof(struct retain_limits, track_ages),                                     \
             .help = "another age for this track, or `never`; a segment goes when all its tracks " \
                     "let it"},                                                                    \
            {.name = prefix "max-size",                                                            \
             .kind = OPTION_SIZE,                                                                  \
             .at = offsetof(struct retain_limits, max_size),                                       \
             .help = "delete the oldest until the rest is no larger than this"},                   \
            {.name = prefix "max-segments",                                                        \
             .kind = OPTION_COUNT,                                                                 \
             .at = offsetof(struct retain_limits, max_segments),                                   \
             .help = "delete the oldest until no more than this are left"},                        \
            {.name = prefix "min-free",                                                            \
             .kind = OPTION_SIZE,                                                                  \
             .at = offsetof(struct retain_limits, min_free),                                       \
             .help = "delete the oldest until this much of the disk is free"},                     \
        {                                                                                          \
            .name = NULL                                                                           \
        }                                                                                          \
    }

const struct option retain_limit_rows[] = LIMIT_ROWS("");
const struct option retain_limit_recorder_rows[] = LIMIT_ROWS("retain-");

/* "TRACK=30d", "TRACK=never". The name is malloc'ed. */
static int parse_track(const char *word, struct retain_track *track, struct tdk_err *err)
{
    const char *equals = strchr(word, '=');
    if (equals == NULL || !name_is_valid(word, (size_t)(equals - word)))
        return err_say(err, TDK_EVALUE,
                       "a track's age: %.80s is not TRACK=DURATION, as in trades=30d", word);
    track->max_age_ns = 0;
    if (strcmp(equals + 1, "never") != 0 &&
        quantity_duration(equals + 1, &track->max_age_ns, err) < 0)
        return err_wrap(err, TDK_EVALUE, "a track's age: %.80s", word);
    track->name = strndup(word, (size_t)(equals - word));
    return track->name != NULL ? 0 : err_set(err, -ENOMEM, "a track's age");
}

int retain_limits_policy(const struct retain_limits *limits, struct retain_policy *policy,
                         struct tdk_err *err)
{
    size_t count = limits->track_ages.count;
    struct retain_track *tracks = calloc(count + 1, sizeof *tracks);
    *policy = (struct retain_policy){.max_age_ns = limits->max_age_ns,
                                     .max_size = limits->max_size,
                                     .max_segments = limits->max_segments,
                                     .min_free = limits->min_free,
                                     .tracks = tracks};
    if (tracks == NULL)
        return err_set(err, -ENOMEM, "retention");
    for (; policy->track_count < count; policy->track_count++) {
        int rc = parse_track(limits->track_ages.items[policy->track_count],
                             &tracks[policy->track_count], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

void retain_limits_close(struct retain_policy *policy)
{
    for (size_t i = 0; i < policy->track_count; i++)
        free((void *)(uintptr_t)policy->tracks[i].name);
    free((void *)(uintptr_t)policy->tracks);
    *policy = (struct retain_policy){.tracks = NULL};
}
