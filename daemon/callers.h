/*
 * callers.h - who is connected over HTTP, and who gives way when there are many.
 *
 * A caller that sends its request byte by byte, or takes its answer so, is never idle and could
 * keep its place for ever. So from CALLERS_CALM on, each newcomer ends the one that has waited
 * longest without our working for it. The places from there up to CALLERS_MAX are for callers that
 * we work for, or that are on their way out: a crowd that comes at once is that for some
 * milliseconds. Any thread; all memory is in place.
 */
#ifndef TDK_DAEMON_CALLERS_H
#define TDK_DAEMON_CALLERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define CALLERS_MAX  256u
#define CALLERS_CALM 32u

struct caller {
    enum caller_state {
        CALLER_NOBODY,
        CALLER_STANDING, /* sends its request, takes its answer, or does nothing */
        CALLER_SERVED,   /* its request is complete, and its answer is being made */
        CALLER_DISMISSED,
    } state;
    int fd; /* borrowed until callers_leave() */
    uint64_t turn;
};

struct callers {
    pthread_mutex_t lock;
    struct caller all[CALLERS_MAX];
    uint64_t turns; /* counts events, to tell which came first */
};

void callers_init(struct callers *callers);
void callers_close(struct callers *callers);

/* A caller has connected. NULL: there is no place for it. */
struct caller *callers_come(struct callers *callers, int fd);

/* A caller leaves. To be called before its socket is closed. */
void callers_leave(struct callers *callers, struct caller *caller);

/* We begin to work for a caller, so it keeps its place; we have done so, and it counts as if it had
 * just come. NULL is fine for both. */
void callers_serve(struct callers *callers, struct caller *caller);
void callers_served(struct callers *callers, struct caller *caller);

#endif
