/*
 * two_tapes.h - two tapes of one feed: what diff and arbitrate share.
 */
#ifndef TDK_CLI_TWO_TAPES_H
#define TDK_CLI_TWO_TAPES_H

#include "base/moment.h"
#include "base/option.h"
#include "cli/pairing.h"

/* Part of a command's arguments, and the option rows that fill it. */
struct two_tapes_args {
    struct moment from, to;
    const char *zone;
    struct option_list tracks;
};
extern const struct option two_tapes_rows[];

struct two_tapes {
    struct tdk_tape *tapes[SIDES];
    const char *paths[SIDES];
    struct tdk_query query;         /* only from and to */
    const struct option_list *only; /* tracks; count 0: all */
};

/* The operands are two tapes. CLI_OK, or the exit status after printing why. */
int two_tapes_open(struct two_tapes *two, const struct two_tapes_args *args,
                   const struct option_list *operands);
void two_tapes_close(struct two_tapes *two);

/* Call `each` for each track of either tape, ordered by name bytewise, with the tapes that have it
 * (NULL: that tape does not). Not 0 from `each` ends the walk and is returned. */
int two_tapes_each(struct two_tapes *two,
                   int (*each)(const char *track, struct tdk_tape *const tapes[SIDES],
                               void *context, struct tdk_err *err),
                   void *context, struct tdk_err *err);

#endif
