/* command.c - messages of commands: one line each on stderr, with control bytes escaped. */
#include "cli/command.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/nearest.h"
#include "tapedeck/digest.h"

static struct {
    char program[64]; /* "tapedeck feed" */
    bool quiet, json;
    bool lossy; /* cli_lossy() was called */
} talk = {.program = "tapedeck"};

void cli_talk_init(const char *command, const struct option_globals *globals)
{
    snprintf(talk.program, sizeof talk.program, "%s", command);
    talk.quiet = globals->quiet;
    talk.json = globals->log_format == 1;
    option_log(globals, talk.program);
}

/* A message may contain names from files: only printable text must reach the terminal. */
static void put_escaped(char *line, size_t room, const char *text)
{
    size_t n = strlen(line);
    for (; *text != '\0' && n + 5 < room; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f)
            n += (size_t)snprintf(line + n, room - n, "\\x%02x", c);
        else
            line[n++] = *text;
    }
    line[n] = '\0';
}

static void put_line(const char *text)
{
    char line[2048];
    snprintf(line, sizeof line - 1, "%s: ", talk.program);
    put_escaped(line, sizeof line - 1, text);
    size_t size = strlen(line);
    line[size++] = '\n';                                /* put_escaped() left room for it */
    ssize_t ignored = write(STDERR_FILENO, line, size); /* there is nowhere to report a failure */
    (void)ignored;
}

__attribute__((format(printf, 2, 0))) static void say(enum log_level level, const char *format,
                                                      va_list args)
{
    char words[1200];
    vsnprintf(words, sizeof words, format, args);
    if (talk.json)
        log_line(level, "%s", words);
    else
        put_line(words);
}

__attribute__((format(printf, 2, 3))) static void say_words(enum log_level level,
                                                            const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(level, format, args);
    va_end(args);
}

int cli_fail(const struct tdk_err *err, const char *hint)
{
    say_words(LOG_ERROR, "%s%s%s", err->text, hint != NULL ? "; " : "", hint != NULL ? hint : "");
    return CLI_FAILED;
}

int cli_refuse(const struct tdk_err *err, const char *hint)
{
    if (err->code == TDK_EVALUE || err->code == TDK_ENAME)
        return cli_usage("%s", err->text);
    return cli_fail(err, hint);
}

int cli_fail_words(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(LOG_ERROR, format, args);
    va_end(args);
    return CLI_FAILED;
}

int cli_fail_stdout(int rc)
{
    return cli_fail_words("write to stdout: %s", tdk_strerror(rc));
}

int cli_usage(const char *format, ...)
{
    char words[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    say_words(LOG_ERROR, "%s; see %s --help", words, talk.program);
    return CLI_USAGE;
}

void cli_warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(LOG_WARN, format, args);
    va_end(args);
}

void cli_lossy(const char *format, ...)
{
    va_list args;
    talk.lossy = true;
    va_start(args, format);
    say(LOG_WARN, format, args);
    va_end(args);
}

bool cli_is_lossy(void)
{
    return talk.lossy;
}

void cli_note(const char *format, ...)
{
    if (talk.quiet)
        return;
    va_list args;
    va_start(args, format);
    say(LOG_INFO, format, args);
    va_end(args);
}

void cli_digest_line(const struct tdk_digest *digest)
{
    uint8_t value[16];
    char hex[33];
    tdk_digest_value(digest, value, hex);
    fprintf(stderr, "digest %s ticks %" PRIu64 "\n", hex, tdk_digest_ticks(digest));
}

const struct command *command_find(const struct command *const *list, const char *name,
                                   const char **near)
{
    struct nearest nearest;
    nearest_begin(&nearest, name);
    for (; *list != NULL; list++) {
        if (strcmp((*list)->name, name) == 0)
            return *list;
        nearest_try(&nearest, (*list)->name);
    }
    if (near != NULL)
        *near = nearest.best;
    return NULL;
}
