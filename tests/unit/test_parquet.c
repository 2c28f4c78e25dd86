/* Parquet's own encodings, read back by a decoder that knows only the format. */
#include "tests/support/check.h"

#include <stdio.h>

#include "base/bytes.h"
#include "formats/parquet_delta.h"
#include "formats/sheet_names.h"
#include "formats/thrift.h"
#include "tests/support/dice.h"

/* ---- a decoder of DELTA_BINARY_PACKED, by the format's text ---- */

struct reader {
    const unsigned char *at, *end;
};

static uint64_t read_varint(struct reader *r)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        assert_true(r->at < r->end && shift < 64);
        value |= (uint64_t)(*r->at & 0x7F) << shift;
        if ((*r->at++ & 0x80) == 0)
            return value;
    }
}

static int64_t read_zigzag(struct reader *r)
{
    uint64_t value = read_varint(r);
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static uint64_t read_bits(const unsigned char *bytes, size_t bit, unsigned count)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < count; i++, bit++)
        value |= (uint64_t)(bytes[bit / 8] >> bit % 8 & 1) << i;
    return value;
}

static void decode(const struct text_buffer *text, uint64_t *values, size_t count)
{
    struct reader r = {(const unsigned char *)text->bytes,
                       (const unsigned char *)text->bytes + text->size};
    uint64_t block = read_varint(&r), parts = read_varint(&r);
    assert_int_equal(read_varint(&r), count);
    assert_true(block % 128 == 0 && block / parts % 32 == 0);
    size_t part = (size_t)(block / parts), done = 1;
    values[0] = (uint64_t)read_zigzag(&r);
    while (done < count) {
        uint64_t min = (uint64_t)read_zigzag(&r);
        const unsigned char *widths = r.at;
        r.at += parts;
        for (size_t i = 0; i < parts && done < count; i++) {
            for (size_t j = 0; j < part && done < count; j++, done++)
                values[done] = values[done - 1] + min + read_bits(r.at, j * widths[i], widths[i]);
            r.at += part * widths[i] / 8;
        }
    }
    assert_ptr_equal(r.at, r.end);
}

/* Encode and decode. Each value must come back in the width it went in with. */
static void check_round(const void *values, size_t count, size_t width)
{
    struct text_buffer text;
    uint64_t *back = calloc(count, sizeof *back);
    text_init(&text);
    assert_true(parquet_delta(&text, values, count, width, SIZE_MAX));
    decode(&text, back, count);
    for (size_t i = 0; i < count; i++) {
        if (width == 8)
            assert_int_equal(back[i], ((const uint64_t *)values)[i]);
        else
            assert_int_equal((uint32_t)back[i], ((const uint32_t *)values)[i]);
    }
    text_close(&text);
    free(back);
}

static void numbers_of_any_size_come_back(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 31, 32, 33, 128, 129, 130, 1000};
    struct dice dice = {1};
    uint64_t values[1000];
    uint32_t narrow[1000];
    for (unsigned bits = 0; bits <= 64; bits++) {
        for (size_t i = 0; i < array_size(values); i++) {
            values[i] = bits == 0 ? 7 : dice_next(&dice) >> (64 - bits);
            narrow[i] = (uint32_t)values[i];
        }
        for (size_t i = 0; i < array_size(counts); i++) {
            check_round(values, counts[i], 8);
            check_round(narrow, counts[i], 4);
        }
    }
}

static void differences_may_wrap_around(void **state)
{
    (void)state;
    uint64_t values[200];
    uint32_t narrow[200];
    for (size_t i = 0; i < array_size(values); i++) {
        values[i] = i % 2 == 0 ? (uint64_t)INT64_MIN : (uint64_t)INT64_MAX - i;
        narrow[i] = i % 2 == 0 ? (uint32_t)INT32_MIN : (uint32_t)INT32_MAX - (uint32_t)i;
    }
    check_round(values, array_size(values), 8);
    check_round(narrow, array_size(narrow), 4);
}

