#include "formats/pcap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"

#define MAGIC_MICRO    0xa1b2c3d4u
#define MAGIC_NANO     0xa1b23c4du
#define MAGIC_MODIFIED 0xa1b2cd34u /* an old patched libpcap, with other packet heads */
#define MAGIC_SECTION  0x0a0d0d0au
#define MAGIC_ORDER    0x1a2b3c4du

#define INTERFACES_MAX 65536u

enum block_type { /* of pcapng */
                  BLOCK_INTERFACE = 1,
                  BLOCK_PACKET_OBSOLETE = 2,
                  BLOCK_PACKET_SIMPLE = 3,
                  BLOCK_PACKET = 6,
                  BLOCK_SECTION = MAGIC_SECTION,
};

enum option_code { OPTION_END = 0, OPTION_TSRESOL = 9, OPTION_TSOFFSET = 14 };

struct pcap_interface {
    uint32_t link, snaplen; /* snaplen 0: no limit */
    uint64_t per_second;
    int64_t offset_s;
};

/* A block without its head and tail. */
struct block {
    uint32_t type;
    uint64_t offset; /* of its head in the file */
    const unsigned char *body;
    size_t size;
};

static uint32_t get_u32(const struct pcap *p, const unsigned char *at)
{
    uint32_t value = load_u32(at);
    return p->swapped ? __builtin_bswap32(value) : value;
}

static uint16_t get_u16(const struct pcap *p, const unsigned char *at)
{
    uint16_t value = load_u16(at);
    return p->swapped ? __builtin_bswap16(value) : value;
}

static uint64_t get_u64(const struct pcap *p, const unsigned char *at)
{
    uint64_t value = load_u64(at);
    return p->swapped ? __builtin_bswap64(value) : value;
}

__extension__ typedef unsigned __int128 u128;

/* Convert seconds and a fraction to ns. UINT64_MAX: it does not fit. */
static uint64_t to_ns(int64_t seconds, uint64_t fraction, uint64_t per_second)
{
    u128 ns = (u128)fraction * NS_PER_S / per_second;
    if (seconds < 0)
        return UINT64_MAX;
    ns += (u128)(uint64_t)seconds * NS_PER_S;
    return ns < UINT64_MAX ? (uint64_t)ns : UINT64_MAX;
}

/* ---- what is wrong ---- */

static int damaged(uint64_t offset, struct tdk_err *err, const char *what, uint64_t value)
{
    return err_say(err, TDK_ECORRUPT, "damaged at offset %" PRIu64 ": %s of %" PRIu64 " bytes",
                   offset, what, value);
}

/* The input has less than is needed of something that begins at the next byte. */
static int cut(struct pcap *p, const char *what, size_t size, struct tdk_err *err)
{
    struct input *in = p->input;
    int rc = input_status(in, err);
    if (rc < 0)
        return rc;
    return err_say(err, TDK_ETRUNCATED, "ends inside %s: at offset %" PRIu64 ", %zu bytes of %zu",
                   what, input_offset(in), (size_t)(in->end - in->at), size);
}

/* ---- pcap ---- */

static int open_plain(struct pcap *p, struct tdk_err *err)
{
    struct input *in = p->input;
    if (input_peek(in, 24) < 24)
        return cut(p, "the head of a pcap file", 24, err);
    p->link = get_u32(p, in->at + 20) & 0xffff; /* the upper bits are about frame checksums */
    input_consume(in, 24);
    return 0;
}

static int next_plain(struct pcap *p, struct pcap_packet *packet, struct tdk_err *err)
{
    struct input *in = p->input;
    size_t have = input_peek(in, 16);
    if (have == 0)
        return input_status(in, err);
    if (have < 16)
        return cut(p, "the head of a packet", 16, err);
    uint32_t size = get_u32(p, in->at + 8);
    if (size > PCAP_BLOCK_MAX)
        return damaged(input_offset(in), err, "a packet", size);
    if (input_peek(in, 16 + (size_t)size) < 16 + (size_t)size)
        return cut(p, "a packet", 16 + (size_t)size, err);
    *packet = (struct pcap_packet){
        .bytes = in->at + 16,
        .size = size,
        .wire_size = get_u32(p, in->at + 12),
        .link = p->link,
        .ts = to_ns(get_u32(p, in->at), get_u32(p, in->at + 4), p->per_second),
    };
    input_consume(in, 16 + (size_t)size);
    return 1;
}

/* ---- pcapng ---- */

/* Read the byte order, which is in the section's own head. */
static int read_order(struct pcap *p, struct tdk_err *err)
{
    struct input *in = p->input;
    if (input_peek(in, 12) < 12)
        return cut(p, "the head of a section", 12, err);
    uint32_t order = load_u32(in->at + 8);
    if (order != MAGIC_ORDER && order != __builtin_bswap32(MAGIC_ORDER))
        return err_say(err, TDK_ECORRUPT,
                       "damaged at offset %" PRIu64 ": a section without a byte order",
                       input_offset(in));
    p->swapped = order != MAGIC_ORDER;
    return 0;
}

