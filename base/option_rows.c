/* option_rows.c - walk the rows of all sets, find them by name, fill them by level. */
#include "base/option_rows.h"

#include <string.h>

#include "base/nearest.h"

static const char *const log_formats[] = {"text", "json", NULL};
static const char *const help_forms[] = {"text", "man", "conf", "rows", NULL};

const struct option option_global_rows[] = {
    {.name = "help",
     .letter = 'h',
     .kind = OPTION_FLAG,
     .help = "show this help and exit",
     .at = offsetof(struct option_globals, help),
     .variable = ""},
    {.name = "help-as", /* for the manual's generator and for shells; not shown */
     .kind = OPTION_CHOICE,
     .choices = help_forms,
     .at = offsetof(struct option_globals, help_form),
     .variable = ""},
    {.name = "version",
     .letter = 'V',
     .kind = OPTION_FLAG,
     .help = "show the version and exit",
     .at = offsetof(struct option_globals, version),
     .variable = ""},
    {.name = "config",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .help = "read options from FILE: lines `name = value`",
     .at = offsetof(struct option_globals, config)},
    {.name = "quiet",
     .letter = 'q',
     .kind = OPTION_FLAG,
     .help = "print only warnings and errors",
     .at = offsetof(struct option_globals, quiet)},
    {.name = "verbose",
     .letter = 'v',
     .kind = OPTION_FLAG,
     .help = "print debug messages, too",
     .at = offsetof(struct option_globals, verbose)},
    {.name = "log-format",
     .kind = OPTION_CHOICE,
     .choices = log_formats,
     .preset = "text",
     .help = "format of the lines on stderr",
     .at = offsetof(struct option_globals, log_format)},
    {.name = NULL},
};

bool place_next(const struct reader *reader, struct place *place)
{
    const struct option *row;
    if (place->row == NULL) {
        place->set = reader->sets;
        place->number = 0;
        row = place->set->rows;
    } else {
        place->number++;
        row = place->row + 1;
    }
    while (row != NULL && row->name == NULL)
        row = (++place->set)->rows;
    place->row = row;
    if (row == NULL)
        return false;
    place->field = (char *)place->set->into + row->at;
    place->level = &reader->levels[place->number];
    return true;
}

bool place_find(const struct reader *reader, const char *name, size_t size, struct place *place)
{
    *place = (struct place){.row = NULL};
    while (place_next(reader, place))
        if (strncmp(place->row->name, name, size) == 0 && place->row->name[size] == '\0')
            return true;
    return false;
}

static bool is_global(const struct place *place)
{
    for (const struct option *row = option_global_rows; row->name != NULL; row++)
        if (row == place->row)
            return true;
    return false;
}

int place_store(struct reader *reader, const struct place *place, const char *text,
                enum option_level level, struct tdk_err *err)
{
    if (reader->globals_only && !is_global(place))
        return 0;
    bool fresh = *place->level != level;
    int rc = option_store(place->row, place->field, text, fresh, reader->result, err);
    if (rc == 0)
        *place->level = (unsigned char)level;
    return rc;
}

const char *place_nearest(const struct reader *reader, const char *name)
{
    struct nearest near;
    struct place place = {.row = NULL};
    nearest_begin(&near, name);
    while (place_next(reader, &place))
        nearest_try(&near, place.row->name);
    return near.best;
}
