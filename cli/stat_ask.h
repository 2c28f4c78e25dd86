/*
 * stat_ask.h - what a daemon counts, asked over its socket: from another host, or where its page
 * cannot be seen.
 */
#ifndef TDK_CLI_STAT_ASK_H
#define TDK_CLI_STAT_ASK_H

#include "cli/ask.h"

/* `stats`, and of a recorder `status`, on a connection that stays: a row a ring or (`all`, and of a
 * replayer) a counter, or one JSON array. The exit status. */
int stat_ask(struct tdk_client *client, bool all, bool json);

#endif
