#include "daemon/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static void put_label(struct text_buffer *text, const char *name, const char *value)
{
    text_add_string(text, name);
    text_add_char(text, '=');
    text_add_label(text, value);
}

/* ns as seconds, exactly. */
static void put_seconds(struct text_buffer *text, uint64_t ns)
{
    text_add_format(text, "%" PRIu64 ".%09" PRIu64, ns / NS_PER_S, ns % NS_PER_S);
}

static void put_name(struct text_buffer *text, const struct counter_value *value)
{
    static const char *const units[] = {[COUNTER_COUNT] = "",
                                        [COUNTER_BYTES] = "_bytes",
                                        [COUNTER_NS] = "_seconds",
                                        [COUNTER_TIME] = "_timestamp_seconds"};
    text_add_format(text, "tapedeck_%s%s%s", value->name, units[value->unit],
                    value->kind == COUNTER_TOTAL ? "_total" : "");
}

static void put_head(struct text_buffer *text, const struct counter_value *value)
{
    text_add_string(text, "# HELP ");
    put_name(text, value);
    text_add_format(text, " %s\n# TYPE ", value->help);
    put_name(text, value);
    text_add_string(text, value->kind == COUNTER_TOTAL ? " counter\n" : " gauge\n");
}

static void put_sample(struct text_buffer *text, const struct counter_value *value)
{
    put_name(text, value);
    if (value->ring[0] != '\0') {
        text_add_char(text, '{');
        put_label(text, "ring", value->ring);
        text_add_char(text, ',');
        put_label(text, "track", value->track);
        text_add_char(text, '}');
    }
    text_add_char(text, ' ');
    if (value->unit == COUNTER_NS || value->unit == COUNTER_TIME)
        put_seconds(text, value->value);
    else
        text_add_u64(text, value->value);
    text_add_char(text, '\n');
}

/* What every daemon has: which one it is, since when, and when its loop last passed. */
static void put_daemon(struct text_buffer *text, const struct counters_copy *page, uint64_t now_ns)
{
    text_add_string(text, "# HELP tapedeck_build_info which daemon this is\n"
                          "# TYPE tapedeck_build_info gauge\ntapedeck_build_info{");
    put_label(text, "daemon", page->writer);
    text_add_char(text, ',');
    put_label(text, "version", page->program);
    text_add_char(text, ',');
    put_label(text, "tape", page->tape);
    text_add_string(text, "} 1\n# HELP tapedeck_start_time_seconds when it was started\n"
                          "# TYPE tapedeck_start_time_seconds gauge\ntapedeck_start_time_seconds ");
    put_seconds(text, page->started);
    text_add_string(text, "\n# HELP tapedeck_loop_age_seconds since its loop last came by\n"
                          "# TYPE tapedeck_loop_age_seconds gauge\ntapedeck_loop_age_seconds ");
    put_seconds(text, counters_silence(page, now_ns));
    text_add_char(text, '\n');
}

/* Samples of one name stand together, after their head. */
void metrics_put(struct text_buffer *text, const struct counters_copy *page, uint64_t now_ns)
{
    unsigned char *done = calloc(page->rows + 1, 1);
    if (done == NULL)
        return; /* no memory: the answer is empty, and the scrape fails */
    put_daemon(text, page, now_ns);
    for (unsigned i = 0; i < page->rows; i++) {
        if (done[i] || page->values[i].kind == COUNTER_NOTE) /* words are no metric */
            continue;
        put_head(text, &page->values[i]);
        for (unsigned j = i; j < page->rows; j++)
            if (!done[j] && strcmp(page->values[j].name, page->values[i].name) == 0) {
                put_sample(text, &page->values[j]);
                done[j] = 1;
            }
    }
    free(done);
}

const char *metrics_trouble(const struct counters_copy *page, uint64_t now_ns)
{
    static const char *const states[] = {NULL, "degraded: no space", "degraded: sync",
                                         "degraded: write", "degraded: index"};
    const struct counter_value *state = counters_find(page, "recorder_state", NULL);
    if (!page->alive)
        return "it is gone";
    if (counters_silence(page, now_ns) > COUNTERS_SILENT_NS)
        return "its loop does not move";
    if (state != NULL && state->value < sizeof states / sizeof states[0])
        return states[state->value];
    return NULL;
}
