#include "base/digits.h"

#include <string.h>

#include "base/clock.h"
#include "base/zone.h"

static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

static inline char *put_2(char *at, uint32_t value)
{
    memcpy(at, pairs + (size_t)value * 2, 2);
    return at + 2;
}

static inline char *put_4(char *at, uint32_t value)
{
    at = put_2(at, value / 100);
    return put_2(at, value % 100);
}

static inline char *put_8(char *at, uint32_t value)
{
    at = put_4(at, value / 10000);
    return put_4(at, value % 10000);
}

static inline char *put_9(char *at, uint32_t value)
{
    *at = (char)('0' + value / 100000000);
    return put_8(at + 1, value % 100000000);
}

/* Below 10,000, without zeros in front. */
static inline char *put_up_to_4(char *at, uint32_t value)
{
    if (value >= 1000)
        return put_4(at, value);
    if (value >= 100) {
        *at = (char)('0' + value / 100);
        return put_2(at + 1, value % 100);
    }
    if (value >= 10)
        return put_2(at, value);
    *at = (char)('0' + value);
    return at + 1;
}

/* Below 100,000,000, without zeros in front. */
static inline char *put_up_to_8(char *at, uint32_t value)
{
    if (value < 10000)
        return put_up_to_4(at, value);
    at = put_up_to_4(at, value / 10000);
    return put_4(at, value % 10000);
}

/* Eight digits at a time: one division by a constant for eight places, the rest in 32 bits. */
char *digits_u64(char *at, uint64_t value)
{
    const uint64_t e8 = 100000000;
    if (value < e8)
        return put_up_to_8(at, (uint32_t)value);
    uint64_t high = value / e8;
    uint32_t low = (uint32_t)(value % e8);
    if (high < e8) {
        at = put_up_to_8(at, (uint32_t)high);
    } else {
        at = put_up_to_4(at, (uint32_t)(high / e8)); /* 2^64 has 20 digits: at most four here */
        at = put_8(at, (uint32_t)(high % e8));
    }
    return put_8(at, low);
}

/* Writes the sign; the magnitude of INT64_MIN fits a u64. */
static inline uint64_t put_sign(char **at, int64_t value)
{
    if (value >= 0)
        return (uint64_t)value;
    *(*at)++ = '-';
    return 0 - (uint64_t)value;
}

char *digits_i64(char *at, int64_t value)
{
    uint64_t magnitude = put_sign(&at, value);
    return digits_u64(at, magnitude);
}

char *digits_nano_u64(char *at, uint64_t value)
{
    at = digits_u64(at, value / NS_PER_S);
    *at++ = '.';
    return put_9(at, (uint32_t)(value % NS_PER_S));
}

char *digits_nano(char *at, int64_t value)
{
    uint64_t magnitude = put_sign(&at, value);
    return digits_nano_u64(at, magnitude);
}

char *digits_short_u64(char *at, uint64_t value)
{
    uint32_t fraction = (uint32_t)(value % NS_PER_S);
    if (fraction == 0)
        return digits_u64(at, value / NS_PER_S);
    at = digits_nano_u64(at, value);
    while (at[-1] == '0')
        at--;
    return at;
}

char *digits_short(char *at, int64_t value)
{
    uint64_t magnitude = put_sign(&at, value);
    return digits_short_u64(at, magnitude);
}

char *digits_time(char *at, uint64_t ns)
{
    struct civil c;
    civil_from_utc((int64_t)(ns / NS_PER_S), &c);
    at = put_4(at, (uint32_t)c.year); /* a u64 of ns ends in 2554 */
    *at++ = '-';
    at = put_2(at, (uint32_t)c.month);
    *at++ = '-';
    at = put_2(at, (uint32_t)c.day);
    *at++ = 'T';
    at = put_2(at, (uint32_t)c.hour);
    *at++ = ':';
    at = put_2(at, (uint32_t)c.minute);
    *at++ = ':';
    at = put_2(at, (uint32_t)c.second);
    *at++ = '.';
    at = put_9(at, (uint32_t)(ns % NS_PER_S));
    *at++ = 'Z';
    return at;
}

bool digits_read_u32(const char *text, size_t size, uint32_t *value)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text[i] - '0');
        if (number > UINT32_MAX)
            return false;
    }
    if (size > 0)
        *value = (uint32_t)number;
    return size > 0;
}
