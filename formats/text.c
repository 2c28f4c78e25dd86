#include "formats/text.h"

#include <string.h>

#include "base/digits.h"
#include "base/utf8.h"

/* No record's text is longer, whatever its bytes: the test of the layouts computes the longest one.
 * What the caller adds (track, symbol) is counted separately. */
#define RECORD_TEXT_MAX 16384

/* The room for a string of the caller's in the worst case, with each byte escaped in six. */
static size_t string_room(const char *string)
{
    return string == NULL ? 8 : strlen(string) * 6 + 2;
}

static char *reserve_line(struct text_buffer *text, const struct text_tick *tick,
                          const struct text_options *options)
{
    size_t size = RECORD_TEXT_MAX;
    if (options->envelope)
        size += string_room(tick->track) + 3 * DIGITS_MAX + 64;
    if (options->map_symbols)
        size += string_room(tick->symbol);
    return text_reserve(text, size);
}

static inline char *put(char *at, const char *bytes, size_t size)
{
    memcpy(at, bytes, size);
    return at + size;
}

#define PUT(at, literal) put(at, literal, sizeof(literal) - 1)

/* ---- values: the same for CSV and JSON, but for quotes and what stands for nothing ---- */

/* Pretty text shows nothing for undefined values. */
static inline bool is_undefined(enum dbn_kind kind, uint64_t raw)
{
    if (kind == DBN_PRICE)
        return raw == (uint64_t)TDK_PRICE_UNDEFINED;
    if (kind == DBN_TIME)
        return raw == TDK_TS_UNDEFINED || raw == 0;
    return kind == DBN_SIZE && raw == UINT64_MAX;
}

/* Put a value of eight bytes: a price, a size, a time or a plain integer. */
static inline char *put_wide(char *at, enum dbn_kind kind, uint64_t raw, bool pretty)
{
    if (kind == DBN_PRICE)
        return pretty ? digits_nano(at, (int64_t)raw) : digits_i64(at, (int64_t)raw);
    if (kind == DBN_SIZE)
        return pretty ? digits_nano_u64(at, raw) : digits_u64(at, raw);
    if (kind == DBN_TIME)
        return pretty ? digits_time(at, raw) : digits_u64(at, raw);
    return kind == DBN_I64 ? digits_i64(at, (int64_t)raw) : digits_u64(at, raw);
}

static inline char *put_narrow(char *at, enum dbn_kind kind, const uint8_t *value)
{
    if (kind == DBN_U8)
        return digits_u64(at, value[0]);
    if (kind == DBN_I8)
        return digits_i64(at, (int8_t)value[0]);
    if (kind == DBN_U16)
        return digits_u64(at, load_u16(value));
    if (kind == DBN_I16)
        return digits_i64(at, (int16_t)load_u16(value));
    if (kind == DBN_U32)
        return digits_u64(at, load_u32(value));
    return digits_i64(at, (int32_t)load_u32(value));
}

static inline bool is_wide(enum dbn_kind kind)
{
    return kind >= DBN_U64 && kind <= DBN_TIME;
}

static char *put_hex_escape(char *at, unsigned char byte, const char *prefix)
{
    static const char hex[] = "0123456789abcdef";
    at = put(at, prefix, strlen(prefix));
    *at++ = hex[byte >> 4];
    *at++ = hex[byte & 15];
    return at;
}

static bool is_printable(unsigned char c)
{
    return c >= 0x20 && c < 0x7F;
}

static char *put_char_csv(char *at, char c)
{
    static const char controls[] = "\t\n\r", letters[] = "tnr";
    if (c == '\0')
        return at;
    if (is_printable((unsigned char)c))
        return text_put_csv(at, &c, 1);
    const char *known = strchr(controls, c);
    if (known == NULL)
        return put_hex_escape(at, (unsigned char)c, "\\x");
    *at++ = '\\';
    *at++ = letters[known - controls];
    return at;
}

static char *put_char_json(char *at, char c)
{
    if (c == '\0')
        return PUT(at, "null");
    if ((unsigned char)c < 0x7F)
        return text_put_json(at, &c, 1);
    at = put_hex_escape(at, (unsigned char)c, "\"\\u00");
    *at++ = '"';
    return at;
}

