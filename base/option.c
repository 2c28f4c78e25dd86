/* option.c - presets, config file, environment and flags, each overriding the one before. */
#include "base/option.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/option_rows.h"

enum { VARIABLE_MAX = 80 };

/* ---- presets ---- */

static int read_presets(struct reader *reader, struct tdk_err *err)
{
    struct place place = {.row = NULL};
    while (place_next(reader, &place)) {
        if (place.row->preset == NULL)
            continue;
        int rc = place_store(reader, &place, place.row->preset, LEVEL_PRESET, err);
        if (rc < 0)
            return err_wrap(err, rc, "preset of --%s", place.row->name);
    }
    return 0;
}

/* ---- environment ---- */

/* Such as TAPEDECK_BLOCK_SIZE for block-size. */
static const char *variable_name(const struct option *row, char name[VARIABLE_MAX])
{
    if (row->variable != NULL)
        return row->variable;
    int n = snprintf(name, VARIABLE_MAX, "TAPEDECK_%s", row->name);
    for (char *p = name; n > 0 && *p != '\0'; p++)
        *p = *p == '-' ? '_' : *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
    return name;
}

static const char *variable_get(const struct option *row, char name[VARIABLE_MAX])
{
    const char *variable = variable_name(row, name);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): at start, before other threads */
    const char *text = *variable == '\0' ? NULL : getenv(variable);
    return text == NULL || *text == '\0' ? NULL : text; /* an empty one counts as not set */
}

static int store_list(struct reader *reader, const struct place *place, const char *text,
                      struct tdk_err *err)
{
    int rc = 0;
    while (rc == 0 && *text != '\0') {
        size_t size = strcspn(text, ",");
        const char *item = option_copy(reader->result, text, size);
        if (item == NULL)
            return err_set(err, -ENOMEM, "read the environment");
        rc = place_store(reader, place, item, LEVEL_VARIABLE, err);
        text += size + (text[size] == ',');
    }
    return rc;
}

static int read_environment(struct reader *reader, struct tdk_err *err)
{
    struct place place = {.row = NULL};
    while (place_next(reader, &place)) {
        char name[VARIABLE_MAX];
        const char *text = variable_get(place.row, name);
        if (text == NULL)
            continue;
        int rc = place.row->kind == OPTION_LIST
                     ? store_list(reader, &place, text, err)
                     : place_store(reader, &place, text, LEVEL_VARIABLE, err);
        if (rc < 0)
            return err_wrap(err, rc, "environment %s", variable_name(place.row, name));
    }
    return 0;
}

/* ---- flags ---- */

static int unknown_flag(struct reader *reader, const char *flag, size_t size, struct tdk_err *err)
{
    char word[VARIABLE_MAX];
    snprintf(word, sizeof word, "%.*s", (int)(size < sizeof word ? size : sizeof word - 1), flag);
    const char *near = place_nearest(reader, word);
    if (near != NULL)
        return err_say(err, TDK_EVALUE, "unknown option --%s; did you mean --%s?", word, near);
    return err_say(err, TDK_EVALUE, "unknown option --%s", word);
}

static bool place_find_letter(const struct reader *reader, char letter, struct place *place)
{
    *place = (struct place){.row = NULL};
    while (place_next(reader, place))
        if (place->row->letter == letter)
            return true;
    return false;
}

/* The position in argv. */
struct flags {
    char *const *argv;
    int argc, at;
};

/* The argument after the flag. If it begins with --, it is the next flag, and this one has no
 * value. */
static const char *take_value(struct flags *flags)
{
    if (flags->at + 1 >= flags->argc || strncmp(flags->argv[flags->at + 1], "--", 2) == 0)
        return NULL;
    return flags->argv[++flags->at];
}

static int read_long(struct reader *reader, struct flags *flags, struct tdk_err *err)
{
    const char *flag = flags->argv[flags->at] + 2;
    size_t size = strcspn(flag, "=");
    const char *value = flag[size] == '=' ? flag + size + 1 : NULL;
    struct place place;
    if (!place_find(reader, flag, size, &place))
        return unknown_flag(reader, flag, size, err);
    if (value == NULL)
        value = place.row->kind == OPTION_FLAG ? "yes" : take_value(flags);
    if (value == NULL)
        return err_say(err, TDK_EVALUE, "--%s needs a value: --%s %s", place.row->name,
                       place.row->name, option_value_name(place.row));
    int rc = place_store(reader, &place, value, LEVEL_FLAG, err);
    return rc < 0 ? err_wrap(err, rc, "--%s", place.row->name) : 0;
}

/* Read -qv, -n 5 or -n5. */
static int read_letters(struct reader *reader, struct flags *flags, struct tdk_err *err)
{
    for (const char *p = flags->argv[flags->at] + 1; *p != '\0'; p++) {
        struct place place;
        const char *value = "yes";
        if (!place_find_letter(reader, *p, &place))
            return err_say(err, TDK_EVALUE, "unknown option -%c", *p);
        bool takes = place.row->kind != OPTION_FLAG;
        if (takes)
            value = p[1] != '\0' ? p + 1 : take_value(flags);
        if (value == NULL)
            return err_say(err, TDK_EVALUE, "-%c needs a value: -%c %s", *p, *p,
                           option_value_name(place.row));
        int rc = place_store(reader, &place, value, LEVEL_FLAG, err);
        if (rc < 0)
            return err_wrap(err, rc, "-%c", *p);
        if (takes)
            break;
    }
    return 0;
}

