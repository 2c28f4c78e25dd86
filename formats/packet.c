#include "formats/packet.h"

#include "base/bytes.h"

#define ETHER_IPV4           0x0800
#define ETHER_IPV6           0x86dd
#define ETHER_MPLS           0x8847
#define ETHER_MPLS_MULTICAST 0x8848
#define ETHER_PPP            0x8864 /* PPPoE session */
#define PPP_IPV4             0x0021
#define PPP_IPV6             0x0057

#define IP_HOP_BY_HOP 0
#define IP_UDP        17
#define IP_ROUTING    43
#define IP_FRAGMENT   44
#define IP_AH         51
#define IP_OPTIONS    60

/* What is left of a packet: headers are taken off the front, trailers off the end. */
struct rest {
    const unsigned char *at;
    size_t size;
};

static const unsigned char *take(struct rest *rest, size_t size)
{
    const unsigned char *at = rest->at;
    if (rest->size < size)
        return NULL;
    rest->at += size;
    rest->size -= size;
    return at;
}

static enum packet_kind read_udp(struct rest rest, bool whole, struct packet_udp *udp)
{
    const unsigned char *head = take(&rest, 8);
    if (head == NULL)
        return PACKET_BROKEN;
    size_t length = load_be16(head + 4);
    if (length == 0) /* too long for 16 bits: an IPv6 jumbogram, or offloaded sending */
        length = 8 + rest.size;
    if (length < 8 || (whole && length - 8 > rest.size))
        return PACKET_BROKEN;
    *udp = (struct packet_udp){
        .payload = rest.at,
        .size = length - 8 < rest.size ? length - 8 : rest.size,
        .cut = length - 8 > rest.size,
        .source_port = load_be16(head),
        .port = load_be16(head + 2),
    };
    return PACKET_UDP;
}

/* Cut off what follows the IP datagram, which is the link's padding. size 0: the length is not
 * known. True: all of the datagram is here. */
static bool trim(struct rest *rest, size_t size)
{
    if (size > rest->size)
        return false;
    if (size > 0)
        rest->size = size;
    return true;
}

static enum packet_kind read_ipv4(struct rest rest, struct packet_udp *udp)
{
    if (rest.size < 20 || rest.at[0] >> 4 != 4)
        return PACKET_BROKEN;
    const unsigned char *head = rest.at;
    size_t head_size = (size_t)(head[0] & 15) * 4, total = load_be16(head + 2);
    bool whole = trim(&rest, total);
    if (head_size < 20 || take(&rest, head_size) == NULL)
        return PACKET_BROKEN;
    if ((load_be16(head + 6) & 0x3fff) != 0) /* more fragments follow, or came before */
        return PACKET_FRAGMENT;
    return head[9] == IP_UDP ? read_udp(rest, whole, udp) : PACKET_OTHER;
}

/* Read what follows IPv6's fixed header: extension headers, each of which names the next. */
static enum packet_kind read_extensions(struct rest rest, uint8_t next, bool whole,
                                        struct packet_udp *udp)
{
    while (next == IP_HOP_BY_HOP || next == IP_ROUTING || next == IP_OPTIONS || next == IP_AH ||
           next == IP_FRAGMENT) {
        if (rest.size < 8)
            return PACKET_BROKEN;
        const unsigned char *head = rest.at;
        if (next == IP_FRAGMENT && (load_be16(head + 2) & 0xfff9) != 0)
            return PACKET_FRAGMENT; /* a fragment that is the whole datagram passes */
        size_t size = next == IP_FRAGMENT ? 8
                      : next == IP_AH     ? ((size_t)head[1] + 2) * 4
                                          : ((size_t)head[1] + 1) * 8;
        next = head[0];
        if (take(&rest, size) == NULL)
            return PACKET_BROKEN;
    }
    return next == IP_UDP ? read_udp(rest, whole, udp) : PACKET_OTHER;
}

static enum packet_kind read_ipv6(struct rest rest, struct packet_udp *udp)
{
    const unsigned char *head = take(&rest, 40);
    if (head == NULL || head[0] >> 4 != 6)
        return PACKET_BROKEN;
    bool whole = trim(&rest, load_be16(head + 4));
    return read_extensions(rest, head[6], whole, udp);
}

