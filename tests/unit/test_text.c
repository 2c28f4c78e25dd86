#include "tests/support/files.h"

#include <glob.h>

#include "formats/dbn.h"
#include "formats/source.h"
#include "formats/text.h"

enum style { CSV, PRETTY_SYMBOL_CSV, JSON };

/* Does what a query does: the metadata's mappings name the records, and the schema gives the
 * header. */
struct rendering {
    struct text_buffer text;
    struct dbn_metadata metadata;
    struct dbn_symbols symbols;
    struct text_options options;
    enum style style;
};

static void take_metadata(struct rendering *r, const struct source_item *item)
{
    struct tdk_info info;
    memcpy(&info, item->payload, sizeof info);
    size_t head = sizeof info + info.key_size;
    assert_int_equal(info.total, item->size - head);
    assert_int_equal(
        dbn_metadata_decode(&r->metadata, (const char *)item->payload + head, info.total, NULL), 0);
    assert_int_equal(dbn_symbols_open(&r->symbols, &r->metadata), 0);
    uint8_t rtype;
    if (r->style != JSON && dbn_schema_rtype(r->metadata.schema, &rtype))
        text_csv_header(&r->text, dbn_layout_of_version(TDK_TYPE_DBN, rtype, r->metadata.version),
                        &r->options);
}

static void take_record(struct rendering *r, const struct source_item *item)
{
    struct tdk_dbn_head head;
    memcpy(&head, item->payload, sizeof head);
    const struct dbn_layout *layout = dbn_layout_find(item->type, head.rtype, item->size);
    assert_non_null(layout);
    struct text_tick tick = {.track = "t",
                             .ts = item->ts,
                             .payload = item->payload,
                             .size = item->size,
                             .type = item->type,
                             .symbol = dbn_symbols_find(&r->symbols, head.instrument_id, item->ts)};
    if (r->style == JSON)
        text_json_record(&r->text, layout, &tick, &r->options);
    else
        text_csv_record(&r->text, layout, &tick, &r->options);
}

static void check_golden(const char *dbn, const char *golden, enum style style)
{
    struct rendering r = {.style = style};
    r.options.pretty = r.options.map_symbols = style == PRETTY_SYMBOL_CSV;
    text_init(&r.text);
    struct source *source;
    struct source_options options = {.payload_max = 1 << 24};
    struct source_item item;
    struct tdk_err err;
    assert_int_equal(source_open(&source, dbn, &options, &err), 0);
    int rc;
    while ((rc = source_next(source, &item, &err)) == 1)
        if (item.type == TDK_TYPE_INFO)
            take_metadata(&r, &item);
        else
            take_record(&r, &item);
    assert_int_equal(rc, 0);
    source_close(source);

    size_t size;
    char *wanted = read_file(golden, &size);
    text_add_char(&r.text, '\0');
    assert_int_equal(text_error(&r.text), 0);
    assert_string_equal(r.text.bytes, wanted);
    free(wanted);
    text_close(&r.text);
    dbn_symbols_close(&r.symbols);
    dbn_metadata_close(&r.metadata);
}

/* The style of a rendered file, by the ending of its name. *stem_size: how much of the name is that
 * of the file it was made from, such as ".../test_data.mbo.v3". */
static enum style style_of(const char *name, size_t *stem_size)
{
    const struct {
        const char *ending;
        enum style style;
    } styles[] = {{".pretty-symbol.csv", PRETTY_SYMBOL_CSV}, {".csv", CSV}, {".jsonl", JSON}};
    for (size_t i = 0; i < 3; i++) {
        size_t size = strlen(name), ending = strlen(styles[i].ending);
        if (size > ending && strcmp(name + size - ending, styles[i].ending) == 0) {
            *stem_size = size - ending;
            return styles[i].style;
        }
    }
    fail_msg("%s has no known ending", name);
    return CSV;
}

