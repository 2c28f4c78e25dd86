/*
 * zone.h - convert local times of a named zone to UTC.
 *
 * A zone is "UTC", an offset ("+01:00") or a name in the host's zone database ("Europe/Berlin").
 * libc looks names up through the process's TZ: use them only from main's thread, before others
 * run. A time that the zone does not have, or has twice, is refused: nothing is guessed.
 */
#ifndef TDK_BASE_ZONE_H
#define TDK_BASE_ZONE_H

#include <stdint.h>

#include "tapedeck/err.h"

/* A date and time of day as people write it. */
struct civil {
    int year, month, day; /* 1..12, 1..31 */
    int hour, minute, second;
};

/* 0 if this host knows the zone, otherwise TDK_EVALUE. */
int zone_check(const char *zone, struct tdk_err *err);

/* Seconds since 1970-01-01T00:00:00Z of a valid civil time. TDK_EVALUE. */
int zone_to_utc(const char *zone, const struct civil *civil, int64_t *seconds, struct tdk_err *err);

/* The same for a time that is already UTC. Pure. */
int64_t civil_to_utc(const struct civil *civil);

/* The reverse: the day and the time of day. Pure. */
void civil_from_utc(int64_t seconds, struct civil *civil);

/* Is there such a day, and such a time of day? 0 or TDK_EVALUE. Pure. */
int civil_check(const struct civil *civil, struct tdk_err *err);

/* Seconds east of UTC: `text` must be "+01:00" or "-0530" or "Z" and nothing more. 0 or TDK_EVALUE.
 * Pure. */
int zone_offset(const char *text, int32_t *east);

#endif
