/* Blocks by columns: what comes out is what went in, and what is hostile is refused. */
#include "tape/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "tape/frame.h"
#include "tape/select.h"
#include "tape/wide.h"
#include "tapedeck/dbn.h"
#include "tests/support/dice.h"

#define ROOM ((size_t)6 << 20)

static struct block_scratch scratch;

static struct dice dice;

static uint64_t draw(void)
{
    return dice_next(&dice);
}

/* ---- ticks of all kinds ---- */

struct feed {
    uint64_t ts;
    int64_t price[64];
    uint32_t symbols, sequence;
};

static struct tdk_dbn_head head_of(struct feed *feed, uint8_t rtype, size_t size)
{
    return (struct tdk_dbn_head){.length = (uint8_t)(size / 4),
                                 .rtype = rtype,
                                 .publisher_id = 3,
                                 .instrument_id = 100 + (uint32_t)(draw() % feed->symbols),
                                 .ts_event = feed->ts - 4000 - draw() % 500};
}

static uint32_t make_trade(struct feed *feed, void *payload)
{
    struct tdk_dbn_trades t = {.head = head_of(feed, TDK_RTYPE_TRADES, sizeof t),
                               .size = 1 + (uint32_t)(draw() % 100),
                               .action = 'T',
                               .side = draw() % 2 == 0 ? 'A' : 'B',
                               .ts_recv = feed->ts,
                               .ts_in_delta = 1200,
                               .sequence = ++feed->sequence};
    int64_t *price = &feed->price[t.head.instrument_id % 64];
    *price += ((int64_t)(draw() % 5) - 2) * 10000000;
    t.price = draw() % 200 == 0 ? TDK_PRICE_UNDEFINED : *price;
    memcpy(payload, &t, sizeof t);
    return sizeof t;
}

static uint32_t make_mbo(struct feed *feed, void *payload)
{
    struct tdk_dbn_mbo m = {.head = head_of(feed, TDK_RTYPE_MBO, sizeof m),
                            .order_id = UINT64_C(6400000000000) + draw() % 100000,
                            .price = (int64_t)(4000 + draw() % 40) * 250000000,
                            .size = 1 + (uint32_t)(draw() % 10),
                            .flags = 130,
                            .action = "ACM"[draw() % 3],
                            .side = draw() % 2 == 0 ? 'A' : 'B',
                            .ts_recv = feed->ts,
                            .ts_in_delta = (int32_t)(draw() % 40000) - 100,
                            .sequence = ++feed->sequence};
    memcpy(payload, &m, sizeof m);
    return sizeof m;
}

static uint32_t make_quote(struct feed *feed, void *payload)
{
    struct tdk_wide_quote q = {.head = head_of(feed, TDK_RTYPE_WIDE_QUOTE, sizeof q),
                               .bid_px = (int64_t)(50000000 + draw() % 1000) * 10000000,
                               .bid_sz = draw() % 5000 * 1000000,
                               .ask_sz = draw() % 5000 * 1000000};
    q.ask_px = q.bid_px + 10000000;
    memcpy(payload, &q, sizeof q);
    return sizeof q;
}

static uint32_t make_opaque(void *payload, uint32_t size)
{
    memset(payload, 0x20, size);
    for (uint32_t i = 0; i < size; i += 3)
        ((unsigned char *)payload)[i] = (unsigned char)draw();
    return size;
}

enum mix { TRADES, MBO, QUOTES, OPAQUE, ODD_SIZES, MIXED };

