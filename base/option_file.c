/* option_file.c - read the config file, and store each line where its row says. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/err.h"
#include "base/option_rows.h"

enum { CONFIG_SIZE_MAX = 1 << 20 };

static int config_load(struct reader *reader, const char *path, char **text, struct tdk_err *err)
{
    int rc = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return err_set(err, -errno, "open the config file %s", path);
    char *bytes = option_alloc(reader->result, CONFIG_SIZE_MAX + 1);
    size_t size = bytes == NULL ? 0 : fread(bytes, 1, CONFIG_SIZE_MAX, file);
    if (bytes == NULL)
        rc = err_set(err, -ENOMEM, "read the config file %s", path);
    else if (ferror(file))
        rc = err_set(err, errno != 0 ? -errno : -EIO, "read the config file %s", path);
    else if (size == CONFIG_SIZE_MAX || memchr(bytes, '\0', size) != NULL)
        rc = err_say(err, TDK_EVALUE, "%s is not a config file: %s", path,
                     size == CONFIG_SIZE_MAX ? "larger than 1M" : "it has a zero byte");
    fclose(file);
    if (rc == 0 && bytes != NULL) /* behind a byte order mark, as some editors put one in front */
        *text = strncmp(bytes, "\xef\xbb\xbf", 3) == 0 ? bytes + 3 : bytes;
    return rc;
}

static int unknown_key(struct reader *reader, const struct config_line *line, struct tdk_err *err)
{
    const char *near = place_nearest(reader, line->key);
    if (near != NULL && strcmp(near, line->key) == 0)
        return err_say(err, TDK_EVALUE, "'%s' cannot be set in a file", line->key);
    if (near != NULL)
        return err_say(err, TDK_EVALUE, "there is no option '%s'; did you mean '%s'?", line->key,
                       near);
    return err_say(err, TDK_EVALUE, "there is no option '%s'", line->key);
}

static int check_section(const struct option_spec *spec, const char *name, struct tdk_err *err)
{
    if (strcmp(name, spec->section) == 0 || strcmp(name, spec->program) == 0 ||
        section_is_known(name))
        return 0;
    const char *near = section_nearest(name);
    if (near == NULL)
        return err_say(err, TDK_EVALUE,
                       "there is no section [%.80s]; use [recorder], [replayer] or a command, as "
                       "in [ring create]",
                       name);
    return err_say(err, TDK_EVALUE, "there is no section [%.80s]; did you mean [%s]?", name, near);
}

bool option_in_file(const struct option *row)
{
    return strcmp(row->name, "config") != 0 && (row->variable == NULL || row->variable[0] != '\0');
}

static int config_apply(struct reader *reader, const struct config_line *line, struct tdk_err *err)
{
    const struct option_spec *spec = reader->spec;
    struct place place;
    if (line->key == NULL)
        return check_section(spec, line->section, err);
    if (line->section != NULL && strcmp(line->section, spec->section) != 0 &&
        strcmp(line->section, spec->program) != 0)
        return 0;
    if (!place_find(reader, line->key, strlen(line->key), &place) || !option_in_file(place.row)) {
        if (line->section == NULL && spec->elsewhere != NULL && spec->elsewhere(line->key))
            return 0;
        return unknown_key(reader, line, err);
    }
    int rc = place_store(reader, &place, line->value, LEVEL_FILE, err);
    return rc < 0 ? err_wrap(err, rc, "%s", line->key) : 0;
}

int option_read_file(struct reader *reader, struct tdk_err *err)
{
    const char *path = reader->result->globals.config;
    struct config config;
    struct config_line line;
    char *text = NULL;
    if (path == NULL)
        return 0;
    int rc = config_load(reader, path, &text, err);
    if (rc < 0)
        return rc;
    config_begin(&config, text);
    while ((rc = config_next(&config, &line, err)) == 1) {
        rc = config_apply(reader, &line, err);
        if (rc < 0)
            break;
    }
    return rc < 0 ? err_wrap(err, rc, "%s:%u", path, config.line) : 0;
}
