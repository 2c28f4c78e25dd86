#include "formats/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "formats/dbn_names.h"
#include "formats/source_reader.h"

#define PAYLOAD_LEAST 4096u /* enough for any DBN record, and for a useful part of a property */

static bool may_be_text(enum source_format format)
{
    return format != SOURCE_DBN && format != SOURCE_PCAP && format != SOURCE_ITCH;
}

/* Ignore the byte order mark that some editors put in front of a text. No other format that is
 * detected begins like that. Bytes are asked for one by one, because a pipe may have no more. */
static void drop_mark(struct input *in)
{
    static const unsigned char mark[] = {0xef, 0xbb, 0xbf};
    size_t at = 0;
    while (at < sizeof mark && input_peek(in, at + 1) > at && in->at[at] == mark[at])
        at++;
    if (at == sizeof mark)
        input_consume(in, at);
}

static int open_reader(struct source *s, struct tdk_err *err)
{
    enum source_format format = s->options.format;
    if (may_be_text(format))
        drop_mark(s->input);
    int rc = format == SOURCE_AUTO ? source_detect(s, &format, err) : 0;
    if (rc < 0)
        return rc;
    switch (format) {
    case SOURCE_DBN:
        return source_open_dbn(s, err);
    case SOURCE_FIVE:
        return source_open_five(s, err);
    case SOURCE_PCAP:
        return source_open_pcap(s, err);
    case SOURCE_CSV:
        return source_open_csv(s, err);
    case SOURCE_ITCH:
        return source_open_itch(s, err);
    case SOURCE_CRYPTOFEED:
        return source_open_cryptofeed(s, err);
    case SOURCE_LINES:
    case SOURCE_AUTO:
        break;
    }
    return source_open_lines(s, err);
}

int source_open(struct source **source, const char *path, const struct source_options *options,
                struct tdk_err *err)
{
    struct source *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(err, -ENOMEM, "open %s", path);
    s->options = *options;
    if (s->options.payload_max == 0)
        s->options.payload_max = TDK_PAYLOAD_DEFAULT_MAX;
    s->path = strdup(strcmp(path, "-") == 0 ? "stdin" : path);
    int rc = s->path == NULL ? err_set(err, -ENOMEM, "open %s", path) : 0;
    if (rc == 0 && s->options.payload_max < PAYLOAD_LEAST)
        rc = err_say(err, TDK_EVALUE, "payloads of at most %u bytes are too small; %u are needed",
                     s->options.payload_max, PAYLOAD_LEAST);
    if (rc == 0)
        rc = input_open(&s->input, path, err);
    if (rc == 0)
        rc = open_reader(s, err);
    if (rc < 0) {
        source_close(s);
        return rc;
    }
    *source = s;
    return 0;
}

void source_close(struct source *source)
{
    if (source == NULL)
        return;
    if (source->close != NULL)
        source->close(source->state);
    source_close_packets(source);
    input_close(source->input);
    five_decoder_close(source->decoder);
    five_names_close(source->own_names);
    free(source->metadata);
    free(source->type);
    scratch_close(&source->control);
    free(source->path);
    free(source);
}

/* At the end of a file without ticks, return the property that says what they would have been. */
static int tell_schema(struct source *s, struct source_item *item, struct tdk_err *err)
{
    const char *schema = dbn_rtype_name(s->rtype);
    source_queue_info(s, SOURCE_SCHEMA_KEY, schema, strlen(schema));
    return source_next_info(s, item, err);
}

int source_next(struct source *source, struct source_item *item, struct tdk_err *err)
{
    if (source->info.pending)
        return source_next_info(source, item, err);
    if (source->tick_pending) {
        source->tick_pending = false;
        *item = source->tick;
        return 1;
    }
    if (source->ended)
        return 0;
    int rc = source->next(source, item, err);
    if (rc == 0 && !source->any && source->rtype != 0)
        return tell_schema(source, item, err);
    source->any |= rc == 1;
    return rc;
}

void source_passed_over(const struct source *source, source_passed_cb *each, void *context)
{
    source_tell_count(source, source->connections,
                      "lines about connections and requests were left out", false, each, context);
    if (source->capture != NULL)
        source_passed_packets(source, each, context);
    if (source->passed_over != NULL)
        source->passed_over(source, each, context);
}

void source_progress(const struct source *source, uint64_t *done, uint64_t *total)
{
    input_progress(source->input, done, total);
}

/* ---- for the readers ---- */

int source_cut(struct source *s, const char *what, size_t size, size_t have, struct tdk_err *err)
{
    s->ended = true;
    int rc = input_status(s->input, err);
    if (rc < 0)
        return rc;
    return err_say(err, TDK_ETRUNCATED,
                   "%s: ends inside %s: at offset %" PRIu64 ", %zu bytes of %zu", s->path, what,
                   input_offset(s->input), have, size);
}

/* Memory for one control item, which is kept until the next one. */
static void *control_room(struct source *s, size_t size, struct tdk_err *err)
{
    if (!scratch_need(&s->control, size)) {
        s->ended = true;
        err_set(err, -ENOMEM, "read %s", s->path);
    }
    return s->control.bytes;
}

