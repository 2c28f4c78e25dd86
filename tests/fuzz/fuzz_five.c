/* A five-field line. One that is read must be written as a line that is read as the same tick. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "formats/five.h"

static void check_again(const struct five_tick *tick)
{
    struct five_decoder *decoder;
    struct text_buffer text;
    struct five_tick again;
    text_init(&text);
    five_encode(&text, tick);
    if (five_decoder_open(&decoder) < 0 || text_error(&text) < 0)
        abort();
    assert(five_decode(decoder, text.bytes, text.size - 1, &again, NULL) == 0);
    assert(again.ts == tick->ts && again.price == tick->price && again.volume == tick->volume);
    assert(again.symbol_size == tick->symbol_size);
    assert(memcmp(again.symbol, tick->symbol, tick->symbol_size) == 0);
    assert(again.message_type_size == tick->message_type_size);
    assert(memcmp(again.message_type, tick->message_type, tick->message_type_size) == 0);
    text_close(&text);
    five_decoder_close(decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct five_decoder *decoder; /* one for all lines, as a source has it */
    struct five_tick tick;
    uint64_t units;
    bool negative;
    if (decoder == NULL && five_decoder_open(&decoder) < 0)
        abort();
    five_decimal((const char *)bytes, size, &units, &negative);
    if (five_decode(decoder, (const char *)bytes, size, &tick, NULL) == 0)
        check_again(&tick);
    return 0;
}
