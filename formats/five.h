/*
 * five.h - ticks of five fields, one JSON object per line.
 *
 *   {"symbol":"BTC-USD","timestamp":1690000000.123456789,"price":50000.5,"volume":1.5,"message_type":"trade"}
 *
 * Decimals are read digit by digit, exact to nine places, never through a float. More places are an
 * error unless they are zeros. So are NaN, numbers in quotes, and missing keys. Exponents are
 * allowed if the value is exact. Keys other than the five are ignored.
 */
#ifndef TDK_FORMATS_FIVE_H
#define TDK_FORMATS_FIVE_H

#include "base/text_buffer.h"
#include "tapedeck/dbn.h"
#include "tapedeck/err.h"

#define FIVE_SYMBOL_MAX 71  /* bytes: the limit of DBN and of a tape's catalogue */
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

/* Decode one line without its newline. The strings are valid until the next call, and only while
 * the line exists. TDK_EVALUE: malformed, and err says why; -ENOMEM. */
int five_decode(struct five_decoder *decoder, const char *line, size_t size, struct five_tick *tick,
                struct tdk_err *err);

/* Write the five keys in the order above, with the shortest exact decimals, and "\n" at the end. */
void five_encode(struct text_buffer *text, const struct five_tick *tick);

/* Parse "-12.5e-3" in units of 1e-9. TDK_EVALUE: not a JSON number. -ERANGE: more than 2^64-1
 * units. -EDOM: more than nine places. The sign is returned separately, so that both i64 and u64
 * can be made from it. */
int five_decimal(const char *bytes, size_t size, uint64_t *units, bool *negative);

/* The same in units of 10^-places. */
int five_decimal_in(const char *bytes, size_t size, unsigned places, uint64_t *units,
                    bool *negative);

/* Parse a price or a size in 1e-9, other than the value that means undefined. TDK_EVALUE: err says
 * what is wrong with `what`. */
int five_price(const char *bytes, size_t size, const char *what, int64_t *price,
               struct tdk_err *err);
int five_size(const char *bytes, size_t size, const char *what, uint64_t *units,
              struct tdk_err *err);

#endif
