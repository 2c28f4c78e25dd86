/*
 * seal_ask.h - the recorder that holds a tape is asked to pack its segments, and waited for.
 */
#ifndef TDK_CLI_SEAL_ASK_H
#define TDK_CLI_SEAL_ASK_H

#include "tape/seal_tape.h"

/* Of the options the range and go_on count; the rest is the recorder's. As seal_tape() answers;
 * TDK_EBUSY: who holds the tape is no recorder that could be asked. */
int seal_by_recorder(const char *tape, const struct seal_tape_options *options,
                     struct seal_totals *totals, struct tdk_err *err);

#endif
