/* complete.c - finds the words that may stand at the cursor. */
#include "cli/complete.h"

#include <stdlib.h>
#include <string.h>

#include "tapedeck/ring.h"
#include "tapedeck/tape.h"

enum { NAMES_MAX = 2000 };

struct completing {
    const struct option_list *words;
    const char *prefix; /* of the word at the cursor, as typed so far */
    FILE *out;
    unsigned offered;
};

static void offer(struct completing *c, const char *word, const char *what)
{
    if (strncmp(word, c->prefix, strlen(c->prefix)) != 0)
        return;
    c->offered++;
    fprintf(c->out, "%s\t%s\n", word, what);
}

/* ---- names that are there ---- */

static int offer_ring(const char *name, void *context)
{
    struct completing *c = context;
    offer(c, name, "ring");
    return c->offered >= NAMES_MAX;
}

static int offer_track(const struct tdk_track_info *track, void *context)
{
    struct completing *c = context;
    offer(c, track->name, "track");
    return c->offered >= NAMES_MAX;
}

static int offer_symbol(const struct tdk_symbol_info *symbol, void *context)
{
    struct completing *c = context;
    if (strpbrk(symbol->symbol, "\t\n") == NULL)
        offer(c, symbol->symbol, symbol->track);
    return c->offered >= NAMES_MAX;
}

/* The tape that the line names, else that of the environment. */
static const char *tape_of(const struct option_list *words)
{
    for (size_t i = 1; i + 2 < words->count; i++)
        if (strcmp(words->items[i], "-T") == 0 || strcmp(words->items[i], "--tape") == 0)
            return words->items[i + 1];
    return getenv("TAPEDECK_TAPE"); /* NOLINT(concurrency-mt-unsafe): one thread */
}

static void offer_from_tape(struct completing *c, bool symbols)
{
    struct tdk_tape *tape;
    const char *path = tape_of(c->words);
    if (path == NULL || tdk_tape_open(&tape, path, NULL) < 0)
        return;
    if (symbols)
        tdk_tape_symbols(tape, NULL, offer_symbol, c, NULL);
    else
        tdk_tape_tracks(tape, offer_track, c, NULL);
    tdk_tape_close(tape);
}

/* ---- values ---- */

/* Offer what fits the name that --help gives the value, so a new option needs no code here. */
static void offer_named(struct completing *c, const char *value, const char *name)
{
    if (strncmp(value, "DIR", 3) == 0)
        fputs(":dirs\n", c->out);
    else if (strcmp(value, "FILE") == 0 || strcmp(value, "PATH") == 0)
        fputs(":files\n", c->out);
    else if (strcmp(value, "SYMBOL") == 0 || strcmp(value, "GLOB") == 0)
        offer_from_tape(c, true);
    else if (strcmp(value, "TRACK") == 0 || strcmp(name, "track") == 0)
        offer_from_tape(c, false);
    else if (strcmp(value, "RING") == 0 || strcmp(name, "ring") == 0)
        tdk_ring_list(offer_ring, c, NULL);
}

static void offer_value(struct completing *c, const struct option *row)
{
    for (int i = 0; row->choices != NULL && row->choices[i] != NULL; i++)
        offer(c, row->choices[i], "");
    if (row->value != NULL)
        offer_named(c, row->value, row->name);
    else if (row->kind == OPTION_NAME)
        offer_named(c, "NAME", row->name);
}

/* ---- options ---- */

static const struct option *find_row(const struct option_set *sets, const char *flag)
{
    for (; sets != NULL && sets->rows != NULL; sets++)
        for (const struct option *row = sets->rows; row->name != NULL; row++)
            if ((flag[0] == '-' && flag[1] == '-' && strcmp(flag + 2, row->name) == 0) ||
                (flag[0] == '-' && flag[1] != '\0' && flag[1] == row->letter && flag[2] == '\0'))
                return row;
    return NULL;
}

/* Offer all options that --help shows. */
static void offer_options(struct completing *c, const struct option_set *sets)
{
    for (; sets != NULL && sets->rows != NULL; sets++)
        for (const struct option *row = sets->rows; row->name != NULL; row++) {
            char flag[80];
            snprintf(flag, sizeof flag, "--%s", row->name);
            if (row->help != NULL)
                offer(c, flag, row->help);
        }
}

/* Every program has these after its own. */
static const struct option_set globals[] = {{.rows = option_global_rows}, {.rows = NULL}};

