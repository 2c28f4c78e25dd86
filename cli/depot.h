/*
 * depot.h - where ticks are kept: a tape that is read here (-T), or a replayer's tape (-a).
 *
 * Commands ask a depot, and print the same for both. What tapedeck/tape.h says of a call holds
 * here, too. One thread.
 */
#ifndef TDK_CLI_DEPOT_H
#define TDK_CLI_DEPOT_H

#include "cli/output.h"
#include "cli/remote.h"
#include "tapedeck/tape.h"

struct depot {
    struct tdk_tape *tape;           /* ours; NULL: a replayer's */
    struct remote *remote;           /* ours; NULL: a tape that is read here */
    struct ask_args where;           /* which replayer */
    const struct option_list *types; /* words for the replayer, which knows the tape's own types */
};

/* Open whichever was named: the tape of -T, or the replayer of -a if ask_by_address(). CLI_OK, or
 * the exit status after printing why. The depot must stay where it is. */
int depot_open(struct depot *depot, const char *tape, const struct ask_args *where);
void depot_close(struct depot *depot); /* a zeroed one is fine */

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

/* Load all symbols now. Then what depot_facts() says of a symbol later cannot fail, which it would
 * have no way to report. */
int depot_load_symbols(struct depot *depot, struct tdk_err *err);

/* A walk without a `lost` has this one, which says it with cli_lossy(). */
int depot_coverage(struct depot *depot, const struct tdk_query *query,
                   const struct tdk_coverage_walk *walk, struct tdk_err *err);
int depot_lost(const struct tdk_lost_segments *lost, void *context);

/* What the depot knows about its ticks, for an output. Valid until close. */
struct output_facts depot_facts(struct depot *depot);

/* ---- ticks ---- */

struct reader;
int reader_open(struct reader **reader, struct depot *depot, const struct tdk_query *query,
                struct tdk_err *err);
void reader_close(struct reader *reader); /* a zeroed one is fine */

/* Like tdk_cursor_read(). */
int reader_read(struct reader *reader, struct tdk_run *run, struct tdk_err *err);

#endif
