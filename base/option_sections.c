/* option_sections.c - the valid names of a [section]. One config file serves all programs. */
#include <string.h>

#include "base/bytes.h"
#include "base/nearest.h"
#include "base/option_rows.h"

/* The daemons, and each command of the command line. A test compares this with `tapedeck help`. */
static const char *const sections[] = {
    "arbitrate",     "asof",         "attach",        "bars",           "bench play",
    "bench query",   "bench record", "bench ring",    "check",          "completion",
    "coverage",      "detach",       "diff",          "digest",         "doctor",
    "drain",         "feed",         "flush",         "gaps",           "gen",
    "import",        "info",         "ls marks",      "ls segments",    "ls sessions",
    "ls symbols",    "ls tracks",    "mark",          "move",           "pack",
    "play",          "query",        "recorder",      "recover",        "reindex",
    "replayer",      "retain apply", "retain hold",   "retain plan",    "retain release",
    "ring create",   "ring info",    "ring ls",       "ring rm",        "roll",
    "seal",          "session ls",   "session pause", "session resume", "session seek",
    "session speed", "session step", "session stop",  "stat",           "tail",
    "tap",           "top",          "unpack",        "verify",
};

/* [tapedeck-recorder] is [recorder], and [tapedeck ring create] is [ring create]. */
static const char *short_name(const char *name)
{
    static const char program[] = "tapedeck";
    size_t size = sizeof program - 1;
    bool is_long = strncmp(name, program, size) == 0 && (name[size] == '-' || name[size] == ' ');
    return is_long ? name + size + 1 : name;
}

bool section_is_known(const char *name)
{
    for (size_t i = 0; i < array_size(sections); i++)
        if (strcmp(short_name(name), sections[i]) == 0)
            return true;
    return false;
}

const char *section_nearest(const char *name)
{
    struct nearest near;
    nearest_begin(&near, short_name(name));
    for (size_t i = 0; i < array_size(sections); i++)
        nearest_try(&near, sections[i]);
    return near.best;
}
