/*
 * five.h - ticks of five fields, one JSON object a line.
 *
 *   {"symbol":"BTC-USD","timestamp":1690000000.123456789,"price":50000.5,"volume":1.5,"message_type":"trade"}
 *
 * Decimals are decimals: read digit by digit, exact to nine places, never through a float. More
 * places are an error unless they are zeros; so are NaN, numbers in quotes, and keys that are
 * missing. Exponents are fine where the value is exact. Keys besides the five are passed over.
 */
#ifndef TDK_FORMATS_FIVE_H
#define TDK_FORMATS_FIVE_H

#include "base/text_buffer.h"
#include "tapedeck/dbn.h"
#include "tapedeck/err.h"

#define FIVE_SYMBOL_MAX 71  /* bytes: what DBN and a tape's catalogue hold */
#define FIVE_TYPE_MAX   255 /* bytes of a message_type */

struct five_tick {
    const char *symbol, *message_type; /* borrowed, not ended by NUL */
    size_t symbol_size, message_type_size;
    uint64_t ts;     /* ns */
    int64_t price;   /* 1e-9 */
    uint64_t volume; /* 1e-9 */
};

struct five_decoder;

int five_decoder_open(struct five_decoder **decoder);
void five_decoder_close(struct five_decoder *decoder);

/* One line without its newline. The strings hold until the next call, while the line is there.
 * TDK_EVALUE: malformed, err says why; -ENOMEM. */
int five_decode(struct five_decoder *decoder, const char *line, size_t size, struct five_tick *tick,
                struct tdk_err *err);

/* The five keys in the order above, shortest exact decimals, "\n" at the end. */
void five_encode(struct text_buffer *text, const struct five_tick *tick);

/* "-12.5e-3" in units of 1e-9. 0; TDK_EVALUE: no JSON number; -ERANGE: beyond 2^64-1 units; -EDOM:
 * more than nine places. The sign is told apart, so that both i64 and u64 can be made of it. */
int five_decimal(const char *bytes, size_t size, uint64_t *units, bool *negative);

/* The same in units of 10^-places. */
int five_decimal_in(const char *bytes, size_t size, unsigned places, uint64_t *units,
                    bool *negative);

/* A price or a size in 1e-9, within what can be told from undefined. TDK_EVALUE: err says why of
 * `what`. */
int five_price(const char *bytes, size_t size, const char *what, int64_t *price,
               struct tdk_err *err);
int five_size(const char *bytes, size_t size, const char *what, uint64_t *units,
              struct tdk_err *err);

#endif
