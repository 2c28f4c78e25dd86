/* top.c - the live screen: rings, tapes and players in a terminal. */
#include <ncurses.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/top_gather.h"

struct args {
    struct ask_args ask;
    uint64_t interval_ns;
};

static struct args args;

static const struct option rows[] = {
    {.name = "interval",
     .letter = 'i',
     .kind = OPTION_DURATION,
     .preset = "1s",
     .min = 100 * NS_PER_MS,
     .max = 3600 * NS_PER_S,
     .at = offsetof(struct args, interval_ns),
     .help = "how often to refresh; rates are over this time"},
    {.name = NULL},
};

static const struct option_set sets[] = {
    {.rows = ask_rows, .into = &args.ask},
    {.rows = rows, .into = &args},
    {.rows = NULL},
};

static struct top_view view;
static struct top_gather gather;

/* ---- the terminal ---- */

static SCREEN *terminal;

static void close_terminal(void)
{
    if (terminal == NULL)
        return;
    endwin();
    delscreen(terminal);
    terminal = NULL;
}

/* False: this terminal cannot do more than print. */
static bool open_terminal(void)
{
    terminal = newterm(NULL, stdout, stdin);
    if (terminal == NULL)
        return false;
    atexit(close_terminal);
    cbreak();
    noecho();
    curs_set(0);
    keypad(stdscr, TRUE);
    set_escdelay(25);
    if (has_colors()) {
        start_color();
        use_default_colors();
        init_pair(TOP_WARN, COLOR_YELLOW, -1);
        init_pair(TOP_BAD, COLOR_RED, -1);
        init_pair(TOP_HEAD, COLOR_CYAN, -1);
    }
    return true;
}

static attr_t look_of(const struct top_line *line)
{
    static const attr_t looks[] = {
        [TOP_PLAIN] = A_NORMAL, [TOP_TITLE] = A_BOLD, [TOP_HEAD] = A_BOLD,
        [TOP_WARN] = A_BOLD,    [TOP_BAD] = A_BOLD,   [TOP_DIM] = A_DIM};
    attr_t look = looks[line->tone];
    if (has_colors() && (line->tone == TOP_WARN || line->tone == TOP_BAD || line->tone == TOP_HEAD))
        look |= (attr_t)COLOR_PAIR(line->tone);
    return line->chosen ? look | A_REVERSE : look;
}

static void show(void)
{
    static struct top_screen screen;
    top_draw(&view, &screen, (unsigned)COLS, (unsigned)LINES);
    erase();
    for (unsigned i = 0; i < screen.count; i++) {
        attrset((int)look_of(&screen.lines[i]));
        mvaddnstr((int)i, 0, screen.lines[i].text, (int)screen.width);
    }
    refresh();
}

/* Was the terminal's window closed without a signal? Then waiting for a key ends at once without
 * one. */
static bool has_hung_up(void)
{
    struct pollfd fd = {.fd = STDIN_FILENO};
    return poll(&fd, 1, 0) > 0;
}

/* ---- keys ---- */

static void move_by(int by)
{
    unsigned *at = view.on_players ? &view.player_at : &view.ring_at;
    unsigned count = view.on_players ? view.player_count : view.ring_count;
    if (by < 0)
        *at = *at > (unsigned)-by ? *at - (unsigned)-by : 0;
    else if (count > 0)
        *at = *at + (unsigned)by < count ? *at + (unsigned)by : count - 1;
}

static void pause_or_play(uint64_t *due_ns)
{
    if (view.player_count == 0) {
        snprintf(view.message, sizeof view.message, "no play runs here");
        return;
    }
    view.on_players = true;
    top_toggle(&gather, &view, &view.players[view.player_at]);
    *due_ns = clock_mono() + 50 * NS_PER_MS; /* the play obeys within 20 ms */
}

/* False: quit. */
static bool on_key(int key, uint64_t *due_ns)
{
    if (key != ERR && key != KEY_RESIZE)
        view.message[0] = '\0';
    switch (key) {
    case 'q':
    case 'Q':
        return false;
    case 's':
        view.order = (enum top_order)((view.order + 1) % TOP_ORDERS);
        top_sort(&view);
        break;
    case 'r':
        view.reversed = !view.reversed;
        top_sort(&view);
        break;
    case '\t':
        view.on_players = !view.on_players;
        break;
    case KEY_UP:
    case 'k':
        move_by(-1);
        break;
    case KEY_DOWN:
    case 'j':
        move_by(1);
        break;
    case KEY_PPAGE:
        move_by(-10);
        break;
    case KEY_NPAGE:
        move_by(10);
        break;
    case ' ':
    case 'p':
        pause_or_play(due_ns);
        break;
    default:
        break;
    }
    return true;
}

/* ---- the command ---- */

static int look(struct tdk_err *err)
{
    int rc = top_gather(&gather, &view, err);
    if (rc == 0)
        top_sort(&view);
    return rc;
}

static int watch(struct tdk_err *err)
{
    uint64_t due_ns = clock_mono() + args.interval_ns / 4; /* so that the first rates come soon */
    bool goes_on = true;
    int rc = 0;
    while (goes_on && rc == 0 && !interrupted()) {
        uint64_t now_ns = clock_mono();
        if (now_ns >= due_ns) {
            rc = look(err);
            due_ns = now_ns + args.interval_ns;
        }
        show();
        now_ns = clock_mono();
        timeout(due_ns > now_ns ? (int)((due_ns - now_ns) / NS_PER_MS) + 1 : 0);
        goes_on = on_key(getch(), &due_ns) && !has_hung_up();
    }
    return rc;
}

static int run(const struct cli *cli)
{
    struct tdk_err err;
    (void)cli;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return cli_usage("top needs a terminal; `tapedeck stat -i 1s` writes the same numbers to "
                         "a pipe or a file");
    gather.ask = &args.ask;
    interrupt_catch();
    int rc = look(&err); /* reports a wrong -T before the screen begins */
    if (rc == 0 && !open_terminal())
        rc = 1;
    if (rc == 0)
        rc = watch(&err);
    close_terminal();
    top_gather_close(&gather);
    if (rc > 0) {
        const char *name = getenv("TERM"); /* NOLINT(concurrency-mt-unsafe): nobody changes it */
        return cli_usage("top cannot draw on a terminal of the kind '%s' (TERM); "
                         "`tapedeck stat -i 1s` only prints",
                         name != NULL ? name : "");
    }
    return rc < 0 ? cli_fail(&err, NULL) : CLI_OK;
}

const struct command top_command = {
    .name = "top",
    .brief = "show a live screen: rings, tape and disk, plays",
    .usage = "[-T DIR] [-a ADDRESS] [-i 1s]",
    .about = "Tapes: size, segment, free space, when the disk will be full, longest write and\n"
             "sync of the last 10 s. Rings: rates, fill now and at most (10 s), how long the\n"
             "oldest tick has waited, losses. Plays of the replayer in the tape's directory,\n"
             "or at -a.\n"
             "Keys: s changes what rings are sorted by, r reverses the order, arrows and tab\n"
             "select, space pauses and resumes a play, q quits. It reads counters in shared\n"
             "memory, so it disturbs nobody. Without a terminal: exit 2; use `tapedeck stat`\n"
             "in pipes.",
    .sets = sets,
    .run = run,
};
