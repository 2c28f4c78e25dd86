/* player_control.c - orders from other threads to a player, and the status they read. */
#include <errno.h>

#include "base/clock.h"
#include "replayer/player_private.h"

#define TELL_NS (100 * NS_PER_MS)

const char *player_state_text(enum player_state state)
{
    static const char *const words[] = {"waiting", "playing", "paused",
                                        "stalled", "ended",   "failed"};
    return words[state];
}

void player_control_init(struct player *p)
{
    pthread_mutex_init(&p->control.lock, NULL);
    p->control.status = (struct player_status){
        .state = PLAYER_WAITING, .at = p->query.from, .speed = p->options.speed};
}

void player_control_close(struct player *p)
{
    pthread_mutex_destroy(&p->control.lock);
}

static bool is_over(enum player_state state)
{
    return state == PLAYER_ENDED || state == PLAYER_FAILED;
}

int player_command(struct player *p, const struct player_command *command)
{
    struct player_control *c = &p->control;
    int rc = 0;
    pthread_mutex_lock(&c->lock);
    if (is_over(c->status.state))
        rc = -ESRCH;
    else if (command->order == PLAYER_QUIT)
        c->quit = true; /* even if too many others wait, and before them */
    else if (c->count == PLAYER_COMMANDS_MAX)
        rc = -EAGAIN;
    else
        c->commands[(c->first + c->count++) % PLAYER_COMMANDS_MAX] = *command;
    pthread_mutex_unlock(&c->lock);
    return rc;
}

void player_status(struct player *p, struct player_status *status)
{
    pthread_mutex_lock(&p->control.lock);
    *status = p->control.status;
    pthread_mutex_unlock(&p->control.lock);
}

struct player_command player_next_command(struct player *p)
{
    struct player_control *c = &p->control;
    struct player_command command = {.order = PLAYER_GO_ON};
    pthread_mutex_lock(&c->lock);
    if (c->quit) {
        c->quit = false;
        command.order = PLAYER_QUIT;
    } else if (c->count > 0) {
        command = c->commands[c->first];
        c->first = (c->first + 1) % PLAYER_COMMANDS_MAX;
        c->count--;
    }
    pthread_mutex_unlock(&c->lock);
    return command;
}

bool player_is_to_quit(struct player *p)
{
    struct player_control *c = &p->control;
    pthread_mutex_lock(&c->lock);
    const bool quit = c->quit;
    c->quit = false;
    pthread_mutex_unlock(&c->lock);
    return quit;
}

/* Call it with the lock held. */
static void fill_status(struct player *p)
{
    struct player_status *status = &p->control.status;
    if (p->at != 0)
        status->at = p->at;
    status->ticks = p->report.ticks;
    status->speed = p->pace.speed;
}

static uint64_t clock_state(const struct player *p)
{
    static const uint64_t states[] = {
        [PLAYER_WAITING] = TDK_CLOCK_WAITING, [PLAYER_PLAYING] = TDK_CLOCK_PLAYING,
        [PLAYER_PAUSED] = TDK_CLOCK_PAUSED,   [PLAYER_STALLED] = TDK_CLOCK_STALLED,
        [PLAYER_ENDED] = TDK_CLOCK_ENDED,     [PLAYER_FAILED] = TDK_CLOCK_ENDED,
    };
    enum player_state state = p->control.status.state; /* only this thread writes it */
    return state == PLAYER_PLAYING && p->joined ? TDK_CLOCK_LIVE : states[state];
}

uint64_t player_tape_time(const struct player *p)
{
    return (p->at != 0 ? p->at : p->query.from) + p->shift;
}

void player_tell_clock(struct player *p, uint64_t until)
{
    const struct pace *pace = &p->pace;
    struct clock_words words = {
        .state = clock_state(p),
        .floor = player_tape_time(p),
        .anchor_ts = pace->anchor_ts + p->shift,
        .anchor_mono = pace->anchor_ns,
    };
    if (until != 0 && words.state == TDK_CLOCK_PLAYING && pace->speed.kind == SPEED_SCALED &&
        p->anchored && !p->options.lockstep) {
        words.until = until + p->shift;
        words.numerator = pace->speed.numerator;
        words.denominator = pace->speed.denominator;
    }
    clock_writer_set(p->clock, &words);
}

void player_move(struct player *p, enum player_state state)
{
    struct player_control *c = &p->control;
    pthread_mutex_lock(&c->lock);
    bool is_new = c->status.state != state;
    c->status.state = state;
    fill_status(p);
    pthread_mutex_unlock(&c->lock);
    if (is_new && p->clock != NULL)
        player_tell_clock(p, 0);
    if (is_new && p->options.changed != NULL)
        p->options.changed(state, p->options.context);
}

void player_tell_status(struct player *p)
{
    uint64_t now = clock_mono();
    if (now - p->control.told_ns < TELL_NS)
        return;
    p->control.told_ns = now;
    uint64_t p99 =
        p->report.lateness.count > 0 ? histogram_quantile(&p->report.lateness, 990000) : 0;
    pthread_mutex_lock(&p->control.lock);
    fill_status(p);
    p->control.status.lateness_p99 = p99;
    pthread_mutex_unlock(&p->control.lock);
}
