/* The clock that a ring's reader asks, both live and in a replay. */
#include "tests/support/check.h"
#include "tests/support/rings.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "shm/clock_page.h"
#include "shm/producer.h"
#include "tapedeck/ring.h"

struct fixture {
    char folder[RINGS_FOLDER_SIZE];
    struct clock_writer *writer;
    struct tdk_clock_page *clock;
    struct tdk_err err;
    bool over;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    *state = f;
    return f == NULL ? -1 : rings_open(f->folder);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    clock_writer_close(f->writer);
    tdk_clock_detach(f->clock);
    int rc = rings_close(f->folder);
    free(f);
    return rc;
}

static void open_both(struct fixture *f)
{
    assert_int_equal(clock_writer_open(&f->writer, "r", &f->err), 0);
    assert_int_equal(tdk_clock_attach(&f->clock, "r", &f->err), 0);
}

static void a_ring_without_a_page_has_the_hosts_clock(void **state)
{
    struct fixture *f = *state;
    struct tdk_clock_info info;
    assert_int_equal(tdk_clock_attach(&f->clock, "r", &f->err), 0);
    assert_int_equal(f->err.code, 0); /* that there is no ring either is no error */
    uint64_t before = clock_wall(), now = tdk_clock_now(f->clock);
    assert_in_range(now, before, clock_wall());
    tdk_clock_info(f->clock, &info);
    assert_int_equal(info.state, TDK_CLOCK_LIVE);
    assert_int_equal(tdk_clock_attach(&f->clock, "../r", &f->err), TDK_ENAME);
}

static void tape_time_runs_from_the_anchor_and_stops_before_the_next_tick(void **state)
{
    (void)state;
    const struct clock_words words = {.state = TDK_CLOCK_PLAYING,
                                      .floor = 1000,
                                      .until = 1500,
                                      .anchor_ts = 900,
                                      .anchor_mono = 50,
                                      .numerator = 5,
                                      .denominator = 2};
    assert_int_equal(clock_words_at(&words, 0), 1000);   /* before the anchor */
    assert_int_equal(clock_words_at(&words, 90), 1000);  /* 900 + 40 * 2.5 */
    assert_int_equal(clock_words_at(&words, 150), 1150); /* 900 + 100 * 2.5 */
    assert_int_equal(clock_words_at(&words, UINT64_MAX), 1500);
}

static void what_the_player_sets_the_reader_sees(void **state)
{
    struct fixture *f = *state;
    struct tdk_clock_info info;
    open_both(f);
    tdk_clock_info(f->clock, &info);
    assert_int_equal(info.state, TDK_CLOCK_WAITING);
    uint64_t generation = info.generation;
    const struct clock_words words = {.state = TDK_CLOCK_PAUSED, .floor = 77};
    clock_writer_set(f->writer, &words);
    tdk_clock_info(f->clock, &info);
    assert_int_equal(info.state, TDK_CLOCK_PAUSED);
    assert_true(info.generation > generation);
    assert_int_equal(tdk_clock_now(f->clock), 77);
}

static void a_name_has_one_player(void **state)
{
    struct fixture *f = *state;
    struct clock_writer *other;
    open_both(f);
    assert_int_equal(clock_writer_open(&other, "r", &f->err), TDK_EBUSY);
    clock_writer_close(f->writer);
    assert_int_equal(clock_writer_open(&f->writer, "r", &f->err), 0);
}

static void a_page_may_have_several_names(void **state)
{
    struct fixture *f = *state;
    const struct clock_words words = {.state = TDK_CLOCK_PAUSED, .floor = 77};
    struct clock_writer *other;
    assert_int_equal(clock_writer_open(&f->writer, "r", &f->err), 0);
    assert_int_equal(clock_writer_name(f->writer, "r.a", &f->err), 0);
    assert_int_equal(clock_writer_open(&other, "r.a", &f->err), TDK_EBUSY);
    assert_int_equal(tdk_clock_attach(&f->clock, "r.a", &f->err), 0);
    clock_writer_set(f->writer, &words);
    assert_int_equal(tdk_clock_now(f->clock), 77);
    clock_writer_close(f->writer); /* with all its names: teardown finds the folder empty */
    f->writer = NULL;
}

static void a_close_takes_away_no_page_but_its_own(void **state)
{
    struct fixture *f = *state;
    struct clock_writer *first;
    struct tdk_clock_info info;
    char path[RINGS_FOLDER_SIZE + 16];
    assert_int_equal(clock_writer_open(&first, "r", &f->err), 0);
    snprintf(path, sizeof path, "%s/r.clock", f->folder);
    assert_int_equal(unlink(path), 0); /* an operator was in a hurry */
    assert_int_equal(clock_writer_open(&f->writer, "r", &f->err), 0);
    clock_writer_close(first);
    assert_int_equal(tdk_clock_attach(&f->clock, "r", &f->err), 0);
    tdk_clock_info(f->clock, &info);
    assert_int_equal(info.state, TDK_CLOCK_WAITING);
}