static void add_tick(struct block *block, struct feed *feed, enum mix mix)
{
    unsigned char payload[256];
    uint8_t type = TDK_TYPE_DBN;
    uint32_t size;
    feed->ts += draw() % 8 == 0 ? draw() % 50000000 : draw() % 3 * 400;
    enum mix kind = mix == MIXED ? (enum mix)(draw() % 5) : mix;
    switch (kind) {
    case TRADES:
        size = make_trade(feed, payload);
        break;
    case MBO:
        size = make_mbo(feed, payload);
        break;
    case QUOTES:
        type = TDK_TYPE_WIDE;
        size = make_quote(feed, payload);
        break;
    case OPAQUE:
        type = 7;
        size = make_opaque(payload, 13);
        break;
    case ODD_SIZES:
    case MIXED:
    default:
        type = draw() % 9 == 0 ? TDK_TYPE_DBN : 9; /* sometimes a record that is not one */
        size = make_opaque(payload, (uint32_t)(draw() % 200));
        break;
    }
    assert_true(
        block_add_tick(block, type, 0, feed->ts - (draw() % 50 == 0 ? 700 : 0), payload, size));
}

static void add_controls(struct block *block, struct feed *feed)
{
    struct tdk_loss loss = {.first_seq = block->state->next_seq,
                            .count = 1 + draw() % 9,
                            .first_ts = feed->ts,
                            .last_ts = feed->ts,
                            .reason = 1};
    assert_true(block_add_loss(block, &loss, feed->ts));
    assert_true(block_add_control(block, TDK_TYPE_MARK, feed->ts, "noon", 4));
}

/* Make a block in `raw`. Returns its size. */
static size_t make_block(unsigned char *raw, enum mix mix, uint32_t ticks, uint32_t symbols,
                         unsigned controls)
{
    struct feed feed = {.ts = UINT64_C(1700000000000000000), .symbols = symbols};
    struct track_state state = {
        .track = 4, .payload_max = 4096, .epoch = 77, .next_seq = 1000, .running_max = feed.ts};
    struct block block;
    for (int i = 0; i < 64; i++)
        feed.price[i] = (int64_t)(100 + i) * 1000000000;
    block_begin(&block, raw, ROOM, &scratch, &state, feed.ts);
    for (uint32_t i = 0; i < ticks; i++) {
        if (controls > 0 && draw() % controls == 0)
            add_controls(&block, &feed);
        add_tick(&block, &feed, mix);
    }
    size_t size = block_seal(&block);
    struct block_place place = {.segment = 1, .span = (uint32_t)size};
    block_finish(raw, &place);
    return size;
}

static enum pack_forms forms;

/* Pack a block as a sealed segment would have it. */
static size_t pack_block(const unsigned char *raw, size_t size, unsigned char *packed)
{
    struct block_view view = block_view_of(raw);
    struct packer *packer = packer_open(3, forms);
    assert_non_null(packer);
    size_t packed_size = packer_pack(packer, &view, size, packed);
    packer_close(packer);
    assert_true(packed_size <= size && packed_size % 8 == 0);
    struct block_place place = {.segment = 1, .span = (uint32_t)packed_size};
    block_finish(packed, &place);
    return packed_size;
}

static void assert_same(const struct block_view *got, const unsigned char *raw)
{
    struct block_view want = block_view_of(raw);
    assert_int_equal(got->head->frames_size, want.head->frames_size);
    assert_int_equal(got->head->directory_size, want.head->directory_size);
    assert_memory_equal(got->frames, want.frames, want.head->frames_size);
    assert_memory_equal(got->directory, want.directory, want.head->directory_size);
}

struct room {
    unsigned char *raw, *packed, *plain;
};

static struct room take_room(void)
{
    struct room room = {aligned_alloc(64, ROOM), aligned_alloc(64, ROOM), aligned_alloc(64, ROOM)};
    assert_true(room.raw != NULL && room.packed != NULL && room.plain != NULL);
    return room;
}

static void give_room(struct room *room)
{
    free(room->raw);
    free(room->packed);
    free(room->plain);
}

