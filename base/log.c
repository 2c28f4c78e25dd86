#include "base/log.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"

static struct {
    const char *program;
    enum log_level level;
    bool json;
} sink = {.program = "tapedeck", .level = LOG_INFO};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_init(const char *program, enum log_level level, bool json)
{
    sink.program = program;
    sink.level = level;
    sink.json = json;
}

/* Copy and make control bytes harmless; in JSON also quotes, backslashes, and what is not UTF-8. */
static size_t escape(char *to, size_t room, const char *from, bool json)
{
    size_t n = 0, good = json ? utf8_span(from, strlen(from)) : SIZE_MAX;
    for (; *from != '\0' && n + 7 < room; from++) {
        unsigned char c = (unsigned char)*from;
        if (good == 0) {
            n += (size_t)snprintf(to + n, room - n, "\\ufffd");
            good = utf8_span(from + 1, strlen(from + 1));
            continue;
        }
        good--;
        if (c < 0x20 || c == 0x7f)
            n += (size_t)snprintf(to + n, room - n, json ? "\\u%04x" : "\\x%02x", c);
        else if (json && (c == '"' || c == '\\'))
            n += (size_t)snprintf(to + n, room - n, "\\%c", c);
        else
            to[n++] = (char)c;
    }
    to[n] = '\0';
    return n;
}

void log_line(enum log_level level, const char *format, ...)
{
    if (level < sink.level)
        return;
    char words[1024], safe[6 * sizeof words], line[sizeof safe + 256], when[32];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    escape(safe, sizeof safe, words, sink.json);

    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc);
    int n = snprintf(
        line, sizeof line,
        sink.json ? "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"program\":\"%s\",\"text\":\"%s\"}\n"
                  : "%s.%03ldZ %-5s %s %s\n",
        when, now.tv_nsec / 1000000, level_names[level], sink.program, safe);
    if (n < 0)
        return;
    size_t size = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    ssize_t ignored = write(STDERR_FILENO, line, size); /* there is nowhere to log that */
    (void)ignored;
}
