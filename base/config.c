#include "base/config.h"

#include <stdbool.h>
#include <string.h>

#include "base/err.h"

static const char blanks[] = " \t\r";

void config_begin(struct config *config, char *text)
{
    static const char mark[] = "\xef\xbb\xbf"; /* a byte order mark begins some editors' files */
    bool marked = strncmp(text, mark, sizeof mark - 1) == 0;
    *config = (struct config){.rest = marked ? text + sizeof mark - 1 : text};
}

/* Cut off the first line of the text. NULL at its end. */
static char *take_line(struct config *config)
{
    char *line = config->rest;
    if (line == NULL || *line == '\0')
        return NULL;
    char *end = strchr(line, '\n');
    if (end != NULL)
        *end++ = '\0';
    config->rest = end;
    config->line++;
    return line;
}

static char *trim(char *text)
{
    text += strspn(text, blanks);
    char *end = text + strlen(text);
    while (end > text && strchr(blanks, end[-1]) != NULL)
        end--;
    *end = '\0';
    return text;
}

static char *unquote(char *text)
{
    size_t size = strlen(text);
    if (size >= 2 && text[0] == '"' && text[size - 1] == '"') {
        text[size - 1] = '\0';
        text++;
    }
    return text;
}

static int read_section(struct config *config, char *text, struct tdk_err *err)
{
    char *end = strchr(text, ']');
    if (end == NULL || *trim(end + 1) != '\0')
        return err_say(err, TDK_EVALUE, "'%s' is not a [section]", text);
    *end = '\0';
    config->section = trim(text + 1);
    return 0;
}

int config_next(struct config *config, struct config_line *line, struct tdk_err *err)
{
    char *text;
    while ((text = take_line(config)) != NULL) {
        text = trim(text);
        if (*text == '\0' || *text == '#' || *text == ';')
            continue;
        if (*text == '[') {
            int rc = read_section(config, text, err);
            if (rc < 0)
                return rc;
            *line = (struct config_line){.section = config->section, .number = config->line};
            return 1;
        }
        char *equals = strchr(text, '=');
        if (equals == NULL || equals == text)
            return err_say(err, TDK_EVALUE, "'%s' is not a line `key = value`", text);
        *equals = '\0';
        *line = (struct config_line){
            .section = config->section,
            .key = trim(text),
            .value = unquote(trim(equals + 1)),
            .number = config->line,
        };
        return 1;
    }
    return 0;
}
