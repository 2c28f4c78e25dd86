#include "base/quantity.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"

__extension__ typedef unsigned __int128 u128;

#define NANO UINT64_C(1000000000)

/* Read decimal digits at *p. False if there are none or they do not fit. *p ends up after them. */
static bool read_digits(const char **p, uint64_t *value)
{
    const char *s = *p;
    uint64_t v = 0;
    for (; *s >= '0' && *s <= '9'; s++)
        if (__builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
            return false;
    if (s == *p)
        return false;
    *p = s;
    *value = v;
    return true;
}

/* Read "12" or "12.5", at most 9 places, as an exact number of 1e-9. */
static bool read_decimal(const char **p, u128 *nano)
{
    uint64_t whole, part = 0;
    if (!read_digits(p, &whole))
        return false;
    if (**p == '.') {
        const char *first = ++*p;
        if (!read_digits(p, &part) || *p - first > 9)
            return false;
        for (long places = *p - first; places < 9; places++)
            part *= 10;
    }
    *nano = (u128)whole * NANO + part;
    return true;
}

/* nano x 1e-9 x unit, if that is a whole number that a u64 holds. */
static bool scale(u128 nano, uint64_t unit, uint64_t *value)
{
    u128 whole = nano / NANO, part = nano % NANO * unit;
    if (part % NANO != 0 || whole > UINT64_MAX / unit)
        return false;
    return !__builtin_add_overflow((uint64_t)whole * unit, (uint64_t)(part / NANO), value);
}

int quantity_count(const char *text, uint64_t *count, struct tdk_err *err)
{
    const char *p = text;
    uint64_t value;
    if (!read_digits(&p, &value) || *p != '\0')
        return err_say(err, TDK_EVALUE, "'%s' is not a count; write digits only, up to 2^64-1",
                       text);
    *count = value;
    return 0;
}

struct unit {
    const char *name;
    uint64_t value;
};

static const struct unit *unit_find(const struct unit *units, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(units[i].name, name) == 0)
            return &units[i];
    return NULL;
}

static const struct unit sizes[] = {
    {"", 1},
    {"K", UINT64_C(1) << 10},
    {"M", UINT64_C(1) << 20},
    {"G", UINT64_C(1) << 30},
    {"T", UINT64_C(1) << 40},
    {"k", UINT64_C(1) << 10},
    {"m", UINT64_C(1) << 20},
    {"g", UINT64_C(1) << 30},
    {"t", UINT64_C(1) << 40},
};

int quantity_size(const char *text, uint64_t *bytes, struct tdk_err *err)
{
    const char *p = text;
    u128 nano;
    const struct unit *unit = NULL;
    if (read_decimal(&p, &nano))
        unit = unit_find(sizes, array_size(sizes), p);
    if (unit == NULL || !scale(nano, unit->value, bytes))
        return err_say(err, TDK_EVALUE,
                       "'%s' is not a size; write bytes, or 64K, 1M, 2G (powers of 1024)", text);
    return 0;
}

static const struct unit durations[] = {
    {"ns", 1},
    {"us", NS_PER_US},
    {"ms", NS_PER_MS},
    {"s", NS_PER_S},
    {"m", 60 * NS_PER_S},
    {"h", 3600 * NS_PER_S},
    {"d", 86400 * NS_PER_S},
};

int quantity_duration(const char *text, uint64_t *ns, struct tdk_err *err)
{
    const char *p = text;
    u128 nano;
    const struct unit *unit = NULL;
    if (strcmp(text, "0") == 0) {
        *ns = 0;
        return 0;
    }
    if (read_decimal(&p, &nano))
        unit = unit_find(durations, array_size(durations), p);
    if (unit == NULL || !scale(nano, unit->value, ns))
        return err_say(
            err, TDK_EVALUE,
            "'%s' is not a duration; write a number and its unit, as in 250ms, 1s, 5m, 1h", text);
    return 0;
}

int quantity_rate(const char *text, uint64_t *per_second, struct tdk_err *err)
{
    const char *p = text;
    uint64_t value;
    if (strcmp(text, "max") == 0) {
        *per_second = 0;
        return 0;
    }
    if (!read_digits(&p, &value) || value == 0 || (*p != '\0' && strcmp(p, "/s") != 0))
        return err_say(err, TDK_EVALUE,
                       "'%s' is not a rate; write max, or ticks a second as in 1000/s", text);
    *per_second = value;
    return 0;
}