static int next_block(struct pcap *p, struct block *block, struct tdk_err *err)
{
    struct input *in = p->input;
    size_t have = input_peek(in, 12);
    if (have == 0)
        return input_status(in, err);
    if (have < 12)
        return cut(p, "the head of a block", 12, err);
    if (load_u32(in->at) == MAGIC_SECTION) {
        int rc = read_order(p, err);
        if (rc < 0)
            return rc;
    }
    uint32_t total = get_u32(p, in->at + 4);
    *block = (struct block){.type = get_u32(p, in->at), .offset = input_offset(in)};
    if (total < 12 || total % 4 != 0 || total > PCAP_BLOCK_MAX)
        return damaged(block->offset, err, "a block", total);
    if (input_peek(in, total) < total)
        return cut(p, "a block", total, err);
    uint32_t again = get_u32(p, in->at + total - 4);
    if (again != total)
        return err_say(err, TDK_ECORRUPT,
                       "damaged at offset %" PRIu64 ": a block of %" PRIu32
                       " bytes that ends as one of %" PRIu32,
                       block->offset, total, again);
    block->body = in->at + 8;
    block->size = total - 12;
    input_consume(in, total);
    return 1;
}

static int begin_section(struct pcap *p, const struct block *block, struct tdk_err *err)
{
    if (block->size < 16)
        return damaged(block->offset, err, "the head of a section", block->size);
    uint16_t major = get_u16(p, block->body + 4);
    if (major != 1)
        return err_say(err, TDK_EVERSION,
                       "at offset %" PRIu64 " a section of pcapng version %u; 1 is known",
                       block->offset, major);
    p->interface_count = 0;
    return 0;
}

/* if_tsresol: 10^-n, or 2^-n if the top bit is set. 0: too fine for 64 bits. */
static uint64_t resolution(uint8_t value)
{
    unsigned n = value & 0x7f;
    if ((value & 0x80) != 0)
        return n < 64 ? UINT64_C(1) << n : 0;
    uint64_t per_second = 1;
    for (; n > 0; n--)
        if (__builtin_mul_overflow(per_second, UINT64_C(10), &per_second))
            return 0;
    return per_second;
}

static void read_options(const struct pcap *p, const unsigned char *at, size_t size,
                         struct pcap_interface *interface)
{
    while (size >= 4) {
        uint16_t code = get_u16(p, at);
        size_t length = get_u16(p, at + 2), span = 4 + align_up(length, 4);
        if (code == OPTION_END || span > size)
            return;
        if (code == OPTION_TSRESOL && length >= 1)
            interface->per_second = resolution(at[4]);
        if (code == OPTION_TSOFFSET && length >= 8)
            interface->offset_s = (int64_t)get_u64(p, at + 4);
        at += span;
        size -= span;
    }
}

static int add_interface(struct pcap *p, const struct block *block, struct tdk_err *err)
{
    if (block->size < 8)
        return damaged(block->offset, err, "an interface", block->size);
    if (p->interface_count == INTERFACES_MAX)
        return err_say(err, TDK_ECORRUPT,
                       "damaged at offset %" PRIu64 ": a section with more than %u interfaces",
                       block->offset, INTERFACES_MAX);
    struct pcap_interface *grown =
        array_grow(p->interfaces, &p->interface_room, p->interface_count + 1, sizeof *grown);
    if (grown == NULL)
        return err_set(err, -ENOMEM, "read an interface");
    p->interfaces = grown;
    struct pcap_interface *interface = &p->interfaces[p->interface_count++];
    *interface = (struct pcap_interface){.link = get_u16(p, block->body),
                                         .snaplen = get_u32(p, block->body + 4),
                                         .per_second = 1000000};
    read_options(p, block->body + 8, block->size - 8, interface);
    return 0;
}

/* NULL: TDK_ECORRUPT, and err says why. */
static const struct pcap_interface *find_interface(const struct pcap *p, const struct block *block,
                                                   uint32_t number, struct tdk_err *err)
{
    if (number < p->interface_count)
        return &p->interfaces[number];
    err_say(err, TDK_ECORRUPT,
            "damaged at offset %" PRIu64 ": a packet of interface %" PRIu32
            ", which is not described",
            block->offset, number);
    return NULL;
}

static uint64_t interface_ns(const struct pcap_interface *interface, uint64_t units)
{
    int64_t seconds;
    if (interface->per_second == 0 ||
        __builtin_add_overflow(units / interface->per_second, interface->offset_s, &seconds))
        return UINT64_MAX;
    return to_ns(seconds, units % interface->per_second, interface->per_second);
}

/* The packet follows the fixed part of a packet block, which is `head` bytes. */
static int put_packet(const struct block *block, size_t head, uint32_t size, uint32_t wire_size,
                      const struct pcap_interface *interface, struct pcap_packet *packet,
                      struct tdk_err *err)
{
    if (size > block->size - head)
        return damaged(block->offset, err, "a packet", size);
    *packet = (struct pcap_packet){.bytes = block->body + head,
                                   .size = size,
                                   .wire_size = wire_size,
                                   .link = interface->link,
                                   .ts = UINT64_MAX};
    return 1;
}

