/*
 * retain_limits.h - the limits of retention as options, for the command line and the recorder, and
 * the policy that they make.
 */
#ifndef TDK_TAPE_RETAIN_LIMITS_H
#define TDK_TAPE_RETAIN_LIMITS_H

#include "base/option.h"
#include "tape/retain.h"

/* Part of a command's arguments, and the option rows that fill it. */
struct retain_limits {
    uint64_t max_age_ns, max_size, max_segments, min_free;
    struct option_list track_ages; /* TRACK=DURATION */
};
extern const struct option retain_limit_rows[];          /* --max-age and the others */
extern const struct option retain_limit_recorder_rows[]; /* --retain-max-age and the others */

/* The policy; its list of tracks and their names are malloc'ed. TDK_EVALUE. */
int retain_limits_policy(const struct retain_limits *limits, struct retain_policy *policy,
                         struct tdk_err *err);
void retain_limits_close(struct retain_policy *policy);

#endif
