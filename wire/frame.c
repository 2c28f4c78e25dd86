#include "wire/frame.h"

#include <string.h>

#include "base/err.h"

const struct frame_limits frame_from_client = {
    .size = FRAME_REQUEST_SIZE, .items = FRAME_REQUEST_ITEMS, .depth = FRAME_REQUEST_DEPTH};
const struct frame_limits frame_from_server = {
    .size = FRAME_ANSWER_SIZE, .items = FRAME_ANSWER_ITEMS, .depth = FRAME_ANSWER_DEPTH};

void frame_begin(struct frame *f, const struct frame_limits *limits)
{
    memset(f, 0, sizeof *f);
    f->limits = limits;
    f->owed = 1;
}

/* ---- the head of one item ---- */

enum item { ITEM_PLAIN, ITEM_BODY, ITEM_ARRAY, ITEM_MAP, ITEM_NONE };

struct head {
    enum item item;
    unsigned size;   /* bytes of the head, including the type's byte */
    unsigned number; /* how many of them are the length, big-endian, last or before `extra` */
    unsigned extra;  /* bytes of a body beyond its length: the type of an ext */
};

/* 0xc0 to 0xdf, as the msgpack specification lists them. */
static const struct head heads[32] = {
    [0x00] = {ITEM_PLAIN, 1, 0, 0}, /* nil */
    [0x01] = {ITEM_NONE, 1, 0, 0},  /* never used */
    [0x02] = {ITEM_PLAIN, 1, 0, 0}, /* false */
    [0x03] = {ITEM_PLAIN, 1, 0, 0}, /* true */
    [0x04] = {ITEM_BODY, 2, 1, 0},  /* bin 8, 16, 32 */
    [0x05] = {ITEM_BODY, 3, 2, 0},  /**/
    [0x06] = {ITEM_BODY, 5, 4, 0},  /**/
    [0x07] = {ITEM_BODY, 2, 1, 1},  /* ext 8, 16, 32 */
    [0x08] = {ITEM_BODY, 3, 2, 1},  /**/
    [0x09] = {ITEM_BODY, 5, 4, 1},  /**/
    [0x0a] = {ITEM_PLAIN, 5, 0, 0}, /* float 32, 64 */
    [0x0b] = {ITEM_PLAIN, 9, 0, 0}, /**/
    [0x0c] = {ITEM_PLAIN, 2, 0, 0}, /* uint 8, 16, 32, 64 */
    [0x0d] = {ITEM_PLAIN, 3, 0, 0}, /**/
    [0x0e] = {ITEM_PLAIN, 5, 0, 0}, /**/
    [0x0f] = {ITEM_PLAIN, 9, 0, 0}, /**/
    [0x10] = {ITEM_PLAIN, 2, 0, 0}, /* int 8, 16, 32, 64 */
    [0x11] = {ITEM_PLAIN, 3, 0, 0}, /**/
    [0x12] = {ITEM_PLAIN, 5, 0, 0}, /**/
    [0x13] = {ITEM_PLAIN, 9, 0, 0}, /**/
    [0x14] = {ITEM_BODY, 1, 0, 2},  /* fixext 1, 2, 4, 8, 16 */
    [0x15] = {ITEM_BODY, 1, 0, 3},  /**/
    [0x16] = {ITEM_BODY, 1, 0, 5},  /**/
    [0x17] = {ITEM_BODY, 1, 0, 9},  /**/
    [0x18] = {ITEM_BODY, 1, 0, 17}, /**/
    [0x19] = {ITEM_BODY, 2, 1, 0},  /* str 8, 16, 32 */
    [0x1a] = {ITEM_BODY, 3, 2, 0},  /**/
    [0x1b] = {ITEM_BODY, 5, 4, 0},  /**/
    [0x1c] = {ITEM_ARRAY, 3, 2, 0}, /* array 16, 32 */
    [0x1d] = {ITEM_ARRAY, 5, 4, 0}, /**/
    [0x1e] = {ITEM_MAP, 3, 2, 0},   /* map 16, 32 */
    [0x1f] = {ITEM_MAP, 5, 4, 0},   /**/
};

/* The kind of item that begins with this byte. For the short kinds, *length is in the byte
 * itself. */
