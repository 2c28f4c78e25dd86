/* Ticks as columns: what is copied where, what counts as no value, and when a sheet is full. */
#include "tests/support/check.h"

#include <string.h>

#include "formats/flat.h"
#include "formats/sheet.h"

/* An mbo record in its frame. */
struct tick {
    struct tdk_frame frame;
    struct tdk_dbn_mbo record;
};

static struct tick tick_of(uint64_t seq, int64_t price, uint64_t ts_event, char side)
{
    return (struct tick){
        .frame = {.size = sizeof(struct tdk_dbn_mbo), .type = TDK_TYPE_DBN, .seq = seq, .ts = seq},
        .record = {.head = {.length = 14, .rtype = TDK_RTYPE_MBO, .ts_event = ts_event},
                   .price = price,
                   .side = side},
    };
}

static struct sheet *open_mbo(const struct sheet_options *options)
{
    struct sheet *sheet = NULL;
    const struct dbn_layout *layout = dbn_layout_of_version(TDK_TYPE_DBN, TDK_RTYPE_MBO, 3);
    assert_int_equal(sheet_open(&sheet, layout, options, NULL), 0);
    return sheet;
}

static const struct sheet_column *column_of(const struct sheet *sheet, const char *name)
{
    for (size_t i = 0; i < sheet->column_count; i++)
        if (strcmp(sheet->columns[i].name, name) == 0)
            return &sheet->columns[i];
    fail_msg("no column %s", name);
    return NULL;
}

static size_t put(struct sheet *sheet, const struct tick *ticks, size_t count)
{
    const struct tdk_frame *frames[16];
    assert_true(count <= 16);
    for (size_t i = 0; i < count; i++)
        frames[i] = &ticks[i].frame;
    return sheet_put(
        sheet, &(struct sheet_part){.frames = frames, .count = count, .track = "a", .epoch = 5});
}

static void what_is_undefined_has_no_bit_and_is_zero(void **state)
{
    (void)state;
    struct sheet *sheet = open_mbo(&(struct sheet_options){.envelope = true});
    struct tick ticks[] = {
        tick_of(1, -7, 100, 'A'),
        tick_of(2, TDK_PRICE_UNDEFINED, TDK_TS_UNDEFINED, '\0'),
        tick_of(3, INT64_MIN, (uint64_t)INT64_MAX + 1, 'B'), /* a time past 2262 */
        tick_of(4, 0, 0, 'N'),
    };
    assert_int_equal(put(sheet, ticks, 4), 4);
    assert_int_equal(sheet_seal(sheet, NULL), 0);
    const struct sheet_column *price = column_of(sheet, "price"), *side = column_of(sheet, "side"),
                              *time = column_of(sheet, "ts_event"), *seq = column_of(sheet, "seq");
    static const int64_t prices[] = {-7, 0, INT64_MIN, 0};
    assert_memory_equal(price->values, prices, sizeof prices);
    assert_int_equal(price->valid[0], 0x0D);
    assert_memory_equal(side->values, "A\0BN", 4);
    assert_int_equal(side->nulls, 1);
    assert_int_equal(time->valid[0], 0x09);
    assert_int_equal(time->nulls, 2);
    assert_int_equal(sheet->late, 1);
    assert_int_equal(seq->nulls, 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(((const uint64_t *)seq->values)[i], i + 1);
        assert_int_equal(((const uint64_t *)column_of(sheet, "epoch")->values)[i], 5);
    }
    assert_int_equal(seq->nulls, 0);
    assert_int_equal(column_of(sheet, "track")->names.count, 1);
    sheet_close(sheet);
}

static void a_full_sheet_takes_no_more(void **state)
{
    (void)state;
    struct sheet *sheet = open_mbo(&(struct sheet_options){.envelope = false});
    struct tick ticks[16];
    for (size_t i = 0; i < 16; i++)
        ticks[i] = tick_of(i, (int64_t)i, i, 'A');
    assert_int_equal(sheet->rows_max, SHEET_ROWS);
    for (size_t i = 0; i < SHEET_ROWS / 16 - 1; i++)
        assert_int_equal(put(sheet, ticks, 16), 16);
    assert_int_equal(put(sheet, ticks, 5), 5);
    assert_false(sheet_is_full(sheet));
    assert_int_equal(put(sheet, ticks, 16), 11);
    assert_true(sheet_is_full(sheet));
    assert_int_equal(put(sheet, ticks, 16), 0);
    sheet_clear(sheet);
    assert_int_equal(put(sheet, ticks, 16), 16);
    sheet_close(sheet);
}

