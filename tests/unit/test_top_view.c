#include "cli/top_view.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tests/support/check.h"

static struct top_view view;
static struct top_screen screen;

static void add_ring(const char *name, uint64_t ticks_s, uint64_t fill, uint64_t lost)
{
    struct top_ring *ring = &view.rings[view.ring_count++];
    *ring = (struct top_ring){.rated = true,
                              .ticks_s = ticks_s,
                              .bytes_s = ticks_s * 96,
                              .fill = fill,
                              .high_water = fill,
                              .capacity = 1 << 20,
                              .wait_ns = fill,
                              .lost = lost};
    snprintf(ring->name, sizeof ring->name, "%s", name);
    snprintf(ring->track, sizeof ring->track, "%s", name);
    snprintf(ring->state, sizeof ring->state, "ok");
}

static void add_player(uint64_t number, const char *state)
{
    struct top_player *player = &view.players[view.player_count++];
    *player = (struct top_player){.number = number,
                                  .from = 1000 * NS_PER_S,
                                  .at = 1025 * NS_PER_S,
                                  .to = 1100 * NS_PER_S,
                                  .ticks = 12345};
    snprintf(player->state, sizeof player->state, "%s", state);
    snprintf(player->into, sizeof player->into, "replay");
    snprintf(player->speed, sizeof player->speed, "10x");
}

static int setup(void **state)
{
    (void)state;
    memset(&view, 0, sizeof view);
    view.now_ns = UINT64_C(1795167000) * NS_PER_S;
    view.tape_count = 1;
    view.tapes[0] = (struct top_tape){.path = "/var/tape",
                                      .state = "ok",
                                      .size = 3 << 20,
                                      .segment = 7,
                                      .disk_free = UINT64_C(5) << 30,
                                      .full_ns = 90 * NS_PER_S,
                                      .sync_ns = 4200000};
    add_ring("beta", 1500000, 0, 0);
    add_ring("alpha", 10, 1 << 19, 3);
    return 0;
}

static const struct top_line *line_with(const char *word)
{
    for (unsigned i = 0; i < screen.count; i++)
        if (strstr(screen.lines[i].text, word) != NULL)
            return &screen.lines[i];
    return NULL;
}

static void a_screen_is_as_large_as_it_was_asked_to_be(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 300; i++)
        add_ring("many", i, i, i);
    for (uint64_t i = 0; i < 100; i++)
        add_player(i, "playing");
    for (unsigned width = 1; width < 260; width += 13)
        for (unsigned height = 1; height < 140; height += 3) {
            top_draw(&view, &screen, width, height);
            assert_true(screen.count <= height && screen.count >= 1);
            for (unsigned i = 0; i < screen.count; i++)
                assert_true(strlen(screen.lines[i].text) <= width);
        }
}

static void eighty_columns_hold_every_number(void **state)
{
    (void)state;
    add_player(1, "playing");
    top_draw(&view, &screen, 80, 24);
    assert_int_equal(screen.count, 24);
    assert_string_equal(screen.lines[0].text,
                        "tapedeck  2 rings  1.5M ticks/s  137M/s  3 lost          "
                        "2026-11-20 09:30:00 UTC");
    assert_string_equal(line_with("/var/tape")->text,
                        "/var/tape          ok                     3M     7     5G   1m30s      - "
                        "  4.2ms");
    assert_string_equal(line_with("alpha")->text,
                        "alpha              ok                      10     960  50%  50%   524us "
                        "      3");
    assert_string_equal(line_with("replay")->text,
                        "1 > replay         playing   1970-01-01 00:17:05  25%      10x       - "
                        "    12.3k");
    assert_non_null(line_with("space pause"));
}

static void order_and_choice_stay_with_the_ring(void **state)
{
    (void)state;
    top_sort(&view);
    assert_string_equal(view.rings[0].name, "alpha");
    view.ring_at = 0;
    view.order = TOP_BY_TICKS;
    top_sort(&view);
    assert_string_equal(view.rings[0].name, "beta");
    assert_int_equal(view.ring_at, 1);
    view.reversed = true;
    top_sort(&view);
    assert_string_equal(view.rings[0].name, "alpha");
}