static inline char *put_value_csv(char *at, const struct dbn_field *f, const uint8_t *value,
                                  bool pretty)
{
    enum dbn_kind kind = f->kind;
    if (is_wide(kind)) {
        uint64_t raw = load_u64(value);
        return pretty && is_undefined(kind, raw) ? at : put_wide(at, kind, raw, pretty);
    }
    if (kind == DBN_CHAR)
        return put_char_csv(at, (char)value[0]);
    if (kind == DBN_STRING)
        return text_put_csv(at, (const char *)value, strnlen((const char *)value, f->size));
    return put_narrow(at, kind, value);
}

static inline char *put_wide_json(char *at, enum dbn_kind kind, uint64_t raw, bool pretty)
{
    if (pretty && is_undefined(kind, raw))
        return PUT(at, "null");
    *at++ = '"';
    at = put_wide(at, kind, raw, pretty);
    *at++ = '"';
    return at;
}

static inline char *put_value_json(char *at, const struct dbn_field *f, const uint8_t *value,
                                   bool pretty)
{
    enum dbn_kind kind = f->kind;
    if (is_wide(kind))
        return put_wide_json(at, kind, load_u64(value), pretty);
    if (kind == DBN_CHAR)
        return put_char_json(at, (char)value[0]);
    if (kind == DBN_STRING)
        return text_put_json(at, (const char *)value, strnlen((const char *)value, f->size));
    return put_narrow(at, kind, value);
}

/* The send time that follows the record. NULL: there is none. */
static const uint8_t *ts_out_of(const struct dbn_layout *layout, const struct text_tick *tick)
{
    return tick->size >= layout->size + DBN_TS_OUT_SIZE
               ? (const uint8_t *)tick->payload + layout->size
               : NULL;
}

/* ---- CSV ---- */

#define ENVELOPE_COLUMNS "track,epoch,seq,ts,"

void text_csv_header(struct text_buffer *text, const struct dbn_layout *layout,
                     const struct text_options *options)
{
    if (options->envelope)
        text_add_string(text, ENVELOPE_COLUMNS);
    for (size_t i = 0; i < layout->count; i++) {
        if (i > 0)
            text_add_char(text, ',');
        text_add_string(text, layout->fields[i].name);
    }
    if (options->ts_out)
        text_add_string(text, ",ts_out");
    if (options->map_symbols)
        text_add_string(text, ",symbol");
    text_add_char(text, '\n');
}

static char *put_time(char *at, uint64_t ns, bool pretty)
{
    return pretty ? digits_time(at, ns) : digits_u64(at, ns);
}

static char *put_envelope_csv(char *at, const struct text_tick *tick, bool pretty)
{
    at = text_put_csv(at, tick->track, strlen(tick->track));
    *at++ = ',';
    at = digits_u64(at, tick->epoch);
    *at++ = ',';
    at = digits_u64(at, tick->seq);
    *at++ = ',';
    if (!pretty || !is_undefined(DBN_TIME, tick->ts))
        at = put_time(at, tick->ts, pretty);
    *at++ = ',';
    return at;
}

void text_csv_record(struct text_buffer *text, const struct dbn_layout *layout,
                     const struct text_tick *tick, const struct text_options *options)
{
    static const struct dbn_field ts_out = {.kind = DBN_TIME};
    char *at = reserve_line(text, tick, options);
    if (at == NULL)
        return;
    const uint8_t *record = tick->payload;
    bool pretty = options->pretty;
    if (options->envelope)
        at = put_envelope_csv(at, tick, pretty);
    for (size_t i = 0; i < layout->count; i++) {
        at = put_value_csv(at, &layout->fields[i], record + layout->fields[i].offset, pretty);
        *at++ = ',';
    }
    if (options->ts_out) {
        const uint8_t *value = ts_out_of(layout, tick);
        if (value != NULL)
            at = put_value_csv(at, &ts_out, value, pretty);
        *at++ = ',';
    }
    if (options->map_symbols) {
        if (tick->symbol != NULL)
            at = text_put_csv(at, tick->symbol, strlen(tick->symbol));
        *at++ = ',';
    }
    at[-1] = '\n'; /* in place of the last comma */
    text_wrote(text, at);
}

/* ---- JSON ---- */

static char *put_u64_json(char *at, uint64_t value)
{
    *at++ = '"';
    at = digits_u64(at, value);
    *at++ = '"';
    return at;
}

