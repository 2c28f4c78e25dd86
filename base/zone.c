#include "base/zone.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

#define DAY INT64_C(86400)

/* Days since 1970-01-01 in the Gregorian calendar. Years begin in March here, so that the leap day
 * is the last one, and are counted in eras of 400 (146,097 days). */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

int64_t civil_to_utc(const struct civil *c)
{
    return days_from_civil(c->year, c->month, c->day) * 86400 + (int64_t)c->hour * 3600 +
           (int64_t)c->minute * 60 + c->second;
}

void civil_from_utc(int64_t seconds, struct civil *c)
{
    int64_t days = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t month = (5 * doy + 2) / 153;
    c->day = (int)(doy - (153 * month + 2) / 5 + 1);
    c->month = (int)(month < 10 ? month + 3 : month - 9);
    c->year = (int)(yoe + era * 400 + (c->month <= 2));
    c->hour = (int)(rest / 3600);
    c->minute = (int)(rest / 60 % 60);
    c->second = (int)(rest % 60);
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

int civil_check(const struct civil *c, struct tdk_err *err)
{
    if (c->month < 1 || c->month > 12)
        return err_say(err, TDK_EVALUE, "there is no month %d", c->month);
    if (c->day < 1 || c->day > days_in_month(c->year, c->month))
        return err_say(err, TDK_EVALUE, "%04d-%02d has no day %d", c->year, c->month, c->day);
    if (c->hour > 23 || c->minute > 59)
        return err_say(err, TDK_EVALUE, "there is no %02d:%02d", c->hour, c->minute);
    if (c->second > 59)
        return err_say(err, TDK_EVALUE,
                       "there is no second %d (leap seconds have no ns of their own)", c->second);
    return 0;
}

static bool two_digits(const char *text, int *value)
{
    if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
        return false;
    *value = (text[0] - '0') * 10 + (text[1] - '0');
    return true;
}

int zone_offset(const char *text, int32_t *east)
{
    int hours, minutes;
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
        *east = 0;
        return 0;
    }
    if ((text[0] != '+' && text[0] != '-') || !two_digits(text + 1, &hours))
        return TDK_EVALUE;
    const char *rest = text[3] == ':' ? text + 4 : text + 3;
    if (!two_digits(rest, &minutes) || rest[2] != '\0' || hours > 23 || minutes > 59)
        return TDK_EVALUE;
    *east = (hours * 3600 + minutes * 60) * (text[0] == '-' ? -1 : 1);
    return 0;
}

static bool zone_is_utc(const char *zone)
{
    return strcmp(zone, "UTC") == 0 || strcmp(zone, "Z") == 0;
}

/* Is it a zone's file, not a folder of them, nor one of the tables beside them? */
static bool is_zone_file(const char *path)
{
    static const char magic[4] = {'T', 'Z', 'i', 'f'};
    char begin[sizeof magic];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t size = read(fd, begin, sizeof begin);
    close(fd);
    return size == (ssize_t)sizeof magic && memcmp(begin, magic, sizeof magic) == 0;
}

/* libc silently takes an unknown name for UTC, so look into the zone's file. */
int zone_check(const char *zone, struct tdk_err *err)
{
    int32_t east;
    char path[256];
    if (zone_is_utc(zone) || zone_offset(zone, &east) == 0)
        return 0;
    if (zone[0] == '/' || zone[0] == '.' || zone[0] == '\0' || strstr(zone, "..") != NULL ||
        snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", zone) >= (int)sizeof path ||
        !is_zone_file(path))
        return err_say(err, TDK_EVALUE,
                       "'%s' is not a zone this host knows; write UTC, +01:00, or a name from "
                       "/usr/share/zoneinfo (package tzdata)",
                       zone);
    return 0;
}

/* Seconds east of UTC in the zone of the process, at a time in UTC. */
static int64_t offset_at(int64_t seconds)
{
    time_t t = (time_t)seconds;
    struct tm tm = {.tm_gmtoff = 0};
    localtime_r(&t, &tm);
    return tm.tm_gmtoff;
}

/* No zone is a day off UTC, and none changes its clocks twice in two days. So only the offsets a
 * day before and a day after can give this time. */
static int local_to_utc(const char *zone, const struct civil *c, int64_t *seconds,
                        struct tdk_err *err)
{
    int64_t local = civil_to_utc(c);
    int64_t before = local - offset_at(local - DAY), behind = local - offset_at(local + DAY);
    bool was_before = before + offset_at(before) == local;
    bool was_behind = behind + offset_at(behind) == local;
    if (!was_before && !was_behind)
        return err_say(err, TDK_EVALUE, "the clocks of %s skipped %04d-%02d-%02dT%02d:%02d", zone,
                       c->year, c->month, c->day, c->hour, c->minute);
    if (was_before && was_behind && before != behind)
        return err_say(err, TDK_EVALUE,
                       "the clocks of %s showed %04d-%02d-%02dT%02d:%02d twice; write the offset",
                       zone, c->year, c->month, c->day, c->hour, c->minute);
    *seconds = was_before ? before : behind;
    return 0;
}

int zone_to_utc(const char *zone, const struct civil *c, int64_t *seconds, struct tdk_err *err)
{
    int32_t east = 0;
    if (zone_is_utc(zone) || zone_offset(zone, &east) == 0) {
        *seconds = civil_to_utc(c) - east;
        return 0;
    }
    int rc = zone_check(zone, err);
    if (rc < 0)
        return rc;

    /* NOLINTBEGIN(concurrency-mt-unsafe): main's thread, before others run, as the header says */
    const char *before = getenv("TZ");
    char *kept = before != NULL ? strdup(before) : NULL;
    if (before != NULL && kept == NULL)
        return err_set(err, TDK_EINTERNAL, "no memory for the zone");
    setenv("TZ", zone, 1);
    tzset();
    rc = local_to_utc(zone, c, seconds, err);
    if (kept != NULL)
        setenv("TZ", kept, 1);
    else
        unsetenv("TZ");
    tzset();
    /* NOLINTEND(concurrency-mt-unsafe) */
    free(kept);
    return rc;
}
