/*
 * stat_ask.h - a daemon's counters, asked for over its socket: from another host, or where its page
 * is not visible.
 */
#ifndef TDK_CLI_STAT_ASK_H
#define TDK_CLI_STAT_ASK_H

#include "cli/ask.h"

/* Ask for `stats`, and a recorder also for `status`, on a connection that stays. Prints a row for
 * each ring, or (with `all`, and always of a replayer) for each counter, or one JSON array. Returns
 * the exit status. */
int stat_ask(struct tdk_client *client, bool all, bool json);

#endif