static u128 common_divisor(u128 a, u128 b)
{
    while (b != 0) {
        u128 rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static bool speed_scaled(u128 nano, struct speed *speed)
{
    u128 divisor = common_divisor(nano, NANO);
    if (nano == 0 || nano / divisor > UINT64_MAX)
        return false;
    *speed = (struct speed){SPEED_SCALED, (uint64_t)(nano / divisor), (uint64_t)(NANO / divisor)};
    return true;
}

int quantity_speed(const char *text, struct speed *speed, struct tdk_err *err)
{
    const char *p = text;
    u128 nano;
    if (strcmp(text, "max") == 0) {
        *speed = (struct speed){.kind = SPEED_MAX};
        return 0;
    }
    if (read_decimal(&p, &nano)) {
        if (strcmp(p, "x") == 0 && speed_scaled(nano, speed))
            return 0;
        if (strcmp(p, "/s") == 0 && nano != 0 && nano % NANO == 0) {
            *speed = (struct speed){SPEED_PER_SECOND, (uint64_t)(nano / NANO), 1};
            return 0;
        }
    }
    return err_say(err, TDK_EVALUE,
                   "'%s' is not a speed; write max, 1x, 0.5x, 10x, or ticks a second as in 1000/s",
                   text);
}

/* The speed in billionths, which is how it is written. */
static u128 scaled_nano(struct speed s)
{
    return (u128)s.numerator * NANO / s.denominator;
}

struct speed speed_faster(struct speed s)
{
    if (s.kind != SPEED_MAX && s.numerator <= UINT64_MAX / 2) {
        if (s.kind == SPEED_SCALED && s.denominator % 2 == 0)
            s.denominator /= 2;
        else
            s.numerator *= 2;
    }
    return s;
}

struct speed speed_slower(struct speed s)
{
    if (s.kind == SPEED_MAX)
        return (struct speed){SPEED_SCALED, 1, 1};
    bool by_count = s.kind == SPEED_PER_SECOND;
    if (!by_count && scaled_nano(s) < 2)
        return s;
    if (s.numerator % 2 == 0 || (by_count && s.numerator > 1))
        s.numerator /= 2;
    else if (!by_count && s.denominator <= UINT64_MAX / 2)
        s.denominator *= 2;
    return s;
}

/* "1.5" and a unit: at most two places. It is cut and not rounded up, so that it never says more
 * than there is. */
static char *text_scaled(char *text, uint64_t value, uint64_t unit, const char *name)
{
    uint64_t whole = value / unit;
    unsigned hundredths = (unsigned)((u128)(value % unit) * 100 / unit);
    if (hundredths == 0 || whole >= 100)
        snprintf(text, QUANTITY_TEXT, "%" PRIu64 "%s", whole, name);
    else if (hundredths % 10 == 0 || whole >= 10)
        snprintf(text, QUANTITY_TEXT, "%" PRIu64 ".%u%s", whole, hundredths / 10, name);
    else
        snprintf(text, QUANTITY_TEXT, "%" PRIu64 ".%02u%s", whole, hundredths, name);
    return text;
}

char *quantity_size_text(char text[QUANTITY_TEXT], uint64_t bytes)
{
    size_t i = 0;
    while (i < 4 && bytes >= sizes[i + 1].value)
        i++;
    return text_scaled(text, bytes, sizes[i].value, sizes[i].name);
}

char *quantity_count_text(char text[QUANTITY_TEXT], uint64_t count)
{
    static const struct unit thousands[] = {
        {"", 1}, {"k", 1000}, {"M", 1000000}, {"G", NANO}, {"T", 1000 * NANO},
    };
    size_t i = 0;
    while (i + 1 < array_size(thousands) && count >= thousands[i + 1].value)
        i++;
    return text_scaled(text, count, thousands[i].value, thousands[i].name);
}

char *quantity_duration_text(char text[QUANTITY_TEXT], uint64_t ns)
{
    uint64_t seconds = ns / NS_PER_S;
    if (seconds >= UINT64_C(48) * 3600)
        snprintf(text, QUANTITY_TEXT, "%" PRIu64 "d%02" PRIu64 "h", seconds / 86400,
                 seconds / 3600 % 24);
    else if (seconds >= 3600)
        snprintf(text, QUANTITY_TEXT, "%" PRIu64 "h%02" PRIu64 "m", seconds / 3600,
                 seconds / 60 % 60);
    else if (seconds >= 60)
        snprintf(text, QUANTITY_TEXT, "%" PRIu64 "m%02" PRIu64 "s", seconds / 60, seconds % 60);
    else if (ns >= NS_PER_S)
        text_scaled(text, ns, NS_PER_S, "s");
    else if (ns >= NS_PER_MS)
        text_scaled(text, ns, NS_PER_MS, "ms");
    else if (ns >= NS_PER_US)
        text_scaled(text, ns, NS_PER_US, "us");
    else
        snprintf(text, QUANTITY_TEXT, "%" PRIu64 "ns", ns);
    return text;
}

/* "0.5x": the nine places that reading accepts, without zeros at the end. */
static void scaled_text(char text[QUANTITY_TEXT], u128 nano)
{
    int n = snprintf(text, QUANTITY_TEXT - 1, "%" PRIu64 ".%09" PRIu64, (uint64_t)(nano / NANO),
                     (uint64_t)(nano % NANO));
    while (text[n - 1] == '0')
        n--;
    if (text[n - 1] == '.')
        n--;
    text[n] = 'x';
    text[n + 1] = '\0';
}

char *quantity_speed_text(char text[QUANTITY_TEXT], const struct speed *speed)
{
    switch (speed->kind) {
    case SPEED_MAX:
        snprintf(text, QUANTITY_TEXT, "max");
        break;
    case SPEED_SCALED:
        scaled_text(text, scaled_nano(*speed));
        break;
    case SPEED_PER_SECOND:
        snprintf(text, QUANTITY_TEXT, "%" PRIu64 "/s", speed->numerator);
        break;
    }
    return text;
}

uint64_t quantity_per_second(uint64_t count, uint64_t ns)
{
    if (ns == 0)
        return 0;
    u128 rate = (u128)count * NS_PER_S / ns;
    return rate > UINT64_MAX ? UINT64_MAX : (uint64_t)rate;
}
