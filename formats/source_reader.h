/*
 * source_reader.h - what a source's parts know of each other; for source*.c alone.
 *
 * source.c finds out what a file is; one reader a format makes items of it.
 */
#ifndef TDK_FORMATS_SOURCE_READER_H
#define TDK_FORMATS_SOURCE_READER_H

#include "formats/five.h"
#include "formats/five_names.h"
#include "formats/input.h"
#include "formats/source.h"

/* A property on its way out: INFO items, one a part. */
struct source_info {
    char key[32];
    const void *value; /* borrowed until all is told */
    size_t size, told;
    bool pending;
};

struct source {
    struct input *input;
    char *path; /* for messages */
    struct source_options options;
    int (*next)(struct source *s, struct source_item *item, struct tdk_err *err);
    bool ended;
    bool any;      /* item was told */
    uint8_t rtype; /* of its ticks, where they are all wide ones of one; else 0 */
    uint64_t line; /* the last that was read, from 1 */
    struct source_info info;
    unsigned char *control; /* owned: the control item that was told last */
    size_t control_room;

    /* Numbers for names, and the tick that is told once its control items are. */
    struct five_names *names, *own_names;
    struct source_item tick;
    bool tick_pending;

    void *metadata;       /* DBN: owned: what `info` tells */
    uint64_t connections; /* cryptofeed: lines that are no messages */
    char *type;           /* opaque payloads: owned: likewise */
    struct five_decoder *decoder;
    struct tdk_wide_trade trade;

    struct capture *capture; /* owned; packets, for those who read what is in them */

    void *state; /* a reader's own, for the two below; either may be NULL */
    void (*close)(void *state);
    void (*told)(const struct source *s, source_told_cb *each, void *context);
};

/* By the first bytes of its input. TDK_EFORMAT: nothing that is known; err says what it may be. */
int source_detect(struct source *s, enum source_format *format, struct tdk_err *err);

int source_open_dbn(struct source *s, struct tdk_err *err);
int source_open_five(struct source *s, struct tdk_err *err);
int source_open_lines(struct source *s, struct tdk_err *err);
int source_open_pcap(struct source *s, struct tdk_err *err);
int source_open_csv(struct source *s, struct tdk_err *err);
int source_open_itch(struct source *s, struct tdk_err *err);
int source_open_cryptofeed(struct source *s, struct tdk_err *err);

/* A capture whose packets another reader takes apart: next one as an opaque tick. */
int source_open_packets(struct source *s, struct tdk_err *err);
void source_close_packets(struct source *s); /* also what was not opened */
int source_next_packet(struct source *s, struct source_item *item, struct tdk_err *err);
void source_told_packets(const struct source *s, source_told_cb *each, void *context);

/* What a venue's message says: 1, and *item is the first thing that has to be told of it; 0: it is
 * none that is typed; or a code. */
int source_open_decode(struct source *s, struct tdk_err *err);
int source_decode(struct source *s, uint64_t ts, const char *message, size_t size,
                  struct source_item *item, struct tdk_err *err);

/* The number of a message type: 1, and its property is begun to be told, the first time; 0: it is
 * known. TDK_EVALUE (the line's place is told), -ENOMEM. */
int source_number_kind(struct source *s, const char *name, size_t size, uint16_t *kind,
                       struct tdk_err *err);

/* The file ended inside something that begins at the next byte: TDK_ETRUNCATED, or why it could not
 * be read on. Ends the source. */
int source_cut(struct source *s, const char *what, size_t size, size_t have, struct tdk_err *err);

/* The property of an opaque type: "NAME<tab>CONTENT-TYPE", as --type-name and --content-type say or
 * else as given. 0 or -ENOMEM; begins to tell "type.3". */
int source_tell_type(struct source *s, const char *name, const char *content, struct tdk_err *err);

/* The options' table of names, or one of its own. */
int source_need_names(struct source *s, struct tdk_err *err);

/* The instrument id of a symbol: 1, and *item announces it, the first time; 0: it is known.
 * TDK_EVALUE (the line's place is told), -ENOMEM. */
int source_number(struct source *s, const char *symbol, size_t size, uint32_t *id,
                  struct source_item *item, struct tdk_err *err);

/* The next tick, when all that was begun to be told is out. */
void source_tell_tick(struct source *s, uint8_t type, uint64_t ts, const void *payload,
                      size_t size);

/* Begin to tell a property; the value is borrowed until source_next_info() has told all of it. */
void source_tell_info(struct source *s, const char *key, const void *value, size_t size);

/* 1: the next part. 0: there is none. */
int source_next_info(struct source *s, struct source_item *item, struct tdk_err *err);

/* The next line that is not empty: 1, or 0 at the end, or a code; counts lines. */
int source_line(struct source *s, size_t max, const char **line, size_t *size, struct tdk_err *err);

/* One more line for source_told(), unless `count` is 0: "FILE: COUNT WHAT". */
void source_tell_count(const struct source *s, uint64_t count, const char *what, bool loss,
                       source_told_cb *each, void *context);

/* "FILE: line N: " before what err says. */
int source_bad_line(struct source *s, int code, struct tdk_err *err);

#endif
