/*
 * remote.h - the tape of a replayer, with the calls of tapedeck/tape.h.
 *
 * Each call does what the tape's call of that name does, so a command need not know which of the
 * two it has. A connection that was closed because it was idle for long is opened again. A value
 * that the other side refuses is TDK_EVALUE, a connection that broke is -ECONNRESET, and what the
 * other side breaks off is -ECONNABORTED. One thread.
 */
#ifndef TDK_CLI_REMOTE_H
#define TDK_CLI_REMOTE_H

#include "cli/ask.h"
#include "tapedeck/tape.h"

struct remote;

/* CLI_OK, or the exit status after printing why. `where` is borrowed until close. */
int remote_open(struct remote **remote, const struct ask_args *where);
void remote_close(struct remote *remote); /* NULL is fine */

int remote_info(struct remote *remote, struct tdk_tape_info *info, struct tdk_err *err);
int remote_tracks(struct remote *remote,
                  int (*each)(const struct tdk_track_info *track, void *context), void *context,
                  struct tdk_err *err);
int remote_epochs(struct remote *remote, const char *track,
                  int (*each)(const struct tdk_epoch_info *epoch, void *context), void *context,
                  struct tdk_err *err);
int remote_property(struct remote *remote, const char *track, uint64_t epoch, const char *key,
                    void **value, size_t *size, struct tdk_err *err);

/* All symbols are fetched once and kept, by track, epoch, instrument and time. */
int remote_symbols(struct remote *remote, const char *track,
                   int (*each)(const struct tdk_symbol_info *symbol, void *context), void *context,
                   struct tdk_err *err);

/* Borrowed until close. */
const char *remote_symbol(struct remote *remote, const char *track, uint64_t epoch,
                          uint32_t instrument_id, uint64_t ts);

/* `unread` is not supported. The range comes in several answers, each of which walks it anew. */
int remote_coverage(struct remote *remote, const struct tdk_query *query,
                    const struct tdk_coverage_walk *walk, struct tdk_err *err);

/* Report what one answer says, for messages that contain it: the end of a play. */
int remote_coverage_of(struct wire_map coverage, const struct tdk_coverage_walk *walk);

int remote_count(struct remote *remote, const struct tdk_client_query *query,
                 struct tdk_client_count *count, struct tdk_err *err);

/* A stream has its own connection, so that the tape can be asked other things while it runs. */
int remote_query(struct remote *remote, const struct tdk_client_query *query,
                 struct tdk_client **client, struct tdk_stream **stream, struct tdk_err *err);

/* Turn a code that came over the wire into the one that the tape's own call would have returned. */
int remote_code(int code, struct tdk_err *err);

#endif
