/* Play a small tape into rings: what arrives, in which order, and when. */
#include "tests/support/folder.h"
#include "tests/support/rings.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>

#include "base/clock.h"
#include "replayer/player.h"
#include "tape/append.h"
#include "tapedeck/clock.h"
#include "tapedeck/digest.h"

#define T0 UINT64_C(1700000000000000000)

struct fixture {
    char folder[RINGS_FOLDER_SIZE];
    char tape_path[40];
    struct tdk_tape *tape;
    struct player *player;
    struct tdk_ring *consumer;
    struct tdk_query query;
    struct player_options options;
    struct tdk_err err;
    unsigned asked, order_at;
    enum player_order order;
    int rc;
    unsigned states; /* a bit for each that was reported */
};

/* Append `count` ticks from `ts` on, `step` ns apart. The payload is the track's letter and a
 * number. */
static int append_track(const struct fixture *f, const char *track, unsigned count, uint64_t ts,
                        uint64_t step)
{
    struct append *append;
    if (append_open(&append, f->tape_path, NULL, NULL) < 0)
        return -1;
    int rc = append_begin(append, track, TDK_KIND_OPAQUE, NULL);
    if (rc == 0)
        rc = append_info(append, "type.3", "text\ttext/plain", 15, NULL);
    struct {
        struct tdk_symbol symbol;
        char name[3];
    } symbol = {.symbol = {.instrument_id = 7, .to = UINT64_MAX}, .name = {'X', 'Y', 'Z'}};
    if (rc == 0)
        rc = append_control(append, TDK_TYPE_SYMBOL, &symbol, sizeof symbol.symbol + 3, NULL);
    for (unsigned i = 0; rc == 0 && i < count; i++) {
        char text[16];
        int size = snprintf(text, sizeof text, "%s%u", track, i);
        rc = append_tick(append, TDK_TYPE_OPAQUE, 0, ts + i * step, text, (uint32_t)size, NULL);
    }
    if (rc == 0)
        return append_close(append, NULL, NULL);
    append_abort(append);
    return rc;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL || rings_open(f->folder) < 0)
        return -1;
    strcpy(f->tape_path, "/tmp/tapedeck-test-XXXXXX");
    if (mkdtemp(f->tape_path) == NULL || append_track(f, "a", 50, T0, 2000000) < 0 ||
        append_track(f, "b", 50, T0 + 1000000, 2000000) < 0)
        return -1;
    f->query.to = UINT64_MAX;
    f->options = (struct player_options){.into = "replay",
                                         .create_size = 1 << 20,
                                         .speed = {.kind = SPEED_MAX},
                                         .rounds = 1,
                                         .digest = true,
                                         .stall_ns = 200 * NS_PER_MS,
                                         .context = f};
    *state = f;
    return tdk_tape_open(&f->tape, f->tape_path, &f->err);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    player_close(f->player);
    tdk_ring_detach(f->consumer);
    tdk_tape_close(f->tape);
    folder_remove(f->tape_path);
    int rc = rings_close(f->folder);
    free(f);
    return rc;
}

static int play(struct fixture *f)
{
    player_close(f->player);
    f->player = NULL;
    int rc = player_open(&f->player, f->tape, &f->query, &f->options, &f->err);
    return rc < 0 ? rc : player_run(f->player, &f->err);
}

static void listen(struct fixture *f, const char *ring)
{
    tdk_ring_detach(f->consumer);
    f->consumer = NULL;
    assert_int_equal(tdk_ring_attach(&f->consumer, ring, TDK_RING_CONSUMER, &f->err), 0);
}

static const struct tdk_frame *next_tick(struct fixture *f)
{
    const struct tdk_frame *frame = rings_next(f->consumer);
    while (frame != NULL && tdk_type_is_control(frame->type) && frame->type != TDK_TYPE_END)
        frame = rings_next(f->consumer);
    return frame;
}

static void assert_tick(const struct tdk_frame *frame, char track, unsigned number)
{
    char text[16];
    int size = snprintf(text, sizeof text, "%c%u", track, number);
    assert_non_null(frame);
    assert_int_equal(frame->type, TDK_TYPE_OPAQUE);
    assert_int_equal(frame->seq, number + 1);
    assert_int_equal(frame->size, size);
    assert_memory_equal(tdk_frame_payload(frame), text, (size_t)size);
}