/* ---- a daemon's table, as it tells it itself ---- */

enum { ROWS_MAX = 128, CHOICES_MAX = 15, LINE = 1024 };

struct daemon_table {
    struct option rows[ROWS_MAX + 1];
    struct option_set sets[2];
    const char *choices[ROWS_MAX][CHOICES_MAX + 1];
    char lines[ROWS_MAX][LINE];
};

static void parse_choices(const char **choices, char *words)
{
    size_t count = 0;
    while (words != NULL && *words != '\0' && count < CHOICES_MAX)
        choices[count++] = strsep(&words, "|");
    choices[count] = NULL;
}

/* Parse "name<TAB>letter<TAB>value<TAB>choices<TAB>help", as --help-as rows writes it. */
static bool parse_row(struct option *row, char *line, const char **choices)
{
    char *fields[5];
    line[strcspn(line, "\n")] = '\0';
    for (size_t i = 0; i < 5; i++)
        if ((fields[i] = strsep(&line, "\t")) == NULL)
            return false;
    parse_choices(choices, fields[3]);
    *row = (struct option){
        .name = fields[0],
        .letter = fields[1][0],
        .kind = fields[2][0] != '\0' ? OPTION_TEXT : OPTION_FLAG,
        .value = fields[2][0] != '\0' ? fields[2] : NULL,
        .help = fields[4],
        .choices = choices,
    };
    return true;
}

static const struct option_set *daemon_options(const char *program)
{
    static struct daemon_table table;
    char command[64];
    size_t count = 0;
    snprintf(command, sizeof command, "%s --help-as rows 2>/dev/null", program);
    FILE *answer = popen(command, "re");
    if (answer == NULL)
        return NULL;
    while (count < ROWS_MAX && fgets(table.lines[count], LINE, answer) != NULL)
        count += parse_row(&table.rows[count], table.lines[count], table.choices[count]);
    pclose(answer);
    table.rows[count] = (struct option){.name = NULL};
    table.sets[0] = (struct option_set){.rows = table.rows};
    table.sets[1] = (struct option_set){.rows = NULL};
    return table.sets;
}

/* ---- the line so far ---- */

/* What may come next, according to the words before the cursor. */
struct place {
    const struct command *const *commands; /* NULL: the command that was named has no parts */
    const struct option_set *sets;
    const char *operand;
};

static void follow_commands(struct place *place, const struct option_list *words)
{
    for (size_t i = 1; place->commands != NULL && i + 1 < words->count; i++) {
        const struct command *found = command_find(place->commands, words->items[i], NULL);
        if (found == NULL)
            continue; /* `help`, an option, or a typing error */
        place->commands = found->parts;
        place->sets = found->sets;
        place->operand = found->operand;
    }
}

static struct place find_place(const struct command *const *commands,
                               const struct option_list *words)
{
    static const char *const daemons[] = {"tapedeck-recorder", "tapedeck-replayer"};
    const char *slash = strrchr(words->items[0], '/');
    const char *program = slash != NULL ? slash + 1 : words->items[0];
    struct place place = {.commands = NULL};
    for (size_t i = 0; i < sizeof daemons / sizeof daemons[0]; i++)
        if (strcmp(program, daemons[i]) == 0) {
            place.sets = daemon_options(daemons[i]);
            return place;
        }
    place.commands = commands;
    follow_commands(&place, words);
    return place;
}

static void offer_operand(struct completing *c, const struct place *place)
{
    for (const struct command *const *p = place->commands; p != NULL && *p != NULL; p++)
        offer(c, (*p)->name, (*p)->brief);
    if (place->operand == NULL)
        return;
    /* A command that takes a NAME is about rings. */
    offer_named(c, strcmp(place->operand, "NAME") == 0 ? "RING" : place->operand, "");
}

void complete(const struct command *const *commands, const struct option_list *words, FILE *out)
{
    if (words->count < 2)
        return;
    struct completing c = {.words = words, .prefix = words->items[words->count - 1], .out = out};
    struct place place = find_place(commands, words);
    const char *before = words->items[words->count - 2];
    const struct option *row = find_row(place.sets, before);
    if (row == NULL)
        row = find_row(globals, before);

    if (row != NULL && row->kind != OPTION_FLAG) {
        offer_value(&c, row);
    } else if (c.prefix[0] == '-') {
        offer_options(&c, place.sets);
        offer_options(&c, globals);
    } else {
        offer_operand(&c, &place);
    }
}
