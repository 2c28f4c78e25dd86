/*
 * command.h - what a command of `tapedeck` is, and how it prints messages.
 *
 * A command is a file: a static struct of arguments, a table of options that fills it, and run().
 * main.c reads the options (base/option.h), answers --help and calls run(), which returns the exit
 * status. stdout is for data and belongs to the command. Messages go to stderr through the
 * functions below: one line for each message, with control bytes escaped, so that a hostile name
 * cannot forge a line.
 */
#ifndef TDK_CLI_COMMAND_H
#define TDK_CLI_COMMAND_H

#include <stdbool.h>

#include "base/option.h"
#include "tapedeck/err.h"

/* What each exit status promises. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_LOSSY = 3,       /* done, but with loss, a gap, or a part that was skipped or damaged */
    CLI_NOTHING = 4,     /* nothing matched, with --fail-empty */
    CLI_DAMAGED = 5,     /* verify has found damage */
    CLI_UNREACHABLE = 6, /* daemon not reachable */
    CLI_MISSED = 7,      /* a deadline or the fidelity was missed */
};

struct command;

struct cli {
    const struct option_globals *globals;
    const struct option_list *operands;
    const struct command *const *commands; /* all commands; ends with NULL */
};

struct command {
    const char *name;
    const char *brief;             /* one line for `tapedeck help` */
    const char *usage;             /* after the name: "FILE... --ring NAME [options]" */
    const char *about;             /* for --help; NULL: brief says enough */
    const struct option_set *sets; /* ends with one whose rows are NULL; NULL: no options */
    const char *operand;
    unsigned operands_min, operands_max; /* max 0: none; UINT_MAX: any number */
    int (*run)(const struct cli *cli);   /* returns the exit status */
    const struct command *const
        *parts; /* of `ring`: create, ls, ...; ends with NULL; run is NULL then */
};

/* ---- talk: "tapedeck feed: open a.dbn: No such file or directory" ---- */

/* Print the one line of a command that failed: err's text, then "; " and the hint if there is one.
 * Returns CLI_FAILED. */
int cli_fail(const struct tdk_err *err, const char *hint);

/* The same, but CLI_USAGE if the code says that a value or a name was refused. */
int cli_refuse(const struct tdk_err *err, const char *hint);

/* cli_fail() with a format instead of an error. Returns CLI_FAILED. */
int cli_fail_words(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What was to be written to stdout could not be: `rc` says why. CLI_FAILED. */
int cli_fail_stdout(int rc);

/* Wrong usage that the option table could not see. Points to --help. CLI_USAGE. */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Report something skipped, lost or odd while work goes on. Printed even with -q. */
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Report that a part of the source is missing, whatever is asked of it. A CLI_OK at the end becomes
 * CLI_LOSSY. */
void cli_lossy(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool cli_is_lossy(void);

/* Report what was done. Not printed with -q. */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Print the last line of --digest on stderr: "digest HEX ticks N". Printed even with -q. */
struct tdk_digest;
void cli_digest_line(const struct tdk_digest *digest);

/* The command of a list that has this name, or NULL. If it is NULL and `near` is not, *near is set
 * to the command that may have been meant, or NULL. */
const struct command *command_find(const struct command *const *list, const char *name,
                                   const char **near);

/* ---- main's own ---- */
void cli_talk_init(const char *command, const struct option_globals *globals);

#endif
