#include "formats/parquet_values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "formats/parquet_delta.h"
#include "formats/thrift.h"

#define SLOTS       65536u
#define ENTRIES_MAX 16384u /* if there are more different numbers, there is no dictionary */

int parquet_values_init(struct parquet_values *v)
{
    *v = (struct parquet_values){.encoding = PARQUET_PLAIN};
    v->present = malloc(SHEET_ROWS * sizeof(uint64_t));
    v->indices = malloc(SHEET_ROWS * sizeof *v->indices);
    v->slots = malloc(SLOTS * sizeof *v->slots);
    v->entries = malloc(SLOTS * sizeof *v->entries);
    bool all = v->present != NULL && v->indices != NULL && v->slots != NULL && v->entries != NULL;
    return all ? 0 : -ENOMEM;
}

void parquet_values_close(struct parquet_values *v)
{
    text_close(&v->page);
    text_close(&v->dictionary);
    free(v->present);
    free(v->indices);
    free(v->slots);
    free(v->entries);
    *v = (struct parquet_values){.encoding = PARQUET_PLAIN};
}

/* ---- levels: 1 where there is a value ---- */

/* Add a run of `count` equal numbers of one byte. */
static void add_run(struct text_buffer *out, size_t count, char number)
{
    thrift_varint(out, (uint64_t)count << 1);
    text_add_char(out, number);
}

/* Add the head of bit-packed numbers, which come in groups of eight. */
static void add_groups(struct text_buffer *out, size_t count)
{
    thrift_varint(out, (uint64_t)(count + 7) / 8 << 1 | 1);
}

static void add_levels(struct text_buffer *out, const struct sheet_column *column, size_t count)
{
    size_t begin = out->size;
    text_add(out, "\0\0\0\0", 4); /* room for the size */
    if (column->nulls == 0) {
        add_run(out, count, 1);
    } else {
        add_groups(out, count);
        text_add(out, column->valid, (count + 7) / 8);
    }
    if (text_error(out) == 0)
        store_u32(out->bytes + begin, (uint32_t)(out->size - begin - 4));
}

/* ---- values without the nulls between them ---- */

static inline void pick(char *to, const struct sheet_column *column, size_t count, size_t width)
{
    const char *from = column->values;
    for (size_t i = 0; i < count; i++) {
        memcpy(to, from + i * width, width); /* overwritten by the next one if it is null */
        to += (column->valid[i / 8] >> i % 8 & 1) != 0 ? width : 0;
    }
}

static const void *present(struct parquet_values *v, const struct sheet_column *column,
                           size_t count)
{
    if (column->nulls == 0)
        return column->values;
    if (column->width == 1)
        pick(v->present, column, count, 1);
    else if (column->width == 4)
        pick(v->present, column, count, 4);
    else
        pick(v->present, column, count, 8);
    return v->present;
}

/* ---- the numbers behind a dictionary ---- */

static inline void narrow_2(char *to, const uint16_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = (char)from[i];
}

static inline void narrow_4(char *to, const uint32_t *from, size_t count, size_t width)
{
    for (size_t i = 0; i < count; i++)
        memcpy(to + i * width, &from[i], width);
}

/* Add numbers of `width` bytes from `from`, in as few whole bytes as they need. */
static void add_indices(struct parquet_values *v, const void *from, size_t width, size_t count)
{
    struct text_buffer *out = &v->page;
    v->encoding = PARQUET_DICTIONARY;
    if (v->dictionary_count == 1) {
        text_add_char(out, 1); /* bits of a number */
        add_run(out, count, 0);
        return;
    }
    size_t wanted = v->dictionary_count <= 256 ? 1 : v->dictionary_count <= 65536 ? 2 : 4;
    text_add_char(out, (char)(wanted * 8));
    add_groups(out, count);
    size_t padded = (count + 7) / 8 * 8 * wanted;
    char *to = text_reserve(out, padded);
    if (to == NULL)
        return;
    if (wanted == width)
        memcpy(to, from, count * width);
    else if (width == 2)
        narrow_2(to, from, count);
    else if (wanted == 1)
        narrow_4(to, from, count, 1);
    else
        narrow_4(to, from, count, 2);
    memset(to + count * wanted, 0, padded - count * wanted);
    text_wrote(out, to + padded);
}

/* ---- numbers ---- */

static bool is_signed(enum sheet_type type)
{
    return type == SHEET_I8 || type == SHEET_I16 || type == SHEET_I32 || type == SHEET_I64 ||
           type == SHEET_PRICE || type == SHEET_TIME;
}

