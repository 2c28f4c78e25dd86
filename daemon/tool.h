/*
 * tool.h - `tapedeck`, run beside the daemon to look into the tape for it.
 *
 * Another process, and not a thread: LMDB does not let one process open an index twice, a rotten
 * file can kill who reads it, and whatever reads a tape at a recorder's side should be the first to
 * go without memory or time. It runs nicer than we do, for so long and not longer, one at a time.
 * Blocking; any thread but the loop's.
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
    int status;             /* exit */
};

/* argv[0] is the command ("info"), NULL ends it. 0: it ended by itself. -EBUSY: too many wait;
 * -ETIMEDOUT, -EFBIG: it took too long, or said too much; -ECANCELED: `stopping`, and it was
 * killed, or left if it would not die; others: it cannot be started. tool_forget() in every case.
 */
int tool_run(const char *const argv[], const atomic_bool *stopping, struct tool_answer *answer,
             struct tdk_err *err);
void tool_forget(struct tool_answer *answer);

#endif
