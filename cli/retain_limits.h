/*
 * retain_limits.h - the limits of retention as options: --max-age and its like, and the policy they
 * make.
 */
#ifndef TDK_CLI_RETAIN_LIMITS_H
#define TDK_CLI_RETAIN_LIMITS_H

#include "base/option.h"
#include "tape/retain.h"

/* Part of a command's arguments, and the rows that fill it. */
struct retain_limits {
    uint64_t max_age_ns, max_size, max_segments, min_free;
    struct option_list track_ages; /* TRACK=DURATION */
};
extern const struct option retain_limit_rows[];

/* The policy; its list of tracks is malloc'ed, and borrows the options' texts. TDK_EVALUE. */
int retain_limits_policy(const struct retain_limits *limits, struct retain_policy *policy,
                         struct tdk_err *err);
void retain_limits_close(struct retain_policy *policy);

#endif