static uint8_t round_trip(enum mix mix, uint32_t ticks, uint32_t symbols, unsigned controls)
{
    struct room room = take_room();
    struct block_view view;
    size_t size = make_block(room.raw, mix, ticks, symbols, controls);
    size_t packed = pack_block(room.raw, size, room.packed);
    uint8_t codec = ((const struct block_head *)(const void *)room.packed)->codec;
    assert_int_equal(block_check(room.packed, packed, &view, NULL), 0);
    if (codec != BLOCK_RAW) {
        assert_null(view.frames);
        struct tdk_err err = {.code = 0};
        int rc = block_unpack(room.packed, NULL, room.plain, ROOM, &view, &err);
        if (rc < 0)
            fail_msg("%s", err.text);
    }
    assert_same(&view, room.raw);
    assert_int_equal(directory_check(&view), 0);
    give_room(&room);
    return codec;
}

static void records_come_out_as_they_went_in(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 31, 1000, 1025, 4097, 20000};
    for (enum mix mix = TRADES; mix <= OPAQUE; mix++)
        for (size_t i = 0; i < array_size(sizes); i++) {
            uint8_t codec = round_trip(mix, sizes[i], 40, 0);
            assert_true(codec >= BLOCK_COLUMNS || sizes[i] < 1000);
            round_trip(mix, sizes[i], 1, 0);
        }
}

static void so_do_mixtures_with_losses_and_marks(void **state)
{
    (void)state;
    for (uint32_t ticks = 1; ticks < 30000; ticks = ticks * 3 + 7) {
        assert_true(round_trip(MIXED, ticks + 1000, 20, 100) >= BLOCK_COLUMNS);
        round_trip(MIXED, ticks, 20, 1);
        round_trip(MIXED, ticks, 3, 0);
        round_trip(TRADES, ticks, 64, 500);
    }
}

static void what_has_no_shape_becomes_one_zstd_frame(void **state)
{
    (void)state;
    assert_int_equal(round_trip(ODD_SIZES, 3000, 1, 0), BLOCK_ZSTD);
}

static void a_full_block_packs(void **state)
{
    (void)state;
    assert_int_equal(round_trip(TRADES, BLOCK_TICKS_MAX, 64, 0),
                     forms == PACK_COMPRESSED ? BLOCK_COLUMNS : BLOCK_BITS);
}

static void trades_shrink_to_a_sixth_and_less(void **state)
{
    (void)state;
    struct room room = take_room();
    size_t size = make_block(room.raw, TRADES, 50000, 60, 0);
    size_t packed = pack_block(room.raw, size, room.packed);
    print_message("trades: %.2f times smaller, %.2f bytes a tick\n", (double)size / (double)packed,
                  (double)packed / 50000);
    assert_true(packed * 6 < size);
    give_room(&room);
}

/* ---- in parts ---- */

static int count_need(void *context, size_t at, size_t size, struct tdk_err *err)
{
    (void)at;
    (void)err;
    *(size_t *)context += size;
    return 0;
}

/* Copy the picked ticks of a raw block, one after another. Returns how many there were. */
static uint32_t pick_raw(const struct block_view *view, const struct picks *picks,
                         unsigned char *out)
{
    uint32_t count = 0;
    for (size_t at = 0; at < view->head->frames_size;) {
        const struct tdk_frame *frame = (const void *)(view->frames + at);
        size_t span = tdk_frame_span(frame->size);
        if (picks_pass(picks, frame))
            memcpy(out + count++ * span, frame, span);
        at += span;
    }
    return count;
}

struct parts {
    struct room room;
    struct block_view got, want;
    struct pack *pack;
    unsigned char *picked;
    size_t packed, needed;
};

static void open_parts(struct parts *parts, enum mix mix, uint32_t symbols)
{
    *parts = (struct parts){.room = take_room(), .pack = pack_open(PACK_IN_PARTS)};
    size_t size = make_block(parts->room.raw, mix, 30000, symbols, 0);
    parts->packed = pack_block(parts->room.raw, size, parts->room.packed);
    parts->want = block_view_of(parts->room.raw);
    parts->picked = aligned_alloc(64, ROOM);
    assert_true(parts->pack != NULL && parts->picked != NULL);
    const struct block_head *head = (const void *)parts->room.packed;
    assert_int_equal(
        pack_begin(parts->pack, head, parts->room.packed + sizeof *head, NULL, &parts->got, NULL),
        0);
    assert_true(pack_has_parts(parts->pack));
}

