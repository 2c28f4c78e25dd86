#include "tests/support/files.h"

#include <errno.h>

#include "formats/dbn.h"
#include "formats/dbn_write.h"

/* ---- layouts and names ---- */

static void every_layout_lies_inside_its_record(void **state)
{
    (void)state;
    for (unsigned type = TDK_TYPE_DBN; type <= TDK_TYPE_WIDE; type++)
        for (unsigned rtype = 0; rtype < 256; rtype++) {
            const struct dbn_layout *l =
                dbn_layout_of_version((uint8_t)type, (uint8_t)rtype, DBN_VERSION_MAX);
            for (; l != NULL; l = l->older) {
                uint8_t record[1024] = {(uint8_t)(l->size / 4), (uint8_t)rtype};
                assert_true(tdk_dbn_check((uint8_t)type, record, l->size));
                assert_ptr_equal(dbn_layout_find((uint8_t)type, (uint8_t)rtype, l->size), l);
                for (size_t i = 0; i < l->count; i++) {
                    assert_true(l->fields[i].offset + l->fields[i].size <= l->size);
                    assert_int_equal(strnlen(l->fields[i].json, DBN_JSON_MAX),
                                     l->fields[i].json_size);
                }
            }
        }
}

/* Whatever passes tdk_dbn_check() has a layout, and nothing else has one. These are two lists of
 * sizes that must agree. */
static void a_record_has_a_layout_if_it_passes_its_check(void **state)
{
    (void)state;
    for (unsigned type = TDK_TYPE_DBN; type <= TDK_TYPE_WIDE; type++)
        for (unsigned rtype = 0; rtype < 256; rtype++)
            for (unsigned length = 4; length < 256; length++) {
                uint8_t record[1024] = {(uint8_t)length, (uint8_t)rtype};
                bool good = tdk_dbn_check((uint8_t)type, record, length * 4);
                assert_int_equal(dbn_layout_find((uint8_t)type, (uint8_t)rtype, length * 4) != NULL,
                                 good);
            }
}

static void layouts_of_the_five_types_that_changed_go_by_version(void **state)
{
    (void)state;
    const struct {
        uint8_t rtype;
        uint16_t sizes[3];
    } cases[] = {
        {TDK_RTYPE_DEFINITION, {360, 400, 520}},    {TDK_RTYPE_STATISTICS, {64, 64, 80}},
        {TDK_RTYPE_SYMBOL_MAPPING, {80, 176, 176}}, {TDK_RTYPE_ERROR, {80, 320, 320}},
        {TDK_RTYPE_SYSTEM, {80, 320, 320}},         {TDK_RTYPE_MBO, {56, 56, 56}},
    };
    for (size_t i = 0; i < array_size(cases); i++)
        for (uint8_t v = 1; v <= 3; v++) {
            const struct dbn_layout *l = dbn_layout_of_version(TDK_TYPE_DBN, cases[i].rtype, v);
            assert_int_equal(l->size, cases[i].sizes[v - 1]);
            assert_true(l->first_version <= v && v <= l->last_version);
        }
}

static void names_go_both_ways(void **state)
{
    (void)state;
    static const char *const schemas[] = {
        "mbo",      "mbp-1",    "mbp-10",     "tbbo",       "trades", "ohlcv-1s",  "ohlcv-1m",
        "ohlcv-1h", "ohlcv-1d", "definition", "statistics", "status", "imbalance", "ohlcv-eod",
        "cmbp-1",   "cbbo-1s",  "cbbo-1m",    "tcbbo",      "bbo-1s", "bbo-1m"};
    uint16_t schema;
    uint8_t rtype;
    for (uint16_t i = 0; i < array_size(schemas); i++) {
        assert_true(dbn_schema_parse(schemas[i], &schema));
        assert_int_equal(schema, i);
        assert_true(dbn_schema_rtype(i, &rtype));
    }
    assert_false(dbn_schema_rtype(array_size(schemas), &rtype));
    assert_false(dbn_schema_rtype(DBN_SCHEMA_MIXED, &rtype));
    assert_false(dbn_schema_parse("mbp-2", &schema));
    assert_int_equal(dbn_rtype_schema(TDK_RTYPE_MBP_1), 1);
    assert_int_equal(dbn_rtype_schema(TDK_RTYPE_SYSTEM), DBN_SCHEMA_MIXED);
    for (unsigned r = 0; r < 256; r++) {
        const char *name = dbn_rtype_name((uint8_t)r);
        if (name == NULL)
            continue;
        assert_true(dbn_rtype_parse(name, &rtype));
        assert_int_equal(rtype, r);
    }
    assert_true(dbn_rtype_parse("tbbo", &rtype));
    assert_int_equal(rtype, TDK_RTYPE_MBP_1);
}