static int read_packet(struct pcap *p, const struct block *block, struct pcap_packet *packet,
                       struct tdk_err *err)
{
    if (block->size < 20)
        return damaged(block->offset, err, "a packet block", block->size);
    const unsigned char *body = block->body;
    uint32_t number = block->type == BLOCK_PACKET ? get_u32(p, body) : get_u16(p, body);
    const struct pcap_interface *interface = find_interface(p, block, number, err);
    if (interface == NULL)
        return TDK_ECORRUPT;
    int rc =
        put_packet(block, 20, get_u32(p, body + 12), get_u32(p, body + 16), interface, packet, err);
    if (rc < 0)
        return rc;
    packet->ts =
        interface_ns(interface, (uint64_t)get_u32(p, body + 4) << 32 | get_u32(p, body + 8));
    p->untimed += packet->ts == UINT64_MAX;
    return 1;
}

/* A simple packet has neither a time nor an interface: it belongs to the first one. */
static int read_simple(struct pcap *p, const struct block *block, struct pcap_packet *packet,
                       struct tdk_err *err)
{
    if (block->size < 4)
        return damaged(block->offset, err, "a packet block", block->size);
    const struct pcap_interface *interface = find_interface(p, block, 0, err);
    if (interface == NULL)
        return TDK_ECORRUPT;
    uint32_t wire_size = get_u32(p, block->body), size = wire_size;
    if (interface->snaplen != 0 && size > interface->snaplen)
        size = interface->snaplen;
    p->untimed++;
    return put_packet(block, 4, size, wire_size, interface, packet, err);
}

/* Read one block. 1: it was a packet. 2: it was something else. */
static int step_ng(struct pcap *p, struct pcap_packet *packet, struct tdk_err *err)
{
    struct block block = {.type = 0};
    int rc = next_block(p, &block, err);
    if (rc <= 0)
        return rc;
    switch (block.type) {
    case BLOCK_SECTION:
        rc = begin_section(p, &block, err);
        break;
    case BLOCK_INTERFACE:
        rc = add_interface(p, &block, err);
        break;
    case BLOCK_PACKET:
    case BLOCK_PACKET_OBSOLETE:
        return read_packet(p, &block, packet, err);
    case BLOCK_PACKET_SIMPLE:
        return read_simple(p, &block, packet, err);
    default: /* names, statistics, secrets, vendors' blocks */
        rc = 0;
    }
    return rc < 0 ? rc : 2;
}

static int next_ng(struct pcap *p, struct pcap_packet *packet, struct tdk_err *err)
{
    int rc;
    do
        rc = step_ng(p, packet, err);
    while (rc == 2);
    return rc;
}

/* The first interface must come before the first packet, which would be damage without it. */
static int open_ng(struct pcap *p, struct tdk_err *err)
{
    struct pcap_packet none;
    while (p->interface_count == 0) {
        int rc = step_ng(p, &none, err);
        if (rc <= 0)
            return rc;
    }
    p->link = p->interfaces[0].link;
    return 0;
}

/* ---- both ---- */

static bool is_magic(uint32_t found, uint32_t magic)
{
    return found == magic || found == __builtin_bswap32(magic);
}

bool pcap_begins(const unsigned char *bytes)
{
    uint32_t found = load_u32(bytes);
    return found == MAGIC_SECTION || is_magic(found, MAGIC_MICRO) || is_magic(found, MAGIC_NANO) ||
           is_magic(found, MAGIC_MODIFIED);
}

int pcap_open(struct pcap *pcap, struct input *input, struct tdk_err *err)
{
    *pcap = (struct pcap){.input = input};
    if (input_peek(input, 4) < 4)
        return cut(pcap, "the head of a capture", 4, err);
    uint32_t found = load_u32(input->at);
    if (!pcap_begins(input->at))
        return err_say(err, TDK_EFORMAT,
                       "not a capture: begins with %08" PRIx32 ", neither pcap nor pcapng",
                       __builtin_bswap32(found));
    if (is_magic(found, MAGIC_MODIFIED))
        return err_say(
            err, TDK_EFORMAT,
            "a capture of the modified pcap format (a1b2cd34); convert it to pcap first");
    pcap->ng = found == MAGIC_SECTION;
    if (pcap->ng)
        return open_ng(pcap, err);
    pcap->swapped = found != MAGIC_MICRO && found != MAGIC_NANO;
    pcap->per_second = is_magic(found, MAGIC_NANO) ? NS_PER_S : 1000000;
    return open_plain(pcap, err);
}

void pcap_close(struct pcap *pcap)
{
    free(pcap->interfaces);
    pcap->interfaces = NULL;
}

int pcap_next(struct pcap *pcap, struct pcap_packet *packet, struct tdk_err *err)
{
    return pcap->ng ? next_ng(pcap, packet, err) : next_plain(pcap, packet, err);
}