static void equal_steps_cost_next_to_nothing(void **state)
{
    (void)state;
    uint64_t values[12800];
    struct text_buffer text;
    text_init(&text);
    for (size_t i = 0; i < array_size(values); i++)
        values[i] = UINT64_C(1700000000000000000) + 1000 * i;
    assert_true(parquet_delta(&text, values, array_size(values), 8, 800));
    text_close(&text);
}

static void one_that_grows_too_long_is_taken_back(void **state)
{
    (void)state;
    struct dice dice = {3};
    uint64_t values[1000];
    struct text_buffer text;
    text_init(&text);
    text_add_string(&text, "before");
    for (size_t i = 0; i < array_size(values); i++)
        values[i] = dice_next(&dice);
    assert_false(parquet_delta(&text, values, array_size(values), 8, 7000));
    assert_int_equal(text.size, 6);
    text_close(&text);
}

/* ---- thrift ---- */

/* By hand, from the compact protocol's text. */
static void a_struct_has_the_protocols_bytes(void **state)
{
    (void)state;
    struct text_buffer text;
    text_init(&text);
    struct thrift t = thrift_begin(&text);
    thrift_i32(&t, 1, -1);
    thrift_i64(&t, 3, 300);
    thrift_bool(&t, 4, true);
    thrift_struct(&t, 5);
    thrift_byte(&t, 1, 8);
    thrift_bool(&t, 2, false);
    thrift_end(&t);
    thrift_string(&t, 30, "ab");
    thrift_list(&t, 31, THRIFT_I32, 2);
    thrift_zigzag(&text, 0);
    thrift_zigzag(&text, 1);
    thrift_list(&t, 32, THRIFT_STRUCT, 15);
    thrift_end(&t);
    static const unsigned char expected[] = {
        0x15, 0x01,                   /* 1: i32 -1 */
        0x26, 0xD8, 0x04,             /* 3: i64 300 */
        0x11,                         /* 4: true */
        0x1C, 0x13, 0x08, 0x12, 0x00, /* 5: {1: byte 8, 2: false} */
        0x08, 0x3C, 0x02, 'a',  'b',  /* 30: too far for a step, so its number follows */
        0x19, 0x25, 0x00, 0x02,       /* 31: two i32 */
        0x19, 0xFC, 0x0F,             /* 32: fifteen structs */
        0x00,
    };
    assert_int_equal(text.size, sizeof expected);
    assert_memory_equal(text.bytes, expected, sizeof expected);
    text_close(&text);
}

/* ---- names ---- */

static void a_name_has_one_number(void **state)
{
    (void)state;
    struct sheet_names names = {.count = 0};
    char text[16];
    for (int turn = 0; turn < 2; turn++) {
        for (uint32_t i = 0; i < 1000; i++) {
            int size = snprintf(text, sizeof text, "%u", i);
            assert_int_equal(sheet_names_add(&names, text, i == 0 ? 0 : (size_t)size), i);
        }
    }
    size_t size;
    assert_int_equal(names.count, 1000);
    assert_memory_equal(sheet_names_text(&names, 999, &size), "999", 3);
    assert_int_equal(size, 3);
    sheet_names_clear(&names);
    assert_int_equal(sheet_names_add(&names, "999", 3), 0);
    assert_int_equal(sheet_names_add(&names, "a\xFF", 2), 1);
    assert_memory_equal(sheet_names_text(&names, 1, &size), "a\xEF\xBF\xBD", 4);
    sheet_names_close(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_any_size_come_back),
        cmocka_unit_test(differences_may_wrap_around),
        cmocka_unit_test(equal_steps_cost_next_to_nothing),
        cmocka_unit_test(one_that_grows_too_long_is_taken_back),
        cmocka_unit_test(a_struct_has_the_protocols_bytes),
        cmocka_unit_test(a_name_has_one_number),
    };
    return cmocka_run_group_tests_name("formats.parquet", tests, NULL, NULL);
}
