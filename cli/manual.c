/* manual.c - writes the commands' parts of tapedeck(1) and tapedeck.conf(5). */
#include "cli/manual.h"

#include <string.h>

typedef void show_cb(const char *words, const struct command *command, FILE *out);

/* Call `each` for each command that can be run, with its words: "ring create". */
static void walk(const struct command *const *list, const char *before, show_cb *show, FILE *out)
{
    for (; *list != NULL; list++) {
        char words[64];
        snprintf(words, sizeof words, "%s%s%s", before, *before != '\0' ? " " : "", (*list)->name);
        if ((*list)->parts != NULL)
            walk((*list)->parts, words, show, out);
        else
            show(words, *list, out);
    }
}

static void show_man(const char *words, const struct command *command, FILE *out)
{
    const struct option_spec spec = {
        .about = command->about != NULL ? command->about : command->brief,
        .sets = command->sets,
    };
    fprintf(out, ".SS tapedeck %s\n", words);
    if (command->usage != NULL)
        fprintf(out, ".B tapedeck %s\n%s\n.PP\n", words, command->usage);
    option_own_help_as(&spec, OPTION_FORM_MAN, out);
}

/* Only list a section's keys: tapedeck(1) says what each means. */
static void show_conf(const char *words, const struct command *command, FILE *out)
{
    const char *between = "";
    if (command->sets == NULL)
        return;
    fprintf(out, ".TP\n\\fB[%s]\\fR\n", words);
    for (const struct option_set *set = command->sets; set->rows != NULL; set++)
        for (const struct option *row = set->rows; row->name != NULL; row++) {
            if (row->help == NULL)
                continue;
            fprintf(out, "%s%s", between, row->name);
            between = ", ";
        }
    fputc('\n', out);
}

int manual_show(const struct command *const *commands, const char *form, FILE *out)
{
    if (strcmp(form, "man") == 0) {
        walk(commands, "", show_man, out);
        fputs(".SS Options of every command\n", out);
        option_globals_help_as(OPTION_FORM_MAN, out);
    } else if (strcmp(form, "conf") == 0) {
        walk(commands, "", show_conf, out);
    } else {
        return cli_usage("--help-as %s needs a command", form);
    }
    return CLI_OK;
}
