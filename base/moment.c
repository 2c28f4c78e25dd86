#include "base/moment.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/digits.h"
#include "base/err.h"
#include "base/quantity.h"
#include "base/zone.h"

#define SYNTAX "write ns since 1970, 2026-11-20, 2026-11-20T09:30:00Z, now-5m, start+10m or end-1s"

/* Read `places` digits, no sign, no blank. */
static bool read_fixed(const char **p, int places, int *value)
{
    int v = 0;
    for (int i = 0; i < places; i++) {
        char c = (*p)[i];
        if (c < '0' || c > '9')
            return false;
        v = v * 10 + (c - '0');
    }
    *p += places;
    *value = v;
    return true;
}

static bool read_char(const char **p, char c)
{
    if (**p != c)
        return false;
    ++*p;
    return true;
}

static bool read_date(const char **p, struct civil *c)
{
    return read_fixed(p, 4, &c->year) && read_char(p, '-') && read_fixed(p, 2, &c->month) &&
           read_char(p, '-') && read_fixed(p, 2, &c->day);
}

/* Read "09:30:00" or "09:30:00.123456789". */
static bool read_time_of_day(const char **p, struct civil *c, uint64_t *fraction_ns)
{
    if (!read_fixed(p, 2, &c->hour) || !read_char(p, ':') || !read_fixed(p, 2, &c->minute) ||
        !read_char(p, ':') || !read_fixed(p, 2, &c->second))
        return false;
    *fraction_ns = 0;
    if (**p != '.')
        return true;
    const char *first = ++*p;
    uint64_t unit = NS_PER_S;
    for (; **p >= '0' && **p <= '9' && *p - first < 9; ++*p) {
        unit /= 10;
        *fraction_ns += (uint64_t)(**p - '0') * unit;
    }
    return *p != first && (**p < '0' || **p > '9');
}

static int set_absolute(const char *text, int64_t seconds, uint64_t fraction_ns,
                        struct moment *moment, struct tdk_err *err)
{
    uint64_t ns;
    if (seconds < 0 || __builtin_mul_overflow((uint64_t)seconds, NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, fraction_ns, &ns))
        return err_say(err, TDK_EVALUE, "'%s' is outside of what 64 bits of ns hold, 1970 to 2554",
                       text);
    *moment = (struct moment){.text = text, .anchor = MOMENT_ABSOLUTE, .ns = ns};
    return 0;
}

static int parse_civil(const char *text, const char *zone, struct moment *moment,
                       struct tdk_err *err)
{
    struct civil civil = {0};
    const char *p = text;
    uint64_t fraction_ns = 0;
    int64_t seconds;
    int32_t east;
    int rc;

    if (!read_date(&p, &civil))
        goto syntax;
    if (*p == '\0') {
        rc = civil_check(&civil, err);
        if (rc < 0)
            return err_wrap(err, rc, "'%s' is not a date", text);
        return set_absolute(text, civil_to_utc(&civil), 0, moment, err);
    }
    if (*p != 'T' && *p != 't' && *p != ' ')
        goto syntax;
    p++;
    if (!read_time_of_day(&p, &civil, &fraction_ns))
        goto syntax;
    rc = civil_check(&civil, err);
    if (rc < 0)
        return err_wrap(err, rc, "'%s' is not a time", text);
    if (*p != '\0') {
        if (zone_offset(p, &east) < 0)
            goto syntax;
        seconds = civil_to_utc(&civil) - east;
    } else if (zone == NULL) {
        return err_say(err, TDK_EVALUE, "'%s' has no zone; append Z or +01:00, or use --tz", text);
    } else {
        rc = zone_to_utc(zone, &civil, &seconds, err);
        if (rc < 0)
            return err_wrap(err, rc, "'%s'", text);
    }
    return set_absolute(text, seconds, fraction_ns, moment, err);

syntax:
    return err_say(err, TDK_EVALUE, "'%s' is not a time; " SYNTAX, text);
}

static int parse_anchored(const char *text, const char *rest, enum moment_anchor anchor,
                          struct moment *moment, struct tdk_err *err)
{
    uint64_t ns = 0;
    if (*rest != '\0') {
        int rc = quantity_duration(rest + 1, &ns, err);
        if (rc < 0)
            return err_wrap(err, rc, "'%s' is not a time", text);
    }
    *moment = (struct moment){.text = text, .anchor = anchor, .before = *rest == '-', .ns = ns};
    return 0;
}

int moment_parse(const char *text, const char *zone, struct moment *moment, struct tdk_err *err)
{
    static const struct {
        const char *word;
        enum moment_anchor anchor;
    } anchors[] = {{"now", MOMENT_NOW}, {"start", MOMENT_START}, {"end", MOMENT_END}};

    for (size_t i = 0; i < array_size(anchors); i++) {
        size_t size = strlen(anchors[i].word);
        const char *rest = text + size;
        if (strncmp(text, anchors[i].word, size) == 0 &&
            (*rest == '\0' || *rest == '+' || *rest == '-'))
            return parse_anchored(text, rest, anchors[i].anchor, moment, err);
    }
    if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0') {
        uint64_t ns;
        if (quantity_count(text, &ns, NULL) < 0)
            return err_say(err, TDK_EVALUE, "'%s' is more ns than 64 bits hold", text);
        *moment = (struct moment){.text = text, .anchor = MOMENT_ABSOLUTE, .ns = ns};
        return 0;
    }
    return parse_civil(text, zone, moment, err);
}

int moment_check_zone(const char *zone, struct tdk_err *err)
{
    return zone_check(zone, err);
}

static uint64_t anchor_ns(const struct moment *moment, const struct moment_bounds *bounds)
{
    switch (moment->anchor) {
    case MOMENT_NOW:
        return bounds->now;
    case MOMENT_START:
        return bounds->start;
    case MOMENT_END:
        return bounds->end;
    case MOMENT_UNSET:
    case MOMENT_ABSOLUTE:
        break;
    }
    return 0;
}

uint64_t moment_resolve(const struct moment *moment, const struct moment_bounds *bounds,
                        uint64_t unset)
{
    if (moment->anchor == MOMENT_UNSET)
        return unset;
    uint64_t at = anchor_ns(moment, bounds);
    if (moment->before)
        return at > moment->ns ? at - moment->ns : 0;
    return moment->ns > UINT64_MAX - at ? UINT64_MAX : at + moment->ns;
}

char *moment_text(char text[MOMENT_TEXT], uint64_t ns)
{
    if (ns == UINT64_MAX) {
        snprintf(text, MOMENT_TEXT, "undefined");
        return text;
    }
    *digits_time(text, ns) = '\0';
    return text;
}
