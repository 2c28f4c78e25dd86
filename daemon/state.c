#include "daemon/state.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/metrics.h"

static void put_string(struct text_buffer *out, const char *text)
{
    text_add_json(out, text, strlen(text));
}

static void put_pair(struct text_buffer *out, const char *name, uint64_t value)
{
    text_add_char(out, ',');
    put_string(out, name);
    text_add_format(out, ":%" PRIu64, value);
}

static void put_own(struct text_buffer *out, const struct counters_copy *page, uint64_t mono_ns)
{
    text_add_string(out, ",\"own\":{\"loop_age\":");
    text_add_u64(out, counters_silence(page, mono_ns));
    for (unsigned i = 0; i < page->rows; i++)
        if (page->values[i].ring[0] == '\0')
            put_pair(out, page->values[i].name, page->values[i].value);
    text_add_char(out, '}');
}

/* The rows of a ring lie together, because they were added together. */
static unsigned put_ring(struct text_buffer *out, const struct counters_copy *page, unsigned first)
{
    static const char prefix[] = "ring_";
    const struct counter_value *row = &page->values[first];
    unsigned i = first;
    text_add_string(out, "{\"ring\":");
    put_string(out, row->ring);
    text_add_string(out, ",\"track\":");
    put_string(out, row->track);
    for (; i < page->rows && strcmp(page->values[i].ring, row->ring) == 0; i++) {
        const char *name = page->values[i].name;
        bool prefixed = strncmp(name, prefix, sizeof prefix - 1) == 0;
        put_pair(out, prefixed ? name + sizeof prefix - 1 : name, page->values[i].value);
    }
    text_add_char(out, '}');
    return i;
}

static void put_rings(struct text_buffer *out, const struct counters_copy *page)
{
    const char *between = "";
    text_add_string(out, ",\"rings\":[");
    for (unsigned i = 0; i < page->rows;) {
        if (page->values[i].ring[0] == '\0') {
            i++;
            continue;
        }
        text_add_string(out, between);
        between = ",";
        i = put_ring(out, page, i);
    }
    text_add_char(out, ']');
}

void state_put(struct text_buffer *out, const struct counters_copy *page, uint64_t wall_ns,
               uint64_t mono_ns, const char *players, size_t players_size)
{
    const char *trouble = metrics_trouble(page, mono_ns);
    text_add_format(out,
                    "{\"now\":%" PRIu64 ",\"beat\":%" PRIu64 ",\"started\":%" PRIu64
                    ",\"alive\":%s,\"daemon\":",
                    wall_ns / NS_PER_MS, page->beat / NS_PER_MS, page->started / NS_PER_MS,
                    page->alive ? "true" : "false");
    put_string(out, page->writer);
    text_add_string(out, ",\"version\":");
    put_string(out, page->program);
    text_add_string(out, ",\"tape\":");
    put_string(out, page->tape);
    text_add_string(out, ",\"trouble\":");
    if (trouble != NULL)
        put_string(out, trouble);
    else
        text_add_string(out, "null");
    put_own(out, page, mono_ns);
    put_rings(out, page);
    text_add_string(out, ",\"players\":");
    text_add(out, players, players_size);
    text_add_char(out, '}');
}
