#include "cli/health.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "base/text_buffer.h"
#include "cli/table.h"

void health_find(struct health *h, enum health_level level, const char *check, const char *remedy,
                 const char *format, ...)
{
    if (h->count == HEALTH_FINDINGS_MAX) {
        struct finding *last = &h->findings[HEALTH_FINDINGS_MAX - 1];
        if (level != HEALTH_OK)
            *last = (struct finding){.level = level > last->level ? level : last->level,
                                     .check = "more",
                                     .text = "there are more findings than are shown"};
        return;
    }
    struct finding *finding = &h->findings[h->count++];
    *finding = (struct finding){.level = level, .remedy = level == HEALTH_OK ? NULL : remedy};
    snprintf(finding->check, sizeof finding->check, "%s", check);
    va_list args;
    va_start(args, format);
    vsnprintf(finding->text, sizeof finding->text, format, args);
    va_end(args);
}

void health_measure(struct health *h, const char *name, const char *unit, double value)
{
    if (h->measured < HEALTH_MEASURES_MAX)
        h->measures[h->measured++] = (struct measure){name, unit, value};
}

/* The worst first. Something that could not be checked matters less than something known to be
 * bad. */
static const enum health_level by_weight[] = {HEALTH_CRITICAL, HEALTH_WARNING, HEALTH_UNKNOWN,
                                              HEALTH_OK};

enum health_level health_worst(const struct health *h)
{
    for (size_t w = 0; w < sizeof by_weight / sizeof by_weight[0]; w++)
        for (unsigned i = 0; i < h->count; i++)
            if (h->findings[i].level == by_weight[w])
                return by_weight[w];
    return HEALTH_OK;
}

static const char *health_word(enum health_level level)
{
    static const char *const words[] = {"ok", "warning", "critical", "unknown"};
    return words[level];
}

/* ---- one line ---- */

/* Put what is wrong, the worst first; or all findings, if nothing is wrong. */
static void put_findings(const struct health *h, struct text_buffer *out)
{
    bool all = health_worst(h) == HEALTH_OK;
    const char *between = "";
    for (size_t w = 0; w < sizeof by_weight / sizeof by_weight[0]; w++)
        for (unsigned i = 0; i < h->count; i++) {
            const struct finding *f = &h->findings[i];
            if (f->level != by_weight[w] || (f->level == HEALTH_OK && !all))
                continue;
            text_add_format(out, "%s%s", between, f->text);
            between = "; ";
        }
}

static void put_text(const struct health *h, struct text_buffer *out)
{
    text_add_format(out, "%s: ", health_word(health_worst(h)));
    put_findings(h, out);
    text_add_char(out, '\n');
}

/* "TAPEDECK OK - text | name=value". A '|' in the text would begin the numbers. */
static void put_nagios(const struct health *h, struct text_buffer *out)
{
    static const char *const words[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
    text_add_format(out, "TAPEDECK %s - ", words[health_worst(h)]);
    size_t begin = out->size;
    put_findings(h, out);
    for (size_t i = begin; i < out->size; i++)
        if (out->bytes[i] == '|' || out->bytes[i] == '\n')
            out->bytes[i] = '/';
    for (unsigned i = 0; i < h->measured; i++)
        text_add_format(out, "%s%s=%.15g%s", i == 0 ? " | " : " ", h->measures[i].name,
                        h->measures[i].value, h->measures[i].unit);
    text_add_char(out, '\n');
}

/* ---- for programs ---- */

static void put_string(struct text_buffer *out, const char *text)
{
    text_add_json(out, text, strlen(text));
}

static void put_json(const struct health *h, struct text_buffer *out)
{
    enum health_level worst = health_worst(h);
    text_add_format(out, "[{\"status\":\"%s\",\"exit\":%d,\"subject\":", health_word(worst),
                    (int)worst);
    put_string(out, h->subject);
    text_add_string(out, ",\"findings\":[");
    for (unsigned i = 0; i < h->count; i++) {
        const struct finding *f = &h->findings[i];
        text_add_format(out, "%s{\"check\":\"%s\",\"status\":\"%s\",\"text\":", i > 0 ? "," : "",
                        f->check, health_word(f->level));
        put_string(out, f->text);
        text_add_string(out, ",\"remedy\":");
        if (f->remedy != NULL)
            put_string(out, f->remedy);
        else
            text_add_string(out, "null");
        text_add_char(out, '}');
    }
    text_add_string(out, "],\"values\":{");
    for (unsigned i = 0; i < h->measured; i++)
        text_add_format(out, "%s\"%s\":%.15g", i > 0 ? "," : "", h->measures[i].name,
                        h->measures[i].value);
    text_add_string(out, "}}]\n");
}

static const char *metric_suffix(const struct measure *m)
{
    return strcmp(m->unit, "B") == 0   ? "_bytes"
           : strcmp(m->unit, "s") == 0 ? "_seconds"
           : strcmp(m->unit, "%") == 0 ? "_percent"
                                       : "";
}

static void put_prometheus(const struct health *h, struct text_buffer *out)
{
    text_add_string(out, "# HELP tapedeck_check_status 0 ok, 1 warning, 2 critical, 3 unknown\n"
                         "# TYPE tapedeck_check_status gauge\ntapedeck_check_status{tape=");
    text_add_label(out, h->subject);
    text_add_format(out, "} %d\n", (int)health_worst(h));
    for (unsigned i = 0; i < h->measured; i++) {
        const struct measure *m = &h->measures[i];
        text_add_format(out,
                        "# HELP tapedeck_check_%s%s as tapedeck check saw it\n"
                        "# TYPE tapedeck_check_%s%s gauge\ntapedeck_check_%s%s{tape=",
                        m->name, metric_suffix(m), m->name, metric_suffix(m), m->name,
                        metric_suffix(m));
        text_add_label(out, h->subject);
        text_add_format(out, "} %.15g\n", m->value);
    }
}

int health_show(const struct health *h, enum health_form form, FILE *out)
{
    struct text_buffer text;
    text_init(&text);
    switch (form) {
    case HEALTH_TEXT:
        put_text(h, &text);
        break;
    case HEALTH_NAGIOS:
        put_nagios(h, &text);
        break;
    case HEALTH_JSON:
        put_json(h, &text);
        break;
    case HEALTH_PROMETHEUS:
        put_prometheus(h, &text);
        break;
    }
    int rc = text_error(&text);
    if (rc == 0 && (fwrite(text.bytes, 1, text.size, out) != text.size || fflush(out) != 0))
        rc = errno == EPIPE ? 0 : -errno;
    text_close(&text);
    return rc;
}

static const struct column columns[] = {{"check", COLUMN_TEXT},
                                        {"status", COLUMN_TEXT},
                                        {"found", COLUMN_TEXT},
                                        {"remedy", COLUMN_TEXT}};

int health_table(const struct health *h, int json)
{
    struct table *table;
    int rc = table_open(&table, table_form(json != 0), columns, sizeof columns / sizeof columns[0]);
    for (unsigned i = 0; rc == 0 && i < h->count; i++) {
        const struct finding *f = &h->findings[i];
        table_text(table, f->check);
        table_text(table, health_word(f->level));
        table_text(table, f->text);
        table_text(table, f->remedy);
    }
    return rc == 0 ? table_close(table) : rc;
}