static void text_is_the_vendors_byte_for_byte(void **state)
{
    (void)state;
    char root[PATH_SIZE], pattern[2 * PATH_SIZE], dbn[2 * PATH_SIZE];
    glob_t found;
    shared_path(root, "dbn");
    snprintf(pattern, sizeof pattern, "%s/text/*", root);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *golden = found.gl_pathv[i], *name = strrchr(golden, '/') + 1;
        size_t stem = 0;
        enum style style = style_of(name, &stem);
        if (strncmp(name, "live", 4) == 0)
            snprintf(dbn, sizeof dbn, "%s/databento-python/LIVE/test_data.live.dbn.zst", root);
        else
            snprintf(dbn, sizeof dbn, "%s/databento-dbn/%.*s.dbn.zst", root, (int)stem, name);
        check_golden(dbn, golden, style);
    }
    assert_true(found.gl_pathc > 80);
    globfree(&found);
}

static void expect(struct text_buffer *text, const char *wanted)
{
    text_add_char(text, '\0');
    assert_int_equal(text_error(text), 0);
    assert_string_equal(text->bytes, wanted);
    text_clear(text);
}

static const struct dbn_layout *layout_of(const struct text_tick *tick)
{
    return dbn_layout_find(tick->type, ((const struct tdk_dbn_head *)tick->payload)->rtype,
                           tick->size);
}

static const struct tdk_wide_trade trade = {
    .head = {.length = 14,
             .rtype = TDK_RTYPE_WIDE_TRADE,
             .instrument_id = 7,
             .ts_event = 1000000001},
    .price = 50000500000000,
    .size = 1500000000,
    .id = UINT64_MAX,
    .sequence = 3,
    .side = 'B',
    .flags = 128,
};

static void a_wide_trade_is_text_in_the_manner_of_dbn(void **state)
{
    (void)state;
    struct text_buffer text;
    text_init(&text);
    struct text_options options = {.map_symbols = true};
    struct text_tick tick = {.track = "t",
                             .symbol = "BTC-USD",
                             .payload = &trade,
                             .size = sizeof trade,
                             .type = TDK_TYPE_WIDE};
    text_csv_header(&text, layout_of(&tick), &options);
    expect(&text, "ts_event,rtype,publisher_id,instrument_id,side,price,size,flags,id,sequence,"
                  "kind,symbol\n");
    text_csv_record(&text, layout_of(&tick), &tick, &options);
    expect(&text, "1000000001,224,0,7,B,50000500000000,1500000000,128,18446744073709551615,3,0,"
                  "BTC-USD\n");
    text_json_record(&text, layout_of(&tick), &tick, &options);
    expect(&text, "{\"hd\":{\"ts_event\":\"1000000001\",\"rtype\":224,\"publisher_id\":0,"
                  "\"instrument_id\":7},\"side\":\"B\",\"price\":\"50000500000000\","
                  "\"size\":\"1500000000\",\"flags\":128,\"id\":\"18446744073709551615\","
                  "\"sequence\":\"3\",\"kind\":0,\"symbol\":\"BTC-USD\"}\n");
    options.pretty = true;
    tick.symbol = NULL;
    text_csv_record(&text, layout_of(&tick), &tick, &options);
    expect(&text, "1970-01-01T00:00:01.000000001Z,224,0,7,B,50000.500000000,1.500000000,128,"
                  "18446744073709551615,3,0,\n");
    text_close(&text);
}

static void what_is_undefined_is_empty_or_null_in_pretty_text(void **state)
{
    (void)state;
    struct text_buffer text;
    text_init(&text);
    struct tdk_wide_quote quote = {
        .head = {.length = 14, .rtype = TDK_RTYPE_WIDE_QUOTE, .ts_event = UINT64_MAX},
        .bid_px = INT64_MAX,
        .ask_px = -1,
        .bid_sz = UINT64_MAX,
    };
    struct text_options options = {.pretty = true, .map_symbols = true};
    struct text_tick tick = {
        .track = "t", .payload = &quote, .size = sizeof quote, .type = TDK_TYPE_WIDE};
    text_csv_record(&text, layout_of(&tick), &tick, &options);
    expect(&text, ",225,0,0,0,,-0.000000001,,0.000000000,\n");
    text_json_record(&text, layout_of(&tick), &tick, &options);
    expect(&text,
           "{\"hd\":{\"ts_event\":null,\"rtype\":225,\"publisher_id\":0,\"instrument_id\":0},"
           "\"flags\":0,\"levels\":[{\"bid_px\":null,\"ask_px\":\"-0.000000001\","
           "\"bid_sz\":null,\"ask_sz\":\"0.000000000\"}],\"symbol\":null}\n");
    text_close(&text);
}

