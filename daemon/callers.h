/*
 * callers.h - who is connected to the page, and who gives way when many are.
 *
 * Whoever sends a request byte by byte, or takes its answer so, is never idle, and could keep its
 * place for ever. So from CALLERS_CALM on each newcomer ends the one that has stood longest without
 * our working for it; the others up to CALLERS_MAX are those that are worked for, or on their way
 * out. Any thread; all memory is in place.
 */
#ifndef TDK_DAEMON_CALLERS_H
#define TDK_DAEMON_CALLERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define CALLERS_MAX  64u
#define CALLERS_CALM 32u

struct caller {
    enum caller_state {
        CALLER_NOBODY,
        CALLER_STANDING, /* asks, takes, or does nothing */
        CALLER_SERVED,   /* its request is whole, and its answer being made */
        CALLER_DISMISSED,
    } state;
    int fd; /* borrowed until callers_leave() */
    uint64_t turn;
};

struct callers {
    pthread_mutex_t lock;
    struct caller all[CALLERS_MAX];
    uint64_t turns; /* counts what happens, to know what was before what */
};

void callers_init(struct callers *callers);
void callers_close(struct callers *callers);

/* Somebody has come. NULL: there is no place. */
struct caller *callers_come(struct callers *callers, int fd);

/* Before its socket is closed. */
void callers_leave(struct callers *callers, struct caller *caller);

/* From here on it keeps its place; and from here on it stands there as if it had just come. NULL is
 * fine for both. */
void callers_serve(struct callers *callers, struct caller *caller);
void callers_served(struct callers *callers, struct caller *caller);

#endif
