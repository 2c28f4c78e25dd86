/*
 * packet.h - the UDP payload of a captured packet.
 *
 * It reads from the link layer inwards: Ethernet (with VLAN tags, MPLS labels, PPPoE), Linux cooked
 * (SLL, SLL2), BSD loopback, or raw IP; then IPv4, or IPv6 with its extension headers; then UDP. No
 * length in a packet is trusted beyond the bytes that are there. Fragments are not reassembled;
 * they are reported as such. Pure; any thread.
 */
#ifndef TDK_FORMATS_PACKET_H
#define TDK_FORMATS_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers of link types, as pcap files have them. */
enum packet_link {
    PACKET_LINK_NULL = 0, /* loopback: the address family in the capturing host's byte order */
    PACKET_LINK_ETHERNET = 1,
    PACKET_LINK_RAW_BSD = 12,
    PACKET_LINK_RAW_OPENBSD = 14,
    PACKET_LINK_RAW = 101,
    PACKET_LINK_LOOP = 108, /* loopback: the address family big-endian */
    PACKET_LINK_SLL = 113,
    PACKET_LINK_IPV4 = 228,
    PACKET_LINK_IPV6 = 229,
    PACKET_LINK_SLL2 = 276,
};

enum packet_kind {
    PACKET_UDP,      /* *udp is set */
    PACKET_OTHER,    /* no UDP in it: ARP, TCP, IGMP ... */
    PACKET_FRAGMENT, /* part of a datagram */
    PACKET_BROKEN,   /* its headers end too early or contradict each other */
    PACKET_UNKNOWN,  /* a link type other than those above */
};

struct packet_udp {
    const unsigned char *payload; /* inside the packet */
    size_t size;
    bool cut; /* the capture has only the beginning of the datagram */
    uint16_t source_port, port;
};

enum packet_kind packet_udp(uint32_t link, const unsigned char *bytes, size_t size,
                            struct packet_udp *udp);

#endif