static void a_decimal_has_eighteen_digits(void **state)
{
    (void)state;
    static const struct {
        int64_t price;
        int rc;
    } cases[] = {{SHEET_DECIMAL_MAX, 0},
                 {-SHEET_DECIMAL_MAX, 0},
                 {SHEET_DECIMAL_MAX + 1, TDK_EFORMAT},
                 {-SHEET_DECIMAL_MAX - 1, TDK_EFORMAT},
                 {INT64_MIN, TDK_EFORMAT},
                 {TDK_PRICE_UNDEFINED, 0}};
    for (size_t i = 0; i < array_size(cases); i++) {
        struct sheet *sheet = open_mbo(&(struct sheet_options){.decimal = true});
        struct tick tick = tick_of(1, cases[i].price, 1, 'A');
        put(sheet, &tick, 1);
        assert_int_equal(sheet_seal(sheet, NULL), cases[i].rc);
        sheet_close(sheet);
    }
}

static void a_char_is_always_text(void **state)
{
    (void)state;
    char text[SHEET_CHAR_MAX];
    assert_int_equal(sheet_char(text, 'A'), 1);
    assert_int_equal(text[0], 'A');
    assert_int_equal(sheet_char(text, 0xFF), 4);
    assert_memory_equal(text, "\\xff", 4);
}

/* ---- FlatBuffers: a table read back by the format's text ---- */

static const char *follow(const char *at)
{
    return at + load_u32(at);
}

/* NULL: the table does not have the field. */
static const char *field_of(const char *table, unsigned field)
{
    const char *list = table - (int32_t)load_u32(table);
    uint16_t size = load_u16(list), at = 0;
    if (4 + 2 * field < size)
        at = load_u16(list + 4 + (size_t)2 * field);
    return at == 0 ? NULL : table + at;
}

static void a_table_is_found_from_the_front(void **state)
{
    (void)state;
    struct flat flat = {.size = 0};
    static const int64_t pairs[][2] = {{1, -2}, {3, 4}};
    size_t size;
    for (int turn = 0; turn < 2; turn++) { /* the second time in used memory */
        flat_clear(&flat);
        uint32_t name = flat_string(&flat, "odd"), list = flat_pairs(&flat, pairs, 2);
        uint32_t names = flat_places(&flat, &name, 1);
        flat_begin(&flat);
        flat_number(&flat, 4, -9, 8);
        flat_number(&flat, 1, 7, 1);
        flat_place(&flat, 2, list);
        flat_place(&flat, 0, names);
        const char *bytes = flat_finish(&flat, flat_end(&flat), &size);
        assert_non_null(bytes);
        assert_int_equal(size % 8, 0);
        const char *table = follow(bytes);
        assert_int_equal(load_i64(field_of(table, 4)), -9);
        assert_int_equal(*field_of(table, 1), 7);
        assert_null(field_of(table, 3));
        assert_null(field_of(table, 7));
        const char *found = follow(field_of(table, 2));
        assert_int_equal(load_u32(found), 2);
        assert_memory_equal(found + 4, pairs, sizeof pairs);
        assert_int_equal((size_t)(found + 4 - bytes) % 8, 0);
        const char *string = follow(follow(field_of(table, 0)) + 4);
        assert_int_equal(load_u32(string), 3);
        assert_string_equal(string + 4, "odd");
    }
    flat_close(&flat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_undefined_has_no_bit_and_is_zero),
        cmocka_unit_test(a_full_sheet_takes_no_more),
        cmocka_unit_test(a_decimal_has_eighteen_digits),
        cmocka_unit_test(a_char_is_always_text),
        cmocka_unit_test(a_table_is_found_from_the_front),
    };
    return cmocka_run_group_tests_name("formats.sheet", tests, NULL, NULL);
}
