#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "formats/packet.h"
#include "formats/pcap.h"
#include "formats/source_reader.h"

/* Counts packets that did not become a tick, or not a whole one. */
struct capture {
    struct pcap pcap;
    int properties; /* still to be returned */
    char link[16];
    uint64_t others, fragments, broken, unknown, cut, foreign, large;
};

/* Choose the payload of a packet's tick. False: it has none, and that is counted. */
static bool choose(struct source *s, const struct pcap_packet *packet, struct source_item *item)
{
    struct capture *c = s->capture;
    struct packet_udp udp = {.payload = packet->bytes, .size = packet->size};
    if (s->options.whole) {
        c->foreign += packet->link != c->pcap.link;
        if (packet->link != c->pcap.link)
            return false;
        udp.cut = packet->size < packet->wire_size;
    } else {
        enum packet_kind kind = packet_udp(packet->link, packet->bytes, packet->size, &udp);
        uint64_t *const counts[] = {[PACKET_OTHER] = &c->others,
                                    [PACKET_FRAGMENT] = &c->fragments,
                                    [PACKET_BROKEN] = &c->broken,
                                    [PACKET_UNKNOWN] = &c->unknown};
        if (kind != PACKET_UDP) {
            ++*counts[kind];
            return false;
        }
    }
    if (udp.size > s->options.payload_max) {
        c->large++;
        return false;
    }
    c->cut += udp.cut;
    *item = (struct source_item){.type = TDK_TYPE_OPAQUE,
                                 .ts = packet->ts,
                                 .payload = udp.payload,
                                 .size = (uint32_t)udp.size};
    return true;
}

/* Return "pcap.whole" and "pcap.linktype": enough to make a capture from the ticks again. */
static int tell_property(struct source *s, struct source_item *item, struct tdk_err *err)
{
    struct capture *c = s->capture;
    if (c->properties-- == 2)
        source_queue_info(s, "pcap.whole", "1", 1);
    else
        source_queue_info(s, "pcap.linktype", c->link, strlen(c->link));
    return source_next_info(s, item, err);
}

int source_next_packet(struct source *s, struct source_item *item, struct tdk_err *err)
{
    struct capture *c = s->capture;
    struct pcap_packet packet;
    for (;;) {
        int rc = pcap_next(&c->pcap, &packet, err);
        if (rc <= 0) {
            s->ended = true;
            return rc < 0 ? err_wrap(err, rc, "%s", s->path) : 0;
        }
        if (choose(s, &packet, item))
            return 1;
    }
}

static int next_tick(struct source *s, struct source_item *item, struct tdk_err *err)
{
    if (s->capture->properties > 0)
        return tell_property(s, item, err);
    return source_next_packet(s, item, err);
}

void source_passed_packets(const struct source *s, source_passed_cb *each, void *context)
{
    const struct capture *c = s->capture;
    source_tell_count(s, c->others, "packets hold no UDP", false, each, context);
    source_tell_count(s, c->fragments,
                      "fragments of datagrams were passed over: they are not put together", true,
                      each, context);
    source_tell_count(s, c->broken, "packets end inside their headers or contradict themselves",
                      true, each, context);
    source_tell_count(s, c->unknown,
                      "packets are of a link type in which no UDP is looked for; --whole takes "
                      "packets as they are",
                      true, each, context);
    source_tell_count(s, c->foreign,
                      "packets are of another link type than the first and were passed over", true,
                      each, context);
    source_tell_count(s, c->large, "packets are larger than a payload may be", true, each, context);
    source_tell_count(s, c->cut, "packets were cut when they were captured; what is there is kept",
                      true, each, context);
    source_tell_count(s, c->pcap.untimed, "packets have no time; it is undefined", true, each,
                      context);
}

void source_close_packets(struct source *s)
{
    if (s->capture == NULL)
        return;
    pcap_close(&s->capture->pcap);
    free(s->capture);
}

int source_open_packets(struct source *s, struct tdk_err *err)
{
    s->capture = calloc(1, sizeof *s->capture);
    if (s->capture == NULL)
        return err_set(err, -ENOMEM, "open %s", s->path);
    int rc = pcap_open(&s->capture->pcap, s->input, err);
    return rc < 0 ? err_wrap(err, rc, "%s", s->path) : 0;
}

int source_open_pcap(struct source *s, struct tdk_err *err)
{
    int rc = source_open_packets(s, err);
    if (rc < 0)
        return rc;
    s->next = next_tick;
    if (!s->options.whole)
        return source_queue_type(s, "udp", "application/octet-stream", err);
    struct capture *c = s->capture;
    c->properties = 2;
    snprintf(c->link, sizeof c->link, "%u", c->pcap.link);
    return source_queue_type(s, "packet", "application/octet-stream", err);
}
