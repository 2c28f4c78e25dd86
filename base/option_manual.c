/* option_manual.c - the same rows as parts of a manual page, and for shells to complete. */
#include <stdio.h>
#include <string.h>

#include "base/option_rows.h"

/* ---- roff ---- */

/* Print text without roff requests: backslashes doubled, hyphens plain, and a dot or a quote at the
 * start of a line guarded. */
static void put_roff(const char *text, FILE *out)
{
    bool begins = true;
    for (; *text != '\0'; text++) {
        if (begins && (*text == '.' || *text == '\''))
            fputs("\\&", out);
        begins = *text == '\n';
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else
            fputc(*text, out);
    }
}

/* Lines are filled. A line that begins with a blank is kept by itself. */
static void put_paragraph(const char *text, FILE *out)
{
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        char line[512];
        snprintf(line, sizeof line, "%.*s", (int)size, text);
        if (line[0] == ' ')
            fputs(".br\n", out);
        put_roff(line, out);
        fputc('\n', out);
        text += size;
        if (text[0] == '\n')
            text++;
        if (text[0] == '\n')
            fputs(".PP", out);
    }
}

static const char *value_text(const struct option *row, char words[OPTION_WORDS])
{
    if (row->kind == OPTION_CHOICE && row->value == NULL)
        return option_choice_words(row, words);
    return option_value_name(row);
}

static void put_help(const struct option *row, FILE *out)
{
    put_roff(row->help, out);
    if (row->required)
        fputs(" (required)", out);
    if (row->kind == OPTION_LIST)
        fputs("; may be given several times", out);
    if (row->preset != NULL) {
        fputs(" [", out);
        put_roff(row->preset, out);
        fputc(']', out);
    }
    fputc('\n', out);
}

/* \fB\-n\fR, \fB\-\-count\fR \fIN\fR */
static void put_option(const struct option *row, FILE *out)
{
    char words[OPTION_WORDS];
    const char *value = value_text(row, words);
    fputs(".TP\n", out);
    if (row->letter != '\0')
        fprintf(out, "\\fB\\-%c\\fR, ", row->letter);
    fputs("\\fB\\-\\-", out);
    put_roff(row->name, out);
    fputs("\\fR", out);
    if (value != NULL) {
        fputs(" \\fI", out);
        put_roff(value, out);
        fputs("\\fR", out);
    }
    fputc('\n', out);
    put_help(row, out);
}

static void put_line(const struct option *row, FILE *out)
{
    char words[OPTION_WORDS];
    const char *value = value_text(row, words);
    fputs(".TP\n\\fB", out);
    put_roff(row->name, out);
    fputs("\\fR = \\fI", out);
    put_roff(value != NULL ? value : "yes|no", out);
    fputs("\\fR\n", out);
    put_help(row, out);
}

/* ---- for programs ---- */

/* The value's name says what it is, so that a shell knows what to offer: DIR, FILE, RING, TRACK. */
static void put_row(const struct option *row, FILE *out)
{
    char words[OPTION_WORDS] = "";
    const char *value = option_value_name(row);
    if (row->kind == OPTION_CHOICE)
        option_choice_words(row, words);
    fprintf(out, "%s\t%.1s\t%s\t%s\t%s\n", row->name, (char[]){row->letter, '\0'},
            value != NULL ? value : "", words, row->help);
}

/* ---- all rows of a table ---- */

static void put_rows(const struct option *rows, enum option_form form, FILE *out)
{
    for (; rows->name != NULL; rows++) {
        if (rows->help == NULL)
            continue;
        if (form == OPTION_FORM_ROWS)
            put_row(rows, out);
        else if (form == OPTION_FORM_MAN)
            put_option(rows, out);
        else if (option_in_file(rows))
            put_line(rows, out);
    }
}

void option_own_help_as(const struct option_spec *spec, enum option_form form, FILE *out)
{
    if (form == OPTION_FORM_MAN && spec->about != NULL)
        put_paragraph(spec->about, out);
    for (const struct option_set *set = spec->sets; set != NULL && set->rows != NULL; set++) {
        if (form == OPTION_FORM_MAN && set->title != NULL) {
            fputs(".PP\n\\fI", out);
            put_roff(set->title, out);
            fputs("\\fR\n", out);
        }
        put_rows(set->rows, form, out);
    }
}

void option_globals_help_as(enum option_form form, FILE *out)
{
    put_rows(option_global_rows, form, out);
}

bool option_answered(const struct option_spec *spec, const struct option_result *result,
                     const char *version)
{
    if (result->globals.help)
        option_help_as(spec, (enum option_form)result->globals.help_form, stdout);
    else if (result->globals.version)
        printf("%s %s\n", spec->program, version);
    return result->globals.help || result->globals.version;
}

void option_help_as(const struct option_spec *spec, enum option_form form, FILE *out)
{
    if (form == OPTION_FORM_TEXT) {
        option_help(spec, out);
        return;
    }
    struct option_spec rows = *spec;
    rows.about = NULL; /* a program's page has a text of its own */
    option_own_help_as(&rows, form, out);
    option_globals_help_as(form, out);
}