static void close_parts(struct parts *parts)
{
    pack_close(parts->pack);
    free(parts->picked);
    give_room(&parts->room);
}

static void check_picks(struct parts *parts, const uint32_t *ids, size_t count)
{
    struct pick items[64];
    struct pack_picked picked;
    for (size_t i = 0; i < count; i++)
        items[i] = (struct pick){.instrument_id = ids[i], .to = UINT64_MAX};
    const struct picks picks = {.items = items, .count = count};
    assert_int_equal(pack_pick(parts->pack, &picks, count_need, &parts->needed, &picked, NULL), 0);
    assert_int_equal(picked.ticks, pick_raw(&parts->want, &picks, parts->picked));
    size_t span = parts->want.head->frames_size / parts->want.head->count;
    if (picked.ticks > 0)
        assert_memory_equal(picked.frames, parts->picked, picked.ticks * span);
}

static void one_instrument_comes_without_the_others(void **state)
{
    (void)state;
    struct parts parts;
    open_parts(&parts, TRADES, 50);
    for (uint32_t id = 100; id < 150; id += 7) {
        struct directory_walk walk, truth;
        assert_int_equal(directory_find(&parts.got, id, &walk),
                         directory_find(&parts.want, id, &truth));
        check_picks(&parts, &id, 1);
    }
    assert_true(parts.needed < parts.packed * 3 / 4);
    close_parts(&parts);
}

/* With 50 and 60 instruments, most groups have several of those asked for. */
static void some_instruments_come_side_by_side_in_their_order(void **state)
{
    (void)state;
    static const uint32_t some[] = {101, 104, 105, 106, 140, 149, 200000};
    uint32_t all[60];
    for (uint32_t i = 0; i < array_size(all); i++)
        all[i] = 100 + i;
    for (enum mix mix = TRADES; mix <= QUOTES; mix++) {
        struct parts parts;
        open_parts(&parts, mix, 60);
        check_picks(&parts, some, array_size(some));
        check_picks(&parts, all, array_size(all));
        check_picks(&parts, all + 20, 2);
        check_picks(&parts, NULL, 0);
        check_picks(&parts, some, array_size(some));
        close_parts(&parts);
    }
}

static void who_asks_again_reads_nothing(void **state)
{
    (void)state;
    static const uint32_t ids[] = {110, 111};
    struct parts parts;
    open_parts(&parts, TRADES, 50);
    check_picks(&parts, ids, 2);
    size_t needed = parts.needed;
    check_picks(&parts, ids, 2);
    assert_int_equal(parts.needed, needed);
    check_picks(&parts, ids, 1);
    assert_true(parts.needed > needed);
    close_parts(&parts);
}

/* ---- hostile bytes ---- */

/* Make the checksums right again, so that what comes after them has to hold. */
static void mend(unsigned char *packed)
{
    struct block_head head;
    memcpy(&head, packed, sizeof head);
    unsigned char *at = packed + sizeof head;
    struct pack_head outline;
    memcpy(&outline, at, sizeof outline);
    if (outline.outline_size <= head.stored_size &&
        outline.stamps_size <= head.stored_size - outline.outline_size) {
        outline.stamps_crc = crc32c(0, at + outline.outline_size, outline.stamps_size);
        memcpy(at, &outline, sizeof outline);
        head.entries_crc = crc32c(0, at, outline.outline_size);
    }
    head.tail_crc = crc32c(0, at, head.stored_size);
    head.head_crc = 0;
    head.head_crc = crc32c(0, &head, sizeof head);
    memcpy(packed, &head, sizeof head);
}