static void assert_end(const struct tdk_frame *frame, uint64_t ticks, bool complete)
{
    assert_non_null(frame);
    assert_int_equal(frame->type, TDK_TYPE_END);
    assert_int_equal(frame->size, sizeof(struct tdk_end));
    const struct tdk_end *end = (const struct tdk_end *)(frame + 1);
    assert_int_equal(end->ticks, ticks);
    assert_int_equal(end->complete, complete);
}

static void tracks_are_announced_then_merged_then_ended(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(play(f), 0);
    listen(f, "replay");

    const struct tdk_frame *frame = rings_next(f->consumer);
    assert_int_equal(frame->type, TDK_TYPE_TRACK);
    const struct tdk_track_head *head = (const struct tdk_track_head *)(frame + 1);
    assert_int_equal(head->kind, TDK_KIND_OPAQUE);
    assert_int_equal(head->name_size, 1);
    assert_memory_equal(head + 1, "a", 1);
    assert_int_equal(rings_next(f->consumer)->type, TDK_TYPE_INFO);
    assert_int_equal(rings_next(f->consumer)->type, TDK_TYPE_SYMBOL);

    uint64_t last_ts = 0;
    for (unsigned i = 0; i < 50; i++) {
        assert_tick(next_tick(f), 'a', i);
        frame = next_tick(f);
        assert_tick(frame, 'b', i);
        last_ts = frame->ts;
    }
    frame = next_tick(f);
    assert_end(frame, 100, true);
    assert_int_equal(frame->ts, last_ts); /* so that a reader knows where tape time stopped */
    assert_null(rings_next(f->consumer));
}

static void the_digest_is_of_what_was_played(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(play(f), 0);
    const struct player_report *report = player_report(f->player);
    struct tdk_digest *digest;
    struct tdk_cursor *cursor;
    struct tdk_run run;
    uint8_t value[16];
    char hex[33];
    assert_int_equal(tdk_digest_open(&digest), 0);
    assert_int_equal(tdk_cursor_open(&cursor, f->tape, &f->query, &f->err), 0);
    while (tdk_cursor_read(cursor, &run, &f->err) == 1)
        tdk_digest_run(digest, run.track, run.epoch, run.frames, run.size);
    tdk_digest_value(digest, value, hex);
    assert_string_equal(report->digest_hex, hex);
    assert_int_equal(report->digest_ticks, 100);
    assert_int_equal(report->ticks, 100);
    assert_true(report->complete);
    assert_false(report->paced);
    tdk_cursor_close(cursor);
    tdk_digest_close(digest);
}

static void each_track_can_have_its_ring(void **state)
{
    struct fixture *f = *state;
    struct tdk_clock_page *clock;
    struct tdk_clock_info info;
    f->options.per_track = true;
    assert_int_equal(play(f), 0);
    assert_int_equal(tdk_clock_attach(&clock, "replay.b", &f->err), 0);
    tdk_clock_info(clock, &info);
    assert_true(info.generation > 0); /* from the player's page, not from END */
    assert_int_equal(info.state, TDK_CLOCK_ENDED);
    tdk_clock_detach(clock);
    listen(f, "replay.b");
    for (unsigned i = 0; i < 50; i++)
        assert_tick(next_tick(f), 'b', i);
    assert_end(next_tick(f), 50, true);
    listen(f, "replay.a");
    assert_tick(next_tick(f), 'a', 0);
}

static void a_paced_play_is_never_early_and_knows_how_late(void **state)
{
    struct fixture *f = *state;
    f->options.speed = (struct speed){SPEED_SCALED, 4, 1};
    uint64_t begin = clock_mono();
    assert_int_equal(play(f), 0);
    /* 99 ms of tape at four times its speed. */
    assert_true(clock_mono() - begin >= 99 * NS_PER_MS / 4);
    const struct player_report *report = player_report(f->player);
    assert_true(report->paced);
    assert_int_equal(report->lateness.count, 100);
    listen(f, "replay");
    for (unsigned i = 0; i < 50; i++) {
        assert_tick(next_tick(f), 'a', i);
        assert_tick(next_tick(f), 'b', i);
    }
}

static void rounds_repeat_the_range_with_one_end(void **state)
{
    struct fixture *f = *state;
    f->options.rounds = 3;
    assert_int_equal(play(f), 0);
    assert_int_equal(player_report(f->player)->ticks, 300);
    assert_int_equal(player_report(f->player)->digest_ticks, 100);
    listen(f, "replay");
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < 50; i++) {
            assert_tick(next_tick(f), 'a', i);
            assert_tick(next_tick(f), 'b', i);
        }
    assert_end(next_tick(f), 300, true);
}

