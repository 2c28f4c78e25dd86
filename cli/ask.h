/*
 * ask.h - a daemon to be asked: which, from -a, -T and the environment, and what it means when
 * nobody is there.
 */
#ifndef TDK_CLI_ASK_H
#define TDK_CLI_ASK_H

#include "base/option.h"
#include "wire/client.h"

struct ask_args {
    const char *tape;    /* a socket of that name is in it */
    const char *address; /* goes before, if ask_by_address() */
    const char *token_file;
    uint64_t timeout_ns;
};

#define ASK_SILENCE_NS (UINT64_C(30) * 1000000000) /* a daemon that works says so each 5 s */

extern const struct option ask_rows[]; /* `at` is in struct ask_args */

/* Only a replayer instead of a tape, for commands that can do with either (cli/depot.h). */
extern const struct option ask_depot_rows[];

#define ASK_RECORDER "recorder.sock"
#define ASK_REPLAYER "replayer.sock"

/* Which of them was meant: -a, unless that is in a variable only and -T a flag or in a file. True:
 * the address. */
bool ask_by_address(const char *tape, const char *address);

/* CLI_OK, or the exit status after saying why: CLI_UNREACHABLE when nobody answers. */
int ask_open(struct tdk_client **client, const struct ask_args *args, const char *socket);

/* The token that args->token_file, not NULL, holds. */
int ask_token(const struct ask_args *args, char *token, size_t room, struct tdk_err *err);

/* The same without a word: the code of tdk_client_open(), or of reading the token. */
int ask_connect(struct tdk_client **client, const struct ask_args *args, const char *socket,
                struct tdk_err *err);

/* A call that failed: the exit status, and a line that says it. */
int ask_fail(const struct tdk_err *err);

/* Send what was begun on the client; CLI_OK, or the exit status after saying why. */
int ask(struct tdk_client *client, struct wire_map *result);

#endif
