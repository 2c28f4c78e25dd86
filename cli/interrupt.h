/*
 * interrupt.h - SIGINT, SIGTERM and SIGHUP as a flag that loops check.
 *
 * A command that publishes or consumes ends cleanly when told to: what was published stays. The
 * second signal ends the process at once. One thread.
 */
#ifndef TDK_CLI_INTERRUPT_H
#define TDK_CLI_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

extern volatile sig_atomic_t interrupt_seen;

void interrupt_catch(void);

static inline bool interrupted(void)
{
    return interrupt_seen != 0;
}

/* The same as a callback, for work that checks for a stop in between (cursor_stop_when). */
bool interrupt_asked(void *context);

#endif
