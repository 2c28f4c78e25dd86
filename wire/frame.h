/*
 * frame.h - finds where a message ends: a walk over msgpack that decodes and allocates nothing.
 *
 * Bytes come as a socket gives them, cut anywhere, even inside a head. Between two pieces the walk
 * keeps some 60 bytes. It says when a message is whole, or that it never will be: it is too large,
 * too deep, has too many items, or is no msgpack. A length counts when it is declared, and not when
 * its bytes come: five bytes that promise 4 GiB are refused at the fifth. A message that passes can
 * be decoded in memory of a known size.
 *
 * Pure; one owner at a time.
 */
#ifndef TDK_WIRE_FRAME_H
#define TDK_WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

#define FRAME_DEPTH_MAX 12u
#define FRAME_HEAD_MAX  9u /* the byte of a type, and eight more */

/* What a peer may send. */
struct frame_limits {
    uint64_t size;  /* bytes of a message */
    uint32_t items; /* in one array; for a map, its pairs */
    unsigned depth; /* arrays and maps inside each other, at most FRAME_DEPTH_MAX */
};

#define FRAME_REQUEST_SIZE  ((uint64_t)64 << 10) /* from a client */
#define FRAME_REQUEST_ITEMS 1024u
#define FRAME_REQUEST_DEPTH 8u
/* From a server: one frame of the largest size, and what is around it. */
#define FRAME_ANSWER_SIZE  (((uint64_t)16 << 20) + ((uint64_t)64 << 10))
#define FRAME_ANSWER_ITEMS 1024u
#define FRAME_ANSWER_DEPTH FRAME_DEPTH_MAX /* gaps of coverage in a batch lie 11 deep */

extern const struct frame_limits frame_from_client, frame_from_server;

struct frame {
    const struct frame_limits *limits; /* borrowed */
    uint64_t size;                     /* bytes of this message so far */
    uint64_t body;                     /* bytes of a text or blob that are still to come */
    uint64_t owed;                     /* bytes that must still come at least, including `body` */
    uint32_t left[FRAME_DEPTH_MAX];    /* items to come, outermost first */
    unsigned depth;
    unsigned char head[FRAME_HEAD_MAX]; /* of the item that is being read */
    unsigned head_size;
};

/* Get ready for the first byte of a message. */
void frame_begin(struct frame *frame, const struct frame_limits *limits);

/* Has anything of the message come? */
static inline bool frame_is_begun(const struct frame *frame)
{
    return frame->size != 0;
}

/* Go on with `size` bytes. 1: the message ends after the first *used of them; begin the next one.
 * 0: all were taken, and more must come. Negative: it cannot go on, and err says why. TDK_EFORMAT:
 * it is no msgpack, or does not begin with an array. TDK_EFULL: it exceeds a limit. */
int frame_walk(struct frame *frame, const void *bytes, size_t size, size_t *used,
               struct tdk_err *err);

#endif