static void a_rebased_play_shifts_all_times_alike_and_says_so(void **state)
{
    struct fixture *f = *state;
    f->options.rebase = true;
    f->options.rebase_ts = 1000;
    assert_int_equal(play(f), 0);
    listen(f, "replay");
    bool told = false;
    const struct tdk_frame *frame = rings_next(f->consumer);
    for (; !tdk_frame_is_tick(frame); frame = rings_next(f->consumer)) {
        const struct tdk_info *info = (const struct tdk_info *)(frame + 1);
        if (frame->type == TDK_TYPE_INFO && info->key_size == 15 &&
            memcmp(info + 1, "tapedeck.rebase", 15) == 0) {
            char value[24] = "";
            memcpy(value, (const char *)(info + 1) + 15, info->total);
            assert_true(strtoll(value, NULL, 10) == 1000 - (int64_t)T0);
            told = true;
        }
    }
    assert_true(told);
    assert_int_equal(frame->ts, 1000);
    assert_int_equal(next_tick(f)->ts, 1001000);
}

static void a_consumer_that_never_comes_ends_it(void **state)
{
    struct fixture *f = *state;
    f->options.create_size = 65536;
    f->options.rounds = 1000;
    assert_int_equal(play(f), TDK_ESTALLED);
    assert_non_null(strstr(f->err.text, "consumer stalled"));
    assert_false(player_report(f->player)->complete);
}

static enum player_order break_the_rules(void *context)
{
    struct fixture *f = context;
    __atomic_store_n(&f->consumer->shared->consumed, 4, __ATOMIC_RELEASE);
    return PLAYER_GO_ON;
}

static void a_consumer_that_breaks_the_rules_ends_the_lockstep(void **state)
{
    struct fixture *f = *state;
    f->options.lockstep = true;
    f->options.stall_ns = 5 * NS_PER_S;
    f->options.ask = break_the_rules;
    assert_int_equal(player_open(&f->player, f->tape, &f->query, &f->options, &f->err), 0);
    listen(f, "replay");
    assert_int_equal(player_run(f->player, &f->err), TDK_EHOSTILE);
    assert_non_null(strstr(f->err.text, "broke its rules"));
}

static enum player_order order_once(void *context)
{
    struct fixture *f = context;
    return ++f->asked == f->order_at ? f->order : PLAYER_GO_ON;
}

static void an_order_to_quit_ends_it_with_an_end_that_says_so(void **state)
{
    struct fixture *f = *state;
    f->options.speed = (struct speed){SPEED_SCALED, 1, 1000};
    f->options.ask = order_once;
    f->order_at = 1;
    f->order = PLAYER_QUIT;
    assert_int_equal(play(f), 0);
    assert_true(player_report(f->player)->stopped);
    assert_false(player_report(f->player)->complete);
    listen(f, "replay");
    assert_tick(next_tick(f), 'a', 0);
    assert_end(next_tick(f), 1, false);
}

static enum player_order step_thrice_then_quit(void *context)
{
    struct fixture *f = context;
    return ++f->asked <= 3 ? PLAYER_STEP : PLAYER_QUIT;
}

static void a_paused_play_goes_step_by_step(void **state)
{
    struct fixture *f = *state;
    f->options.paused = true;
    f->options.ask = step_thrice_then_quit;
    assert_int_equal(play(f), 0);
    listen(f, "replay");
    assert_tick(next_tick(f), 'a', 0);
    assert_tick(next_tick(f), 'b', 0);
    assert_tick(next_tick(f), 'a', 1);
    assert_end(next_tick(f), 3, false);
}

static void a_pause_ends_where_it_began(void **state)
{
    struct fixture *f = *state;
    f->options.paused = true;
    f->options.ask = order_once;
    f->order_at = 2;
    f->order = PLAYER_TOGGLE;
    f->options.speed = (struct speed){SPEED_SCALED, 4, 1};
    uint64_t begin = clock_mono();
    assert_int_equal(play(f), 0);
    assert_true(clock_mono() - begin >= 99 * NS_PER_MS / 4 + 20 * NS_PER_MS);
    assert_int_equal(player_report(f->player)->ticks, 100);
}