/* The value in the width that Parquet has it in, 4 or 8 bytes, with the sign extended. */
static uint64_t widened(enum sheet_type type, uint64_t raw)
{
    if (type == SHEET_I8)
        return (uint64_t)(int64_t)(int8_t)raw;
    if (type == SHEET_I16)
        return (uint64_t)(int64_t)(int16_t)raw;
    if (type == SHEET_I32)
        return (uint64_t)(int64_t)(int32_t)raw;
    return raw;
}

static void set_bounds(struct parquet_values *v, size_t width, uint64_t min, uint64_t max)
{
    v->bounded = true;
    v->min.size = v->max.size = width;
    memcpy(v->min.bytes, &min, width);
    memcpy(v->max.bytes, &max, width);
}

/* Inverting the sign bit turns the order of signed numbers into that of unsigned ones, and back. */
static inline void bounds_8(struct parquet_values *v, const uint64_t *values, size_t count,
                            uint64_t turn)
{
    int64_t min = INT64_MAX, max = INT64_MIN;
    for (size_t i = 0; i < count; i++) {
        int64_t value = (int64_t)(values[i] ^ turn);
        min = value < min ? value : min;
        max = value > max ? value : max;
    }
    set_bounds(v, 8, (uint64_t)min ^ turn, (uint64_t)max ^ turn);
}

static inline void bounds_4(struct parquet_values *v, const uint32_t *values, size_t count,
                            uint32_t turn)
{
    int32_t min = INT32_MAX, max = INT32_MIN;
    for (size_t i = 0; i < count; i++) {
        int32_t value = (int32_t)(values[i] ^ turn);
        min = value < min ? value : min;
        max = value > max ? value : max;
    }
    set_bounds(v, 4, (uint32_t)min ^ turn, (uint32_t)max ^ turn);
}

static void find_bounds(struct parquet_values *v, enum sheet_type type, const void *values,
                        size_t count, size_t width)
{
    if (width == 8)
        bounds_8(v, values, count, is_signed(type) ? 0 : UINT64_C(1) << 63);
    else
        bounds_4(v, values, count, is_signed(type) ? 0 : UINT32_C(1) << 31);
}

static void add_number_entries(struct parquet_values *v, enum sheet_type type, size_t width)
{
    char *to = text_reserve(&v->dictionary, v->dictionary_count * width);
    if (to == NULL)
        return;
    for (size_t i = 0; i < v->dictionary_count; i++) {
        uint64_t value = widened(type, v->entries[i]);
        memcpy(to + i * width, &value, width);
    }
    text_wrote(&v->dictionary, to + v->dictionary_count * width);
    find_bounds(v, type, v->dictionary.bytes, v->dictionary_count, width);
}

/* ---- one or two bytes: a table of all there can be ---- */

static inline void number_all(struct parquet_values *v, const void *values, size_t count,
                              size_t width)
{
    size_t possible = (size_t)1 << 8 * width;
    memset(v->slots, 0, possible * sizeof *v->slots);
    for (size_t i = 0; i < count; i++)
        v->slots[width == 1 ? ((const uint8_t *)values)[i] : ((const uint16_t *)values)[i]] = 1;
    for (size_t value = 0; value < possible; value++) {
        if (v->slots[value] == 0)
            continue;
        v->slots[value] = (uint16_t)v->dictionary_count;
        v->entries[v->dictionary_count++] = value;
    }
    for (size_t i = 0; i < count; i++)
        v->indices[i] =
            v->slots[width == 1 ? ((const uint8_t *)values)[i] : ((const uint16_t *)values)[i]];
}

static void make_small(struct parquet_values *v, enum sheet_type type, const void *values,
                       size_t count, size_t width)
{
    if (width == 1)
        number_all(v, values, count, 1);
    else
        number_all(v, values, count, 2);
    if (type != SHEET_CHAR)
        add_number_entries(v, type, 4);
    add_indices(v, v->indices, sizeof *v->indices, count);
}

static void make_chars(struct parquet_values *v, const void *values, size_t count)
{
    make_small(v, SHEET_CHAR, values, count, 1);
    for (size_t i = 0; i < v->dictionary_count; i++) {
        char text[4 + SHEET_CHAR_MAX];
        size_t size = sheet_char(text + 4, (uint8_t)v->entries[i]);
        store_u32(text, (uint32_t)size);
        text_add(&v->dictionary, text, 4 + size);
    }
}

/* ---- four or eight bytes: a dictionary while it pays ---- */

/* Are this many different values among the first `count` too many to go on? */
static bool too_many(size_t entries, size_t count)
{
    return entries > count / 8 + 256 || entries > ENTRIES_MAX - 1024;
}

static inline uint64_t load_number(const void *values, size_t i, size_t width)
{
    return width == 8 ? ((const uint64_t *)values)[i] : ((const uint32_t *)values)[i];
}

/* Number the values. A slot holds an entry's number + 1; at most a quarter of the slots are used.
 * False: a dictionary does not pay. */
