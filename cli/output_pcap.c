/* output_pcap.c - payloads from a network as pcap and pcapng. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/output_kind.h"
#include "formats/pcap_write.h"

#define TRACKS_MAX 65536u
#define PORT_FIRST 20000u /* of wrapped payloads: this plus the track's number */

/* By track number: what the track's ticks are. */
struct wire {
    uint64_t epoch;
    uint32_t interface; /* pcapng: its number + 1; 0: none yet */
    uint16_t link;
    bool known, whole; /* whole: packets as captured; else payloads of UDP */
};

struct pcap_state {
    struct wire *wires;
    uint32_t interfaces;
    bool headed; /* pcap only, as is link: */
    uint16_t link;
};

static int pcap_open(struct output *o, struct tdk_err *err)
{
    struct pcap_state *state = calloc(1, sizeof *state);
    if (state == NULL)
        return err_set(err, -ENOMEM, "open the output");
    o->state = state;
    state->wires = calloc(TRACKS_MAX, sizeof *state->wires);
    return state->wires != NULL ? 0 : err_set(err, -ENOMEM, "open the output");
}

static int pcapng_open(struct output *o, struct tdk_err *err)
{
    pcapng_add_section(&o->text);
    return pcap_open(o, err);
}

static void pcap_close(struct output *o)
{
    struct pcap_state *state = o->state;
    if (state == NULL)
        return;
    free(state->wires);
    free(state);
}

/* ---- what a track's payloads are: the properties `pcap.whole` and `pcap.linktype` ---- */

/* Get a property that is a decimal number, or `otherwise` if there is none. */
static long number_of(const struct output *o, const struct output_run *run, const char *key,
                      long otherwise)
{
    const struct output_facts *facts = &o->options.facts;
    void *value = NULL;
    size_t size = 0;
    char text[16] = "";
    if (facts->property == NULL ||
        facts->property(facts->context, run->track, run->epoch, key, &value, &size) < 0)
        return otherwise;
    if (size < sizeof text)
        memcpy(text, value, size);
    free(value);
    char *end;
    long number = strtol(text, &end, 10);
    return end != text && *end == '\0' ? number : -1;
}

static int learn(const struct output *o, const struct output_run *run, struct wire *wire,
                 struct tdk_err *err)
{
    bool whole = number_of(o, run, "pcap.whole", 0) == 1;
    long link = whole ? number_of(o, run, "pcap.linktype", -1) : (long)PCAP_LINK_ETHERNET;
    if (link < 0 || link > UINT16_MAX)
        return err_say(err, TDK_EFORMAT,
                       "track %s has whole packets, but its property pcap.linktype does not say of "
                       "which link type; -o frames gives them as they are",
                       run->track);
    if (wire->known && wire->link != (uint16_t)link)
        wire->interface = 0; /* another kind of link needs another interface */
    wire->epoch = run->epoch;
    wire->link = (uint16_t)link;
    wire->whole = whole;
    wire->known = true;
    return 0;
}

/* ---- packets ---- */

static int check_type(const struct output_run *run, const struct tdk_frame *frame,
                      struct tdk_err *err)
{
    if (frame->type > TDK_TYPE_WIDE)
        return 0;
    return err_say(err, TDK_EFORMAT,
                   "track %s holds %s, which are not packets: choose packets with --track or -t, "
                   "or another format",
                   run->track, frame->type == TDK_TYPE_WIDE ? "wide ticks" : "DBN records");
}

/* Find out what the tick's track is; it is kept from then on. */
static int look_up(const struct output *o, const struct output_run *run,
                   const struct tdk_frame *frame, struct wire *wire, struct tdk_err *err)
{
    int rc = check_type(run, frame, err);
    bool known = wire->known && wire->epoch == run->epoch;
    return rc < 0 || known ? rc : learn(o, run, wire, err);
}

/* Get the packet of a tick: as it is, or with `head` in front. False: there can be none. */
static bool make_packet(const struct wire *wire, const struct output_run *run,
                        const struct tdk_frame *frame, unsigned char *head,
                        struct pcap_bytes *packet)
{
    *packet = (struct pcap_bytes){.bytes = frame + 1, .size = frame->size};
    if (frame->ts == TDK_TS_UNDEFINED)
        return false;
    if (wire->whole)
        return frame->size <= PCAP_PACKET_MAX;
    if (frame->size > PCAP_UDP_PAYLOAD_MAX)
        return false;
    pcap_udp_head(head, (uint16_t)(PORT_FIRST + run->number % 40000u), frame->size);
    packet->head = head;
    packet->head_size = PCAP_UDP_HEAD;
    return true;
}

static int settle_link(struct output *o, const struct wire *wire, struct tdk_err *err)
{
    struct pcap_state *state = o->state;
    if (!state->headed) {
        pcap_add_head(&o->text, wire->link);
        state->link = wire->link;
        state->headed = true;
    }
    if (wire->link == state->link)
        return 0;
    return err_say(
        err, TDK_EFORMAT,
        "the range holds packets of link types %u and %u, but a pcap file has one: choose a "
        "track with --track, or -o pcapng",
        state->link, wire->link);
}

static int pcap_tick(struct output *o, const struct output_run *run, const struct tdk_frame *frame,
                     struct tdk_err *err)
{
    struct wire *wire = &((struct pcap_state *)o->state)->wires[run->number];
    struct pcap_bytes packet;
    unsigned char head[PCAP_UDP_HEAD];
    int rc = look_up(o, run, frame, wire, err);
    if (rc == 0)
        rc = settle_link(o, wire, err);
    if (rc < 0)
        return rc;
    if (frame->ts < PCAP_TS_END && make_packet(wire, run, frame, head, &packet))
        pcap_add_packet(&o->text, frame->ts, &packet);
    else
        o->skipped++;
    return 0;
}

static int pcapng_tick(struct output *o, const struct output_run *run,
                       const struct tdk_frame *frame, struct tdk_err *err)
{
    struct pcap_state *state = o->state;
    struct wire *wire = &state->wires[run->number];
    struct pcap_bytes packet;
    unsigned char head[PCAP_UDP_HEAD];
    int rc = look_up(o, run, frame, wire, err);
    if (rc < 0)
        return rc;
    if (!make_packet(wire, run, frame, head, &packet)) {
        o->skipped++;
        return 0;
    }
    if (wire->interface == 0) {
        pcapng_add_interface(&o->text, wire->link, run->track);
        wire->interface = ++state->interfaces;
    }
    pcapng_add_packet(&o->text, wire->interface - 1, frame->ts, &packet);
    return 0;
}

/* A file without packets still has a head. */
static int pcap_finish(struct output *o, struct tdk_err *err)
{
    (void)err;
    struct pcap_state *state = o->state;
    if (!state->headed)
        pcap_add_head(&o->text, PCAP_LINK_ETHERNET);
    return 0;
}

static const char unfit[] = "too large for a packet, or without a time that one can have";

const struct output_kind output_pcap = {
    .binary = true,
    .unfit = unfit,
    .open = pcap_open,
    .tick = pcap_tick,
    .finish = pcap_finish,
    .close = pcap_close,
};

const struct output_kind output_pcapng = {
    .binary = true,
    .unfit = unfit,
    .open = pcapng_open,
    .tick = pcapng_tick,
    .close = pcap_close,
};