enum { ROUNDS = 2000 };

struct contender {
    pthread_barrier_t *line;
    struct clock_writer *writer;
    int unexpected;
};

/* A page that nobody holds is left in the folder. Both threads try to open it, and the one that got
 * it closes it. */
static void *contend(void *context)
{
    struct contender *c = context;
    for (int round = 0; round < ROUNDS; round++) {
        struct tdk_err err;
        c->writer = NULL;
        pthread_barrier_wait(c->line);
        int rc = clock_writer_open(&c->writer, "r", &err);
        c->unexpected += rc != 0 && rc != TDK_EBUSY;
        pthread_barrier_wait(c->line);
        pthread_barrier_wait(c->line); /* the main thread has looked */
        clock_writer_close(c->writer);
        pthread_barrier_wait(c->line);
    }
    return NULL;
}

static void leave_dead_page(const struct fixture *f)
{
    char path[RINGS_FOLDER_SIZE + 16];
    snprintf(path, sizeof path, "%s/r.clock", f->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

static void of_two_at_a_dead_players_page_one_has_it(void **state)
{
    struct fixture *f = *state;
    pthread_barrier_t line;
    struct contender contenders[2] = {{.line = &line}, {.line = &line}};
    pthread_t threads[2];
    int wrong = 0;
    pthread_barrier_init(&line, NULL, 3);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, contend, &contenders[i]), 0);
    for (int round = 0; round < ROUNDS; round++) {
        leave_dead_page(f);
        pthread_barrier_wait(&line);
        pthread_barrier_wait(&line);
        wrong += (contenders[0].writer != NULL) == (contenders[1].writer != NULL);
        pthread_barrier_wait(&line);
        pthread_barrier_wait(&line);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&line);
    assert_int_equal(wrong, 0);
    assert_int_equal(contenders[0].unexpected + contenders[1].unexpected, 0);
}

static void *count_up(void *context)
{
    struct fixture *f = context;
    for (uint64_t i = 1; !__atomic_load_n(&f->over, __ATOMIC_RELAXED); i++) {
        const struct clock_words words = {
            .state = TDK_CLOCK_PLAYING, .floor = i, .anchor_ts = i, .anchor_mono = i, .until = i};
        clock_writer_set(f->writer, &words);
    }
    return NULL;
}

