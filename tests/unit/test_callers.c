#include "daemon/callers.h"

#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/check.h"

struct fixture {
    struct callers callers;
    struct caller *all[CALLERS_MAX];
    int ends[CALLERS_MAX][2]; /* our end, their end */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    callers_init(&f->callers);
    for (unsigned i = 0; i < CALLERS_MAX; i++)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, f->ends[i]), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < CALLERS_MAX; i++) {
        close(f->ends[i][0]);
        close(f->ends[i][1]);
    }
    callers_close(&f->callers);
    free(f);
    return 0;
}

static void come(struct fixture *f, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        f->all[i] = callers_come(&f->callers, f->ends[i][0]);
        assert_non_null(f->all[i]);
    }
}

static bool is_dismissed(const struct fixture *f, unsigned i)
{
    char byte;
    return recv(f->ends[i][1], &byte, 1, MSG_DONTWAIT) == 0;
}

static void who_stands_longest_gives_way(void **state)
{
    struct fixture *f = *state;
    come(f, 0, CALLERS_CALM);
    for (unsigned i = 0; i < CALLERS_CALM; i++)
        assert_false(is_dismissed(f, i));
    callers_serve(&f->callers, f->all[0]);
    callers_serve(&f->callers, f->all[1]);
    callers_served(&f->callers, f->all[1]); /* counts as if it had just come */
    come(f, CALLERS_CALM, CALLERS_CALM + 2);
    for (unsigned i = 0; i < CALLERS_CALM + 2; i++)
        assert_int_equal(is_dismissed(f, i), i == 2 || i == 3);
}

static void who_is_served_stays_and_places_are_taken_again(void **state)
{
    struct fixture *f = *state;
    come(f, 0, CALLERS_CALM);
    for (unsigned i = 0; i < CALLERS_CALM; i++)
        callers_serve(&f->callers, f->all[i]);
    come(f, CALLERS_CALM, CALLERS_MAX);
    for (unsigned i = 0; i < CALLERS_CALM; i++)
        assert_false(is_dismissed(f, i));
    assert_null(callers_come(&f->callers, f->ends[0][0]));
    callers_serve(&f->callers, NULL);
    callers_leave(&f->callers, f->all[5]);
    assert_ptr_equal(callers_come(&f->callers, f->ends[5][0]), f->all[5]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_stands_longest_gives_way, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_served_stays_and_places_are_taken_again, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("daemon.callers", tests, NULL, NULL);
}
