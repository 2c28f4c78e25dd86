#include "tape/column.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "tape/wide.h"

static_assert(sizeof(struct column_head) == 8, "on disk");

#define OUTLIER_SIZE (sizeof(uint16_t) + sizeof(uint64_t))

static uint64_t zigzag(uint64_t x)
{
    return x << 1 ^ (uint64_t)((int64_t)x >> 63);
}

static uint64_t unzigzag(uint64_t x)
{
    return x >> 1 ^ (0 - (x & 1));
}

/* The low `size` bytes as a signed number. */
static uint64_t extend(uint64_t x, uint8_t size)
{
    unsigned shift = 64 - 8 * (unsigned)size;
    return (uint64_t)((int64_t)(x << shift) >> shift);
}

static unsigned bits_of(uint64_t x)
{
    return x == 0 ? 0 : 64 - (unsigned)__builtin_clzll(x);
}

/* ---- writing ---- */

/* What is taken away: a way to tell the column. */
struct way {
    uint8_t mode;
    uint8_t ref;
    const uint64_t *values; /* of the reference; NULL: none */
    uint64_t base, scale;
};

struct source {
    const uint64_t *values;
    uint32_t count;
    uint8_t size;
    const struct column_strands *strands;
};

static uint64_t minus_ref(const struct source *s, const struct way *way, uint32_t i)
{
    uint64_t ref = way->values != NULL ? way->values[i] : 0;
    return extend(s->values[i] - ref, s->size);
}

/* The lowest, so that what is left is never negative; nothing, if it is as good. */
static uint64_t lowest(const struct source *s, const struct way *way, uint32_t count)
{
    int64_t low = INT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        int64_t x = (int64_t)minus_ref(s, way, i);
        if (x < low)
            low = x;
    }
    return (uint64_t)low;
}

/* What is left of the first `count` values, still signed and not divided. */
static void take_away(const struct source *s, const struct way *way, uint32_t count, uint64_t *left)
{
    uint64_t before = way->base;
    uint32_t strand = 1;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t x = minus_ref(s, way, i);
        if ((way->mode & COLUMN_DELTA) == 0) {
            left[i] = x - way->base;
            continue;
        }
        if ((way->mode & COLUMN_CARRIED) == 0 && strand < s->strands->count &&
            s->strands->starts[strand] == i) {
            strand++;
            before = way->base;
        }
        left[i] = x - before;
        before = x;
    }
}