static void a_long_list_shows_the_one_that_is_chosen(void **state)
{
    char name[16];
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "ring-%03u", i);
        add_ring(name, 0, 0, 0);
    }
    top_sort(&view);
    view.ring_at = 90;
    top_draw(&view, &screen, 80, 24);
    assert_true(line_with(view.rings[90].name)->chosen);
    view.ring_at = 3;
    top_draw(&view, &screen, 80, 24);
    assert_true(line_with(view.rings[3].name)->chosen);
    view.ring_at = 5000; /* from a longer list */
    top_draw(&view, &screen, 80, 24);
    assert_true(line_with(view.rings[101].name)->chosen);
}

static void players_and_rings_share_the_room(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        add_ring("many", 0, 0, 0);
    for (uint64_t i = 0; i < 40; i++)
        add_player(i, i == 0 ? "stalled" : "paused");
    top_draw(&view, &screen, 80, 24);
    assert_non_null(line_with("PLAYER"));
    assert_int_equal(line_with("stalled")->tone, TOP_WARN);
    view.on_players = true;
    view.player_at = 39;
    top_draw(&view, &screen, 80, 24);
    assert_true(line_with("39 > ")->chosen);
}

static void trouble_stands_out(void **state)
{
    (void)state;
    snprintf(view.rings[0].state, sizeof view.rings[0].state, "quarantined");
    view.tapes[0].silent_ns = 9 * NS_PER_S;
    top_draw(&view, &screen, 80, 24);
    assert_int_equal(line_with("beta")->tone, TOP_BAD);
    assert_int_equal(line_with("alpha")->tone, TOP_WARN); /* it lost ticks */
    assert_int_equal(line_with("hangs for 9 s")->tone, TOP_BAD);
}

static void hostile_text_cannot_reach_the_terminal(void **state)
{
    (void)state;
    snprintf(view.tapes[0].path, sizeof view.tapes[0].path, "/a\033[2J\x9b\xc3\xa4");
    snprintf(view.message, sizeof view.message, "no\033]0;title\a\n");
    top_draw(&view, &screen, 80, 24);
    for (unsigned i = 0; i < screen.count; i++)
        for (const char *c = screen.lines[i].text; *c != '\0'; c++)
            assert_true(*c >= ' ' && *c <= '~');
}

static void a_canary_has_a_line_and_its_age_a_tone(void **state)
{
    (void)state;
    top_draw(&view, &screen, 80, 24);
    assert_null(line_with("canary"));
    view.tapes[0].canary_ns = NS_PER_S;
    top_draw(&view, &screen, 80, 24);
    assert_non_null(strstr(line_with("canary each 1s")->text, "no replayer looks for it"));
    view.tapes[0].canary_seen = true;
    view.tapes[0].canary_age_ns = 250 * NS_PER_MS;
    top_draw(&view, &screen, 80, 24);
    assert_non_null(strstr(line_with("canary")->text, "what can be queried is 250ms old"));
    assert_int_equal(line_with("canary")->tone, TOP_PLAIN);
    view.tapes[0].canary_age_ns = 12 * NS_PER_S;
    top_draw(&view, &screen, 80, 24);
    assert_int_equal(line_with("canary")->tone, TOP_WARN);
    view.tapes[0].canary_age_ns = 62 * NS_PER_S;
    top_draw(&view, &screen, 80, 24);
    assert_int_equal(line_with("canary")->tone, TOP_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_canary_has_a_line_and_its_age_a_tone, setup),
        cmocka_unit_test_setup(a_screen_is_as_large_as_it_was_asked_to_be, setup),
        cmocka_unit_test_setup(eighty_columns_hold_every_number, setup),
        cmocka_unit_test_setup(order_and_choice_stay_with_the_ring, setup),
        cmocka_unit_test_setup(a_long_list_shows_the_one_that_is_chosen, setup),
        cmocka_unit_test_setup(players_and_rings_share_the_room, setup),
        cmocka_unit_test_setup(trouble_stands_out, setup),
        cmocka_unit_test_setup(hostile_text_cannot_reach_the_terminal, setup),
    };
    return cmocka_run_group_tests_name("cli.top_view", tests, NULL, NULL);
}
