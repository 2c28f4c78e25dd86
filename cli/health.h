/*
 * health.h - findings about a host or a tape, the worst of them as an exit status, and the output
 * formats of monitoring systems.
 *
 * A finding is a line for people, with what to do unless all is well. A measure is a number for
 * graphs. Both are kept in the order they came. They have fixed room, without allocation; a finding
 * for which there is no room counts as unknown, so it is not forgotten. One thread.
 */
#ifndef TDK_CLI_HEALTH_H
#define TDK_CLI_HEALTH_H

#include <stdint.h>
#include <stdio.h>

/* The numbers are those of monitoring plugins, and are also the exit status. */
enum health_level { HEALTH_OK = 0, HEALTH_WARNING = 1, HEALTH_CRITICAL = 2, HEALTH_UNKNOWN = 3 };

enum { HEALTH_FINDINGS_MAX = 64, HEALTH_MEASURES_MAX = 16 };

struct finding {
    enum health_level level;
    char check[24]; /* "disk-free" */
    char text[320];
    const char *remedy; /* static text; NULL: none needed, or none known */
};

struct measure {
    const char *name; /* static text: "disk_free" */
    const char *unit; /* as monitoring plugins write it: "B", "%", "s", "c", or "" */
    double value;
};

struct health {
    const char *subject; /* borrowed: the tape's path */
    struct finding findings[HEALTH_FINDINGS_MAX];
    struct measure measures[HEALTH_MEASURES_MAX];
    unsigned count, measured;
};

/* Add a finding. The text is formatted as by printf. */
void health_find(struct health *health, enum health_level level, const char *check,
                 const char *remedy, const char *format, ...) __attribute__((format(printf, 5, 6)));

void health_measure(struct health *health, const char *name, const char *unit, double value);

/* The worst level found; from the worst: critical, warning, unknown, ok. */
enum health_level health_worst(const struct health *health);

enum health_form { HEALTH_TEXT, HEALTH_NAGIOS, HEALTH_JSON, HEALTH_PROMETHEUS };

/* Write one line (several for prometheus and json) about the worst first. 0 or -ENOMEM, -errno of
 * stdout. */
int health_show(const struct health *health, enum health_form form, FILE *out);

/* Write a table with a row for each finding. */
int health_table(const struct health *health, int json);

#endif
