/* main.c - the command table, and the way from argv to a command's run(). */
#include <stdio.h>
#include <string.h>

#include "base/standard.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/manual.h"
#include "tapedeck/ring.h"

/* One command per line. */
/* clang-format off */
static const struct command *const commands[] = {
    &ring_command,
    &feed_command,
    &gen_command,
    &drain_command,
    &tail_command,
    &tap_command,
    &import_command,
    &query_command,
    &bars_command,
    &play_command,
    &session_command,
    &info_command,
    &ls_command,
    &verify_command,
    &digest_command,
    &coverage_command,
    &gaps_command,
    &recover_command,
    &reindex_command,
    &roll_command,
    &flush_command,
    &mark_command,
    &attach_command,
    &detach_command,
    &seal_command,
    &move_command,
    &asof_command,
    &retain_command,
    &diff_command,
    &arbitrate_command,
    &pack_command,
    &unpack_command,
    &bench_command,
    &stat_command,
    &top_command,
    &check_command,
    &doctor_command,
    &completion_command,
    NULL,
};
/* clang-format on */

static const char front_page[] =
    "usage: tapedeck COMMAND [options]\n"
    "\n"
    "Records market data from rings in shared memory to a tape, answers time-range\n"
    "queries on the tape, and plays it back.\n"
    "\n"
    "commands\n";

static const char front_page_end[] =
    "\n"
    "`tapedeck COMMAND --help` describes a command. Exit status: 0 done, 1 failed,\n"
    "2 wrong usage, 3 done with loss or damage, 4 nothing matched, 5 verify found\n"
    "damage, 6 daemon not reachable, 7 deadline or fidelity missed.\n";

static void show_front_page(FILE *out)
{
    fputs(front_page, out);
    for (const struct command *const *c = commands; *c != NULL; c++)
        fprintf(out, "  %-12s  %s\n", (*c)->name, (*c)->brief);
    fputs(front_page_end, out);
}

static void show_parts(const struct command *command, FILE *out)
{
    fprintf(out, "usage: tapedeck %s COMMAND [options]\n\n%s\n\ncommands\n", command->name,
            command->brief);
    for (const struct command *const *c = command->parts; *c != NULL; c++)
        fprintf(out, "  %-12s  %s\n", (*c)->name, (*c)->brief);
}

static int unknown_command(const char *name, const char *near)
{
    if (near != NULL)
        return cli_usage("there is no command '%s'; did you mean '%s'?", name, near);
    return cli_usage("there is no command '%s'", name);
}

/* Is this key of the config file known to any command? One file serves all of them. */
static bool known_to(const struct command *const *list, const char *key)
{
    for (; *list != NULL; list++)
        if (option_known((*list)->sets, key) ||
            ((*list)->parts != NULL && known_to((*list)->parts, key)))
            return true;
    return false;
}

static bool known_elsewhere(const char *key)
{
    return known_to(commands, key);
}

/* The command that was called. "tapedeck ring create" has the section [ring create]. */
struct called {
    const struct command *command;
    char program[64];
};

static struct option_spec called_spec(const struct called *called)
{
    const struct command *command = called->command;
    return (struct option_spec){
        .program = called->program,
        .section = called->program + strlen("tapedeck "),
        .usage = command->usage,
        .about = command->about != NULL ? command->about : command->brief,
        .sets = command->sets,
        .operand = command->operand,
        .operands_min = command->operands_min,
        .operands_max = command->operands_max,
        .elsewhere = known_elsewhere,
    };
}

static int show_help(const struct called *called, int form)
{
    if (called->command->parts != NULL) {
        show_parts(called->command, stdout);
    } else {
        struct option_spec spec = called_spec(called);
        option_help_as(&spec, (enum option_form)form, stdout);
    }
    return CLI_OK;
}

static int show_version(void)
{
    puts("tapedeck " TDK_VERSION);
    return CLI_OK;
}