static void the_envelope_comes_first(void **state)
{
    (void)state;
    struct text_buffer text;
    text_init(&text);
    struct text_options options = {.envelope = true};
    struct text_tick tick = {.track = "cme",
                             .epoch = 5,
                             .seq = 6,
                             .ts = 7,
                             .payload = &trade,
                             .size = sizeof trade,
                             .type = TDK_TYPE_WIDE};
    text_csv_header(&text, layout_of(&tick), &options);
    expect(&text, "track,epoch,seq,ts,ts_event,rtype,publisher_id,instrument_id,side,price,size,"
                  "flags,id,sequence,kind\n");
    text_csv_record(&text, layout_of(&tick), &tick, &options);
    expect(&text, "cme,5,6,7,1000000001,224,0,7,B,50000500000000,1500000000,128,"
                  "18446744073709551615,3,0\n");
    text_json_record(&text, layout_of(&tick), &tick, &options);
    const char *wanted = "{\"tape\":{\"track\":\"cme\",\"epoch\":\"5\",\"seq\":\"6\",\"ts\":\"7\"},"
                         "\"hd\":{\"ts_event\":\"1000000001\",";
    assert_memory_equal(text.bytes, wanted, strlen(wanted));
    text_close(&text);
}

static void a_send_time_is_the_last_field_before_the_symbol(void **state)
{
    (void)state;
    struct {
        struct tdk_dbn_ohlcv bar;
        uint64_t ts_out;
    } record = {{{16, TDK_RTYPE_OHLCV_1S, 1, 2, 3}, 1, 2, 3, 4, 5}, 99};
    struct text_buffer text;
    text_init(&text);
    struct text_options options = {.ts_out = true, .map_symbols = true};
    struct text_tick tick = {.track = "t",
                             .symbol = "X",
                             .payload = &record,
                             .size = sizeof record,
                             .type = TDK_TYPE_DBN};
    text_csv_header(&text, layout_of(&tick), &options);
    expect(&text, "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,ts_out,"
                  "symbol\n");
    text_csv_record(&text, layout_of(&tick), &tick, &options);
    expect(&text, "3,32,1,2,1,2,3,4,5,99,X\n");
    text_json_record(&text, layout_of(&tick), &tick, &options);
    expect(&text,
           "{\"hd\":{\"ts_event\":\"3\",\"rtype\":32,\"publisher_id\":1,\"instrument_id\":2},"
           "\"open\":\"1\",\"high\":\"2\",\"low\":\"3\",\"close\":\"4\",\"volume\":\"5\","
           "\"ts_out\":\"99\",\"symbol\":\"X\"}\n");
    text_close(&text);
}