static void an_unknown_track_makes_no_ring(void **state)
{
    struct fixture *f = *state;
    static const char *const tracks[] = {"nobody"};
    struct tdk_ring_info info;
    f->query.tracks = tracks;
    f->query.track_count = 1;
    assert_int_equal(play(f), TDK_ENOTRACK);
    assert_int_equal(tdk_ring_stat("replay", &info, NULL), TDK_ENORING);
}

static void consumers_are_waited_for_as_long_as_asked(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(player_open(&f->player, f->tape, &f->query, &f->options, &f->err), 0);
    assert_int_equal(player_wait_consumers(f->player, 1, 50 * NS_PER_MS, &f->err), -ETIMEDOUT);
    listen(f, "replay");
    assert_int_equal(player_wait_consumers(f->player, 1, 50 * NS_PER_MS, &f->err), 0);
}

static void rings_are_touched_before_the_play_and_stay_empty(void **state)
{
    struct fixture *f = *state;
    struct tdk_ring_info info;
    unsigned steps = 0;
    assert_int_equal(player_open(&f->player, f->tape, &f->query, &f->options, &f->err), 0);
    while (player_warm(f->player, 256 << 10))
        assert_true(++steps < 16);
    assert_true(steps > 0);
    assert_int_equal(tdk_ring_stat("replay", &info, &f->err), 0);
    assert_int_equal(info.produced_bytes, 0);
    assert_int_equal(player_run(f->player, &f->err), 0);
    listen(f, "replay");
    assert_tick(next_tick(f), 'a', 0);
}

/* ---- from another thread ---- */

static void *run_player(void *context)
{
    struct fixture *f = context;
    f->rc = player_run(f->player, &f->err);
    return NULL;
}

static void command(struct fixture *f, struct player_command command)
{
    assert_int_equal(player_command(f->player, &command), 0);
}

static bool is_at(struct fixture *f, enum player_state state, uint64_t ticks)
{
    struct player_status status;
    player_status(f->player, &status);
    return status.state == state && status.ticks == ticks;
}

/* However long it takes, but not for ever. */
static void wait_until(struct fixture *f, enum player_state state, uint64_t ticks)
{
    uint64_t end = clock_mono() + 20 * NS_PER_S;
    while (!is_at(f, state, ticks)) {
        assert_true(clock_mono() < end);
        const struct timespec nap = {.tv_nsec = 1000000};
        nanosleep(&nap, NULL);
    }
}

static void note_state(enum player_state state, void *context)
{
    struct fixture *f = context;
    f->states |= 1u << state;
}

static void another_thread_steps_seeks_and_goes_on(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    struct player_status status;
    f->options.paused = true;
    f->options.changed = note_state;
    assert_int_equal(player_open(&f->player, f->tape, &f->query, &f->options, &f->err), 0);
    assert_int_equal(pthread_create(&thread, NULL, run_player, f), 0);
    wait_until(f, PLAYER_PAUSED, 0);
    command(f, (struct player_command){.order = PLAYER_STEP, .ticks = 3});
    wait_until(f, PLAYER_PAUSED, 3); /* a0 b0 a1, up to T0 + 2 ms */
    player_status(f->player, &status);
    assert_int_equal(status.at, T0 + 2 * NS_PER_MS);
    command(f, (struct player_command){.order = PLAYER_STEP, .by_ns = 4 * NS_PER_MS});
    wait_until(f, PLAYER_PAUSED, 7); /* and all up to T0 + 6 ms */
    command(f, (struct player_command){.order = PLAYER_SEEK, .to = T0 + 90 * NS_PER_MS});
    command(f, (struct player_command){.order = PLAYER_STEP, .ticks = 1});
    wait_until(f, PLAYER_PAUSED, 8);
    command(f, (struct player_command){.order = PLAYER_RESUME});
    pthread_join(thread, NULL);
    assert_int_equal(f->rc, 0);
    assert_true(is_at(f, PLAYER_ENDED, 17)); /* ten more, from 90 to 99 ms */
    assert_int_equal(f->states, 1u << PLAYER_PAUSED | 1u << PLAYER_PLAYING | 1u << PLAYER_ENDED);
    assert_false(player_report(f->player)->complete); /* a part was skipped */
    const struct player_command late = {.order = PLAYER_PAUSE};
    assert_int_equal(player_command(f->player, &late), -ESRCH);
}

static void too_many_commands_are_refused(void **state)
{
    struct fixture *f = *state;
    const struct player_command pause = {.order = PLAYER_PAUSE};
    int rc = 0;
    assert_int_equal(player_open(&f->player, f->tape, &f->query, &f->options, &f->err), 0);
    for (int i = 0; i < 100 && rc == 0; i++)
        rc = player_command(f->player, &pause);
    assert_int_equal(rc, -EAGAIN);
}

