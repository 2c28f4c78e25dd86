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
        {IP + 6, 0x20, PACKET_FRAGMENT}, /* more fragments follow */
        {IP + 7, 1, PACKET_FRAGMENT},    /* fragments came before */
        {IP + 6, 0x40, PACKET_UDP},      /* "don't fragment": no fragment */
        {IP, 0x44, PACKET_BROKEN},       /* an IP header of 16 bytes */
        {IP, 0x4f, PACKET_BROKEN},       /* 60 bytes, of which 33 are there */
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

/* Put `more` between the Ethernet type, which becomes `type`, and IP. */
static enum packet_kind behind(uint16_t type, const void *more, size_t more_size, size_t cut,
                               struct packet_udp *udp)
{
    static unsigned char longer[sizeof frame + 16];
    memcpy(longer, frame, IP);
    longer[IP - 2] = (unsigned char)(type >> 8);
    longer[IP - 1] = (unsigned char)type;
    memcpy(longer + IP, more, more_size);
    memcpy(longer + IP + more_size, frame + IP, sizeof frame - IP);
    return packet_udp(PACKET_LINK_ETHERNET, longer, sizeof frame + more_size - cut, udp);
}

static void headers_between_the_link_and_ip_are_stepped_over(void **state)
{
    (void)state;
    static const struct {
        uint16_t type;
        uint8_t size;
        unsigned char bytes[12];
        enum packet_kind kind;
    } cases[] = {
        {0x8847, 4, {0, 1, 0x01, 64}, PACKET_UDP},
        {0x8848, 8, {0, 1, 0x00, 64, 0, 2, 0x01, 64}, PACKET_UDP},
        {0x8100, 8, {0, 5, 0x88, 0x47, 0, 1, 0x01, 64}, PACKET_UDP}, /* labels inside a VLAN */
        {0x8847, 8, {0, 1, 0x01, 64, 0, 0, 0, 0}, PACKET_OTHER},     /* a pseudowire */
        {0x8864, 8, {0x11, 0, 0, 1, 0, 35, 0x00, 0x21}, PACKET_UDP},
        {0x8864, 8, {0x11, 0, 0, 1, 0, 35, 0xc0, 0x21}, PACKET_OTHER},  /* PPP's own */
        {0x8864, 8, {0x11, 0, 0, 1, 0, 1, 0x00, 0x21}, PACKET_BROKEN},  /* too short for a type */
        {0x8864, 8, {0x21, 0, 0, 1, 0, 35, 0x00, 0x21}, PACKET_BROKEN}, /* another version */
        {0x8863, 8, {0x11, 9, 0, 0, 0, 35, 0x00, 0x21}, PACKET_OTHER},  /* before the session */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct packet_udp udp = {.size = 0};
        assert_int_equal(behind(cases[i].type, cases[i].bytes, cases[i].size, 0, &udp),
                         cases[i].kind);
        assert_int_equal(udp.size, cases[i].kind == PACKET_UDP ? 5 : 0);
    }
}

static void they_may_be_cut_anywhere(void **state)
{
    (void)state;
    static const unsigned char labels[] = {0, 1, 0x00, 64, 0, 2, 0x01, 64};
    static const unsigned char session[] = {0x11, 0, 0, 1, 0, 35, 0x00, 0x21};
    for (size_t cut = sizeof frame - PAYLOAD + 1; cut <= sizeof frame + sizeof labels - IP; cut++) {
        struct packet_udp udp;
        assert_int_equal(behind(0x8847, labels, sizeof labels, cut, &udp), PACKET_BROKEN);
        assert_int_equal(behind(0x8864, session, sizeof session, cut, &udp), PACKET_BROKEN);
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
        cmocka_unit_test(headers_between_the_link_and_ip_are_stepped_over),
        cmocka_unit_test(they_may_be_cut_anywhere),
        cmocka_unit_test(a_link_that_is_not_known_is_said_to_be),
    };
    return cmocka_run_group_tests_name("formats.packet", tests, NULL, NULL);
}
