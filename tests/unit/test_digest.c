#include "tests/support/check.h"

#include <stdio.h>
#include <string.h>

#include <xxhash.h>

#include "base/bytes.h"
#include "tapedeck/digest.h"

/* Frames one after another, as in a run. */
struct frames {
    _Alignas(8) unsigned char bytes[1 << 20];
    size_t size;
};

static void put(struct frames *f, uint8_t type, uint8_t flags, uint64_t seq, uint32_t size)
{
    struct tdk_frame head = {
        .size = size, .track = 7, .type = type, .flags = flags, .seq = seq, .ts = seq * 1000};
    memcpy(f->bytes + f->size, &head, sizeof head);
    memset(f->bytes + f->size + sizeof head, 0, tdk_frame_span(size) - sizeof head);
    memset(f->bytes + f->size + sizeof head, (int)(seq * 7 & 0xff), size);
    f->size += tdk_frame_span(size);
    assert_true(f->size <= sizeof f->bytes);
}

/* Add a tick by the definition of the digest, in the plainest way. */
static void plain_add(XXH3_state_t *x, const char *track, uint64_t epoch,
                      const struct tdk_frame *frame)
{
    uint8_t length = (uint8_t)strlen(track);
    XXH3_128bits_update(x, &length, 1);
    XXH3_128bits_update(x, track, length);
    XXH3_128bits_update(x, &epoch, 8);
    XXH3_128bits_update(x, &frame->seq, 8);
    XXH3_128bits_update(x, &frame->ts, 8);
    XXH3_128bits_update(x, &frame->type, 1);
    XXH3_128bits_update(x, &frame->size, 4);
    XXH3_128bits_update(x, tdk_frame_payload(frame), frame->size);
}

static const struct tdk_frame *first(const struct frames *f)
{
    return (const struct tdk_frame *)(const void *)f->bytes;
}

static void assert_value(const struct tdk_digest *digest, XXH3_state_t *plain)
{
    XXH128_canonical_t want;
    XXH128_canonicalFromHash(&want, XXH3_128bits_digest(plain));
    uint8_t value[16];
    char hex[33];
    tdk_digest_value(digest, value, hex);
    assert_memory_equal(value, want.digest, 16);
    for (unsigned i = 0; i < 16; i++) {
        char two[3];
        snprintf(two, sizeof two, "%02x", value[i]);
        assert_memory_equal(hex + 2 * i, two, 2);
    }
    assert_int_equal(hex[32], 0);
}

static void digest_of_nothing_is_that_of_no_bytes(void **state)
{
    (void)state;
    struct tdk_digest *digest;
    assert_int_equal(tdk_digest_open(&digest), 0);
    uint8_t value[16];
    char hex[33];
    tdk_digest_value(digest, value, hex);
    assert_string_equal(hex, "99aa06d3014798d86001c324468d497f"); /* published: XXH3-128 of "" */
    assert_int_equal(tdk_digest_ticks(digest), 0);
    tdk_digest_close(digest);
}

static void digest_is_the_plain_hash_of_its_definition(void **state)
{
    (void)state;
    static struct frames f;
    f.size = 0;
    static const uint32_t sizes[] = {0, 1, 7, 8, 40, 64, 80, 1023, 1024, 1025, 5000, 65536};
    for (uint64_t seq = 1; seq <= 60; seq++)
        put(&f, TDK_TYPE_DBN, 0, seq, sizes[seq % array_size(sizes)]);

    struct tdk_digest *one, *run;
    assert_int_equal(tdk_digest_open(&one), 0);
    assert_int_equal(tdk_digest_open(&run), 0);
    XXH3_state_t *plain = XXH3_createState();
    XXH3_128bits_reset(plain);

    static const char longest[] =
        "a234567890123456789012345678901234567890123456789012345678901234";
    static_assert(sizeof longest == TDK_NAME_MAX + 1, "the longest name");
    static const char *const names[] = {"x", "binance", longest};
    for (size_t t = 0; t < array_size(names); t++) {
        uint64_t epoch = UINT64_MAX - t;
        tdk_digest_run(run, names[t], epoch, first(&f), f.size);
        const struct tdk_frame *end = (const struct tdk_frame *)(const void *)(f.bytes + f.size);
        for (const struct tdk_frame *at = first(&f); at != end; at = tdk_frame_after(at)) {
            tdk_digest_add(one, names[t], epoch, at);
            plain_add(plain, names[t], epoch, at);
            assert_value(one, plain); /* and asking for the value does not end the digest */
        }
    }
    assert_value(run, plain);
    assert_int_equal(tdk_digest_ticks(run), 180);
    assert_int_equal(tdk_digest_ticks(one), 180);
    XXH3_freeState(plain);
    tdk_digest_close(one);
    tdk_digest_close(run);
}

static void digest_passes_over_control_frames_padding_and_prologue(void **state)
{
    (void)state;
    static struct frames all, ticks;
    all.size = ticks.size = 0;
    for (uint64_t seq = 1; seq <= 5; seq++) {
        put(&all, TDK_TYPE_PADDING, 0, seq, 16);
        put(&all, TDK_TYPE_LOSS, 0, seq, 40);
        put(&all, TDK_TYPE_DBN, TDK_FLAG_PROLOGUE, seq, 48);
        put(&all, TDK_TYPE_OPAQUE_LAST, TDK_FLAG_AFTER_LOSS, seq, 9);
        put(&all, TDK_TYPE_END, 0, seq, 40);
        put(&ticks, TDK_TYPE_OPAQUE_LAST, 0, seq, 9); /* the digest leaves flags out */
    }
    struct tdk_digest *a, *b;
    assert_int_equal(tdk_digest_open(&a), 0);
    assert_int_equal(tdk_digest_open(&b), 0);
    tdk_digest_run(a, "t", 1, first(&all), all.size);
    tdk_digest_run(b, "t", 1, first(&ticks), ticks.size);
    uint8_t va[16], vb[16];
    char ha[33], hb[33];
    tdk_digest_value(a, va, ha);
    tdk_digest_value(b, vb, hb);
    assert_string_equal(ha, hb);
    assert_int_equal(tdk_digest_ticks(a), 5);
    tdk_digest_close(a);
    tdk_digest_close(b);
    tdk_digest_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digest_of_nothing_is_that_of_no_bytes),
        cmocka_unit_test(digest_is_the_plain_hash_of_its_definition),
        cmocka_unit_test(digest_passes_over_control_frames_padding_and_prologue),
    };
    return cmocka_run_group_tests_name("tape.digest", tests, NULL, NULL);
}
