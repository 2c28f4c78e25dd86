#include "tests/support/check.h"

#include <string.h>

#include "formats/packet.h"

/* An Ethernet frame: IPv4, UDP from 12345 to 26400, "hello", and two bytes of padding. */
static const unsigned char frame[] = {
    0,    0,    0,    0,    0,   0,  0,  0,   0,  0,  0, 0, 0x08, 0x00, /* Ethernet */
    0x45, 0,    0,    33,   0,   7,  0,  0,   64, 17, 0, 0,             /* IPv4 */
    10,   0,    0,    1,    233, 54, 12, 111,                           /* its addresses */
    0x30, 0x39, 0x67, 0x20, 0,   13, 0,  0,                             /* UDP */
    'h',  'e',  'l',  'l',  'o', 0,  0,
};
enum { IP = 14, UDP = 34, PAYLOAD = 42, END = 47 };

static enum packet_kind with(size_t at, unsigned char value, struct packet_udp *udp)
{
    unsigned char changed[sizeof frame];
    memcpy(changed, frame, sizeof frame);
    changed[at] = value;
    enum packet_kind kind = packet_udp(PACKET_LINK_ETHERNET, changed, sizeof changed, udp);
    return kind;
}

static void the_payload_is_found_without_the_padding(void **state)
{
    (void)state;
    struct packet_udp udp;
    assert_int_equal(packet_udp(PACKET_LINK_ETHERNET, frame, sizeof frame, &udp), PACKET_UDP);
    assert_ptr_equal(udp.payload, frame + PAYLOAD);
    assert_int_equal(udp.size, 5);
    assert_false(udp.cut);
    assert_int_equal(udp.source_port, 12345);
    assert_int_equal(udp.port, 26400);
    assert_int_equal(packet_udp(PACKET_LINK_RAW, frame + IP, sizeof frame - IP, &udp), PACKET_UDP);
    assert_int_equal(udp.size, 5);
}

static void a_packet_cut_at_capture_keeps_what_is_there(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof frame; size++) {
        struct packet_udp udp = {.size = 0};
        enum packet_kind kind = packet_udp(PACKET_LINK_ETHERNET, frame, size, &udp);
        if (size < PAYLOAD) {
            assert_int_equal(kind, PACKET_BROKEN);
            continue;
        }
        assert_int_equal(kind, PACKET_UDP);
        assert_int_equal(udp.size, size < END ? size - PAYLOAD : 5);
        assert_int_equal(udp.cut, size < END);
    }
}

static void what_is_not_udp_or_not_whole_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        unsigned char value;
        enum packet_kind kind;
    } cases[] = {
        {IP + 9, 6, PACKET_OTHER},       /* TCP */
        {13, 6, PACKET_OTHER},           /* ARP */
        {IP + 6, 0x20, PACKET_FRAGMENT}, /* more of it follow */
        {IP + 7, 1, PACKET_FRAGMENT},    /* more of it came before */
        {IP + 6, 0x40, PACKET_UDP},      /* must not be fragmented: is none */
        {IP, 0x44, PACKET_BROKEN},       /* an IP header of 16 bytes */
        {IP, 0x4f, PACKET_BROKEN},       /* one of 60, of which 33 are there */
        {IP, 0x65, PACKET_BROKEN},       /* IPv6 where the link says IPv4 */
        {UDP + 5, 7, PACKET_BROKEN},     /* UDP shorter than its own header */
        {UDP + 4, 1, PACKET_BROKEN},     /* UDP longer than IP says */
        {UDP + 5, 12, PACKET_UDP},       /* shorter than IP says: fine */
        {IP + 3, 27, PACKET_BROKEN},     /* IP ends inside the UDP header */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct packet_udp udp;
        assert_int_equal(with(cases[i].at, cases[i].value, &udp), cases[i].kind);
    }
}

static void a_link_that_is_not_known_is_said_to_be(void **state)
{
    (void)state;
    struct packet_udp udp;
    assert_int_equal(packet_udp(105, frame, sizeof frame, &udp), PACKET_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_payload_is_found_without_the_padding),
        cmocka_unit_test(a_packet_cut_at_capture_keeps_what_is_there),
        cmocka_unit_test(what_is_not_udp_or_not_whole_is_told_apart),
        cmocka_unit_test(a_link_that_is_not_known_is_said_to_be),
    };
    return cmocka_run_group_tests_name("formats.packet", tests, NULL, NULL);
}
