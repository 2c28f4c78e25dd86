/*
 * command.h - what one command of `tapedeck` is, and how it talks.
 *
 * A command is a file: a static struct of arguments, a table of options that fills it, and run().
 * main.c reads the options (base/option.h), answers --help and calls run(), which returns the exit
 * status. stdout is data and belongs to the command; stderr is talk and goes through here: a line a
 * message, control bytes escaped, so that a hostile name cannot forge one.
 */
#ifndef TDK_CLI_COMMAND_H
#define TDK_CLI_COMMAND_H

#include <stdbool.h>

#include "base/option.h"
#include "tapedeck/err.h"

/* CLI contract: what the exit status says. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_LOSSY = 3,       /* done, but with loss, a gap, a skipped or damaged part */
    CLI_NOTHING = 4,     /* nothing matched, with --fail-empty */
    CLI_DAMAGED = 5,     /* verify found damage */
    CLI_UNREACHABLE = 6, /* daemon not reachable */
    CLI_MISSED = 7,      /* deadline or fidelity missed */
};

struct command;

struct cli {
    const struct option_globals *globals;
    const struct option_list *operands;
    const struct command *const *commands; /* all there are; ends with NULL */
};

struct command {
    const char *name;
    const char *brief;             /* one line for `tapedeck help` */
    const char *usage;             /* behind the name: "FILE... --ring NAME [options]" */
    const char *about;             /* for --help; NULL: brief is enough */
    const struct option_set *sets; /* ends with one whose rows are NULL; NULL: no options */
    const char *operand;
    unsigned operands_min, operands_max; /* max 0: none; UINT_MAX: any number */
    int (*run)(const struct cli *cli);   /* the exit status */
    const struct command *const
        *parts; /* of `ring`: create, ls, ...; ends with NULL; then no run */
};

/* ---- talk: "tapedeck feed: open a.dbn: No such file or directory" ---- */

/* The one line of a command that failed: err's text, then "; " and the hint unless that is NULL.
 * CLI_FAILED. */
int cli_fail(const struct tdk_err *err, const char *hint);

/* The same, or wrong usage where the code says that a value or a name was refused. */
int cli_refuse(const struct tdk_err *err, const char *hint);

/* cli_fail() from words. CLI_FAILED. */
int cli_fail_words(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What was to be written to stdout could not be: `rc` says why. CLI_FAILED. */
int cli_fail_stdout(int rc);

/* Wrong usage that the option table could not see. Points to --help. CLI_USAGE. */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Something that was skipped, lost or odd while work goes on: always told. */
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A part of the source is missing whatever is asked of it: told, and a CLI_OK at the end is
 * CLI_LOSSY. */
void cli_lossy(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool cli_is_lossy(void);

/* What was done: not with -q. */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The last line of --digest on stderr: "digest HEX ticks N", whatever -q says. */
struct tdk_digest;
void cli_digest_line(const struct tdk_digest *digest);

/* The command of a list that has this name, or NULL; then *near, unless it is NULL, is the one that
 * may have been meant, or NULL. */
const struct command *command_find(const struct command *const *list, const char *name,
                                   const char **near);

/* ---- main's own ---- */
void cli_talk_init(const char *command, const struct option_globals *globals);

#endif