void source_queue_info(struct source *s, const char *key, const void *value, size_t size)
{
    struct source_info *info = &s->info;
    *info = (struct source_info){.value = value, .size = size, .pending = true};
    snprintf(info->key, sizeof info->key, "%s", key);
}

int source_next_info(struct source *s, struct source_item *item, struct tdk_err *err)
{
    struct source_info *info = &s->info;
    size_t key_size = strlen(info->key);
    size_t room = s->options.payload_max - sizeof(struct tdk_info) - key_size;
    size_t part = info->size - info->told < room ? info->size - info->told : room;
    size_t size = sizeof(struct tdk_info) + key_size + part;
    unsigned char *payload = control_room(s, size, err);
    if (payload == NULL) {
        info->pending = false;
        return -ENOMEM;
    }
    struct tdk_info head = {.total = (uint32_t)info->size,
                            .offset = (uint32_t)info->told,
                            .key_size = (uint16_t)key_size};
    memcpy(payload, &head, sizeof head);
    memcpy(payload + sizeof head, info->key, key_size);
    if (part > 0)
        memcpy(payload + sizeof head + key_size, (const char *)info->value + info->told, part);
    info->told += part;
    info->pending = info->told < info->size;
    *item = (struct source_item){.type = TDK_TYPE_INFO, .payload = payload, .size = (uint32_t)size};
    return 1;
}

int source_queue_type(struct source *s, const char *name, const char *content, struct tdk_err *err)
{
    if (s->options.type_name != NULL)
        name = s->options.type_name;
    if (s->options.content_type != NULL)
        content = s->options.content_type;
    if (asprintf(&s->type, "%s\t%s", name, content) < 0) {
        s->type = NULL;
        return err_set(err, -ENOMEM, "open %s", s->path);
    }
    source_queue_info(s, "type.3", s->type, strlen(s->type));
    return 0;
}

int source_need_names(struct source *s, struct tdk_err *err)
{
    int rc = s->options.names == NULL ? five_names_open(&s->own_names) : 0;
    if (rc < 0)
        return err_set(err, rc, "open %s", s->path);
    s->names = s->options.names != NULL ? s->options.names : s->own_names;
    return 0;
}

static int too_many(struct source *s, int rc, const char *what, struct tdk_err *err)
{
    if (rc == TDK_EFULL)
        err_say(err, TDK_EVALUE, "more %s than can be numbered", what);
    else
        err_set(err, rc, "number the %s", what);
    return source_bad_line(s, rc == TDK_EFULL ? TDK_EVALUE : rc, err);
}

static int announce(struct source *s, const char *symbol, size_t symbol_size, uint32_t id,
                    struct source_item *item, struct tdk_err *err)
{
    struct tdk_symbol head = {.instrument_id = id, .to = UINT64_MAX};
    size_t size = sizeof head + symbol_size;
    unsigned char *payload = control_room(s, size, err);
    if (payload == NULL)
        return -ENOMEM;
    memcpy(payload, &head, sizeof head);
    memcpy(payload + sizeof head, symbol, symbol_size);
    *item =
        (struct source_item){.type = TDK_TYPE_SYMBOL, .payload = payload, .size = (uint32_t)size};
    return 1;
}

int source_number_kind(struct source *s, const char *name, size_t size, uint16_t *kind,
                       struct tdk_err *err)
{
    char key[32];
    int rc = five_names_kind(s->names, name, size, kind);
    if (rc < 0)
        return too_many(s, rc, "message types", err);
    if (rc == 0)
        return 0;
    snprintf(key, sizeof key, "message_type.%u", *kind);
    source_queue_info(s, key, name, size);
    return 1;
}

int source_number(struct source *s, const char *symbol, size_t size, uint32_t *id,
                  struct source_item *item, struct tdk_err *err)
{
    int rc = five_names_symbol(s->names, symbol, size, id);
    if (rc == 0)
        return 0;
    if (rc > 0)
        return announce(s, symbol, size, *id, item, err);
    return too_many(s, rc, "symbols", err);
}

void source_queue_tick(struct source *s, uint8_t type, uint64_t ts, const void *payload,
                       size_t size)
{
    s->tick =
        (struct source_item){.type = type, .ts = ts, .payload = payload, .size = (uint32_t)size};
    s->tick_pending = true;
}

void source_tell_count(const struct source *s, uint64_t count, const char *what, bool loss,
                       source_passed_cb *each, void *context)
{
    char text[500];
    if (count == 0)
        return;
    snprintf(text, sizeof text, "%s: %" PRIu64 " %s", s->path, count, what);
    each(text, loss, context);
}

int source_bad_line(struct source *s, int code, struct tdk_err *err)
{
    err_wrap(err, code, "%s: line %" PRIu64, s->path, s->line);
    return code;
}

int source_line(struct source *s, size_t max, const char **line, size_t *size, struct tdk_err *err)
{
    for (;;) {
        int rc = input_line(s->input, max, line, size);
        if (rc == 0) {
            s->ended = true;
            return input_status(s->input, err);
        }
        s->line++;
        if (rc < 0) {
            err_say(err, TDK_EVALUE, "longer than %zu bytes", max);
            return source_bad_line(s, TDK_EVALUE, err);
        }
        if (*size > 0 && (*size > 1 || **line != '\r'))
            return 1;
    }
}
