#include "tests/support/files.h"

#include "formats/source.h"

/* The fuzzer's corpus holds a capture of each kind. These are the answers that each must give. */
static void corpus_path(char path[PATH_SIZE], const char *name)
{
    const char *source = getenv("TDK_SOURCE_DIR");
    snprintf(path, PATH_SIZE, "%s/tests/fuzz/corpus/pcap/%s", source != NULL ? source : ".", name);
}

struct answer {
    unsigned ticks, told, losses;
    uint64_t ts[8];
    char payloads[128]; /* each followed by '|' */
    char properties[128];
    int code;
    struct tdk_err err;
};

static void count(const char *text, bool loss, void *context)
{
    struct answer *a = context;
    (void)text;
    a->told++;
    a->losses += loss;
}

static void take(struct answer *a, const struct source_item *item)
{
    char *to = item->type == TDK_TYPE_INFO ? a->properties : a->payloads;
    size_t skip = item->type == TDK_TYPE_INFO ? sizeof(struct tdk_info) : 0;
    size_t used = strlen(to), size = item->size - skip;
    if (used + size + 2 < sizeof a->payloads) {
        memcpy(to + used, (const char *)item->payload + skip, size);
        to[used + size] = '|';
    }
    if (item->type != TDK_TYPE_INFO)
        a->ts[a->ticks++ % 8] = item->ts;
}

static void read_capture(struct answer *a, const char *name, bool whole)
{
    char path[PATH_SIZE];
    struct source_options options = {.whole = whole};
    struct source *source = NULL;
    struct source_item item;
    memset(a, 0, sizeof *a);
    corpus_path(path, name);
    a->code = source_open(&source, path, &options, &a->err);
    if (a->code < 0)
        return;
    while ((a->code = source_next(source, &item, &a->err)) == 1)
        take(a, &item);
    source_passed_over(source, count, a);
    source_close(source);
}

static void each_capture_gives_the_payloads_that_it_holds(void **state)
{
    (void)state;
    static const struct {
        const char *name, *payloads;
        unsigned told, losses;
        uint64_t first_ts;
        int code;
    } cases[] = {
        {"micro", "hello|", 1, 0, 1000002000, 0},
        {"nano-big", "hello|", 0, 0, 1000000002, 0},
        {"cut-on-wire", "hel|", 1, 1, 1000002000, 0},
        {"fragments", "", 1, 1, 0, 0},
        {"huge-packet", "", 0, 0, 0, TDK_ECORRUPT},
        {"modified", "", 0, 0, 0, TDK_EFORMAT},
        {"vlan", "hello|", 0, 0, 1000002000, 0},
        {"ipv6", "six|", 0, 0, 1000002000, 0},
        {"sll", "cooked|", 0, 0, 1000002000, 0},
        {"sll2", "cooked|", 0, 0, 1000002000, 0},
        {"loopback", "lo|", 0, 0, 1000002000, 0},
        {"raw", "raw|", 0, 0, 1000002000, 0},
        {"ng-little", "hello|second|hello|hello|", 1, 1, 1000000000000000000, 0},
        {"ng-big", "hello|second|hello|hello|", 1, 1, 1000000000000000000, 0},
        {"ng-short-block", "", 0, 0, 0, TDK_ETRUNCATED},
        {"ng-odd-block", "", 0, 0, 0, TDK_ECORRUPT},
        {"ng-huge-block", "", 0, 0, 0, TDK_ECORRUPT},
        {"ng-no-interface", "", 0, 0, 0, TDK_ECORRUPT},
        {"ng-tail", "", 0, 0, 0, TDK_ECORRUPT},
        {"ng-resolution", "hello|hello|", 1, 1, UINT64_MAX, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct answer a;
        read_capture(&a, cases[i].name, false);
        print_message("%s: %s\n", cases[i].name, a.code < 0 ? a.err.text : "read");
        assert_int_equal(a.code, cases[i].code);
        assert_string_equal(a.payloads, cases[i].payloads);
        assert_int_equal(a.told, cases[i].told);
        assert_int_equal(a.losses, cases[i].losses);
        assert_int_equal(a.ts[0], cases[i].first_ts);
        if (a.code == TDK_ECORRUPT || a.code == TDK_ETRUNCATED)
            assert_non_null(strstr(a.err.text, "offset"));
    }
}

/* The interface counts in 2^-10 s, with an offset of -5 s. 77 units are then before 1970, which ns
 * cannot express. */
static void each_interface_has_a_resolution_of_its_own(void **state)
{
    (void)state;
    struct answer a;
    read_capture(&a, "ng-little", false);
    assert_int_equal(a.ts[1], UINT64_MAX);
    assert_int_equal(a.ts[2], 5);
    assert_int_equal(a.ts[3], UINT64_MAX);
}

static void whole_packets_come_with_their_link_type(void **state)
{
    (void)state;
    struct answer a;
    read_capture(&a, "raw", true);
    assert_string_equal(a.properties, "type.3packet\tapplication/octet-stream|pcap.whole1|"
                                      "pcap.linktype101|");
    assert_int_equal(a.ticks, 1);
    read_capture(&a, "ng-little", true);
    assert_int_equal(a.ticks, 3); /* one of four has another link type */
    assert_int_equal(a.losses, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_capture_gives_the_payloads_that_it_holds),
        cmocka_unit_test(each_interface_has_a_resolution_of_its_own),
        cmocka_unit_test(whole_packets_come_with_their_link_type),
    };
    return cmocka_run_group_tests_name("formats.pcap", tests, NULL, NULL);
}