static void the_index_time_is_ts_recv_where_there_is_one(void **state)
{
    (void)state;
    struct tdk_dbn_mbo mbo = {.head = {14, TDK_RTYPE_MBO, 1, 2, 3}, .ts_recv = 4};
    struct tdk_dbn_ohlcv bar = {.head = {14, TDK_RTYPE_OHLCV_1D, 1, 2, 5}};
    assert_int_equal(dbn_index_ts(&mbo, sizeof mbo), 4);
    assert_int_equal(dbn_index_ts(&bar, sizeof bar), 5);
    assert_int_equal(dbn_index_ts(&mbo, 16), 3); /* too short for what its type says */
}

/* ---- metadata ---- */

static const char *const asked[] = {"ESH1", "ESM1"};
static const struct dbn_interval esh1[] = {{20201228, 20210101, "5482"}, {20210101, 20210105, ""}};
static const struct dbn_interval esm1[] = {{20201228, 20201230, "77"},
                                           {20201230, 20210105, "5482"}};
static const struct dbn_mapping mappings[] = {{"ESH1", esh1, 2}, {"ESM1", esm1, 2}};

static struct dbn_metadata example(uint8_t version)
{
    struct dbn_metadata m = {
        .version = version,
        .stype_in = DBN_STYPE_RAW_SYMBOL,
        .stype_out = DBN_STYPE_INSTRUMENT_ID,
        .schema = 0,
        .dataset = "GLBX.MDP3",
        .start = 1609160400000000000,
        .end = 1609200000000000000,
        .limit = 2,
        .symbols = {asked, 2},
        .partial = {asked, 1},
        .mappings = mappings,
        .mapping_count = 2,
    };
    return m;
}

static void metadata_comes_back_from_each_version(void **state)
{
    (void)state;
    for (uint8_t version = 1; version <= 3; version++) {
        struct dbn_metadata in = example(version), out;
        void *bytes;
        size_t size, told;
        assert_int_equal(dbn_metadata_encode(&in, &bytes, &size, NULL), 0);
        assert_int_equal(dbn_metadata_size(bytes, &told, NULL), 0);
        assert_int_equal(told, size);
        assert_true(version < 3 || size % 8 == 0);
        assert_int_equal(dbn_metadata_decode(&out, bytes, size, NULL), 0);
        assert_int_equal(out.version, version);
        assert_int_equal(out.symbol_size, version == 1 ? 22 : 71);
        assert_string_equal(out.dataset, "GLBX.MDP3");
        assert_int_equal(out.start, in.start);
        assert_int_equal(out.end, in.end);
        assert_int_equal(out.limit, 2);
        assert_int_equal(out.stype_in, 1);
        assert_int_equal(out.stype_out, 0);
        assert_int_equal(out.symbols.count, 2);
        assert_string_equal(out.symbols.items[1], "ESM1");
        assert_int_equal(out.partial.count, 1);
        assert_int_equal(out.not_found.count, 0);
        assert_int_equal(out.mapping_count, 2);
        assert_string_equal(out.mappings[1].raw_symbol, "ESM1");
        assert_int_equal(out.mappings[1].intervals[1].start_date, 20201230);
        assert_string_equal(out.mappings[1].intervals[1].symbol, "5482");
        assert_string_equal(out.mappings[0].intervals[1].symbol, "");
        dbn_metadata_close(&out);
        dbn_metadata_close(&out);
        free(bytes);
    }
}

/* Each byte of a small header takes each of a few values. There is an answer every time, no crash
 * and no huge allocation (the sanitizers watch). */
static void metadata_with_any_byte_changed_is_decoded_or_refused(void **state)
{
    (void)state;
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
    for (uint8_t version = 1; version <= 3; version++) {
        struct dbn_metadata in = example(version), out;
        void *bytes;
        size_t size;
        assert_int_equal(dbn_metadata_encode(&in, &bytes, &size, NULL), 0);
        for (size_t i = 0; i < size; i++)
            for (size_t v = 0; v < array_size(values); v++) {
                uint8_t *at = (uint8_t *)bytes + i, kept = *at;
                *at = values[v];
                if (dbn_metadata_decode(&out, bytes, size, NULL) == 0)
                    dbn_metadata_close(&out);
                *at = kept;
            }
        free(bytes);
    }
}

static void metadata_cut_anywhere_is_truncated(void **state)
{
    (void)state;
    struct dbn_metadata in = example(3), out;
    void *bytes;
    size_t size;
    assert_int_equal(dbn_metadata_encode(&in, &bytes, &size, NULL), 0);
    for (size_t cut = 0; cut < size; cut++) {
        void *copy = malloc(cut + 1); /* so that a read too far is seen */
        memcpy(copy, bytes, cut);
        assert_int_equal(dbn_metadata_decode(&out, copy, cut, NULL), TDK_ETRUNCATED);
        free(copy);
    }
    free(bytes);
}