static int run(const struct called *called, int argc, char **argv)
{
    struct option_spec spec = called_spec(called);
    struct option_result options;
    struct tdk_err err = {.code = 0};
    int status;

    int rc = option_read(&spec, argc, argv, &options, &err);
    cli_talk_init(called->program, &options.globals);
    if (rc < 0)
        status = cli_usage("%s", err.text);
    else if (options.globals.help)
        status = show_help(called, options.globals.help_form);
    else if (options.globals.version)
        status = show_version();
    else
        status = called->command->run(&(struct cli){&options.globals, &options.operands, commands});
    option_close(&options);
    return status == CLI_OK && cli_is_lossy() ? CLI_LOSSY : status;
}

static bool is_word(const char *arg, const char *word, char letter)
{
    return (arg[0] == '-' && arg[1] == letter && arg[2] == '\0') ||
           (arg[0] == '-' && arg[1] == '-' && strcmp(arg + 2, word) == 0);
}

/* Follow the words from *at on to a command; those of `ring` take two words. False: no such
 * command. */
static bool resolve(int argc, char **argv, int *at, struct called *called)
{
    const struct command *const *list = commands;
    const char *near = NULL;
    snprintf(called->program, sizeof called->program, "tapedeck");
    called->command = NULL;
    while (list != NULL && *at < argc && argv[*at][0] != '-') {
        const struct command *found = command_find(list, argv[*at], &near);
        if (found == NULL) {
            unknown_command(argv[*at], near);
            return false;
        }
        size_t used = strlen(called->program);
        snprintf(called->program + used, sizeof called->program - used, " %s", found->name);
        cli_talk_init(called->program, &(struct option_globals){.help = false});
        called->command = found;
        list = found->parts;
        ++*at;
    }
    return true;
}

/* `tapedeck help [COMMAND...]`. */
static int help(int argc, char **argv, int at)
{
    struct called called;
    if (!resolve(argc, argv, &at, &called))
        return CLI_USAGE;
    if (at < argc)
        return cli_usage("'%s' is one argument too many", argv[at]);
    if (called.command != NULL)
        return show_help(&called, OPTION_FORM_TEXT);
    show_front_page(stdout);
    return CLI_OK;
}

/* How many arguments come before the command. Only options that all commands have can stand
 * there. */
static int count_leading(int argc, char **argv)
{
    int at = 1;
    while (at < argc && argv[at][0] == '-') {
        bool takes = strcmp(argv[at], "--config") == 0 || strcmp(argv[at], "--log-format") == 0 ||
                     strcmp(argv[at], "--help-as") == 0;
        at += takes && at + 1 < argc ? 2 : 1;
    }
    return at - 1;
}

static int dispatch(int argc, char **argv)
{
    struct called called;
    int leading = count_leading(argc, argv), at = leading + 1;
    for (int i = 1; i <= leading; i++) {
        if (is_word(argv[i], "version", 'V'))
            return show_version();
        if (is_word(argv[i], "help", 'h'))
            return help(argc, argv, at);
    }
    if (at == argc && leading == 2 && strcmp(argv[1], "--help-as") == 0)
        return manual_show(commands, argv[2], stdout);
    if (at == argc && leading > 0)
        return cli_usage("a command is missing: %s is an option of a command", argv[leading]);
    if (at == argc) {
        show_front_page(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[at], "help") == 0)
        return help(argc, argv, at + 1);
    if (!resolve(argc, argv, &at, &called))
        return CLI_USAGE;
    if (called.command->parts != NULL) {
        if (at < argc && is_word(argv[at], "help", 'h'))
            return show_help(&called, OPTION_FORM_TEXT);
        if (at < argc && is_word(argv[at], "version", 'V'))
            return show_version();
        if (at < argc)
            return cli_usage("a subcommand must come before %s", argv[at]);
        return cli_usage("a subcommand is missing");
    }
    /* Move the leading options after the command's words, so that they are read with its own. */
    int words = at - leading - 1;
    memmove(argv + 1 + words, argv + 1, (size_t)leading * sizeof *argv);
    return run(&called, argc - words, argv + words);
}

int main(int argc, char **argv)
{
    struct tdk_err err;
    standard_hold();
    int status = tdk_ring_guard(&err) < 0 ? cli_fail(&err, NULL) : dispatch(argc, argv);
    /* The help may still be in stdio's buffer, and its disk may be full. */
    if (standard_flush(&err) < 0 && status == CLI_OK)
        status = cli_fail(&err, NULL);
    return status;
}