static uint64_t divisor_of(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static uint64_t magnitude(uint64_t x)
{
    return (int64_t)x < 0 ? 0 - x : x;
}

/* What divides all of them; "undefined" and the like are so far away that they do not count. */
static uint64_t common_divisor(const uint64_t *left, uint32_t count)
{
    uint64_t divisor = 0;
    for (uint32_t i = 0; i < count && divisor != 1; i++) {
        uint64_t x = magnitude(left[i]);
        if (x != 0 && x >> 60 == 0 && (divisor == 0 || x % divisor != 0))
            divisor = divisor_of(divisor, x);
    }
    return divisor == 0 ? 1 : divisor;
}

/* As it is laid down. False: it cannot be divided, and is an outlier. */
static bool small_of(const struct way *way, uint64_t left, uint64_t *small)
{
    if (way->scale == 1) {
        *small = (way->mode & COLUMN_ZIGZAG) != 0 ? zigzag(left) : left;
        return true;
    }
    if ((way->mode & COLUMN_ZIGZAG) == 0) {
        *small = left / way->scale;
        return left % way->scale == 0;
    }
    uint64_t x = magnitude(left);
    if (x % way->scale != 0 || x == UINT64_C(1) << 63)
        return false;
    x /= way->scale;
    *small = zigzag((int64_t)left < 0 ? 0 - x : x);
    return true;
}

/* Bits that are left of a sample of the column: the fewest win. */
static uint64_t cost_of(const struct source *s, struct way *way, uint32_t count, uint64_t *left)
{
    take_away(s, way, count, left);
    way->scale = common_divisor(left, count);
    uint64_t bits = 0, small;
    for (uint32_t i = 0; i < count; i++)
        bits += small_of(way, left[i], &small) ? bits_of(small) : 80;
    return bits;
}

/* The best of all ways for the beginning of the column. */
static struct way choose(const struct source *s, const struct column_ref *refs, size_t ref_count,
                         uint64_t *left)
{
    enum { SAMPLE = 256 };
    static const uint8_t modes[] = {0, COLUMN_DELTA | COLUMN_ZIGZAG,
                                    COLUMN_DELTA | COLUMN_CARRIED | COLUMN_ZIGZAG};
    uint32_t count = s->count < SAMPLE ? s->count : SAMPLE;
    struct way best = {.ref = COLUMN_NO_REF};
    uint64_t best_cost = UINT64_MAX;
    for (size_t r = 0; r <= ref_count && best_cost > 0; r++)
        for (size_t m = 0; m < array_size(modes); m++) {
            struct way way = {.mode = modes[m], .ref = COLUMN_NO_REF};
            if (r > 0) {
                way.ref = refs[r - 1].number;
                way.values = refs[r - 1].values;
            }
            way.base = way.mode == 0 ? lowest(s, &way, count) : minus_ref(s, &way, 0);
            uint64_t cost = cost_of(s, &way, count, left);
            if (cost < best_cost) {
                best_cost = cost;
                best = way;
            }
        }
    return best;
}

/* How many bytes each value gets, so that values and outliers together take fewest. */
static uint8_t choose_width(const uint32_t counts[10], uint32_t count)
{
    uint32_t outliers = counts[9];
    uint8_t best = 8;
    size_t best_size = (size_t)count * 8;
    for (uint8_t width = 8; width-- > 0;) {
        outliers += counts[width + 1];
        size_t size = (size_t)count * width + (outliers - counts[9]) * OUTLIER_SIZE;
        if (size <= best_size) {
            best = width;
            best_size = size;
        }
    }
    return best;
}

static void lay_planes(const uint64_t *small, uint32_t count, uint8_t width, unsigned char *out)
{
    for (uint8_t plane = 0; plane < width; plane++)
        for (uint32_t i = 0; i < count; i++)
            *out++ = (unsigned char)(small[i] >> 8 * plane);
}

static unsigned char *write_head(const struct column_head *head, const struct way *way,
                                 unsigned char *out)
{
    memcpy(out, head, sizeof *head);
    out += sizeof *head;
    if ((head->mode & COLUMN_BASE) != 0) {
        store_u64(out, way->base);
        out += sizeof way->base;
    }
    if ((head->mode & COLUMN_SCALE) != 0) {
        store_u64(out, way->scale);
        out += sizeof way->scale;
    }
    return out;
}

/* Outliers keep what is left of them, undivided; in the planes they are 0. */
static unsigned char *write_outliers(const uint64_t *left, uint64_t *small, uint32_t count,
                                     const bool *divides, uint8_t width, struct column_head *head,
                                     unsigned char *out)
{
    unsigned char *places = out;
    for (uint32_t i = 0; i < count; i++)
        if (!divides[i] || bits_of(small[i]) > 8u * width) {
            store_u16(out, (uint16_t)i);
            out += sizeof(uint16_t);
            head->outliers++;
        }
    for (uint32_t k = 0; k < head->outliers; k++) {
        uint16_t i = load_u16(places + k * sizeof(uint16_t));
        store_u64(out, left[i]);
        out += sizeof(uint64_t);
        small[i] = 0;
    }
    return out;
}

size_t column_write(struct column_scratch *scratch, const uint64_t *values, uint32_t count,
                    uint8_t size, const struct column_ref *refs, size_t ref_count,
                    const struct column_strands *strands, unsigned char *out)
{
    struct source source = {values, count, size, strands};
    uint64_t *left = scratch->left, *small = scratch->best;
    bool divides[COLUMN_TICKS_MAX];
    uint32_t counts[10] = {0};
    assert(count > 0 && count <= COLUMN_TICKS_MAX);

    struct way way = choose(&source, refs, ref_count, left);
    if (way.mode == 0)
        way.base = lowest(&source, &way, count);
    take_away(&source, &way, count, left);
    way.scale = common_divisor(left, count);
    for (uint32_t i = 0; i < count; i++) {
        divides[i] = small_of(&way, left[i], &small[i]);
        counts[divides[i] ? (bits_of(small[i]) + 7) / 8 : 9]++;
    }
    struct column_head head = {
        .mode = (uint8_t)(way.mode | (way.base != 0 ? COLUMN_BASE : 0) |
                          (way.scale != 1 ? COLUMN_SCALE : 0)),
        .ref = way.ref,
        .width = choose_width(counts, count),
    };
    unsigned char *at = write_head(&head, &way, out);
    at = write_outliers(left, small, count, divides, head.width, &head, at);
    memcpy(out, &head, sizeof head); /* now that it knows how many */
    lay_planes(small, count, head.width, at);
    return (size_t)(at - out) + (size_t)count * head.width;
}

/* ---- reading ---- */

static size_t extras_of(const struct column_head *head)
{
    return ((head->mode & COLUMN_BASE) != 0 ? 8u : 0u) +
           ((head->mode & COLUMN_SCALE) != 0 ? 8u : 0u);
}

size_t column_check(const unsigned char *bytes, size_t have, uint32_t count,
                    struct column_head *head)
{
    if (have < sizeof *head)
        return 0;
    memcpy(head, bytes, sizeof *head);
    size_t size = sizeof *head + extras_of(head) + head->outliers * OUTLIER_SIZE +
                  (size_t)count * head->width;
    if (head->mode > 31 || head->width > 8 || head->zero != 0 || head->zero2 != 0 ||
        head->outliers > count || size > have)
        return 0;
    const unsigned char *places = bytes + sizeof *head + extras_of(head);
    for (uint32_t k = 0; k < head->outliers; k++)
        if (load_u16(places + k * sizeof(uint16_t)) >= count)
            return 0;
    return size;
}

void column_open(struct column *column, const unsigned char *bytes, const struct column_head *head,
                 uint32_t count)
{
    const unsigned char *at = bytes + sizeof *head;
    *column = (struct column){.head = *head, .count = count, .scale = 1};
    if ((head->mode & COLUMN_BASE) != 0) {
        column->base = load_u64(at);
        at += sizeof column->base;
    }
    if ((head->mode & COLUMN_SCALE) != 0) {
        column->scale = load_u64(at);
        at += sizeof column->scale;
    }
    column->before = column->base;
    column->more = (head->mode & COLUMN_DELTA) == 0 ? column->base : 0;
    column->places = at;
    column->outliers = at + head->outliers * sizeof(uint16_t);
    column->planes = column->outliers + head->outliers * sizeof(uint64_t);
}

/* Up to four planes: numbers of 32 bits, of which twice as many go through a register. */
ALWAYS_INLINE void gather_narrow(const struct column *c, uint32_t begin, uint32_t rows,
                                 uint32_t *narrow)
{
    const unsigned char *p = c->planes + begin, *q = p + c->count, *r = q + c->count,
                        *s = r + c->count;
    if (c->head.width == 1)
        for (uint32_t i = 0; i < rows; i++)
            narrow[i] = p[i];
    else if (c->head.width == 2)
        for (uint32_t i = 0; i < rows; i++)
            narrow[i] = p[i] | (uint32_t)q[i] << 8;
    else if (c->head.width == 3)
        for (uint32_t i = 0; i < rows; i++)
            narrow[i] = p[i] | (uint32_t)q[i] << 8 | (uint32_t)r[i] << 16;
    else
        for (uint32_t i = 0; i < rows; i++)
            narrow[i] = p[i] | (uint32_t)q[i] << 8 | (uint32_t)r[i] << 16 | (uint32_t)s[i] << 24;
}

/* A number of 32 bits times a scale of 31 is one multiplication. */
ALWAYS_INLINE void read_narrow(const struct column *c, uint32_t begin, uint32_t rows,
                               uint64_t *values)
{
    uint32_t narrow[COLUMN_ROWS];
    const uint64_t more = c->more;
    const bool is_small = c->scale <= INT32_MAX;
    const uint32_t scale = is_small ? (uint32_t)c->scale : 1;
    gather_narrow(c, begin, rows, narrow);
    if ((c->head.mode & COLUMN_ZIGZAG) == 0)
        for (uint32_t i = 0; i < rows; i++)
            values[i] = (uint64_t)narrow[i] * scale + more;
    else
        for (uint32_t i = 0; i < rows; i++)
            values[i] = (uint64_t)((int64_t)(int32_t)(narrow[i] >> 1 ^ (0 - (narrow[i] & 1))) *
                                   (int32_t)scale) +
                        more;
    for (uint32_t i = 0; !is_small && i < rows; i++)
        values[i] = (values[i] - more) * c->scale + more;
}

ALWAYS_INLINE void read_long(const struct column *c, uint32_t begin, uint32_t rows,
                             uint64_t *values)
{
    const unsigned char *plane = c->planes + begin;
    for (uint32_t i = 0; i < rows; i++)
        values[i] = plane[i];
    for (unsigned shift = 8; shift < 8u * c->head.width; shift += 8) {
        plane += c->count;
        for (uint32_t i = 0; i < rows; i++)
            values[i] |= (uint64_t)plane[i] << shift;
    }
    for (uint32_t i = 0; (c->head.mode & COLUMN_ZIGZAG) != 0 && i < rows; i++)
        values[i] = unzigzag(values[i]);
    for (uint32_t i = 0; (c->scale != 1 || c->more != 0) && i < rows; i++)
        values[i] = values[i] * c->scale + c->more;
}

ALWAYS_INLINE void read_planes(const struct column *c, uint32_t begin, uint32_t rows,
                               uint64_t *values)
{
    if (c->head.width == 0)
        for (uint32_t i = 0; i < rows; i++)
            values[i] = c->more;
    else if (c->head.width <= 4)
        read_narrow(c, begin, rows, values);
    else
        read_long(c, begin, rows, values);
}

/* The same code twice: the second for wide registers. */
static void read_plain(const struct column *c, uint32_t begin, uint32_t rows, uint64_t *values)
{
    read_planes(c, begin, rows, values);
}

WIDE static void read_wide(const struct column *c, uint32_t begin, uint32_t rows, uint64_t *values)
{
    read_planes(c, begin, rows, values);
}

static void put_outliers(const struct column *c, uint32_t begin, uint32_t end, uint64_t *values)
{
    for (uint32_t k = 0; k < c->head.outliers; k++) {
        uint32_t i = load_u16(c->places + k * sizeof(uint16_t));
        if (i >= begin && i < end)
            values[i - begin] = load_u64(c->outliers + k * sizeof(uint64_t)) + c->more;
    }
}

/* From differences to values. */
static uint64_t add_up(uint64_t *values, uint32_t rows, uint64_t before)
{
    for (uint32_t i = 0; i < rows; i++)
        values[i] = before += values[i];
    return before;
}

static void add_up_strands(struct column *c, uint32_t begin, uint32_t end,
                           const struct column_strands *strands, uint64_t *values)
{
    while (begin < end) {
        if (c->strand < strands->count && strands->starts[c->strand] == begin) {
            c->before = c->base;
            c->strand++;
        }
        uint32_t next = c->strand < strands->count && strands->starts[c->strand] < end
                            ? strands->starts[c->strand]
                            : end;
        c->before = add_up(values, next - begin, c->before);
        values += next - begin;
        begin = next;
    }
}

void column_read(struct column *column, uint32_t begin, uint32_t end,
                 const struct column_strands *strands, uint64_t *values)
{
    const struct column *c = column;
    const uint32_t rows = end - begin;
    if (wide_is_possible())
        read_wide(c, begin, rows, values);
    else
        read_plain(c, begin, rows, values);
    put_outliers(c, begin, end, values);
    if ((c->head.mode & COLUMN_DELTA) == 0)
        return;
    if ((c->head.mode & COLUMN_CARRIED) != 0)
        column->before = add_up(values, rows, c->before);
    else
        add_up_strands(column, begin, end, strands, values);
}
