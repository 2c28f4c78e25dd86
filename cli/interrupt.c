#include "cli/interrupt.h"

#include <string.h>

volatile sig_atomic_t interrupt_seen;

static void on_signal(int number)
{
    (void)number;
    interrupt_seen = 1;
}

void interrupt_catch(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    /* The second signal finds the system's own handler, which ends the process. Without SA_RESTART,
     * waits end, too. */
    action.sa_flags = (int)SA_RESETHAND;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* SIGHUP: the terminal is gone. nohup has it ignored, and that must stay so. */
    struct sigaction before;
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &action, NULL);
}

bool interrupt_asked(void *context)
{
    (void)context;
    return interrupted();
}
