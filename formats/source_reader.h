/*
 * source_reader.h - shared by the parts of a source; only for source*.c.
 *
 * source.c finds out what a file is. Each format has a reader, which makes items from it.
 */
#ifndef TDK_FORMATS_SOURCE_READER_H
#define TDK_FORMATS_SOURCE_READER_H

#include "base/scratch.h"
#include "formats/five.h"
#include "formats/five_names.h"
#include "formats/input.h"
#include "formats/source.h"

/* A property on its way out as INFO items, one for each part. */
struct source_info {
    char key[32];
    const void *value; /* borrowed until all of it has been returned */
    size_t size, told;
    bool pending;
};

struct source {
    struct input *input;
    char *path; /* for messages */
    struct source_options options;
    int (*next)(struct source *s, struct source_item *item, struct tdk_err *err);
    bool ended;
    bool any;      /* an item has been returned */
    uint8_t rtype; /* of its ticks, if all are wide ones of one type; else 0 */
    uint64_t line; /* the last one read, counted from 1 */
    struct source_info info;
    struct scratch control; /* owned: the last control item that was returned */

    /* Numbers for names, and the tick that is returned after its control items. */
    struct five_names *names, *own_names;
    struct source_item tick;
    bool tick_pending;

    void *metadata;       /* DBN: owned: what `info` points to */
    uint64_t connections; /* cryptofeed: lines that are not messages */
    char *type;           /* opaque payloads: owned: what `info` points to */
    struct five_decoder *decoder;
    struct tdk_wide_trade trade;

    struct capture *capture; /* owned; the packets, for readers that decode their contents */

    void *state; /* the reader's own, for the two below; each may be NULL */
    void (*close)(void *state);
    void (*passed_over)(const struct source *s, source_passed_cb *each, void *context);
};

/* Detect the format by the first bytes of the input. TDK_EFORMAT: no known format; err says what it
 * may be. */
int source_detect(struct source *s, enum source_format *format, struct tdk_err *err);

int source_open_dbn(struct source *s, struct tdk_err *err);
int source_open_five(struct source *s, struct tdk_err *err);
int source_open_lines(struct source *s, struct tdk_err *err);
int source_open_pcap(struct source *s, struct tdk_err *err);
int source_open_csv(struct source *s, struct tdk_err *err);
int source_open_itch(struct source *s, struct tdk_err *err);
int source_open_cryptofeed(struct source *s, struct tdk_err *err);

/* For a capture whose packets another reader decodes: source_next_packet() returns the next one as
 * an opaque tick. */
int source_open_packets(struct source *s, struct tdk_err *err);
void source_close_packets(struct source *s); /* also after a failed open */
int source_next_packet(struct source *s, struct source_item *item, struct tdk_err *err);
void source_passed_packets(const struct source *s, source_passed_cb *each, void *context);

/* source_decode() reads a venue's message. 1: *item is the first thing to return for it. 0: it is
 * of no type that is decoded. Else a code. */
int source_open_decode(struct source *s, struct tdk_err *err);
int source_decode(struct source *s, uint64_t ts, const char *message, size_t size,
                  struct source_item *item, struct tdk_err *err);

/* The number of a message type. 1: it is new, and its property is now pending. 0: it is known.
 * TDK_EVALUE (err names the line), -ENOMEM. */
int source_number_kind(struct source *s, const char *name, size_t size, uint16_t *kind,
                       struct tdk_err *err);

/* The file has ended inside something that begins at the next byte. Returns TDK_ETRUNCATED, or why
 * it could not be read further. Ends the source. */
int source_cut(struct source *s, const char *what, size_t size, size_t have, struct tdk_err *err);

/* Begin to return the property "type.3" of an opaque type: "NAME<tab>CONTENT-TYPE", from
 * --type-name and --content-type, else from the arguments. 0 or -ENOMEM. */
int source_queue_type(struct source *s, const char *name, const char *content, struct tdk_err *err);

/* Use the options' table of names, or make one of our own. */
int source_need_names(struct source *s, struct tdk_err *err);

/* The instrument id of a symbol. 1: it is new, and *item announces it. 0: it is known. TDK_EVALUE
 * (err names the line), -ENOMEM. */
int source_number(struct source *s, const char *symbol, size_t size, uint32_t *id,
                  struct source_item *item, struct tdk_err *err);

/* Set the next tick, which is returned after everything that is pending. */
void source_queue_tick(struct source *s, uint8_t type, uint64_t ts, const void *payload,
                       size_t size);

/* Begin to return a property. The value is borrowed until source_next_info() has returned all of
 * it. */
void source_queue_info(struct source *s, const char *key, const void *value, size_t size);

/* 1: the next part. 0: there is none. */
int source_next_info(struct source *s, struct source_item *item, struct tdk_err *err);

/* The next line that is not empty; counts lines. 1, or 0 at the end, or a code. */
int source_line(struct source *s, size_t max, const char **line, size_t *size, struct tdk_err *err);

/* Report one more line for source_passed_over(), unless `count` is 0: "FILE: COUNT WHAT". */
void source_tell_count(const struct source *s, uint64_t count, const char *what, bool loss,
                       source_passed_cb *each, void *context);

/* Put "FILE: line N: " in front of what err says. */
int source_bad_line(struct source *s, int code, struct tdk_err *err);

#endif
