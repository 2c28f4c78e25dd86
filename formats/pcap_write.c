#include "formats/pcap_write.h"

#include "base/bytes.h"

#define NS_PER_S UINT64_C(1000000000)

static void add_u16(struct text_buffer *out, uint16_t value)
{
    text_add(out, &value, sizeof value);
}

static void add_u32(struct text_buffer *out, uint32_t value)
{
    text_add(out, &value, sizeof value);
}

/* ---- a head for a payload ---- */

static uint16_t checksum(const unsigned char *bytes, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i += 2)
        sum += load_be16(bytes + i);
    while (sum > UINT16_MAX)
        sum = (sum & UINT16_MAX) + (sum >> 16);
    return (uint16_t)~sum;
}

void pcap_udp_head(unsigned char head[PCAP_UDP_HEAD], uint16_t port, size_t size)
{
    static const unsigned char form[PCAP_UDP_HEAD] = {
        0x02, 0,  0, 0, 0,    2,    0x02, 0,
        0,    0,  0, 1, 0x08, 0x00,          /* to, from: local addresses; type: IPv4 */
        0x45, 0,  0, 0, 0,    0,    0x40, 0, /* size; do not fragment */
        64,   17, 0, 0,                      /* hops; UDP; checksum */
        192,  0,  2, 1, 192,  0,    2,    2, /* from, to */
        0,    0,  0, 0, 0,    0,    0,    0, /* ports, size, no checksum */
    };
    memcpy(head, form, sizeof form);
    store_be16(head + 16, (uint16_t)(size + 28));
    store_be16(head + 24, checksum(head + 14, 20));
    store_be16(head + 34, 20000);
    store_be16(head + 36, port);
    store_be16(head + 38, (uint16_t)(size + 8));
}

static void add_bytes(struct text_buffer *out, const struct pcap_bytes *packet)
{
    text_add(out, packet->head, packet->head_size);
    text_add(out, packet->bytes, packet->size);
}

/* ---- pcap ---- */

void pcap_add_head(struct text_buffer *out, uint32_t link)
{
    add_u32(out, 0xA1B23C4D); /* times in ns */
    add_u16(out, 2);
    add_u16(out, 4);
    add_u32(out, 0);
    add_u32(out, 0);
    add_u32(out, PCAP_PACKET_MAX);
    add_u32(out, link);
}

void pcap_add_packet(struct text_buffer *out, uint64_t ts, const struct pcap_bytes *packet)
{
    uint32_t size = (uint32_t)(packet->head_size + packet->size);
    add_u32(out, (uint32_t)(ts / NS_PER_S));
    add_u32(out, (uint32_t)(ts % NS_PER_S));
    add_u32(out, size);
    add_u32(out, size);
    add_bytes(out, packet);
}

/* ---- pcapng: a block is a type, its size, what is in it, its size again ---- */

enum { SECTION = 0x0A0D0D0A, INTERFACE = 1, PACKET = 6 };
enum { OPTION_END = 0, OPTION_NAME = 2, OPTION_RESOLUTION = 9 };

static void add_padding(struct text_buffer *out, size_t size)
{
    text_add(out, "\0\0\0", align_up(size, 4) - size);
}

static void add_option(struct text_buffer *out, uint16_t code, const void *bytes, size_t size)
{
    add_u16(out, code);
    add_u16(out, (uint16_t)size);
    text_add(out, bytes, size);
    add_padding(out, size);
}

void pcapng_add_section(struct text_buffer *out)
{
    const uint32_t size = 28;
    add_u32(out, SECTION);
    add_u32(out, size);
    add_u32(out, 0x1A2B3C4D); /* shows a reader the byte order */
    add_u16(out, 1);
    add_u16(out, 0);
    text_add(out, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8); /* the section's length: not known */
    add_u32(out, size);
}

void pcapng_add_interface(struct text_buffer *out, uint16_t link, const char *name)
{
    static const unsigned char nanoseconds = 9;
    size_t name_size = strlen(name);
    uint32_t size = (uint32_t)(20 + 4 + align_up(name_size, 4) + 8 + 4);
    add_u32(out, INTERFACE);
    add_u32(out, size);
    add_u16(out, link);
    add_u16(out, 0);
    add_u32(out, PCAP_PACKET_MAX);
    add_option(out, OPTION_NAME, name, name_size);
    add_option(out, OPTION_RESOLUTION, &nanoseconds, sizeof nanoseconds);
    add_option(out, OPTION_END, NULL, 0);
    add_u32(out, size);
}

void pcapng_add_packet(struct text_buffer *out, uint32_t interface, uint64_t ts,
                       const struct pcap_bytes *packet)
{
    size_t bytes = packet->head_size + packet->size;
    uint32_t size = (uint32_t)(32 + align_up(bytes, 4));
    add_u32(out, PACKET);
    add_u32(out, size);
    add_u32(out, interface);
    add_u32(out, (uint32_t)(ts >> 32));
    add_u32(out, (uint32_t)ts);
    add_u32(out, (uint32_t)bytes);
    add_u32(out, (uint32_t)bytes);
    add_bytes(out, packet);
    add_padding(out, bytes);
    add_u32(out, size);
}
