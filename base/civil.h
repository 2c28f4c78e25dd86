/* civil.h - days since 1970-01-01 and the calendar (proleptic Gregorian, UTC). Pure; any thread. */
#ifndef TDK_BASE_CIVIL_H
#define TDK_BASE_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_DAY (UINT64_C(86400) * 1000000000)

struct civil {
    uint32_t year, month, day; /* month and day from 1 */
};

/* The year is counted from March, so that the leap day is its last; eras are 400 years. */
static inline struct civil civil_of_day(uint32_t days)
{
    uint32_t shifted = days + 719468; /* since 0000-03-01 */
    uint32_t era = shifted / 146097, day_of_era = shifted % 146097;
    uint32_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t month = (5 * day_of_year + 2) / 153; /* 0: March */
    struct civil date = {
        .year = era * 400 + year_of_era + (month >= 10),
        .month = month < 10 ? month + 3 : month - 9,
        .day = day_of_year - (153 * month + 2) / 5 + 1,
    };
    return date;
}

/* False when there is no such date, or it lies before 1970 or behind what a u64 of ns can hold. */
static inline bool civil_to_day(struct civil date, uint32_t *days)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (date.year < 1970 || date.year > 2553 || date.month - 1 >= 12)
        return false;
    bool leap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0);
    if (date.day - 1 >= lengths[date.month - 1] + (uint32_t)(leap && date.month == 2))
        return false;
    uint32_t year = date.year - (date.month <= 2), month = (date.month + 9) % 12;
    *days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + date.day - 1 -
            719468;
    return true;
}

#endif
