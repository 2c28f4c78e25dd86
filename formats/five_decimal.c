#include <errno.h>
#include <stdbool.h>

#include "formats/five.h"

#define PLACES 9

/* A JSON number taken apart: [-]digits[.digits][e[+-]digits], no zero in front of other digits. */
struct number {
    const char *whole, *fraction;
    size_t whole_size, fraction_size;
    int exponent; /* cut at +-EXPONENT_MAX, where the answer is no other */
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

int five_decimal(const char *bytes, size_t size, uint64_t *units, bool *negative)
{
    struct number n;
    if (!read_number(bytes, bytes + size, &n))
        return TDK_EVALUE;
    /* The place of each digit, in units: 10^place. Those below a unit have to be zeros. */
    int64_t place = (int64_t)n.whole_size - 1 + n.exponent + PLACES;
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
