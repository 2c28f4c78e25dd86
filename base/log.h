/*
 * log.h - lines on stderr for the person on call.
 *
 * The log reports changes of state; counters report traffic. Each event is one line: time, level,
 * program, words. It is text (`2026-11-23T09:30:00.123Z info  recorder segment 42 sealed
 * ticks=1048576`) or one JSON object. Any thread may log; a line is one write(). Control bytes in
 * what is logged are escaped, and in JSON bytes that are not UTF-8 become U+FFFD, so a hostile name
 * cannot forge a line or break one.
 */
#ifndef TDK_BASE_LOG_H
#define TDK_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Call it once, from main, before there are threads. `program` is borrowed for the life of the
 * process. */
void log_init(const char *program, enum log_level level, bool json);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

#endif
