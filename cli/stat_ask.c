#include "cli/stat_ask.h"

#include <errno.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/table.h"

/* An answer is borrowed until the next call, so its text is kept. */
struct told {
    bool recorder;
    struct text_buffer status, counters; /* JSON objects; status only of a recorder */
};

static int show_json(const struct told *told)
{
    struct text_buffer out;
    text_init(&out);
    text_add_string(&out,
                    told->recorder ? "[{\"daemon\":\"recorder\"," : "[{\"daemon\":\"replayer\",");
    if (told->recorder) /* without its braces */
        text_add(&out, told->status.bytes + 1, told->status.size - 2);
    text_add_string(&out, told->recorder ? ",\"counters\":" : "\"counters\":");
    text_add(&out, told->counters.bytes, told->counters.size);
    text_add_string(&out, "}]\n");
    int rc = text_error(&out);
    if (rc == 0 && (fwrite(out.bytes, 1, out.size, stdout) != out.size || fflush(stdout) != 0))
        rc = errno == EPIPE ? 0 : -errno;
    text_close(&out);
    return rc;
}

/* ---- tables ---- */

static int show_counters(struct wire_map counters, bool recorder)
{
    static const struct column columns[] = {
        {"daemon", COLUMN_TEXT}, {"counter", COLUMN_TEXT}, {"value", COLUMN_COUNT}};
    struct table *table;
    int rc = table_open(&table, table_form(false), columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; rc == 0 && i < counters.count; i++) {
        struct wire_text key = wire_key_at(counters, i);
        char name[80];
        uint64_t value = 0;
        snprintf(name, sizeof name, "%.*s", (int)(key.size < 79 ? key.size : 79), key.bytes);
        (void)wire_u64(counters, name, &value, NULL);
        table_text(table, recorder ? "recorder" : "replayer");
        table_text(table, name);
        table_number(table, value);
    }
    return rc < 0 ? rc : table_close(table);
}

static const struct column ring_columns[] = {
    {"name", COLUMN_TEXT},       {"track", COLUMN_TEXT},       {"epoch", COLUMN_COUNT},
    {"produced", COLUMN_COUNT},  {"written", COLUMN_COUNT},    {"durable", COLUMN_COUNT},
    {"lost", COLUMN_COUNT},      {"lost_total", COLUMN_COUNT}, {"fill", COLUMN_SIZE},
    {"high_water", COLUMN_SIZE}, {"state", COLUMN_TEXT},
};

static void put_ring(struct table *table, struct wire_map ring)
{
    for (size_t i = 0; i < sizeof ring_columns / sizeof ring_columns[0]; i++) {
        const char *key = ring_columns[i].name;
        char text[256] = "";
        uint64_t number = 0;
        if (ring_columns[i].kind != COLUMN_TEXT) {
            (void)wire_u64(ring, key, &number, NULL);
            table_number(table, number);
        } else {
            (void)wire_string(ring, key, text, sizeof text, NULL);
            table_text(table, text);
        }
    }
}

static int show_rings(struct wire_list rings)
{
    struct wire_map ring;
    struct table *table;
    int rc = table_open(&table, table_form(false), ring_columns,
                        sizeof ring_columns / sizeof ring_columns[0]);
    for (uint32_t i = 0; rc == 0 && i < rings.count; i++)
        if (wire_item_map(rings, i, &ring, NULL) == 1)
            put_ring(table, ring);
    return rc < 0 ? rc : table_close(table);
}

/* ---- asking ---- */

/* A daemon that does not know `status` is a replayer. */
static int ask_status(struct tdk_client *client, struct told *told, struct wire_map *result)
{
    struct tdk_err err;
    wire_put_map(client_begin(client, "status"), 0);
    int rc = client_call(client, NULL, NULL, result, &err);
    told->recorder = rc == 0;
    if (rc == 0)
        wire_json(&told->status, *result, NULL);
    return rc == 0 || rc == -ENOSYS ? CLI_OK : ask_fail(&err);
}

static int ask_counters(struct tdk_client *client, struct told *told, struct wire_map *counters)
{
    struct wire_map result = {NULL, 0};
    struct tdk_err err;
    wire_put_map(client_begin(client, "stats"), 0);
    int status = ask(client, &result);
    if (status == CLI_OK &&
        wire_must(wire_map(result, "counters", counters, &err), "counters", &err) < 0)
        return ask_fail(&err);
    wire_json(&told->counters, *counters, NULL);
    return status;
}

int stat_ask(struct tdk_client *client, bool all, bool json)
{
    struct told told = {.recorder = false};
    struct wire_map map = {NULL, 0};
    struct wire_list rings = {NULL, 0};
    struct tdk_err err;
    int rc = 0;
    text_init(&told.status);
    text_init(&told.counters);
    int status = ask_status(client, &told, &map);
    bool by_ring = told.recorder && !all && !json;
    if (status == CLI_OK && told.recorder &&
        wire_must(wire_list(map, "rings", &rings, &err), "rings", &err) < 0)
        status = ask_fail(&err);
    if (status == CLI_OK && by_ring)
        rc = show_rings(rings);
    else if (status == CLI_OK)
        status = ask_counters(client, &told, &map);
    if (status == CLI_OK && !by_ring)
        rc = json ? show_json(&told) : show_counters(map, told.recorder);
    text_close(&told.status);
    text_close(&told.counters);
    return rc < 0 ? cli_fail_stdout(rc) : status;
}
