#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "formats/itch.h"
#include "formats/mold.h"
#include "formats/pcap.h"
#include "formats/source_reader.h"

/* message -> [INFO type.N, for the first one of its letter] -> tick */
struct itch {
    bool told[256]; /* types whose name has been returned */
    char key[16], name[64];

    /* For packets: what is left of the last datagram. */
    const unsigned char *at;
    size_t left;
    unsigned count;
    uint64_t ts;
    struct mold mold;
    uint64_t strange;
};

static int tell_message(struct source *s, const unsigned char *message, size_t size, uint8_t type,
                        uint64_t ts, struct source_item *item, struct tdk_err *err)
{
    struct itch *itch = s->state;
    source_queue_tick(s, type, ts, message, size);
    if (!itch->told[type]) {
        const char *content = s->options.content_type;
        itch->told[type] = true;
        snprintf(itch->key, sizeof itch->key, "type.%u", type);
        snprintf(itch->name, sizeof itch->name, "itch-%c\t%s", message[0],
                 content != NULL ? content : "application/octet-stream");
        source_queue_info(s, itch->key, itch->name, strlen(itch->name));
    }
    return source_next(s, item, err);
}

/* ---- a file of messages, each behind its length ---- */

static int damaged(struct source *s, const char *what, unsigned value, struct tdk_err *err)
{
    s->ended = true;
    return err_say(err, TDK_ECORRUPT, "%s: damaged at offset %" PRIu64 ": %s %u", s->path,
                   input_offset(s->input), what, value);
}

/* Some writers leave the length 0. Then the type gives it. */
static int next_plain(struct source *s, struct source_item *item, struct tdk_err *err)
{
    struct input *in = s->input;
    uint8_t type = 0;
    size_t have = input_peek(in, 3);
    if (have == 0 || (have == 2 && load_be16(in->at) == 0)) { /* the end, or a mark of the end */
        s->ended = true;
        return input_status(in, err);
    }
    if (have < 3)
        return source_cut(s, "a message", 3, have, err);
    size_t size = load_be16(in->at);
    if (!itch_type(in->at[2], &type))
        return damaged(s, "a message of type", in->at[2], err);
    if (size == 0)
        size = itch_size(in->at[2]);
    if (size == 0)
        return damaged(s, "a message without a length, of unknown type", in->at[2], err);
    if (size < ITCH_HEAD_SIZE || size > s->options.payload_max)
        return damaged(s, "a message of bytes:", (unsigned)size, err);
    have = input_peek(in, 2 + size);
    if (have < 2 + size)
        return source_cut(s, "a message", 2 + size, have, err);
    const unsigned char *message = in->at + 2;
    input_consume(in, 2 + size);
    return tell_message(s, message, size, type, s->options.midnight + itch_ns(message), item, err);
}

/* ---- messages in packets: MoldUDP64 ---- */

static void begin_datagram(struct itch *itch, const struct source_item *packet)
{
    const unsigned char *head = packet->payload;
    itch->left = 0;
    itch->count = 0;
    if (packet->size < MOLD_HEAD_SIZE) {
        itch->strange++;
        return;
    }
    itch->count = mold_note(&itch->mold, head);
    itch->at = head + MOLD_HEAD_SIZE;
    itch->left = packet->size - MOLD_HEAD_SIZE;
    itch->ts = packet->ts;
}

/* Take the next message of this datagram. False: there is none. */
static bool take_message(struct itch *itch, const unsigned char **message, size_t *size,
                         uint8_t *type)
{
    while (itch->count > 0) {
        itch->count--;
        *size = itch->left < 2 ? 0 : load_be16(itch->at);
        if (itch->left < 2 || *size > itch->left - 2) {
            itch->count = 0;
            itch->strange++;
            return false;
        }
        *message = itch->at + 2;
        itch->at += 2 + *size;
        itch->left -= 2 + *size;
        if (*size >= ITCH_HEAD_SIZE && itch_type(**message, type))
            return true;
        itch->strange++;
    }
    return false;
}

static int next_packed(struct source *s, struct source_item *item, struct tdk_err *err)
{
    struct itch *itch = s->state;
    const unsigned char *message;
    struct source_item packet;
    size_t size;
    uint8_t type;
    while (!take_message(itch, &message, &size, &type)) {
        int rc = source_next_packet(s, &packet, err);
        if (rc <= 0)
            return rc;
        begin_datagram(itch, &packet);
    }
    return tell_message(s, message, size, type, itch->ts, item, err);
}

static void passed_over(const struct source *s, source_passed_cb *each, void *context)
{
    const struct itch *itch = s->state;
    source_tell_count(s, itch->mold.missing, "messages are missing between the datagrams", true,
                      each, context);
    source_tell_count(s, itch->strange, "datagrams or messages in them are not MoldUDP64", true,
                      each, context);
}

int source_open_itch(struct source *s, struct tdk_err *err)
{
    struct itch *itch = calloc(1, sizeof *itch);
    if (itch == NULL)
        return err_set(err, -ENOMEM, "open %s", s->path);
    s->state = itch;
    s->close = free;
    s->passed_over = passed_over;
    if (input_peek(s->input, 4) >= 4 && pcap_begins(s->input->at)) {
        s->next = next_packed;
        return source_open_packets(s, err);
    }
    s->next = next_plain;
    if (s->options.midnight == 0)
        return err_say(err, TDK_EVALUE,
                       "%s: the times of ITCH have no date; give it with --date, and the zone of "
                       "its midnight with --tz",
                       s->path);
    return 0;
}
