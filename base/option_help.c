/* option_help.c - --help, from the same rows that the parser reads. */
#include <stdio.h>
#include <string.h>

#include "base/option_rows.h"

enum { COLUMN = 26, WIDTH = 80 };

const char *option_value_name(const struct option *row)
{
    if (row->value != NULL)
        return row->value;
    switch (row->kind) {
    case OPTION_FLAG:
        return NULL;
    case OPTION_NAME:
        return "NAME";
    case OPTION_COUNT:
        return "N";
    case OPTION_SIZE:
        return "SIZE";
    case OPTION_DURATION:
        return "D";
    case OPTION_RATE:
        return "RATE";
    case OPTION_SPEED:
        return "SPEED";
    case OPTION_MOMENT:
        return "TIME";
    case OPTION_ZONE:
        return "ZONE";
    case OPTION_TEXT:
    case OPTION_LIST:
    case OPTION_CHOICE:
        break;
    }
    return "VALUE";
}

/* Print words from column COLUMN on, with line breaks before WIDTH. The cursor stands at `at`. */
static void print_wrapped(const char *text, int at, FILE *out)
{
    if (at + 1 >= COLUMN) {
        fputc('\n', out);
        at = 0;
    }
    fprintf(out, "%*s", COLUMN - at, "");
    at = COLUMN;
    while (*text != '\0') {
        int size = (int)strcspn(text, " ");
        if (at > COLUMN && at + 1 + size > WIDTH) {
            fprintf(out, "\n%*s", COLUMN, "");
            at = COLUMN;
        } else if (at > COLUMN) {
            at += fprintf(out, " ");
        }
        at += fprintf(out, "%.*s", size, text);
        text += size;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

char *option_choice_words(const struct option *row, char text[OPTION_WORDS])
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; row->choices[i] != NULL && used < OPTION_WORDS - 1; i++)
        used += (size_t)snprintf(text + used, OPTION_WORDS - used, "%s%s", i == 0 ? "" : "|",
                                 row->choices[i]);
    return text;
}

/* A choice without a name for its value shows its words: "text|json". */
static int print_value(const struct option *row, FILE *out)
{
    const char *value = option_value_name(row);
    char words[OPTION_WORDS];
    if (value == NULL)
        return 0;
    if (row->kind == OPTION_CHOICE && row->value == NULL)
        value = option_choice_words(row, words);
    return fprintf(out, " %s", value);
}

static void print_row(const struct option *row, FILE *out)
{
    char text[512];
    if (row->help == NULL)
        return;
    int at = row->letter != '\0' ? fprintf(out, "  -%c, --%s", row->letter, row->name)
                                 : fprintf(out, "  --%s", row->name);
    at += print_value(row, out);
    snprintf(text, sizeof text, "%s%s%s%s%s%s", row->help, row->required ? " (required)" : "",
             row->kind == OPTION_LIST ? "; may be given several times" : "",
             row->preset != NULL ? " [" : "", row->preset != NULL ? row->preset : "",
             row->preset != NULL ? "]" : "");
    print_wrapped(text, at, out);
}

/* A set without a title goes on with the rows of the one before it. */
static void print_rows(const char *title, const struct option *rows, FILE *out)
{
    if (title != NULL)
        fprintf(out, "\n%s\n", title);
    for (; rows->name != NULL; rows++)
        print_row(rows, out);
}

void option_help(const struct option_spec *spec, FILE *out)
{
    fprintf(out, "usage: %s%s%s\n", spec->program, spec->usage != NULL ? " " : "",
            spec->usage != NULL ? spec->usage : "");
    if (spec->about != NULL)
        fprintf(out, "\n%s\n", spec->about);
    for (const struct option_set *set = spec->sets; set != NULL && set->rows != NULL; set++)
        print_rows(set->title == NULL && set == spec->sets ? "options" : set->title, set->rows,
                   out);
    print_rows("general", option_global_rows, out);
    fprintf(out, "\nEach --name is also a line `name = value` of the config file, and a variable\n"
                 "TAPEDECK_NAME.\n");
}
