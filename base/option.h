/*
 * option.h - one table makes the parser, --help, the environment and the lines of a config file.
 *
 * A program (or one of its commands) describes its options as rows. The row `block-size` is the
 * flag --block-size, the variable TAPEDECK_BLOCK_SIZE and the line `block-size = 1M`. In the order
 * preset < config file < environment < flags the later one wins; a list is replaced as a whole.
 * Values are checked where they are read. An error names what is wrong, where it stands, and the
 * nearest word that would be right.
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
 * A config file has `key = value` lines; '#' or ';' begins a comment line. Lines before any
 * [section] are for all programs; lines in [recorder] or [query] are only for that program or
 * command. A list (a row that may be given several times) is several lines; in the environment its
 * items are separated by commas.
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

enum option_kind {                  /* the type at `at` */
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
                   OPTION_ZONE,     /* const char *: the zone of moments without one */
                   OPTION_CHOICE,   /* int: index of the word in `choices` */
};

struct option_list {
    const char **items;
    size_t count;
};

struct option {
    const char *name; /* NULL ends the table */
    char letter;      /* 'n' for -n; 0: none */
    bool required;    /* wrong usage if it is not given anywhere */
    bool is_power;    /* of OPTION_SIZE with min and max: only powers of two */
    enum option_kind kind;
    size_t at;                  /* offset in the struct that its set points to */
    const char *value;          /* the value's name in --help; NULL: by kind ("SIZE") */
    const char *help;           /* one sentence, no capital, no full stop; NULL: not shown */
    const char *preset;         /* the value if none is given, as one would write it */
    const char *variable;       /* environment, if it is not TAPEDECK_NAME; "": flag only */
    const char *const *choices; /* of OPTION_CHOICE, NULL at the end */
    uint64_t min, max;          /* max 0: no limit */
};

/* Rows and the struct they fill. An array of sets ends with one whose rows are NULL. */
struct option_set {
    const char *title; /* heading of its rows in --help */
    const struct option *rows;
    void *into;
};

struct option_spec {
    const char *program; /* "tapedeck-recorder", "tapedeck query" */
    const char *section; /* of the config file: "recorder", "query" */
    const char *usage;   /* after the program's name: "FILE... --ring NAME [options]" */
    const char *about;   /* one or more paragraphs, lines of at most 80; NULL */
    const struct option_set *sets;
    const char *operand; /* name of an operand: "FILE"; names of the first ones: "ID SPEED" */
    unsigned operands_min, operands_max; /* max 0: none are taken; UINT_MAX: any number */
    /* Does this key of the config file belong to another command? Then it is passed over. NULL:
     * there are no such keys. */
    bool (*elsewhere)(const char *key);
};

/* Options that every program and command has. */
struct option_globals {
    bool help, version, quiet, verbose;
    int help_form;  /* enum option_form */
    int log_format; /* 0 text, 1 json */
    const char *config;
};

/* The rows of struct option_globals. */
extern const struct option option_global_rows[];

struct option_result {
    struct option_globals globals;
    struct option_list operands;
    void *memory; /* owned */
};

/*
 * Read config file, environment and argv[1..] into the structs that the sets point to. Returns 0.
 * TDK_EVALUE: wrong usage; exit 2, err says it in one line. -errno: the config file cannot be read;
 * exit 2, too. -ENOMEM. If globals.help or version is set, nothing else was checked: show that and
 * end. Call option_close() in every case, when the texts are no longer needed.
 */
int option_read(const struct option_spec *spec, int argc, char *const argv[],
                struct option_result *result, struct tdk_err *err);
void option_close(struct option_result *result);

/* Print --help. */
void option_help(const struct option_spec *spec, FILE *out);

/* The forms of --help-as. Manual pages, shell completions and the tests are made from them. */
enum option_form {
    OPTION_FORM_TEXT, /* --help */
    OPTION_FORM_MAN,  /* roff: the options of a manual page */
    OPTION_FORM_CONF, /* roff: the lines of a config file */
    OPTION_FORM_ROWS, /* a line an option: name, letter, value, choices, help, separated by tabs */
};
void option_help_as(const struct option_spec *spec, enum option_form form, FILE *out);

/* The same without the options that every program has, and with only those. */
void option_own_help_as(const struct option_spec *spec, enum option_form form, FILE *out);
void option_globals_help_as(enum option_form form, FILE *out);

/* For a program, not a command. If it was only asked what it is, answer, and return true. */
bool option_answered(const struct option_spec *spec, const struct option_result *result,
                     const char *version);

/* Is `key` a row of one of these sets? */
bool option_known(const struct option_set *sets, const char *key);

/* Call log_init() according to -q, -v and --log-format. */
void option_log(const struct option_globals *globals, const char *program);

#endif