static void counts_that_do_not_fit_are_damage(void **state)
{
    (void)state;
    struct dbn_metadata in = {.version = 3, .schema = 0}, out;
    void *bytes;
    size_t size;
    assert_int_equal(dbn_metadata_encode(&in, &bytes, &size, NULL), 0);
    for (size_t list = 0; list < 4; list++) {
        uint8_t *count = (uint8_t *)bytes + 112 + 4 * list;
        static const uint32_t lies[] = {1, 2, 0x01000000, 0x7fffffff, 0xffffffff};
        for (size_t i = 0; i < array_size(lies); i++) {
            store_u32(count, lies[i]);
            assert_int_equal(dbn_metadata_decode(&out, bytes, size, NULL), TDK_ECORRUPT);
        }
        store_u32(count, 0);
    }
    store_u32((uint8_t *)bytes + 108, 1); /* a schema definition */
    assert_int_equal(dbn_metadata_decode(&out, bytes, size, NULL), TDK_ECORRUPT);
    free(bytes);
}

static void what_is_no_dbn_is_named(void **state)
{
    (void)state;
    struct tdk_err err;
    size_t size;
    assert_int_equal(dbn_metadata_size("DBX\x03\x80\0\0\0", &size, &err), TDK_EFORMAT);
    assert_int_equal(dbn_metadata_size("DBN\x04\x80\0\0\0", &size, &err), TDK_EVERSION);
    assert_string_equal(err.text, "DBN version 4; versions 1 to 3 can be read");
    assert_int_equal(dbn_metadata_size("DBN\0\x80\0\0\0", &size, &err), TDK_ECORRUPT);
    assert_int_equal(dbn_metadata_size("DBN\x03\x63\0\0\0", &size, &err), TDK_ECORRUPT);
    assert_int_equal(dbn_metadata_size("DBN\x03\xff\xff\xff\xff", &size, &err), TDK_EFULL);
}

static void a_string_too_long_for_its_field_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"1234567890123456789012"}; /* 22, and a NUL is needed */
    struct dbn_metadata m = {.version = 1, .symbols = {names, 1}};
    void *bytes;
    size_t size;
    assert_int_equal(dbn_metadata_encode(&m, &bytes, &size, NULL), TDK_EVALUE);
    m.version = 3;
    assert_int_equal(dbn_metadata_encode(&m, &bytes, &size, NULL), 0);
    free(bytes);
    m.version = 4;
    assert_int_equal(dbn_metadata_encode(&m, &bytes, &size, NULL), TDK_EVERSION);
}

/* ---- symbols ---- */

static uint64_t day(uint32_t date)
{
    uint64_t ns;
    assert_true(dbn_date_to_ns(date, &ns));
    return ns;
}

static void a_symbol_holds_from_its_first_day_up_to_its_last(void **state)
{
    (void)state;
    struct dbn_metadata m = example(3);
    struct dbn_symbols symbols;
    assert_int_equal(dbn_symbols_open(&symbols, &m), 0);
    assert_int_equal(symbols.count, 3); /* an interval without a symbol id is left out */
    assert_null(dbn_symbols_find(&symbols, 77, day(20201228) - 1));
    assert_string_equal(dbn_symbols_find(&symbols, 77, day(20201228)), "ESM1");
    assert_string_equal(dbn_symbols_find(&symbols, 77, day(20201230) - 1), "ESM1");
    assert_null(dbn_symbols_find(&symbols, 77, day(20201230)));
    /* Of two names at one time, the first in the file counts. */
    assert_string_equal(dbn_symbols_find(&symbols, 5482, day(20201231)), "ESH1");
    assert_string_equal(dbn_symbols_find(&symbols, 5482, day(20210102)), "ESM1");
    assert_null(dbn_symbols_find(&symbols, 1, day(20210102)));
    dbn_symbols_close(&symbols);
}

static void mappings_are_understood_in_both_directions(void **state)
{
    (void)state;
    static const struct dbn_interval names[] = {{20201228, 20210101, "ESH1"}};
    static const struct dbn_mapping from_id[] = {{"5482", names, 1}, {"not an id", names, 1}};
    struct dbn_metadata m = {.version = 3,
                             .stype_in = DBN_STYPE_INSTRUMENT_ID,
                             .stype_out = DBN_STYPE_RAW_SYMBOL,
                             .mappings = from_id,
                             .mapping_count = 2};
    struct dbn_symbols symbols;
    assert_int_equal(dbn_symbols_open(&symbols, &m), 0);
    assert_int_equal(symbols.count, 1);
    assert_string_equal(dbn_symbols_find(&symbols, 5482, day(20201228)), "ESH1");
    dbn_symbols_close(&symbols);
    m.stype_in = 3; /* continuous to raw: there are no ids */
    assert_int_equal(dbn_symbols_open(&symbols, &m), 0);
    assert_int_equal(symbols.count, 0);
    dbn_symbols_close(&symbols);
}

