/*
 * pcap.h - packets out of a capture: pcap and pcapng, as they lie in the file.
 *
 * Both byte orders; pcap in micro- or nanoseconds; pcapng with any number of sections and
 * interfaces, each with its own link type and resolution. No length in the file is believed beyond
 * PCAP_BLOCK_MAX. Memory: one packet, and 24 bytes an interface. One thread.
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
    uint64_t per_second;               /* pcap: units of its fractions */
    uint32_t link;                     /* pcap: of all packets; pcapng: of its first interface */
    struct pcap_interface *interfaces; /* pcapng: owned; of this section */
    uint32_t interface_count, interface_room;
    uint64_t untimed; /* packets without a time of their own */
};

struct pcap_packet {
    const unsigned char *bytes; /* borrowed until the next call */
    uint32_t size;              /* captured */
    uint32_t wire_size;         /* of the packet on the wire */
    uint32_t link;
    uint64_t ts; /* ns; UINT64_MAX: the file has none that ns can hold */
};

/* Does a file begin so? Four bytes. */
bool pcap_begins(const unsigned char *bytes);

/* Read up to the first packet. Does not take over the input. TDK_EFORMAT, TDK_ECORRUPT,
 * TDK_ETRUNCATED: err says at which offset, not of which file. */
int pcap_open(struct pcap *pcap, struct input *input, struct tdk_err *err);
void pcap_close(struct pcap *pcap);

/* 1: *packet. 0: the file is at its end. TDK_ETRUNCATED: it ends inside a packet, TDK_ECORRUPT:
 * where the next one begins is not known; err says at which offset. */
int pcap_next(struct pcap *pcap, struct pcap_packet *packet, struct tdk_err *err);

#endif