static void a_char_that_cannot_be_printed_is_escaped(void **state)
{
    (void)state;
    const struct {
        char c;
        const char *csv, *json;
    } cases[] = {
        {'A', "A", "\"A\""},
        {'\0', "", "null"},
        {'\t', "\\t", "\"\\t\""},
        {',', "\",\"", "\",\""},
        {'"', "\"\"\"\"", "\"\\\"\""},
        {'\xff', "\\xff", "\"\\u00ff\""},
        {'\x01', "\\x01", "\"\\u0001\""},
        {'\n', "\\n", "\"\\n\""},
    };
    struct text_buffer text;
    text_init(&text);
    struct text_options options = {0};
    for (size_t i = 0; i < array_size(cases); i++) {
        struct tdk_dbn_status status = {{10, TDK_RTYPE_STATUS, 0, 0, 0},
                                        .is_trading = cases[i].c,
                                        .is_quoting = 'Y',
                                        .is_short_sell_restricted = '~'};
        struct text_tick tick = {
            .track = "t", .payload = &status, .size = sizeof status, .type = TDK_TYPE_DBN};
        char wanted[200];
        text_csv_record(&text, layout_of(&tick), &tick, &options);
        snprintf(wanted, sizeof wanted, "0,0,18,0,0,0,0,0,%s,Y,~\n", cases[i].csv);
        expect(&text, wanted);
        text_json_record(&text, layout_of(&tick), &tick, &options);
        snprintf(wanted, sizeof wanted, ",\"is_trading\":%s,\"is_quoting\":\"Y\",", cases[i].json);
        text_add_char(&text, '\0');
        assert_non_null(strstr(text.bytes, wanted));
        text_clear(&text);
    }
    text_close(&text);
}

static void opaque_payloads_are_text_or_base64(void **state)
{
    (void)state;
    struct text_buffer text;
    text_init(&text);
    struct text_options options = {0};
    struct text_tick tick = {
        .track = "b", .epoch = 1, .seq = 2, .ts = 3, .payload = "{\"a\":1}", .size = 7, .type = 3};
    text_csv_opaque_header(&text, &options);
    expect(&text, "ts,track,seq,type,text,base64\n");
    text_csv_opaque(&text, &tick, &options);
    expect(&text, "3,b,2,3,\"{\"\"a\"\":1}\",\n");
    text_json_opaque(&text, &tick, &options);
    expect(&text, "{\"ts\":\"3\",\"track\":\"b\",\"seq\":\"2\",\"type\":3,"
                  "\"text\":\"{\\\"a\\\":1}\"}\n");
    tick.payload = "\xff\x00";
    tick.size = 2;
    text_csv_opaque(&text, &tick, &options);
    expect(&text, "3,b,2,3,,/wA=\n");
    options.envelope = true;
    text_json_opaque(&text, &tick, &options);
    expect(&text, "{\"tape\":{\"track\":\"b\",\"epoch\":\"1\",\"seq\":\"2\",\"ts\":\"3\"},"
                  "\"ts\":\"3\",\"track\":\"b\",\"seq\":\"2\",\"type\":3,\"base64\":\"/wA=\"}\n");
    text_csv_opaque(&text, &tick, &options);
    expect(&text, "b,1,2,3,3,,/wA=\n");
    text_close(&text);
}

/* The writers reserve room once a record. This test proves that it is enough. */
static void the_longest_text_of_any_record_fits_its_room(void **state)
{
    (void)state;
    for (unsigned type = TDK_TYPE_DBN; type <= TDK_TYPE_WIDE; type++)
        for (unsigned rtype = 0; rtype < 256; rtype++)
            for (uint8_t version = 1; version <= 3; version++) {
                const struct dbn_layout *layout =
                    dbn_layout_of_version((uint8_t)type, (uint8_t)rtype, version);
                size_t longest = 256;
                for (size_t i = 0; layout != NULL && i < layout->count; i++) {
                    const struct dbn_field *f = &layout->fields[i];
                    longest += f->json_size + (f->kind == DBN_STRING ? f->size * 6u + 2 : 34u);
                }
                assert_true(longest <= 16384);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_the_vendors_byte_for_byte),
        cmocka_unit_test(a_wide_trade_is_text_in_the_manner_of_dbn),
        cmocka_unit_test(what_is_undefined_is_empty_or_null_in_pretty_text),
        cmocka_unit_test(the_envelope_comes_first),
        cmocka_unit_test(a_send_time_is_the_last_field_before_the_symbol),
        cmocka_unit_test(a_char_that_cannot_be_printed_is_escaped),
        cmocka_unit_test(opaque_payloads_are_text_or_base64),
        cmocka_unit_test(the_longest_text_of_any_record_fits_its_room),
    };
    return cmocka_run_group_tests_name("formats.text", tests, NULL, NULL);
}