static void dates_are_those_of_the_calendar(void **state)
{
    (void)state;
    uint64_t ns;
    assert_int_equal(day(19700101), 0);
    assert_int_equal(day(20201228), UINT64_C(1609113600000000000));
    assert_int_equal(dbn_date_of_ns(UINT64_C(1609113599999999999)), 20201227);
    assert_int_equal(dbn_date_of_ns(day(20240229)), 20240229);
    static const uint32_t none[] = {0,        19691231, 20230229, 20231301,
                                    20230100, 20230132, 99991231, 0xffffffff};
    for (size_t i = 0; i < array_size(none); i++)
        assert_false(dbn_date_to_ns(none[i], &ns));
}

/* ---- writing ---- */

struct sink {
    char *bytes;
    size_t size;
    int refuse; /* answer this instead */
};

static int to_sink(void *context, const void *bytes, size_t size)
{
    struct sink *sink = context;
    if (sink->refuse < 0)
        return sink->refuse;
    sink->bytes = realloc(sink->bytes, sink->size + size);
    assert_non_null(sink->bytes);
    memcpy(sink->bytes + sink->size, bytes, size);
    sink->size += size;
    return 0;
}

static void a_plain_file_is_the_metadata_and_the_records(void **state)
{
    (void)state;
    struct dbn_metadata m = example(3);
    struct sink sink = {0};
    struct dbn_writer *writer;
    uint8_t record[48];
    assert_int_equal(dbn_writer_open(&writer, &m, false, to_sink, &sink, NULL), 0);
    for (size_t i = 0; i < 100000; i++) { /* more than one piece */
        memset(record, (int)(i % 251), sizeof record);
        assert_int_equal(dbn_writer_add(writer, record, sizeof record, NULL), 0);
    }
    assert_int_equal(dbn_writer_finish(writer, NULL), 0);
    dbn_writer_close(writer);
    void *head;
    size_t size;
    assert_int_equal(dbn_metadata_encode(&m, &head, &size, NULL), 0);
    assert_int_equal(sink.size, size + 100000 * sizeof record);
    assert_memory_equal(sink.bytes, head, size);
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal((uint8_t)sink.bytes[size + i * 48 + 47], i % 251);
    free(head);
    free(sink.bytes);
}

static void a_writer_that_is_refused_says_so_from_then_on(void **state)
{
    (void)state;
    struct sink sink = {.refuse = -ENOSPC};
    struct dbn_writer *writer;
    struct tdk_err err;
    uint8_t record[48] = {0};
    for (int zstd = 0; zstd < 2; zstd++) {
        assert_int_equal(dbn_writer_open(&writer, NULL, zstd, to_sink, &sink, NULL), 0);
        assert_int_equal(dbn_writer_add(writer, record, sizeof record, NULL), 0);
        assert_int_equal(dbn_writer_finish(writer, &err), -ENOSPC);
        assert_string_equal(err.text, "write DBN: No space left on device");
        assert_int_equal(dbn_writer_finish(writer, &err), -ENOSPC);
        dbn_writer_close(writer);
    }
    dbn_writer_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout_lies_inside_its_record),
        cmocka_unit_test(a_record_has_a_layout_if_it_passes_its_check),
        cmocka_unit_test(layouts_of_the_five_types_that_changed_go_by_version),
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(the_index_time_is_ts_recv_where_there_is_one),
        cmocka_unit_test(metadata_comes_back_from_each_version),
        cmocka_unit_test(metadata_with_any_byte_changed_is_decoded_or_refused),
        cmocka_unit_test(metadata_cut_anywhere_is_truncated),
        cmocka_unit_test(counts_that_do_not_fit_are_damage),
        cmocka_unit_test(what_is_no_dbn_is_named),
        cmocka_unit_test(a_string_too_long_for_its_field_is_refused),
        cmocka_unit_test(a_symbol_holds_from_its_first_day_up_to_its_last),
        cmocka_unit_test(mappings_are_understood_in_both_directions),
        cmocka_unit_test(dates_are_those_of_the_calendar),
        cmocka_unit_test(a_plain_file_is_the_metadata_and_the_records),
        cmocka_unit_test(a_writer_that_is_refused_says_so_from_then_on),
    };
    return cmocka_run_group_tests_name("formats.dbn", tests, NULL, NULL);
}
