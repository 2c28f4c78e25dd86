#include <assert.h>
#include <errno.h>
#include <stdbool.h>

#include "base/err.h"
#include "formats/five.h"

/* A JSON number split into its parts: [-]digits[.digits][e[+-]digits], without leading zeros. */
struct number {
    const char *whole, *fraction;
    size_t whole_size, fraction_size;
    int exponent; /* cut at +-EXPONENT_MAX, beyond which the result is the same */
    bool negative;
};

#define EXPONENT_MAX 1000000000

static size_t count_digits(const char *at, const char *end)
{
    const char *p = at;
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return (size_t)(p - at);
}

static bool read_exponent(const char *at, const char *end, int *exponent)
{
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    size_t size = count_digits(at, end);
    if (size == 0 || at + size != end)
        return false;
    int value = 0;
    for (; at < end; at++)
        if (value < EXPONENT_MAX / 10)
            value = value * 10 + (*at - '0');
        else
            value = EXPONENT_MAX;
    *exponent = negative ? -value : value;
    return true;
}

static bool read_number(const char *at, const char *end, struct number *n)
{
    *n = (struct number){.negative = at < end && *at == '-'};
    at += n->negative;
    n->whole = at;
    n->whole_size = count_digits(at, end);
    if (n->whole_size == 0 || (n->whole_size > 1 && *at == '0'))
        return false;
    at += n->whole_size;
    if (at < end && *at == '.') {
        n->fraction = ++at;
        n->fraction_size = count_digits(at, end);
        if (n->fraction_size == 0)
            return false;
        at += n->fraction_size;
    }
    if (at == end)
        return true;
    return (*at == 'e' || *at == 'E') && read_exponent(at + 1, end, &n->exponent);
}

/* value = value * 10 + digit. */
static bool push_digit(uint64_t *value, unsigned digit)
{
    return !__builtin_mul_overflow(*value, (uint64_t)10, value) &&
           !__builtin_add_overflow(*value, (uint64_t)digit, value);
}

/* The form of nearly all numbers: digits and a point, no exponent, and few enough to need no
 * checks. */
static bool read_short(const char *at, const char *end, unsigned places, uint64_t *units,
                       bool *negative)
{
    static const uint64_t tens[] = {1,      10,      100,      1000,      10000,
                                    100000, 1000000, 10000000, 100000000, 1000000000};
    uint64_t value = 0;
    bool minus = at < end && *at == '-';
    at += minus;
    const char *whole = at;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    size_t digits = (size_t)(at - whole), fraction = 0;
    if (digits == 0 || digits + places > 19 || (digits > 1 && *whole == '0'))
        return false;
    if (at < end && *at == '.') {
        const char *first = ++at;
        for (; at < end && *at >= '0' && *at <= '9'; at++)
            value = value * 10 + (uint64_t)(*at - '0');
        fraction = (size_t)(at - first);
        if (fraction == 0 || fraction > places)
            return false;
    }
    if (at != end)
        return false;
    *units = value * tens[places - fraction];
    *negative = minus;
    return true;
}

int five_decimal_in(const char *bytes, size_t size, unsigned places, uint64_t *units,
                    bool *negative)
{
    struct number n;
    assert(places <= 9);
    if (read_short(bytes, bytes + size, places, units, negative))
        return 0;
    if (!read_number(bytes, bytes + size, &n))
        return TDK_EVALUE;
    /* The place of each digit is 10^place units. Digits below one unit have to be zeros. */
    int64_t place = (int64_t)n.whole_size - 1 + n.exponent + (int64_t)places;
    uint64_t value = 0;
    for (size_t i = 0; i < n.whole_size + n.fraction_size; i++, place--) {
        char c = i < n.whole_size ? n.whole[i] : n.fraction[i - n.whole_size];
        unsigned digit = (unsigned)(c - '0');
        if (place < 0 && digit != 0)
            return -EDOM;
        if (place >= 0 && !push_digit(&value, digit))
            return -ERANGE;
    }
    for (; place >= 0 && value != 0; place--)
        if (!push_digit(&value, 0))
            return -ERANGE;
    *units = value;
    *negative = n.negative;
    return 0;
}

int five_decimal(const char *bytes, size_t size, uint64_t *units, bool *negative)
{
    return five_decimal_in(bytes, size, 9, units, negative);
}

/* Read at most `max` units, which is the last value before the one that means undefined. */
static int limited(const char *bytes, size_t size, const char *what, uint64_t max, uint64_t *units,
                   bool *negative, struct tdk_err *err)
{
    int shown = size > 60 ? 60 : (int)size;
    int rc = five_decimal(bytes, size, units, negative);
    if (rc == -EDOM)
        return err_say(err, TDK_EVALUE, "%s: %.*s has more than nine places", what, shown, bytes);
    if (rc == -ERANGE || (rc == 0 && *units > max))
        return err_say(err, TDK_EVALUE, "%s: %.*s is too large", what, shown, bytes);
    if (rc < 0)
        return err_say(err, TDK_EVALUE, "%s: '%.*s' is not a number", what, shown, bytes);
    return 0;
}

int five_price(const char *bytes, size_t size, const char *what, int64_t *price,
               struct tdk_err *err)
{
    uint64_t units = 0;
    bool negative = false;
    int rc = limited(bytes, size, what, (uint64_t)INT64_MAX - 1, &units, &negative, err);
    if (rc == 0)
        *price = negative ? -(int64_t)units : (int64_t)units;
    return rc;
}

int five_size(const char *bytes, size_t size, const char *what, uint64_t *units,
              struct tdk_err *err)
{
    uint64_t value = 0;
    bool negative = false;
    int rc = limited(bytes, size, what, UINT64_MAX - 1, &value, &negative, err);
    if (rc == 0 && negative && value != 0)
        return err_say(err, TDK_EVALUE, "%s: is negative", what);
    if (rc == 0)
        *units = value;
    return rc;
}