static void no_half_of_a_change_is_ever_seen(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    uint64_t last = 0;
    open_both(f);
    assert_int_equal(pthread_create(&thread, NULL, count_up, f), 0);
    for (int i = 0; i < 200000; i++) {
        struct tdk_clock_info info;
        tdk_clock_info(f->clock, &info);
        assert_int_equal(info.anchor_ts, info.anchor_mono);
        assert_true(info.now >= last);
        last = info.now;
    }
    __atomic_store_n(&f->over, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
}

static void a_page_whose_file_is_cut_ends_nobodys_life(void **state)
{
    struct fixture *f = *state;
    const struct clock_words words = {.state = TDK_CLOCK_PAUSED, .floor = 77};
    char path[RINGS_FOLDER_SIZE + 32];
    assert_int_equal(tdk_ring_guard(&f->err), 0);
    open_both(f);
    snprintf(path, sizeof path, "%s/r.clock", f->folder);
    assert_int_equal(truncate(path, 0), 0);
    clock_writer_set(f->writer, &words);
    uint64_t before = clock_wall(), now = tdk_clock_now(f->clock); /* the same as without a page */
    assert_in_range(now, before, clock_wall());
}

/* Anybody who may read the folder may lock it, and never unlock it. */
static void a_folder_that_another_has_locked_keeps_no_player(void **state)
{
    struct fixture *f = *state;
    int lock = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    open_both(f);
    clock_writer_close(f->writer);
    assert_int_equal(clock_writer_open(&f->writer, "r", &f->err), 0);
    close(lock);
}

/* A play must not be taken for live because a file could not be opened. */
static void who_cannot_look_is_not_told_that_it_is_live(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit;
    assert_int_equal(clock_writer_open(&f->writer, "r", &f->err), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int lowest = dup(STDERR_FILENO);
    assert_true(lowest >= 0);
    close(lowest);
    for (int more = 0; more < 2; more++) { /* the folder, then the page in it */
        const struct rlimit tight = {.rlim_cur = (rlim_t)(lowest + more),
                                     .rlim_max = limit.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
        int rc = tdk_clock_attach(&f->clock, "r", &f->err);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(rc, -EMFILE);
        assert_null(f->clock);
    }
    assert_non_null(strstr(f->err.text, "r.clock"));
}

/* ---- a play that is over ---- */

/* A tick of `size` bytes and an END at `ts`, put in by a player that then detaches. */
static void play_over(uint32_t size, uint64_t ts, uint64_t played)
{
    struct tdk_ring *ring;
    assert_int_equal(tdk_ring_attach(&ring, "r", TDK_RING_PRODUCER, NULL), 0);
    struct tdk_frame *tick = tdk_ring_claim_raw(ring, size);
    assert_non_null(tick);
    tick->type = TDK_TYPE_OPAQUE;
    tick->seq = 7;
    struct tdk_frame *end = tdk_ring_claim_raw(ring, sizeof(struct tdk_end));
    assert_non_null(end);
    end->type = TDK_TYPE_END;
    end->ts = ts;
    tdk_ring_publish(ring);
    producer_tell_played(ring, played);
    tdk_ring_detach(ring);
}

static void release_all(void)
{
    struct tdk_ring *ring;
    assert_int_equal(tdk_ring_attach(&ring, "r", TDK_RING_CONSUMER, NULL), 0);
    while (tdk_ring_next(ring) != NULL)
        tdk_ring_release(ring);
    tdk_ring_detach(ring);
}

/* Attach anew, like a reader that begins now. */
static enum tdk_clock_state look(struct fixture *f, uint64_t *now)
{
    struct tdk_clock_info info;
    tdk_clock_detach(f->clock);
    f->clock = NULL;
    assert_int_equal(tdk_clock_attach(&f->clock, "r", &f->err), 0);
    tdk_clock_info(f->clock, &info);
    *now = tdk_clock_now(f->clock);
    return info.state;
}

static void a_play_that_is_over_is_told_by_its_ring(void **state)
{
    struct fixture *f = *state;
    const struct tdk_ring_options small = {.capacity = 1 << 16};
    uint64_t now;
    assert_int_equal(tdk_ring_create("r", &small, &f->err), 0);
    for (uint64_t ts = 1000; ts < 1100; ts++) { /* the END lies everywhere, also across the end */
        play_over(8 * (uint32_t)(ts % 97) + 4000, ts, 1);
        assert_int_equal(look(f, &now), TDK_CLOCK_ENDED);
        assert_int_equal(now, ts);
        release_all();
        assert_int_equal(look(f, &now), TDK_CLOCK_ENDED); /* still over once read */
    }
}

static void a_feed_behind_a_play_is_live_again(void **state)
{
    struct fixture *f = *state;
    uint64_t now, before = clock_wall();
    const struct tdk_ring_options small = {.capacity = 1 << 16};
    assert_int_equal(tdk_ring_create("r", &small, &f->err), 0);
    play_over(8, 1000, 1);
    const struct tdk_put put = {.payloads = "x", .count = 1, .size = 1, .type = TDK_TYPE_OPAQUE};
    struct tdk_ring *feed;
    assert_int_equal(tdk_ring_attach(&feed, "r", TDK_RING_PRODUCER, &f->err), 0);
    assert_int_equal(tdk_ring_put(feed, &put, 0), 1);
    tdk_ring_detach(feed);
    assert_int_equal(look(f, &now), TDK_CLOCK_LIVE);
    assert_in_range(now, before, clock_wall());
    play_over(8, 1000, 0); /* looks like an END, but its sender has played nothing */
    assert_int_equal(look(f, &now), TDK_CLOCK_LIVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_play_that_is_over_is_told_by_its_ring, setup, teardown),
        cmocka_unit_test_setup_teardown(a_feed_behind_a_play_is_live_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_ring_without_a_page_has_the_hosts_clock, setup, teardown),
        cmocka_unit_test(tape_time_runs_from_the_anchor_and_stops_before_the_next_tick),
        cmocka_unit_test_setup_teardown(what_the_player_sets_the_reader_sees, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_has_one_player, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_may_have_several_names, setup, teardown),
        cmocka_unit_test_setup_teardown(a_close_takes_away_no_page_but_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(of_two_at_a_dead_players_page_one_has_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_that_another_has_locked_keeps_no_player, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_page_whose_file_is_cut_ends_nobodys_life, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_cannot_look_is_not_told_that_it_is_live, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(no_half_of_a_change_is_ever_seen, setup, teardown),
    };
    return cmocka_run_group_tests_name("shm.clock_page", tests, NULL, NULL);
}
