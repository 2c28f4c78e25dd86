/*
 * text.h - ticks as CSV and as JSON lines.
 *
 * DBN records have the vendor's columns, keys and order, and the wide ticks follow the same manner.
 * Plain text has raw integers. Pretty text has decimals and RFC 3339, and nothing for undefined
 * values. Opaque payloads are text if they are UTF-8, else base64. Lines end in "\n". Everything
 * goes to the end of a text buffer, which remembers if memory ran out. Any thread.
 */
#ifndef TDK_FORMATS_TEXT_H
#define TDK_FORMATS_TEXT_H

#include "base/text_buffer.h"
#include "formats/dbn_layout.h"

struct text_options {
    bool pretty;
    bool map_symbols; /* add a last column or key `symbol` */
    bool envelope;    /* add track, epoch, seq, ts: in front (CSV), under "tape" (JSON) */
    bool ts_out;      /* CSV: add a column for it, before `symbol`; JSON: always shown if there */
};

/* One tick and what is known about it. Everything is borrowed for the call. */
struct text_tick {
    const char *track;
    uint64_t epoch, seq, ts;
    const char *symbol; /* NULL: no mapping holds */
    const void *payload;
    uint32_t size;
    uint8_t type;
};

/* ---- records of a known layout: the payload is at least layout->size bytes ---- */
void text_csv_header(struct text_buffer *text, const struct dbn_layout *layout,
                     const struct text_options *options);
void text_csv_record(struct text_buffer *text, const struct dbn_layout *layout,
                     const struct text_tick *tick, const struct text_options *options);
void text_json_record(struct text_buffer *text, const struct dbn_layout *layout,
                      const struct text_tick *tick, const struct text_options *options);

/* ---- any other payload ----
 * CSV: ts,track,seq,type,text,base64: one of the last two is filled. With the envelope,
 * track,epoch, seq,ts,type,text,base64. JSON:
 * {"ts":"...","track":"...","seq":"...","type":3,"text":"..."} or "base64". */
void text_csv_opaque_header(struct text_buffer *text, const struct text_options *options);
void text_csv_opaque(struct text_buffer *text, const struct text_tick *tick,
                     const struct text_options *options);
void text_json_opaque(struct text_buffer *text, const struct text_tick *tick,
                      const struct text_options *options);

#endif
