/*
 * option.h - one table makes the parser, --help, the environment and the lines of a config file.
 *
 * A program (or a command of one) describes its options as rows. A row `block-size` is the flag
 * --block-size, the variable TAPEDECK_BLOCK_SIZE and the line `block-size = 1M`; each later one in
 * preset < config file < environment < flags wins, a list as a whole. Values are checked where they
 * are read: what is wrong is named with where it stands, and with the nearest that would be right.
 *
 *     struct args { const char *ring; uint64_t count; };
 *     static struct args args;
 *     static const struct option rows[] = {
 *         {.name = "ring", .kind = OPTION_NAME, .value = "NAME", .help = "where to publish",
 *          .at = offsetof(struct args, ring), .required = true},
 *         {.name = "count", .letter = 'n', .kind = OPTION_COUNT, .help = "how many ticks",
 *          .at = offsetof(struct args, count), .preset = "1000"},
 *         {.name = NULL},
 *     };
 *
 * Config file: `key = value` lines, '#' or ';' begins a comment line. Lines before any [section]
 * are for all programs, [recorder] or [query] only for that program or command. A list (a row that
 * may be given several times) is several lines, and in the environment separated by commas.
 *
 * One thread, at start. Memory: texts in the result are borrowed from argv, the environment or the
 * result itself, until option_close().
 */
#ifndef TDK_BASE_OPTION_H
#define TDK_BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/log.h"
#include "base/moment.h"
#include "base/quantity.h"
#include "tapedeck/err.h"

enum option_kind {                  /* what lies `at` it */
                   OPTION_FLAG,     /* bool: --x, or --x=no; in files and variables yes or no */
                   OPTION_TEXT,     /* const char *: anything; NULL when not given */
                   OPTION_NAME,     /* const char *: a ring's or track's name, checked */
                   OPTION_LIST,     /* struct option_list: text, may be given several times */
                   OPTION_COUNT,    /* uint64_t, between min and max */
                   OPTION_SIZE,     /* uint64_t bytes, between min and max */
                   OPTION_DURATION, /* uint64_t ns, between min and max */
                   OPTION_RATE,     /* uint64_t a second; 0: max */
                   OPTION_SPEED,    /* struct speed */
                   OPTION_MOMENT,   /* struct moment: parsed; for moment_resolve() */
                   OPTION_ZONE,     /* const char *: the zone of moments that bear none */
                   OPTION_CHOICE,   /* int: place of the word in `choices` */
};

struct option_list {
    const char **items;
    size_t count;
};

struct option {
    const char *name; /* NULL ends the table */
    char letter;      /* 'n' for -n; 0: none */
    bool required;    /* not given anywhere: wrong usage */
    bool is_power;    /* of OPTION_SIZE, with min and max: only powers of two */
    enum option_kind kind;
    size_t at;                  /* offset in the struct that the set points into */
    const char *value;          /* what --help calls it; NULL: by kind ("SIZE") */
    const char *help;           /* one sentence, no capital, no full stop; NULL: not shown */
    const char *preset;         /* what it is when nobody says anything, as one would write it */
    const char *variable;       /* environment, where it is not TAPEDECK_NAME; "": flag only */
    const char *const *choices; /* of OPTION_CHOICE, NULL at the end */
    uint64_t min, max;          /* max 0: no limit */
};

/* Rows and the struct they fill. An array of sets ends with one whose rows are NULL. */
struct option_set {
    const char *title; /* over its rows in --help */
    const struct option *rows;
    void *into;
};

struct option_spec {
    const char *program; /* "tapedeck-recorder", "tapedeck query" */
    const char *section; /* of the config file: "recorder", "query" */
    const char *usage;   /* behind the program's name: "FILE... --ring NAME [options]" */
    const char *about;   /* a paragraph or some, lines of at most 80; NULL */
    const struct option_set *sets;
    const char *operand; /* what an operand is called: "FILE"; the first ones, each: "ID SPEED" */
    unsigned operands_min, operands_max; /* max 0: none are taken; UINT_MAX: any number */
    /* Is this key of the config file one of another command's? NULL: no such. Then it is passed
     * over. */
    bool (*elsewhere)(const char *key);
};

/* Options that every program and command has. */
struct option_globals {
    bool help, version, quiet, verbose;
    int help_form;  /* enum option_form */
    int log_format; /* 0 text, 1 json */
    const char *config;
};

/* Their rows. */
extern const struct option option_global_rows[];

struct option_result {
    struct option_globals globals;
    struct option_list operands;
    void *memory; /* ours */
};

/*
 * Read config file, environment and argv[1..] into the structs that the sets point to. 0, or
 * TDK_EVALUE (wrong usage: exit 2, err says it in one line), -errno (the config file cannot be
 * read: exit 2 too), -ENOMEM. With globals.help or version set nothing else was checked: show that
 * and end. option_close() in every case, when the texts are no longer needed.
 */
int option_read(const struct option_spec *spec, int argc, char *const argv[],
                struct option_result *result, struct tdk_err *err);
void option_close(struct option_result *result);

/* --help. */
void option_help(const struct option_spec *spec, FILE *out);

/* How --help-as wants it: what manual pages, the shells' completions and the tests are made of. */
enum option_form {
    OPTION_FORM_TEXT, /* --help */
    OPTION_FORM_MAN,  /* roff: the options of a manual page */
    OPTION_FORM_CONF, /* roff: the lines of a config file */
    OPTION_FORM_ROWS, /* a line an option: name, letter, value, choices, help, between tabs */
};
void option_help_as(const struct option_spec *spec, enum option_form form, FILE *out);

/* The same without, and only, the options that every program has. */
void option_own_help_as(const struct option_spec *spec, enum option_form form, FILE *out);
void option_globals_help_as(enum option_form form, FILE *out);

/* Of a program, not a command: did it only have to tell what it is? Then it has. */
bool option_answered(const struct option_spec *spec, const struct option_result *result,
                     const char *version);

/* Is `key` a row of one of these sets? */
bool option_known(const struct option_set *sets, const char *key);

/* log_init() as -q, -v and --log-format say. */
void option_log(const struct option_globals *globals, const char *program);

#endif
