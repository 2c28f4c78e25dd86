/* One message, read the short way and the long way. What the short way takes, the long way must
 * read alike. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "formats/binance.h"

static int decode(const char *bytes, size_t size, struct binance_tick *tick, char symbol[80])
{
    struct binance_decoder *decoder;
    struct tdk_err err;
    if (binance_open(&decoder) < 0)
        abort();
    memset(tick, 0, sizeof *tick);
    int rc = binance_decode(decoder, bytes, size, tick, &err);
    memset(symbol, 0, 80);
    if (rc == 0 && tick->kind != BINANCE_OTHER)
        memcpy(symbol, tick->symbol, tick->symbol_size);
    tick->symbol = NULL;
    binance_close(decoder);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct binance_tick one, other;
    char one_symbol[80], other_symbol[80];
    char *spaced = malloc(size + 1); /* the short way does not expect a blank in front */
    if (spaced == NULL)
        abort();
    spaced[0] = ' ';
    if (size > 0)
        memcpy(spaced + 1, bytes, size);
    int rc = decode((const char *)bytes, size, &one, one_symbol);
    int again = decode(spaced, size + 1, &other, other_symbol);
    free(spaced);
    if (rc == 0 && one.kind != BINANCE_OTHER) { /* others are known by their beginning alone */
        assert(again == 0 && strcmp(one_symbol, other_symbol) == 0);
        assert(one.kind == other.kind && one.ts_event == other.ts_event && one.side == other.side);
        assert(one.price == other.price && one.size == other.size && one.id == other.id);
        assert(one.bid_px == other.bid_px && one.ask_px == other.ask_px);
        assert(one.bid_sz == other.bid_sz && one.ask_sz == other.ask_sz);
    }
    return 0;
}
