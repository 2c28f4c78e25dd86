/*
 * ask.h - the connection to a daemon: which one, from -a, -T and the environment, and what to say
 * when it does not answer.
 */
#ifndef TDK_CLI_ASK_H
#define TDK_CLI_ASK_H

#include "base/option.h"
#include "wire/client.h"

struct ask_args {
    const char *tape;    /* the daemon's socket has this tape's name */
    const char *address; /* takes precedence if ask_by_address() */
    const char *token_file;
    uint64_t timeout_ns;
};

#define ASK_SILENCE_NS (UINT64_C(30) * 1000000000) /* a daemon that works says so every 5 s */

extern const struct option ask_rows[]; /* `at` is an offset in struct ask_args */

/* Only a replayer instead of a tape, for commands that can use either (cli/depot.h). */
extern const struct option ask_depot_rows[];

#define ASK_RECORDER "recorder.sock"
#define ASK_REPLAYER "replayer.sock"

/* Which of the two was meant? -a, unless it comes only from an environment variable and -T was a
 * flag or in a file. True: the address. */
bool ask_by_address(const char *tape, const char *address);

/* CLI_OK, or the exit status after printing why: CLI_UNREACHABLE when nobody answers. */
int ask_open(struct tdk_client **client, const struct ask_args *args, const char *socket);

/* Read the token from args->token_file, which is not NULL. */
int ask_token(const struct ask_args *args, char *token, size_t room, struct tdk_err *err);

/* The same without printing anything. Returns the code of tdk_client_open(), or of reading the
 * token. */
int ask_connect(struct tdk_client **client, const struct ask_args *args, const char *socket,
                struct tdk_err *err);

/* A call failed: print a line about it. Returns the exit status. */
int ask_fail(const struct tdk_err *err);

/* Send the request that was begun on the client. CLI_OK, or the exit status after printing why. */
int ask(struct tdk_client *client, struct wire_map *result);

#endif