static struct head head_of(unsigned char byte, uint64_t *length)
{
    if (byte >= 0xc0 && byte <= 0xdf)
        return heads[byte - 0xc0];
    if (byte >= 0x80 && byte <= 0x8f) {
        *length = byte & 0x0f;
        return (struct head){ITEM_MAP, 1, 0, 0};
    }
    if (byte >= 0x90 && byte <= 0x9f) {
        *length = byte & 0x0f;
        return (struct head){ITEM_ARRAY, 1, 0, 0};
    }
    if (byte >= 0xa0 && byte <= 0xbf) {
        *length = byte & 0x1f;
        return (struct head){ITEM_BODY, 1, 0, 0};
    }
    return (struct head){ITEM_PLAIN, 1, 0, 0}; /* a small number */
}

static uint64_t big_endian(const unsigned char *bytes, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* ---- what a head promises ---- */

/* At least `bytes` more will come, in place of one that was promised before. */
static int promise(struct frame *f, uint64_t bytes, struct tdk_err *err)
{
    f->owed += bytes;
    if (f->size + f->owed > f->limits->size)
        return err_say(err, TDK_EFULL, "a message of more than %llu bytes is not accepted",
                       (unsigned long long)f->limits->size);
    return 0;
}

static int open_items(struct frame *f, uint64_t count, unsigned each, struct tdk_err *err)
{
    if (count > f->limits->items)
        return err_say(err, TDK_EFULL,
                       "an array or map of more than %u items is not accepted: it has %llu",
                       f->limits->items, (unsigned long long)count);
    if (f->depth == f->limits->depth)
        return err_say(err, TDK_EFULL, "more than %u arrays or maps inside each other",
                       f->limits->depth);
    f->left[f->depth++] = (uint32_t)count * each;
    return promise(f, count * each, err);
}

/* An item has ended, and with it each array and map in which it was the last. */
static void close_item(struct frame *f)
{
    while (f->depth > 0 && f->left[f->depth - 1] == 0)
        f->depth--;
}

/* The head is complete: its item ends here, or a body or items follow. */
static int take_head(struct frame *f, const struct head *head, uint64_t length, struct tdk_err *err)
{
    if (head->number != 0)
        length = big_endian(f->head + 1, head->number);
    f->head_size = 0;
    if (f->depth > 0)
        f->left[f->depth - 1]--;
    switch (head->item) {
    case ITEM_ARRAY:
        return open_items(f, length, 1, err);
    case ITEM_MAP:
        return open_items(f, length, 2, err);
    case ITEM_BODY:
        f->body = length + head->extra;
        return promise(f, f->body, err);
    case ITEM_PLAIN:
    case ITEM_NONE:
        break;
    }
    return 0;
}

static int check_first(const struct frame *f, const struct head *head, struct tdk_err *err)
{
    if (head->item == ITEM_NONE)
        return err_say(err, TDK_EFORMAT, "not msgpack: no value begins with the byte 0x%02x",
                       f->head[0]);
    if (f->size == 1 && head->item != ITEM_ARRAY)
        return err_say(
            err, TDK_EFORMAT,
            "not a message: it begins with 0x%02x, and a message is an array of three or four",
            f->head[0]);
    return 0;
}

/* Take the next byte of a head. 1: the message ends with it. */
static int take_byte(struct frame *f, unsigned char byte, struct tdk_err *err)
{
    uint64_t length = 0;
    f->head[f->head_size++] = byte;
    f->size++;
    f->owed--;
    struct head head = head_of(f->head[0], &length);
    if (f->head_size == 1) {
        int rc = check_first(f, &head, err);
        if (rc == 0)
            rc = promise(f, head.size - 1, err);
        if (rc < 0)
            return rc;
    }
    if (f->head_size < head.size)
        return 0;
    int rc = take_head(f, &head, length, err);
    if (rc < 0)
        return rc;
    if (f->body == 0)
        close_item(f);
    return f->body == 0 && f->depth == 0;
}

/* Take as much of the body as is here. 1: the message ends with it. */
static int take_body(struct frame *f, size_t here, size_t *taken)
{
    size_t size = f->body < here ? (size_t)f->body : here;
    f->body -= size;
    f->size += size;
    f->owed -= size;
    *taken = size;
    if (f->body != 0)
        return 0;
    close_item(f);
    return f->depth == 0;
}

int frame_walk(struct frame *f, const void *bytes, size_t size, size_t *used, struct tdk_err *err)
{
    const unsigned char *at = bytes;
    size_t done = 0;
    int rc = 0;
    while (rc == 0 && done < size) {
        size_t taken = 1;
        if (f->body != 0)
            rc = take_body(f, size - done, &taken);
        else
            rc = take_byte(f, at[done], err);
        done += taken;
    }
    *used = done;
    return rc;
}