/* ---- tracks that take turns, more of them than their ring holds ---- */

#define TURNS 8000u

/* c0 d0 c1 d1 ..., a microsecond apart, into a ring of 64 KiB. The player runs in a thread of its
 * own. */
static void play_turns(struct fixture *f, pthread_t *thread)
{
    static const char *const tracks[] = {"c", "d"};
    tdk_tape_close(f->tape);
    f->tape = NULL;
    assert_int_equal(append_track(f, "c", TURNS, T0 + NS_PER_S, 2000), 0);
    assert_int_equal(append_track(f, "d", TURNS, T0 + NS_PER_S + 1000, 2000), 0);
    assert_int_equal(tdk_tape_open(&f->tape, f->tape_path, &f->err), 0);
    f->query.tracks = tracks;
    f->query.track_count = 2;
    f->options.create_size = 64 << 10;
    f->options.stall_ns = 60 * NS_PER_S;
    assert_int_equal(player_open(&f->player, f->tape, &f->query, &f->options, &f->err), 0);
    assert_int_equal(pthread_create(thread, NULL, run_player, f), 0);
    listen(f, "replay");
}

static void wait_until_stalled(struct fixture *f)
{
    struct player_status status = {.state = PLAYER_PLAYING};
    for (uint64_t end = clock_mono() + 60 * NS_PER_S; status.state != PLAYER_STALLED;) {
        assert_true(clock_mono() < end);
        player_status(f->player, &status);
    }
}

/* Wait for the next tick or END. What came before it is given back. */
static const struct tdk_frame *await_tick(struct fixture *f)
{
    const struct tdk_frame *frame;
    tdk_ring_release(f->consumer);
    for (uint64_t end = clock_mono() + 60 * NS_PER_S; (frame = next_tick(f)) == NULL;)
        assert_true(clock_mono() < end);
    return frame;
}

/* The next `count` ticks are those from number `i` on, counted over both tracks. */
static void assert_turns(struct fixture *f, unsigned i, unsigned count)
{
    for (; count > 0; i++, count--)
        assert_tick(await_tick(f), "cd"[i % 2], i / 2);
}

static void assert_digest_of_query(struct fixture *f, const uint8_t digest[16])
{
    struct tdk_digest *expected;
    struct tdk_cursor *cursor;
    struct tdk_run run;
    uint8_t value[16];
    char hex[33];
    assert_int_equal(tdk_digest_open(&expected), 0);
    assert_int_equal(tdk_cursor_open(&cursor, f->tape, &f->query, &f->err), 0);
    while (tdk_cursor_read(cursor, &run, &f->err) == 1)
        tdk_digest_run(expected, run.track, run.epoch, run.frames, run.size);
    tdk_digest_value(expected, value, hex);
    assert_memory_equal(digest, value, sizeof value);
    tdk_cursor_close(cursor);
    tdk_digest_close(expected);
}

/* With a digest, ticks are woven beside the ring. Without one, they are woven in it. */
/* Of the track's blocks only the first has something that passes: control frames, which come
 * between ticks. */
static void open_where_nothing_passes(struct fixture *f)
{
    static const char *const tracks[] = {"c"};
    static const struct tdk_type_filter wide = {.type = TDK_TYPE_WIDE, .rtype = -1};
    tdk_tape_close(f->tape);
    f->tape = NULL;
    assert_int_equal(append_track(f, "c", 4 * TURNS, T0, 2000), 0);
    assert_int_equal(tdk_tape_open(&f->tape, f->tape_path, &f->err), 0);
    f->query.tracks = tracks;
    f->query.track_count = 1;
    f->query.types = &wide;
    f->query.type_count = 1;
    assert_int_equal(player_open(&f->player, f->tape, &f->query, &f->options, &f->err), 0);
}

static void orders_are_heard_while_nothing_passes(void **state)
{
    struct fixture *f = *state;
    open_where_nothing_passes(f);
    command(f, (struct player_command){.order = PLAYER_SEEK, .to = T0 + 1});
    command(f, (struct player_command){.order = PLAYER_QUIT});
    assert_int_equal(player_run(f->player, &f->err), 0);
    assert_true(player_report(f->player)->stopped);
}

