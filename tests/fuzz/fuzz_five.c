/* A five-field line. If it can be read, it must be written as a line that is read as the same tick.
 * The decoder's short way and its long way, which a space in the line selects, must agree. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "formats/five.h"

static bool same(const struct five_tick *a, const struct five_tick *b)
{
    return a->ts == b->ts && a->price == b->price && a->volume == b->volume &&
           a->symbol_size == b->symbol_size && memcmp(a->symbol, b->symbol, a->symbol_size) == 0 &&
           a->message_type_size == b->message_type_size &&
           memcmp(a->message_type, b->message_type, a->message_type_size) == 0;
}

static struct five_decoder *open_decoder(void)
{
    struct five_decoder *decoder;
    if (five_decoder_open(&decoder) < 0)
        abort();
    return decoder;
}

static void check_again(const struct five_tick *tick)
{
    struct five_decoder *decoder = open_decoder();
    struct text_buffer text;
    struct five_tick again;
    text_init(&text);
    five_encode(&text, tick);
    assert(text_error(&text) == 0);
    assert(five_decode(decoder, text.bytes, text.size - 1, &again, NULL) == 0);
    assert(same(&again, tick));
    text_close(&text);
    five_decoder_close(decoder);
}

static void check_long_way(const uint8_t *bytes, size_t size, int rc, const struct five_tick *tick)
{
    static struct five_decoder *decoder;
    struct five_tick slow;
    char *spaced = malloc(size + 1);
    if (decoder == NULL)
        decoder = open_decoder();
    if (spaced == NULL)
        abort();
    spaced[0] = ' ';
    memcpy(spaced + 1, bytes, size);
    assert(five_decode(decoder, spaced, size + 1, &slow, NULL) == rc);
    assert(rc < 0 || same(&slow, tick));
    free(spaced);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct five_decoder *decoder; /* one for all lines, as a source has it */
    struct five_tick tick;
    uint64_t units;
    bool negative;
    if (decoder == NULL)
        decoder = open_decoder();
    five_decimal((const char *)bytes, size, &units, &negative);
    int rc = five_decode(decoder, (const char *)bytes, size, &tick, NULL);
    if (rc == 0)
        check_again(&tick);
    check_long_way(bytes, size, rc, &tick);
    return 0;
}
