/* A whole DBN file as a source sees it, and each record as text. Metadata that can be decoded must
 * encode to something that decodes to the same. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/dbn.h"
#include "formats/text.h"

static void check_metadata(const uint8_t *bytes, size_t size)
{
    struct dbn_metadata m, again;
    struct dbn_symbols symbols;
    void *encoded;
    size_t encoded_size;
    if (dbn_metadata_decode(&m, bytes, size, NULL) < 0)
        return;
    if (dbn_symbols_open(&symbols, &m) == 0) {
        dbn_symbols_find(&symbols, 1, 0);
        for (size_t i = 0; i < symbols.count; i++)
            assert(symbols.items[i].to <= symbols.items[i].from ||
                   dbn_symbols_find(&symbols, symbols.items[i].instrument_id,
                                    symbols.items[i].from) != NULL);
        dbn_symbols_close(&symbols);
    }
    if (dbn_metadata_encode(&m, &encoded, &encoded_size, NULL) == 0) {
        assert(dbn_metadata_decode(&again, encoded, encoded_size, NULL) == 0);
        assert(again.symbols.count == m.symbols.count && again.mapping_count == m.mapping_count);
        assert(strcmp(again.dataset, m.dataset) == 0);
        dbn_metadata_close(&again);
        free(encoded);
    }
    dbn_metadata_close(&m);
}

static void write_text(const uint8_t *record, uint32_t size, uint8_t type)
{
    const struct dbn_layout *layout = dbn_layout_find(type, record[1], size);
    struct text_tick tick = {.track = "t", .payload = record, .size = size, .type = type};
    struct text_buffer text;
    text_init(&text);
    for (unsigned bits = 0; bits < 16; bits++) {
        struct text_options options = {bits & 1, bits & 2, bits & 4, bits & 8};
        if (layout != NULL) {
            text_csv_record(&text, layout, &tick, &options);
            text_json_record(&text, layout, &tick, &options);
        }
        text_csv_opaque(&text, &tick, &options);
        text_json_opaque(&text, &tick, &options);
        text_clear(&text);
    }
    assert(text_error(&text) == 0);
    text_close(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    check_metadata(bytes, size);
    if (size >= DBN_PRELUDE_SIZE && dbn_metadata_size(bytes, &at, NULL) < 0)
        at = 0;
    while (at < size && size - at >= 16) {
        uint32_t length = bytes[at] * 4u;
        if (length < 16 || length > size - at)
            break;
        dbn_index_ts(bytes + at, length);
        write_text(bytes + at, length, TDK_TYPE_DBN);
        write_text(bytes + at, length, TDK_TYPE_WIDE);
        at += length;
    }
    return 0;
}