static void a_seek_is_done_while_nothing_passes(void **state)
{
    struct fixture *f = *state;
    struct player_status status;
    open_where_nothing_passes(f);
    command(f, (struct player_command){.order = PLAYER_SEEK, .to = T0 + 100});
    assert_int_equal(player_run(f->player, &f->err), 0);
    assert_false(player_report(f->player)->stopped);
    assert_false(player_report(f->player)->complete); /* a part was skipped */
    player_status(f->player, &status);
    assert_int_equal(status.state, PLAYER_ENDED);
}

static void play_turns_to_the_end(struct fixture *f, bool digest)
{
    pthread_t thread;
    f->options.digest = digest;
    play_turns(f, &thread);
    wait_until_stalled(f);
    assert_turns(f, 0, 2 * TURNS);
    const struct tdk_frame *frame = await_tick(f);
    assert_end(frame, 2 * TURNS, true);
    if (digest)
        assert_digest_of_query(f, ((const struct tdk_end *)(frame + 1))->digest);
    pthread_join(thread, NULL);
    assert_int_equal(f->rc, 0);
    assert_int_equal(player_report(f->player)->ticks, 2 * TURNS);
    assert_true(player_report(f->player)->stalls > 0);
}

static void tracks_in_turn_come_whole_through_a_small_ring(void **state)
{
    play_turns_to_the_end(*state, false);
}

static void tracks_in_turn_have_the_digest_of_their_runs(void **state)
{
    play_turns_to_the_end(*state, true);
}

static void tracks_in_turn_pause_step_seek_and_quit_anywhere(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    struct player_status status;
    play_turns(f, &thread);
    wait_until_stalled(f);
    command(f, (struct player_command){.order = PLAYER_PAUSE});
    unsigned at = 0;
    do { /* what was under way is put in, and nothing after it */
        const struct tdk_frame *frame = next_tick(f);
        if (frame != NULL)
            assert_tick(frame, "cd"[at % 2], at / 2), at++;
        tdk_ring_release(f->consumer);
        player_status(f->player, &status);
    } while (status.state != PLAYER_PAUSED || status.ticks != at);
    assert_true(at > 0 && at < 2 * TURNS);
    command(f, (struct player_command){.order = PLAYER_STEP, .ticks = 3});
    assert_turns(f, at, 3);
    command(f, (struct player_command){.order = PLAYER_RESUME});
    wait_until_stalled(f);
    command(f, (struct player_command){.order = PLAYER_SEEK, .to = T0 + NS_PER_S + 4000 * 2000});
    unsigned last = at + 3;
    const struct tdk_frame *frame;
    while ((frame = await_tick(f))->seq != 4001) { /* the rest of what was in the ring */
        assert_tick(frame, "cd"[last % 2], last / 2);
        last++;
    }
    assert_tick(frame, 'c', 4000);
    assert_true(last < 8000);
    assert_turns(f, 8001, 2);
    wait_until_stalled(f);
    command(f, (struct player_command){.order = PLAYER_QUIT});
    for (at = 8003; (frame = await_tick(f))->type != TDK_TYPE_END; at++)
        assert_tick(frame, "cd"[at % 2], at / 2);
    pthread_join(thread, NULL);
    assert_end(frame, last + at - 8000, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(orders_are_heard_while_nothing_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_seek_is_done_while_nothing_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(tracks_are_announced_then_merged_then_ended, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_digest_is_of_what_was_played, setup, teardown),
        cmocka_unit_test_setup_teardown(each_track_can_have_its_ring, setup, teardown),
        cmocka_unit_test_setup_teardown(a_paced_play_is_never_early_and_knows_how_late, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(rounds_repeat_the_range_with_one_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rebased_play_shifts_all_times_alike_and_says_so, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_consumer_that_never_comes_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_consumer_that_breaks_the_rules_ends_the_lockstep, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_order_to_quit_ends_it_with_an_end_that_says_so, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_paused_play_goes_step_by_step, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pause_ends_where_it_began, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_track_makes_no_ring, setup, teardown),
        cmocka_unit_test_setup_teardown(consumers_are_waited_for_as_long_as_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(rings_are_touched_before_the_play_and_stay_empty, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(another_thread_steps_seeks_and_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(tracks_in_turn_come_whole_through_a_small_ring, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(tracks_in_turn_have_the_digest_of_their_runs, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(tracks_in_turn_pause_step_seek_and_quit_anywhere, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(too_many_commands_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests_name("replayer.player", tests, NULL, NULL);
}