/* Includes the brace that opens the line, and the comma before what follows. */
static char *put_envelope_json(char *at, const struct text_tick *tick, bool pretty)
{
    at = PUT(at, "{\"tape\":{\"track\":");
    at = text_put_json(at, tick->track, strlen(tick->track));
    at = PUT(at, ",\"epoch\":");
    at = put_u64_json(at, tick->epoch);
    at = PUT(at, ",\"seq\":");
    at = put_u64_json(at, tick->seq);
    at = PUT(at, ",\"ts\":");
    at = put_wide_json(at, DBN_TIME, tick->ts, pretty);
    return PUT(at, "},");
}

void text_json_record(struct text_buffer *text, const struct dbn_layout *layout,
                      const struct text_tick *tick, const struct text_options *options)
{
    char *at = reserve_line(text, tick, options);
    if (at == NULL)
        return;
    const uint8_t *record = tick->payload, *ts_out = ts_out_of(layout, tick);
    bool pretty = options->pretty;
    char *opening = at;
    if (options->envelope)
        at = opening = put_envelope_json(at, tick, pretty) - 1;
    for (size_t i = 0; i < layout->count; i++) {
        const struct dbn_field *f = &layout->fields[i];
        memcpy(at, f->json, sizeof f->json); /* of constant size: the excess is overwritten */
        at = put_value_json(at + f->json_size, f, record + f->offset, pretty);
    }
    if (options->envelope)
        *opening = ','; /* where the first field has opened the object again */
    at = put(at, layout->json_end, strlen(layout->json_end));
    if (ts_out != NULL) {
        at = PUT(at, ",\"ts_out\":");
        at = put_wide_json(at, DBN_TIME, load_u64(ts_out), pretty);
    }
    if (options->map_symbols) {
        at = PUT(at, ",\"symbol\":");
        at = tick->symbol != NULL ? text_put_json(at, tick->symbol, strlen(tick->symbol))
                                  : PUT(at, "null");
    }
    at = PUT(at, "}\n");
    text_wrote(text, at);
}

/* ---- opaque payloads ---- */

void text_csv_opaque_header(struct text_buffer *text, const struct text_options *options)
{
    text_add_string(text, options->envelope ? ENVELOPE_COLUMNS : "ts,track,seq,");
    text_add_string(text, "type,text,base64\n");
}

static bool is_text(const struct text_tick *tick)
{
    return utf8_span(tick->payload, tick->size) == tick->size;
}

void text_csv_opaque(struct text_buffer *text, const struct text_tick *tick,
                     const struct text_options *options)
{
    char *at = text_reserve(text, string_room(tick->track) + 4 * DIGITS_MAX);
    if (at == NULL)
        return;
    if (options->envelope) {
        at = put_envelope_csv(at, tick, options->pretty);
    } else {
        if (!options->pretty || !is_undefined(DBN_TIME, tick->ts))
            at = put_time(at, tick->ts, options->pretty);
        *at++ = ',';
        at = text_put_csv(at, tick->track, strlen(tick->track));
        *at++ = ',';
        at = digits_u64(at, tick->seq);
        *at++ = ',';
    }
    at = digits_u64(at, tick->type);
    *at++ = ',';
    text_wrote(text, at);
    if (is_text(tick)) {
        text_add_csv(text, tick->payload, tick->size);
        text_add_char(text, ',');
    } else {
        text_add_char(text, ',');
        text_add_base64(text, tick->payload, tick->size);
    }
    text_add_char(text, '\n');
}

void text_json_opaque(struct text_buffer *text, const struct text_tick *tick,
                      const struct text_options *options)
{
    char *at = text_reserve(text, 2 * string_room(tick->track) + 8 * DIGITS_MAX + 128);
    if (at == NULL)
        return;
    if (options->envelope)
        at = put_envelope_json(at, tick, options->pretty);
    else
        *at++ = '{';
    at = PUT(at, "\"ts\":");
    at = put_wide_json(at, DBN_TIME, tick->ts, options->pretty);
    at = PUT(at, ",\"track\":");
    at = text_put_json(at, tick->track, strlen(tick->track));
    at = PUT(at, ",\"seq\":");
    at = put_u64_json(at, tick->seq);
    at = PUT(at, ",\"type\":");
    at = digits_u64(at, tick->type);
    text_wrote(text, at);
    if (is_text(tick)) {
        text_add_string(text, ",\"text\":");
        text_add_json(text, tick->payload, tick->size);
    } else {
        text_add_string(text, ",\"base64\":\"");
        text_add_base64(text, tick->payload, tick->size);
        text_add_char(text, '"');
    }
    text_add_string(text, "}\n");
}