static inline bool number_some(struct parquet_values *v, const void *values, size_t count,
                               size_t width)
{
    uint64_t before = ~load_number(values, 0, width);
    uint16_t index = 0;
    size_t entries = 0;
    memset(v->slots, 0, SLOTS * sizeof *v->slots);
    for (size_t i = 0; i < count; i++) {
        uint64_t value = load_number(values, i, width);
        if (value != before) {
            size_t at = (size_t)(value * UINT64_C(0x9E3779B97F4A7C15) >> 48);
            while (v->slots[at] != 0 && v->entries[v->slots[at] - 1] != value)
                at = (at + 1) % SLOTS;
            if (v->slots[at] == 0) {
                v->entries[entries++] = value;
                v->slots[at] = (uint16_t)entries;
            }
            index = (uint16_t)(v->slots[at] - 1);
            before = value;
        }
        v->indices[i] = index;
        if (i % 1024 == 1023 && too_many(entries, i))
            return false;
    }
    v->dictionary_count = entries;
    return true;
}

static void make_numbers(struct parquet_values *v, enum sheet_type type, const void *values,
                         size_t count, size_t width)
{
    bool some = width == 8 ? number_some(v, values, count, 8) : number_some(v, values, count, 4);
    if (some) {
        add_number_entries(v, type, width);
        add_indices(v, v->indices, sizeof *v->indices, count);
        return;
    }
    find_bounds(v, type, values, count, width);
    if (parquet_delta(&v->page, values, count, width, count * width / 8 * 7)) {
        v->encoding = PARQUET_DELTA;
        return;
    }
    text_add(&v->page, values, count * width);
}

/* ---- texts ---- */

static int compare(const struct parquet_bound *a, const char *b, size_t size)
{
    int order = memcmp(a->bytes, b, a->size < size ? a->size : size);
    return order != 0 ? order : (a->size > size) - (a->size < size);
}

static void set_bound(struct parquet_bound *bound, const char *text, size_t size)
{
    memcpy(bound->bytes, text, size);
    bound->size = size;
}

static void name_bounds(struct parquet_values *v, const struct sheet_names *names)
{
    v->min.size = v->max.size = 0;
    for (uint32_t i = 0; i < names->count; i++) {
        size_t size;
        const char *text = sheet_names_text(names, i, &size);
        if (size > PARQUET_BOUND_MAX)
            return;
        if (i == 0 || compare(&v->min, text, size) > 0)
            set_bound(&v->min, text, size);
        if (i == 0 || compare(&v->max, text, size) < 0)
            set_bound(&v->max, text, size);
    }
    v->bounded = true;
}

static void make_names(struct parquet_values *v, const struct sheet_names *names,
                       const void *values, size_t count)
{
    for (uint32_t i = 0; i < names->count; i++) {
        size_t size;
        const char *text = sheet_names_text(names, i, &size);
        char head[4];
        store_u32(head, (uint32_t)size);
        text_add(&v->dictionary, head, sizeof head);
        text_add(&v->dictionary, text, size);
    }
    v->dictionary_count = names->count;
    name_bounds(v, names);
    add_indices(v, values, sizeof(uint32_t), count);
}

static void make_bytes(struct parquet_values *v, const struct sheet_column *column, size_t first,
                       size_t count)
{
    const uint32_t *offsets = (const uint32_t *)column->values + first;
    for (size_t i = 0; i < count; i++) {
        char head[4];
        uint32_t size = offsets[i + 1] - offsets[i];
        store_u32(head, size);
        text_add(&v->page, head, sizeof head);
        if (size > 0)
            text_add(&v->page, column->bytes.bytes + offsets[i], size);
    }
}

int parquet_values_make(struct parquet_values *v, const struct sheet_column *column, size_t first,
                        size_t count)
{
    v->encoding = PARQUET_PLAIN;
    v->dictionary_count = 0;
    v->bounded = false;
    text_clear(&v->page);
    text_clear(&v->dictionary);
    if (column->nullable)
        add_levels(&v->page, column, count);
    size_t some = count - column->nulls;
    const void *values = column->type == SHEET_BYTES ? NULL : present(v, column, count);
    if (column->type == SHEET_BYTES)
        make_bytes(v, column, first, count);
    else if (some > 0 && column->type == SHEET_NAME)
        make_names(v, &column->names, values, some);
    else if (some > 0 && column->type == SHEET_CHAR)
        make_chars(v, values, some);
    else if (some > 0 && column->width <= 2)
        make_small(v, column->type, values, some, column->width);
    else if (some > 0)
        make_numbers(v, column->type, values, some, column->width);
    return text_error(&v->page) < 0 || text_error(&v->dictionary) < 0 ? -ENOMEM : 0;
}