/* Whatever passes can be walked: it has ticks of the block's track, in the order of their seqs. */
static void assert_walkable(const struct block_view *view)
{
    uint64_t next = view->head->first_seq;
    for (size_t at = 0; at < view->head->frames_size;) {
        const struct tdk_frame *frame = (const void *)(view->frames + at);
        assert_int_equal(frame->track, view->head->track);
        assert_true(!frame_is_record(frame) || frame->size >= sizeof(struct tdk_dbn_head));
        if (tdk_frame_is_tick(frame))
            assert_int_equal(frame->seq, next++);
        else
            next = frame->seq;
        at += tdk_frame_span(frame->size);
    }
    assert_int_equal(next - 1, view->head->last_seq);
}

/* What is checked once for a group is as strict as what is checked for each frame. */
static void a_record_without_a_record_is_refused(void **state)
{
    (void)state;
    struct room room = take_room();
    struct block_view view;
    size_t size = make_block(room.raw, OPAQUE, 3000, 1, 0);
    size_t packed = pack_block(room.raw, size, room.packed);
    unsigned char *type = room.packed + sizeof(struct block_head) + sizeof(struct pack_head) +
                          offsetof(struct pack_class, type);
    assert_int_equal(*type, 7);
    *type = TDK_TYPE_DBN; /* in 13 bytes */
    mend(room.packed);
    assert_int_equal(block_check(room.packed, packed, &view, NULL), 0);
    assert_int_equal(block_unpack(room.packed, NULL, room.plain, ROOM, &view, NULL), TDK_ECORRUPT);
    *type = 8;
    mend(room.packed);
    assert_int_equal(block_unpack(room.packed, NULL, room.plain, ROOM, &view, NULL), 0);
    assert_walkable(&view);
    give_room(&room);
}

static void no_changed_byte_does_harm(void **state)
{
    (void)state;
    struct room room = take_room();
    struct block_view view;
    for (int round = 0; round < 6; round++) {
        size_t size =
            make_block(room.raw, round % 2 == 0 ? TRADES : MIXED, 600, 9, round % 2 == 0 ? 0 : 30);
        size_t packed = pack_block(room.raw, size, room.packed);
        struct pack *pack = pack_open(PACK_WHOLE_BLOCKS);
        unsigned char *copy = malloc(packed);
        memcpy(copy, room.packed, packed);
        for (size_t i = sizeof(struct block_head); i < packed; i += 1 + draw() % 3) {
            room.packed[i] ^= (unsigned char)(1u << draw() % 8);
            mend(room.packed);
            if (block_check(room.packed, packed, &view, NULL) == 0 &&
                block_unpack(room.packed, pack, room.plain, ROOM, &view, NULL) == 0)
                assert_walkable(&view);
            memcpy(room.packed, copy, packed);
        }
        free(copy);
        pack_close(pack);
    }
    give_room(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_out_as_they_went_in),
        cmocka_unit_test(so_do_mixtures_with_losses_and_marks),
        cmocka_unit_test(what_has_no_shape_becomes_one_zstd_frame),
        cmocka_unit_test(a_full_block_packs),
        cmocka_unit_test(trades_shrink_to_a_sixth_and_less),
        cmocka_unit_test(one_instrument_comes_without_the_others),
        cmocka_unit_test(some_instruments_come_side_by_side_in_their_order),
        cmocka_unit_test(who_asks_again_reads_nothing),
        cmocka_unit_test(a_record_without_a_record_is_refused),
        cmocka_unit_test(no_changed_byte_does_harm),
    };
    const struct CMUnitTest both_ways[] = {
        cmocka_unit_test(records_come_out_as_they_went_in),
        cmocka_unit_test(a_full_block_packs),
        cmocka_unit_test(one_instrument_comes_without_the_others),
    };
    int failed = cmocka_run_group_tests_name("tape.pack", tests, NULL, NULL);
    forms = PACK_COMPRESSED; /* the form from before there were bits */
    failed += cmocka_run_group_tests_name("tape.pack.compressed", both_ways, NULL, NULL);
    wide_is_off = true; /* where there are wide registers, both ways are tested */
    return failed + cmocka_run_group_tests_name("tape.pack.narrow", both_ways, NULL, NULL);
}
