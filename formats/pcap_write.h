/*
 * pcap_write.h - writes packets as pcap and pcapng, with times in ns, and UDP headers for payloads
 * that have none.
 *
 * Everything goes to the end of a text buffer, which remembers if memory ran out. Any thread.
 */
#ifndef TDK_FORMATS_PCAP_WRITE_H
#define TDK_FORMATS_PCAP_WRITE_H

#include "base/text_buffer.h"

#define PCAP_LINK_ETHERNET 1u

/* Readers refuse larger packets. */
#define PCAP_PACKET_MAX (256u << 10)

/* The headers before a payload that came without: Ethernet, IPv4, UDP. */
#define PCAP_UDP_HEAD        42u
#define PCAP_UDP_PAYLOAD_MAX 65507u

/* From 192.0.2.1 port 20000 to 192.0.2.2 port `port`; these addresses are reserved for examples.
 * IPv4 has its checksum, UDP has none. `size` is the payload's, at most PCAP_UDP_PAYLOAD_MAX. */
void pcap_udp_head(unsigned char head[PCAP_UDP_HEAD], uint16_t port, size_t size);

/* The contents of a packet: a head that we made, or none, and the bytes after it. */
struct pcap_bytes {
    const void *head, *bytes;
    size_t head_size, size;
};

/* ---- pcap: one link type a file; times from 1970 to 2106 ---- */
#define PCAP_TS_END UINT64_C(4294967296000000000)
void pcap_add_head(struct text_buffer *out, uint32_t link);
void pcap_add_packet(struct text_buffer *out, uint64_t ts, const struct pcap_bytes *packet);

/* ---- pcapng: interfaces are numbered from 0 as they are added ---- */
void pcapng_add_section(struct text_buffer *out);
void pcapng_add_interface(struct text_buffer *out, uint16_t link, const char *name);
void pcapng_add_packet(struct text_buffer *out, uint32_t interface, uint64_t ts,
                       const struct pcap_bytes *packet);

#endif