static int read_flags(struct reader *reader, int argc, char *const argv[], struct tdk_err *err)
{
    struct flags flags = {.argv = argv, .argc = argc, .at = 1};
    bool operands_only = false;
    for (; flags.at < argc; flags.at++) {
        const char *arg = argv[flags.at];
        int rc = 0;
        if (operands_only || arg[0] != '-' || arg[1] == '\0') {
            if (!reader->globals_only)
                rc = option_list_add(&reader->result->operands, arg, reader->result, err);
        } else if (strcmp(arg, "--") == 0) {
            operands_only = true;
        } else if (arg[1] == '-') {
            rc = read_long(reader, &flags, err);
        } else {
            rc = read_letters(reader, &flags, err);
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- all of it ---- */

/* Times are read last, because their meaning may depend on the zone. */
static int read_moments(struct reader *reader, struct tdk_err *err)
{
    const char *zone = NULL;
    struct place place = {.row = NULL};
    while (place_next(reader, &place))
        if (place.row->kind == OPTION_ZONE)
            memcpy(&zone, place.field, sizeof zone);
    place.row = NULL;
    while (place_next(reader, &place)) {
        struct moment *moment = place.field;
        if (place.row->kind != OPTION_MOMENT || moment->text == NULL)
            continue;
        int rc = moment_parse(moment->text, zone, moment, err);
        if (rc < 0)
            return err_wrap(err, rc, "--%s", place.row->name);
    }
    return 0;
}

static int check_required(const struct reader *reader, struct tdk_err *err)
{
    struct place place = {.row = NULL};
    while (place_next(reader, &place))
        if (place.row->required && *place.level == LEVEL_NONE)
            return err_say(err, TDK_EVALUE, "--%s %s is missing", place.row->name,
                           option_value_name(place.row));
    return 0;
}

/* Operand number `place` is missing. Its name is the word at that place, or the last word there
 * is. */
static int say_missing(const char *words, size_t place, struct tdk_err *err)
{
    for (const char *next; place > 0 && (next = strchr(words, ' ')) != NULL; place--)
        words = next + 1;
    return err_say(err, TDK_EVALUE, "%.*s is missing", (int)strcspn(words, " "), words);
}

static int check_operands(const struct option_spec *spec, const struct option_list *operands,
                          struct tdk_err *err)
{
    if (operands->count < spec->operands_min)
        return say_missing(spec->operand, operands->count, err);
    if (operands->count > spec->operands_max)
        return err_say(err, TDK_EVALUE, "'%s' is one argument too many",
                       operands->items[spec->operands_max]);
    return 0;
}

static size_t count_rows(const struct reader *reader)
{
    size_t count = 0;
    for (const struct option_set *set = reader->sets; set->rows != NULL; set++)
        for (const struct option *row = set->rows; row->name != NULL; row++)
            count++;
    return count;
}

static int reader_init(struct reader *reader, const struct option_spec *spec,
                       struct option_result *result, struct tdk_err *err)
{
    size_t count = 0;
    *result = (struct option_result){.memory = NULL};
    *reader = (struct reader){.spec = spec, .result = result};
    for (; spec->sets != NULL && spec->sets[count].rows != NULL; count++) {
        assert(count < OPTION_SETS_MAX);
        reader->sets[count] = spec->sets[count];
    }
    reader->sets[count] = (struct option_set){"always", option_global_rows, &result->globals};
    reader->levels = option_alloc(result, count_rows(reader));
    return reader->levels != NULL ? 0 : err_set(err, -ENOMEM, "read the options");
}

/* --help, --version and --config count wherever they stand, so they are looked for first. */
static int read_globals(struct reader *reader, int argc, char *const argv[], struct tdk_err *err)
{
    reader->globals_only = true;
    int rc = read_environment(reader, err);
    if (rc == 0)
        rc = read_flags(reader, argc, argv, err);
    reader->globals_only = false;
    struct option_globals *globals = &reader->result->globals;
    globals->help |= globals->help_form != OPTION_FORM_TEXT;
    return rc;
}

static int read_all(struct reader *reader, int argc, char *const argv[], struct tdk_err *err)
{
    int rc = read_presets(reader, err);
    if (rc == 0)
        rc = option_read_file(reader, err);
    if (rc == 0)
        rc = read_environment(reader, err);
    if (rc == 0)
        rc = read_flags(reader, argc, argv, err);
    if (rc == 0)
        rc = read_moments(reader, err);
    if (rc == 0)
        rc = check_required(reader, err);
    return rc < 0 ? rc : check_operands(reader->spec, &reader->result->operands, err);
}

int option_read(const struct option_spec *spec, int argc, char *const argv[],
                struct option_result *result, struct tdk_err *err)
{
    struct reader reader;
    int rc = reader_init(&reader, spec, result, err);
    if (rc == 0)
        rc = read_globals(&reader, argc, argv, err);
    if (rc < 0 || result->globals.help || result->globals.version)
        return rc;
    /* They already apply to messages about the rest, in case that is wrong. */
    struct option_globals early = result->globals;
    result->globals = (struct option_globals){.config = early.config};
    rc = read_all(&reader, argc, argv, err);
    if (rc < 0)
        result->globals = early;
    return rc;
}

bool option_known(const struct option_set *sets, const char *key)
{
    for (; sets != NULL && sets->rows != NULL; sets++)
        for (const struct option *row = sets->rows; row->name != NULL; row++)
            if (strcmp(row->name, key) == 0)
                return true;
    return false;
}

void option_log(const struct option_globals *globals, const char *program)
{
    enum log_level level = globals->quiet ? LOG_WARN : globals->verbose ? LOG_DEBUG : LOG_INFO;
    log_init(program, level, globals->log_format == 1);
}
