#include "daemon/callers.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

void callers_init(struct callers *callers)
{
    memset(callers, 0, sizeof *callers);
    pthread_mutex_init(&callers->lock, NULL);
}

void callers_close(struct callers *callers)
{
    pthread_mutex_destroy(&callers->lock);
}

/* The caller that has been longest in this state; NULL: none. */
static struct caller *oldest(struct callers *callers, enum caller_state state)
{
    struct caller *found = NULL;
    for (struct caller *c = callers->all; c < callers->all + CALLERS_MAX; c++)
        if (c->state == state && (found == NULL || c->turn < found->turn))
            found = c;
    return found;
}

static unsigned count(const struct callers *callers)
{
    unsigned count = 0;
    for (const struct caller *c = callers->all; c < callers->all + CALLERS_MAX; c++)
        count += c->state == CALLER_STANDING || c->state == CALLER_SERVED;
    return count;
}

static void enter(struct callers *callers, struct caller *caller, enum caller_state state)
{
    caller->state = state;
    caller->turn = ++callers->turns;
}

/* Its thread sees the end of its socket and leaves. */
static void dismiss_one(struct callers *callers)
{
    struct caller *caller = oldest(callers, CALLER_STANDING);
    if (caller == NULL)
        return;
    shutdown(caller->fd, SHUT_RDWR);
    enter(callers, caller, CALLER_DISMISSED);
}

struct caller *callers_come(struct callers *callers, int fd)
{
    pthread_mutex_lock(&callers->lock);
    if (count(callers) >= CALLERS_CALM)
        dismiss_one(callers);
    struct caller *caller = oldest(callers, CALLER_NOBODY);
    if (caller != NULL) {
        caller->fd = fd;
        enter(callers, caller, CALLER_STANDING);
    }
    pthread_mutex_unlock(&callers->lock);
    return caller;
}

/* A dismissed caller stays dismissed until it leaves. */
static void change(struct callers *callers, struct caller *caller, enum caller_state state)
{
    if (caller == NULL)
        return;
    pthread_mutex_lock(&callers->lock);
    if (state == CALLER_NOBODY || caller->state != CALLER_DISMISSED)
        enter(callers, caller, state);
    pthread_mutex_unlock(&callers->lock);
}

void callers_leave(struct callers *callers, struct caller *caller)
{
    change(callers, caller, CALLER_NOBODY);
}

void callers_serve(struct callers *callers, struct caller *caller)
{
    change(callers, caller, CALLER_SERVED);
}

void callers_served(struct callers *callers, struct caller *caller)
{
    change(callers, caller, CALLER_STANDING);
}
