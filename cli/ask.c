#include "cli/ask.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/command.h"

const struct option ask_rows[] = {
    {.name = "tape",
     .letter = 'T',
     .kind = OPTION_TEXT,
     .value = "DIR",
     .at = offsetof(struct ask_args, tape),
     .help = "the tape whose daemon is asked; the daemon's socket is in there"},
    {.name = "addr",
     .letter = 'a',
     .kind = OPTION_TEXT,
     .value = "ADDRESS",
     .at = offsetof(struct ask_args, address),
     .help = "address of the daemon: unix:PATH or HOST:PORT"},
    {.name = "token-file",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .at = offsetof(struct ask_args, token_file),
     .help = "file whose first line is the token for HOST:PORT"},
    {.name = "timeout",
     .kind = OPTION_DURATION,
     .preset = "30s",
     .at = offsetof(struct ask_args, timeout_ns),
     .help = "how long to wait while nothing arrives; 0: for ever"},
    {.name = NULL},
};

const struct option ask_depot_rows[] = {
    {.name = "addr",
     .letter = 'a',
     .kind = OPTION_TEXT,
     .value = "ADDRESS",
     .at = offsetof(struct ask_args, address),
     .help = "instead of -T, ask the daemon at this address: unix:PATH or HOST:PORT"},
    {.name = "token-file",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .at = offsetof(struct ask_args, token_file),
     .help = "file whose first line is the token for HOST:PORT"},
    {.name = NULL},
};

static bool is_about_reaching(int code)
{
    switch (-code) {
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return true;
    default:
        return false;
    }
}

int ask_fail(const struct tdk_err *err)
{
    bool lost = err->code == -ECONNRESET || err->code == -EPIPE || err->code == -ETIMEDOUT;
    int status = cli_refuse(err, NULL);
    return lost ? CLI_UNREACHABLE : status;
}

static int fail_to_reach(const struct tdk_err *err, const char *socket)
{
    char hint[80];
    if (!is_about_reaching(err->code))
        return cli_refuse(err, NULL);
    snprintf(hint, sizeof hint, "is tapedeck-%.*s running?", (int)strcspn(socket, "."), socket);
    cli_fail(err, hint);
    return CLI_UNREACHABLE;
}

/* Does this text come from an environment variable, and not from a flag or a file? */
static bool is_from(const char *text, const char *variable)
{
    return text == getenv(variable); /* NOLINT(concurrency-mt-unsafe): one thread */
}

bool ask_by_address(const char *tape, const char *address)
{
    if (address == NULL)
        return false;
    bool tape_is_nearer =
        tape != NULL && is_from(address, "TAPEDECK_ADDR") && !is_from(tape, "TAPEDECK_TAPE");
    return !tape_is_nearer;
}

static bool is_tcp(const struct ask_args *args)
{
    return ask_by_address(args->tape, args->address) && strncmp(args->address, "unix:", 5) != 0;
}

/* Where the daemon is. False: neither was named. */
static bool place(const struct ask_args *args, const char *socket, char *address, size_t room)
{
    if (ask_by_address(args->tape, args->address))
        snprintf(address, room, "%s", args->address);
    else if (args->tape != NULL)
        snprintf(address, room, "unix:%s/%s", args->tape, socket);
    return args->address != NULL || args->tape != NULL;
}

int ask_token(const struct ask_args *args, char *token, size_t room, struct tdk_err *err)
{
    FILE *file = fopen(args->token_file, "re");
    if (file == NULL)
        return err_set(err, -errno, "open the token file %s", args->token_file);
    bool got = fgets(token, (int)room, file) != NULL;
    fclose(file);
    token[got ? strcspn(token, "\r\n") : 0] = '\0';
    return 0;
}

int ask_connect(struct tdk_client **client, const struct ask_args *args, const char *socket,
                struct tdk_err *err)
{
    char address[PATH_MAX + 64], token[256];
    struct tdk_client_options options = {.name = "tapedeck", .timeout_ns = args->timeout_ns};
    if (!place(args, socket, address, sizeof address))
        return err_say(err, TDK_EVALUE, "no source");
    if (args->token_file != NULL) {
        options.token = token;
        int rc = ask_token(args, token, sizeof token, err);
        if (rc < 0)
            return rc;
    }
    return tdk_client_open(client, address, &options, err);
}

int ask_open(struct tdk_client **client, const struct ask_args *args, const char *socket)
{
    struct tdk_err err;
    if (args->address == NULL && args->tape == NULL)
        return cli_usage("no source: name a tape with -T DIR, or a daemon with -a ADDRESS");
    if (args->token_file != NULL && access(args->token_file, R_OK) < 0)
        return cli_fail_words("open the token file %s: %s", args->token_file, tdk_strerror(-errno));
    if (ask_connect(client, args, socket, &err) == 0)
        return CLI_OK;
    if (err.code == -EACCES && args->token_file == NULL && is_tcp(args))
        return cli_fail(&err, "--token-file names the file that holds it");
    return fail_to_reach(&err, socket);
}

int ask(struct tdk_client *client, struct wire_map *result)
{
    struct tdk_err err;
    return client_call(client, NULL, NULL, result, &err) < 0 ? ask_fail(&err) : CLI_OK;
}