static enum packet_kind read_ip(struct rest rest, struct packet_udp *udp)
{
    if (rest.size == 0)
        return PACKET_BROKEN;
    return rest.at[0] >> 4 == 6 ? read_ipv6(rest, udp) : read_ipv4(rest, udp);
}

static bool is_vlan(uint16_t type)
{
    return type == 0x8100 || type == 0x88a8 || type == 0x9100;
}

/* Read labels up to the one that is marked as the last. They do not say what follows. But IP begins
 * with its version, and other protocols avoid beginning like that. */
static enum packet_kind read_mpls(struct rest rest, struct packet_udp *udp)
{
    const unsigned char *label;
    do {
        label = take(&rest, 4);
        if (label == NULL)
            return PACKET_BROKEN;
    } while ((label[2] & 1) == 0);
    bool other = rest.size > 0 && rest.at[0] >> 4 != 4 && rest.at[0] >> 4 != 6;
    return other ? PACKET_OTHER : read_ip(rest, udp);
}

static enum packet_kind read_pppoe(struct rest rest, struct packet_udp *udp)
{
    const unsigned char *head = take(&rest, 6);
    if (head == NULL || head[0] != 0x11)
        return PACKET_BROKEN;
    trim(&rest, load_be16(head + 4));
    const unsigned char *protocol = take(&rest, 2);
    if (protocol == NULL)
        return PACKET_BROKEN;
    if (load_be16(protocol) == PPP_IPV4)
        return read_ipv4(rest, udp);
    return load_be16(protocol) == PPP_IPV6 ? read_ipv6(rest, udp) : PACKET_OTHER;
}

/* Read by Ethernet type, with any number of VLAN tags in front. */
static enum packet_kind read_typed(struct rest rest, uint16_t type, struct packet_udp *udp)
{
    while (is_vlan(type)) {
        const unsigned char *tag = take(&rest, 4);
        if (tag == NULL)
            return PACKET_BROKEN;
        type = load_be16(tag + 2);
    }
    switch (type) {
    case ETHER_IPV4:
        return read_ipv4(rest, udp);
    case ETHER_IPV6:
        return read_ipv6(rest, udp);
    case ETHER_MPLS:
    case ETHER_MPLS_MULTICAST:
        return read_mpls(rest, udp);
    case ETHER_PPP:
        return read_pppoe(rest, udp);
    default:
        return PACKET_OTHER;
    }
}

/* Read a link header of `size` bytes with an Ethernet type at `at`. */
static enum packet_kind read_link(struct rest rest, size_t size, size_t at, struct packet_udp *udp)
{
    const unsigned char *head = take(&rest, size);
    return head == NULL ? PACKET_BROKEN : read_typed(rest, load_be16(head + at), udp);
}

/* The family is 2 for IPv4 everywhere, and 24, 28 or 30 for IPv6. The IP header shows it, too. */
static enum packet_kind read_loopback(struct rest rest, struct packet_udp *udp)
{
    const unsigned char *head = take(&rest, 4);
    if (head == NULL)
        return PACKET_BROKEN;
    unsigned family = head[0] != 0 ? head[0] : head[3];
    bool ip = family == 2 || family == 10 || family == 24 || family == 28 || family == 30;
    return ip ? read_ip(rest, udp) : PACKET_OTHER;
}

enum packet_kind packet_udp(uint32_t link, const unsigned char *bytes, size_t size,
                            struct packet_udp *udp)
{
    struct rest rest = {bytes, size};
    switch (link) {
    case PACKET_LINK_ETHERNET:
        return read_link(rest, 14, 12, udp);
    case PACKET_LINK_SLL:
        return read_link(rest, 16, 14, udp);
    case PACKET_LINK_SLL2:
        return read_link(rest, 20, 0, udp);
    case PACKET_LINK_NULL:
    case PACKET_LINK_LOOP:
        return read_loopback(rest, udp);
    case PACKET_LINK_RAW_BSD:
    case PACKET_LINK_RAW_OPENBSD:
    case PACKET_LINK_RAW:
    case PACKET_LINK_IPV4:
    case PACKET_LINK_IPV6:
        return read_ip(rest, udp);
    default:
        return PACKET_UNKNOWN;
    }
}
