/* A capture, whole and unwrapped, and the same bytes as one packet of each link type. */
#include "tests/fuzz/fuzz.h"

#include "formats/packet.h"
#include "tests/fuzz/source_run.h"

static void look_inside(const uint8_t *bytes, size_t size)
{
    static const uint32_t links[] = {
        PACKET_LINK_NULL,
        PACKET_LINK_ETHERNET,
        PACKET_LINK_RAW_BSD,
        PACKET_LINK_RAW_OPENBSD,
        PACKET_LINK_RAW,
        PACKET_LINK_LOOP,
        PACKET_LINK_SLL,
        PACKET_LINK_IPV4,
        PACKET_LINK_IPV6,
        PACKET_LINK_SLL2,
        105,
    };
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        struct packet_udp udp;
        if (packet_udp(links[i], bytes, size, &udp) == PACKET_UDP)
            assert(udp.payload >= bytes && udp.payload + udp.size <= bytes + size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct source_options as[] = {
        {.format = SOURCE_PCAP, .payload_max = 4096},
        {.format = SOURCE_PCAP, .payload_max = 4096, .whole = true},
    };
    source_run(bytes, size, as, sizeof as / sizeof as[0]);
    look_inside(bytes, size);
    return 0;
}
