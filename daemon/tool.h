/*
 * tool.h - run `tapedeck` beside the daemon, to look into the tape for it.
 *
 * It is another process and not a thread, for three reasons. LMDB does not let one process open an
 * index twice. A rotten file can kill its reader. And what reads a tape beside a recorder should be
 * the first to go when memory or time is short. It runs nicer than we do, for a limited time, one
 * at a time. Blocking; any thread but the loop's.
 */
#ifndef TDK_DAEMON_TOOL_H
#define TDK_DAEMON_TOOL_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/text_buffer.h"
#include "tapedeck/err.h"

struct tool_answer {
    struct text_buffer out; /* stdout */
    char told[400];         /* the last line on stderr, without "tapedeck CMD: " */
    int status;             /* exit status */
};

/* argv[0] is the command ("info"), NULL ends it. 0: it ended by itself. -EBUSY: too many wait.
 * -ETIMEDOUT, -EFBIG: it took too long, or its output was too long. -ECANCELED: `stopping` was set,
 * and it was killed, or left behind if it would not die. Others: it cannot be started. Call
 * tool_forget() in every case. */
int tool_run(const char *const argv[], const atomic_bool *stopping, struct tool_answer *answer,
             struct tdk_err *err);
void tool_forget(struct tool_answer *answer);

#endif
