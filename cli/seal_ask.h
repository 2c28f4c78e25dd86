/*
 * seal_ask.h - asks the recorder that holds a tape to pack its segments, and waits for it.
 */
#ifndef TDK_CLI_SEAL_ASK_H
#define TDK_CLI_SEAL_ASK_H

#include "tape/seal_tape.h"

/* Only the range and go_on of the options count; the recorder decides the rest. Returns what
 * seal_tape() would. TDK_EBUSY: the process that holds the tape is no recorder that could be
 * asked. */
int seal_by_recorder(const char *tape, const struct seal_tape_options *options,
                     struct seal_totals *totals, struct tdk_err *err);

#endif
