/*
 * pcap.h - reads packets from a capture, pcap or pcapng, as they lie in the file.
 *
 * It reads both byte orders; pcap in micro- or nanoseconds; pcapng with any number of sections and
 * interfaces, each interface with its own link type and resolution. No length in the file is
 * trusted beyond PCAP_BLOCK_MAX. Memory: one packet, and 24 bytes for each interface. One thread.
 */
#ifndef TDK_FORMATS_PCAP_H
#define TDK_FORMATS_PCAP_H

#include <stdbool.h>

#include "formats/input.h"

#define PCAP_BLOCK_MAX (32u << 20)

struct pcap_interface;

struct pcap {
    struct input *input; /* borrowed */
    bool ng, swapped;
    uint64_t per_second;               /* pcap: units of a second's fraction */
    uint32_t link;                     /* pcap: of all packets; pcapng: of the first interface */
    struct pcap_interface *interfaces; /* pcapng: owned; those of the current section */
    uint32_t interface_count;
    size_t interface_room;
    uint64_t untimed; /* packets that had no time of their own */
};

struct pcap_packet {
    const unsigned char *bytes; /* borrowed until the next call */
    uint32_t size;              /* bytes captured */
    uint32_t wire_size;         /* bytes of the packet on the wire */
    uint32_t link;
    uint64_t ts; /* ns; UINT64_MAX: the packet has no time, or none that fits in ns */
};

/* Does a capture begin with these four bytes? */
bool pcap_begins(const unsigned char *bytes);

/* Read up to the first packet. The input stays the caller's. TDK_EFORMAT, TDK_ECORRUPT,
 * TDK_ETRUNCATED: err says at which offset, but not in which file. */
int pcap_open(struct pcap *pcap, struct input *input, struct tdk_err *err);
void pcap_close(struct pcap *pcap);

/* 1: *packet is set. 0: the file is at its end. TDK_ETRUNCATED: it ends inside a packet.
 * TDK_ECORRUPT: it is not known where the next packet begins. err says at which offset. */
int pcap_next(struct pcap *pcap, struct pcap_packet *packet, struct tdk_err *err);

#endif
