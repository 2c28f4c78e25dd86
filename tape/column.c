/* column.c - writing a column. */
#include "tape/column.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

#define OUTLIER_SIZE (sizeof(uint16_t) + sizeof(uint64_t))

static uint64_t zigzag(uint64_t x)
{
    return x << 1 ^ (uint64_t)((int64_t)x >> 63);
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

/* A way to store the column: what is subtracted from the values. */
struct way {
    uint8_t mode;
    uint8_t ref;
    const uint64_t *values; /* of the field that is subtracted; NULL: none */
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

/* The lowest value, so that nothing is negative after it is subtracted. */
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

/* What divides all of them. "Undefined" values and the like are so far away that they are
 * ignored. */
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

/* The value in the form in which it is stored. False: it cannot be divided, and becomes an
 * outlier. */
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

/* The bits that a sample of the column would need. The way with the fewest wins. */
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

/* ---- how the values are laid down ---- */

/* The head, and how many bytes its values and outliers take. */
struct shape {
    struct column_head head;
    size_t size;
    unsigned bits_max; /* a value that needs more is an outlier */
};

/* Find the bytes per value for which values and outliers together take the fewest bytes. */
static struct shape in_planes(const uint32_t counts[66], uint32_t count)
{
    struct shape best = {.size = SIZE_MAX};
    uint32_t outliers = counts[65];
    for (unsigned bits = 64 + 1; bits-- > 0; outliers += counts[bits]) {
        size_t size = (size_t)count * (bits / 8) + outliers * OUTLIER_SIZE;
        if (bits % 8 == 0 && size <= best.size)
            best = (struct shape){{.width = (uint8_t)(bits / 8)}, size, bits};
    }
    return best;
}

/* The same in bits. */
static struct shape in_bits(const uint32_t counts[66], uint32_t count)
{
    struct shape best = {.size = SIZE_MAX};
    uint32_t outliers = counts[65];
    for (unsigned bits = 64; bits > 0; outliers += counts[bits--]) {
        size_t size = ((size_t)count * bits + 7) / 8 + outliers * OUTLIER_SIZE;
        if (bits <= COLUMN_BITS_MAX && size <= best.size)
            best = (struct shape){{.bits = (uint8_t)bits}, size, bits};
    }
    return best;
}

/* Find the distinct stored values, and for each value its place among them. 0: there are too
 * many. */
static uint32_t find_table(struct column_scratch *scratch, uint32_t count)
{
    enum { SLOTS = 1024 };
    uint16_t slots[SLOTS] = {0}; /* 1 + place in the table */
    uint32_t entries = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t x = scratch->best[i];
        scratch->index[i] = 0;
        if (!scratch->divides[i] || x > UINT32_MAX)
            continue;
        uint32_t slot = (uint32_t)x * UINT32_C(0x9e3779b1) >> 22;
        while (slots[slot] != 0 && scratch->table[slots[slot] - 1] != x)
            slot = (slot + 1) % SLOTS;
        if (slots[slot] == 0) {
            if (entries == COLUMN_TABLE_MAX)
                return 0;
            scratch->table[entries++] = (uint32_t)x;
            slots[slot] = (uint16_t)entries;
        }
        scratch->index[i] = (uint8_t)(slots[slot] - 1);
    }
    return entries;
}

static struct shape in_table(struct column_scratch *scratch, const uint32_t counts[66],
                             uint32_t count)
{
    struct shape shape = {.head = {.mode = COLUMN_TABLE}, .size = SIZE_MAX, .bits_max = 32};
    uint32_t entries = find_table(scratch, count), outliers = counts[65], highest = 1;
    if (entries < 2)
        return shape;
    for (unsigned bits = 33; bits <= 64; bits++)
        outliers += counts[bits];
    for (uint32_t i = 0; i < entries; i++)
        highest |= scratch->table[i];
    shape.head.width = (uint8_t)((bits_of(highest) + 7) / 8);
    shape.head.bits = (uint8_t)bits_of(entries - 1);
    shape.head.entries = (uint16_t)entries;
    shape.size = (size_t)entries * shape.head.width + ((size_t)count * shape.head.bits + 7) / 8 +
                 outliers * OUTLIER_SIZE;
    return shape;
}

static struct shape smaller(struct shape a, struct shape b)
{
    return b.size < a.size ? b : a;
}

/* Compute what `way` leaves of the values, into the scratch. counts: by bits; 65: cannot be
 * divided. */
static void measure(struct column_scratch *scratch, const struct source *source, struct way *way,
                    uint32_t counts[66])
{
    memset(counts, 0, 66 * sizeof *counts);
    take_away(source, way, source->count, scratch->left);
    way->scale = common_divisor(scratch->left, source->count);
    for (uint32_t i = 0; i < source->count; i++) {
        scratch->divides[i] = small_of(way, scratch->left[i], &scratch->best[i]);
        counts[scratch->divides[i] ? bits_of(scratch->best[i]) : 65]++;
    }
}

/* The best form for what was measured, in planes or not. */
static struct shape in_any(struct column_scratch *scratch, const uint32_t counts[66],
                           uint32_t count)
{
    struct shape shape = smaller(in_planes(counts, count), in_bits(counts, count));
    if (shape.size <= count / 8) /* a place in a table takes at least one bit */
        return shape;
    return smaller(shape, in_table(scratch, counts, count));
}

/* ---- laying them down ---- */

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

/* First the places, then what is left there, undivided. Among the values outliers are stored as
 * 0. */
static unsigned char *write_outliers(struct column_scratch *scratch, uint32_t count,
                                     struct shape *shape, unsigned char *out)
{
    unsigned char *places = out;
    for (uint32_t i = 0; i < count; i++)
        if (!scratch->divides[i] || bits_of(scratch->best[i]) > shape->bits_max) {
            store_u16(out, (uint16_t)i);
            out += sizeof(uint16_t);
            shape->head.outliers++;
        }
    for (uint32_t k = 0; k < shape->head.outliers; k++) {
        uint16_t i = load_u16(places + k * sizeof(uint16_t));
        store_u64(out, scratch->left[i]);
        out += sizeof(uint64_t);
        scratch->best[i] = 0;
    }
    return out;
}

static unsigned char *lay_planes(const uint64_t *small, uint32_t count, uint8_t width,
                                 unsigned char *out)
{
    for (uint8_t plane = 0; plane < width; plane++)
        for (uint32_t i = 0; i < count; i++)
            *out++ = (unsigned char)(small[i] >> 8 * plane);
    return out;
}

/* One after the other, low bits first. */
static unsigned char *lay_bits(const uint64_t *small, const uint8_t *index, uint32_t count,
                               unsigned bits, unsigned char *out)
{
    uint64_t held = 0;
    unsigned have = 0;
    for (uint32_t i = 0; i < count; i++) {
        held |= (index != NULL ? index[i] : small[i]) << have;
        for (have += bits; have >= 8; have -= 8, held >>= 8)
            *out++ = (unsigned char)held;
    }
    if (have > 0)
        *out++ = (unsigned char)held;
    return out;
}

static unsigned char *lay_values(const struct column_scratch *scratch, uint32_t count,
                                 const struct column_head *head, unsigned char *out)
{
    if (head->bits == 0)
        return lay_planes(scratch->best, count, head->width, out);
    for (uint32_t i = 0; i < head->entries; i++, out += head->width)
        memcpy(out, &scratch->table[i], head->width);
    return lay_bits(scratch->best, head->entries != 0 ? scratch->index : NULL, count, head->bits,
                    out);
}

/* Write what was measured of `way`. The scratch is unchanged afterwards. */
static size_t lay_down(struct column_scratch *scratch, const struct source *source,
                       const struct way *way, struct shape *shape, unsigned char *out)
{
    shape->head.mode |= (uint8_t)(way->mode | (way->base != 0 ? COLUMN_BASE : 0) |
                                  (way->scale != 1 ? COLUMN_SCALE : 0));
    shape->head.ref = way->ref;
    unsigned char *places = write_head(&shape->head, way, out);
    unsigned char *at = write_outliers(scratch, source->count, shape, places);
    memcpy(out, &shape->head, sizeof shape->head); /* now the number of outliers is known */
    at = lay_values(scratch, source->count, &shape->head, at);
    for (uint32_t k = 0; k < shape->head.outliers; k++) {
        uint16_t i = load_u16(places + k * sizeof(uint16_t));
        small_of(way, scratch->left[i], &scratch->best[i]);
    }
    return (size_t)(at - out);
}

/* A few distinct values are best stored as they are. Afterwards the scratch holds what belongs to
 * `way`. */
static struct shape try_plain(struct column_scratch *scratch, const struct source *source,
                              struct way *way, struct shape shape)
{
    struct way plain = {.ref = COLUMN_NO_REF};
    uint32_t counts[66];
    if (shape.size == 0 || (way->mode == 0 && way->values == NULL))
        return shape;
    plain.base = lowest(source, &plain, source->count);
    measure(scratch, source, &plain, counts);
    struct shape other = in_any(scratch, counts, source->count);
    if (other.size < shape.size) {
        *way = plain;
        return other;
    }
    measure(scratch, source, way, counts);
    return shape.head.entries == 0 ? shape : in_any(scratch, counts, source->count);
}

struct column_sizes column_write(struct column_scratch *scratch, const uint64_t *values,
                                 uint32_t count, uint8_t size, const struct column_ref *refs,
                                 size_t ref_count, const struct column_strands *strands,
                                 unsigned char *planes, unsigned char *bits)
{
    struct source source = {values, count, size, strands};
    uint32_t counts[66];
    assert(count > 0 && count <= COLUMN_TICKS_MAX);
    struct way way = choose(&source, refs, ref_count, scratch->left);
    if (way.mode == 0)
        way.base = lowest(&source, &way, count);
    measure(scratch, &source, &way, counts);
    struct shape shape = in_planes(counts, count);
    struct column_sizes sizes = {.planes = lay_down(scratch, &source, &way, &shape, planes)};
    if (bits == NULL)
        return sizes;
    shape = try_plain(scratch, &source, &way, in_any(scratch, counts, count));
    sizes.bits = lay_down(scratch, &source, &way, &shape, bits);
    return sizes;
}
