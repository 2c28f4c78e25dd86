/* The state before a range: what is found, what is not looked for. */
#include "tests/support/taping.h"

#include <errno.h>
#include <stdlib.h>

#include "tape/prime.h"
#include "tapedeck/dbn.h"

struct fixture {
    char path[FOLDER_PATH];
    struct tdk_tape *tape;
    struct prime *prime;
    struct tdk_query query;
    struct prime_options options;
    unsigned asked;
};

static void append_trade(struct append *append, uint32_t instrument_id, uint64_t ts)
{
    struct tdk_err err;
    unsigned char payload[48] = {sizeof payload / 4, TDK_RTYPE_TRADES};
    memcpy(payload + 4, &instrument_id, sizeof instrument_id);
    memcpy(payload + 8, &ts, sizeof ts);
    taping_ok(append_tick(append, TDK_TYPE_DBN, 0, ts, payload, sizeof payload, &err), &err);
}

/* Instrument 7 trades once, in the beginning; 8 all day long. */
static int setup(void **state)
{
    struct tdk_err err;
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    folder_make(f->path);
    struct append *append = taping_open(f->path, 16 << 10, 0);
    taping_ticks(append, "opaque", 100);
    taping_ok(append_begin(append, "trades", TDK_KIND_DBN, &err), &err);
    append_trade(append, 7, TAPING_NOW);
    for (unsigned i = 1; i < 2000; i++)
        append_trade(append, 8, TAPING_NOW + i);
    taping_close(append);
    taping_ok(tdk_tape_open(&f->tape, f->path, &err), &err);
    f->query = (struct tdk_query){.from = TAPING_NOW + 1500, .to = UINT64_MAX};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    prime_close(f->prime);
    tdk_tape_close(f->tape);
    folder_remove(f->path);
    free(f);
    return 0;
}

static void open_prime(struct fixture *f)
{
    struct tdk_err err;
    taping_ok(prime_open(&f->prime, f->tape, &f->query, &f->options, &err), &err);
}

static void assert_next(struct fixture *f, uint32_t instrument_id, uint64_t ts)
{
    struct tdk_run run;
    assert_true(prime_next(f->prime, &run));
    assert_int_equal(run.ticks, 1);
    assert_string_equal(run.track, "trades");
    assert_int_equal(run.frames->ts, ts);
    assert_int_equal(run.frames->flags & TDK_FLAG_PROLOGUE, TDK_FLAG_PROLOGUE);
    assert_memory_equal(tdk_frame_payload(run.frames) + 4, &instrument_id, 4);
}

static void prime_finds_the_last_tick_of_each_instrument(void **state)
{
    struct fixture *f = *state;
    open_prime(f);
    for (int round = 0; round < 2; round++) { /* and once more from the beginning */
        struct tdk_run run;
        assert_next(f, 7, TAPING_NOW);
        assert_next(f, 8, TAPING_NOW + 1499);
        assert_false(prime_next(f->prime, &run));
    }
}

static void prime_looks_no_further_back_than_it_may(void **state)
{
    struct fixture *f = *state;
    struct tdk_run run;
    f->options.back_ns = 1499;
    open_prime(f);
    assert_next(f, 8, TAPING_NOW + 1499);
    assert_false(prime_next(f->prime, &run));
}

static bool stop_at_third(void *context)
{
    struct fixture *f = context;
    return ++f->asked == 3;
}

static void prime_ends_when_told_to(void **state)
{
    struct fixture *f = *state;
    struct tdk_err err;
    f->options.stopped = stop_at_third;
    f->options.context = f;
    assert_int_equal(prime_open(&f->prime, f->tape, &f->query, &f->options, &err), -ECANCELED);
    assert_null(f->prime);
}

static void a_range_from_the_beginning_has_no_state_before_it(void **state)
{
    struct fixture *f = *state;
    struct tdk_run run;
    f->query.from = 0;
    open_prime(f);
    assert_false(prime_next(f->prime, &run));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(prime_finds_the_last_tick_of_each_instrument, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(prime_looks_no_further_back_than_it_may, setup, teardown),
        cmocka_unit_test_setup_teardown(prime_ends_when_told_to, setup, teardown),
        cmocka_unit_test_setup_teardown(a_range_from_the_beginning_has_no_state_before_it, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("tape.prime", tests, NULL, NULL);
}
