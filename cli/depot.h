/*
 * depot.h - where ticks are kept: a tape that is read here (-T), or one that a replayer has (-a).
 *
 * Commands ask a depot, and give the same for both. What is said of a call in tapedeck/tape.h
 * holds here. One thread.
 */
#ifndef TDK_CLI_DEPOT_H
#define TDK_CLI_DEPOT_H

#include "cli/output.h"
#include "cli/remote.h"
#include "tapedeck/tape.h"

struct depot {
    struct tdk_tape *tape;           /* NULL: */
    struct remote *remote;           /* ours, either of them */
    struct ask_args where;           /* of the replayer */
    const struct option_list *types; /* words for the replayer, which knows the tape's own */
};

/* Whichever was named: -T, unless -a was, in a variable only where the other was not a flag.
 * CLI_OK, or the exit status after saying why. The depot must stay where it is. */
int depot_open(struct depot *depot, const char *tape, const struct ask_args *where);
void depot_close(struct depot *depot); /* of zeros is fine */

int depot_info(struct depot *depot, struct tdk_tape_info *info, struct tdk_err *err);
int depot_tracks(struct depot *depot,
                 int (*each)(const struct tdk_track_info *track, void *context), void *context,
                 struct tdk_err *err);
int depot_epochs(struct depot *depot, const char *track,
                 int (*each)(const struct tdk_epoch_info *epoch, void *context), void *context,
                 struct tdk_err *err);
int depot_property(struct depot *depot, const char *track, uint64_t epoch, const char *key,
                   void **value, size_t *size, struct tdk_err *err);
int depot_symbols(struct depot *depot, const char *track,
                  int (*each)(const struct tdk_symbol_info *symbol, void *context), void *context,
                  struct tdk_err *err);

/* All of them now. What depot_facts() says of a symbol later cannot fail then, which it could not
 * tell. */
int depot_load_symbols(struct depot *depot, struct tdk_err *err);

/* A walk without a `lost` has this one, which says it with cli_lossy(). */
int depot_coverage(struct depot *depot, const struct tdk_query *query,
                   const struct tdk_coverage_walk *walk, struct tdk_err *err);
int depot_lost(const struct tdk_lost_segments *lost, void *context);

/* What it knows about its ticks, for an output; until close. */
struct output_facts depot_facts(struct depot *depot);

/* ---- ticks ---- */

struct reader;
int reader_open(struct reader **reader, struct depot *depot, const struct tdk_query *query,
                struct tdk_err *err);
void reader_close(struct reader *reader); /* NULL is fine */

/* As tdk_cursor_read(). */
int reader_read(struct reader *reader, struct tdk_run *run, struct tdk_err *err);

#endif
