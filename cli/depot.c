#include "cli/depot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "tape/cursor.h"
#include "tape/segment.h"
#include "tape/tape.h"

/* A sealed segment ends with a foot. Without the foot, a segment file that stands alone has neither
 * an index nor neighbours that would show what is missing after its last whole block. */
static void look_at_end(const char *path)
{
    static const char sealed[] = ".seg";
    struct segment *segment;
    struct segment_foot foot;
    size_t size = strlen(path);
    if (size < sizeof sealed || strcmp(path + size - (sizeof sealed - 1), sealed) != 0 ||
        segment_open(&segment, path, NULL, NULL) < 0)
        return;
    if (segment_read_foot(segment, &foot, NULL) < 0)
        cli_lossy("%s is cut or damaged at its end: it has no foot, and what followed its last "
                  "whole block is missing",
                  path);
    segment_close(segment);
}

int depot_open(struct depot *s, const char *tape, const struct ask_args *where)
{
    struct tdk_err err;
    *s = (struct depot){.tape = NULL};
    if (where != NULL && ask_by_address(tape, where->address)) {
        s->where = *where;
        if (s->where.timeout_ns == 0)
            s->where.timeout_ns = ASK_SILENCE_NS;
        return remote_open(&s->remote, &s->where);
    }
    if (tape == NULL)
        return cli_usage("no source: name a tape with -T DIR or in TAPEDECK_TAPE%s",
                         where != NULL ? ", a replayer with -a ADDRESS or in TAPEDECK_ADDR" : "");
    if (tdk_tape_open(&s->tape, tape, &err) < 0)
        return cli_fail(&err, NULL);
    look_at_end(tape);
    return CLI_OK;
}

void depot_close(struct depot *s)
{
    tdk_tape_close(s->tape);
    remote_close(s->remote);
    s->tape = NULL;
    s->remote = NULL;
}

/* ---- what it knows ---- */

int depot_info(struct depot *s, struct tdk_tape_info *info, struct tdk_err *err)
{
    if (s->remote != NULL)
        return remote_info(s->remote, info, err);
    tdk_tape_info(s->tape, info);
    return 0;
}

int depot_tracks(struct depot *s, int (*each)(const struct tdk_track_info *track, void *context),
                 void *context, struct tdk_err *err)
{
    return s->remote != NULL ? remote_tracks(s->remote, each, context, err)
                             : tdk_tape_tracks(s->tape, each, context, err);
}

int depot_epochs(struct depot *s, const char *track,
                 int (*each)(const struct tdk_epoch_info *epoch, void *context), void *context,
                 struct tdk_err *err)
{
    return s->remote != NULL ? remote_epochs(s->remote, track, each, context, err)
                             : tdk_tape_epochs(s->tape, track, each, context, err);
}

int depot_property(struct depot *s, const char *track, uint64_t epoch, const char *key,
                   void **value, size_t *size, struct tdk_err *err)
{
    return s->remote != NULL ? remote_property(s->remote, track, epoch, key, value, size, err)
                             : tdk_tape_property(s->tape, track, epoch, key, value, size, err);
}

int depot_symbols(struct depot *s, const char *track,
                  int (*each)(const struct tdk_symbol_info *symbol, void *context), void *context,
                  struct tdk_err *err)
{
    return s->remote != NULL ? remote_symbols(s->remote, track, each, context, err)
                             : tdk_tape_symbols(s->tape, track, each, context, err);
}

struct symbols_wanted {
    struct depot *depot;
    struct tdk_err *err;
};

static int load_symbols(const struct tdk_track_info *track, void *context)
{
    const struct symbols_wanted *wanted = context;
    struct symbols *symbols = NULL;
    int rc = tape_symbols(wanted->depot->tape, track->number, &symbols, wanted->err);
    symbols_drop(symbols);
    return rc;
}

static int pass_over(const struct tdk_symbol_info *symbol, void *context)
{
    (void)symbol;
    (void)context;
    return 0;
}

int depot_load_symbols(struct depot *s, struct tdk_err *err)
{
    struct symbols_wanted wanted = {s, err};
    return s->remote != NULL ? remote_symbols(s->remote, NULL, pass_over, NULL, err)
                             : tdk_tape_tracks(s->tape, load_symbols, &wanted, err);
}

int depot_lost(const struct tdk_lost_segments *lost, void *context)
{
    struct tdk_err err;
    (void)context;
    (void)tape_say_lost(lost, &err);
    cli_lossy("%s", err.text);
    return 0;
}

int depot_coverage(struct depot *s, const struct tdk_query *query,
                   const struct tdk_coverage_walk *walk, struct tdk_err *err)
{
    struct tdk_coverage_walk told = *walk;
    if (told.lost == NULL)
        told.lost = depot_lost;
    return s->remote != NULL ? remote_coverage(s->remote, query, &told, err)
                             : tdk_tape_coverage(s->tape, query, &told, err);
}

/* ---- facts ---- */

static const char *fact_symbol(void *context, const char *track, uint16_t number, uint64_t epoch,
                               uint32_t instrument_id, uint64_t ts)
{
    const struct depot *s = context;
    return s->remote != NULL ? remote_symbol(s->remote, track, epoch, instrument_id, ts)
                             : tdk_tape_symbol(s->tape, number, epoch, instrument_id, ts);
}

static int fact_property(void *context, const char *track, uint64_t epoch, const char *key,
                         void **value, size_t *size)
{
    return depot_property(context, track, epoch, key, value, size, NULL);
}

struct output_facts depot_facts(struct depot *s)
{
    return (struct output_facts){.context = s, .symbol = fact_symbol, .property = fact_property};
}

/* ---- ticks ---- */

struct reader {
    struct tdk_cursor *cursor; /* or the two below */
    struct tdk_client *client;
    struct tdk_stream *stream;
};

int reader_open(struct reader **reader, struct depot *s, const struct tdk_query *query,
                struct tdk_err *err)
{
    struct reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return err_set(err, -ENOMEM, "query");
    int rc;
    if (s->remote != NULL) {
        const struct tdk_client_query asked = {.range = *query,
                                               .types = s->types != NULL ? s->types->items : NULL,
                                               .type_count = s->types != NULL ? s->types->count : 0,
                                               .no_digest = true};
        rc = remote_query(s->remote, &asked, &r->client, &r->stream, err);
    } else {
        rc = tdk_cursor_open(&r->cursor, s->tape, query, err);
        if (rc == 0)
            cursor_stop_when(r->cursor, interrupt_asked, NULL);
    }
    if (rc < 0) {
        reader_close(r);
        return rc;
    }
    *reader = r;
    return 0;
}

void reader_close(struct reader *r)
{
    if (r == NULL)
        return;
    tdk_cursor_close(r->cursor);
    tdk_stream_close(r->stream);
    tdk_client_close(r->client);
    free(r);
}

int reader_read(struct reader *r, struct tdk_run *run, struct tdk_err *err)
{
    if (r->cursor != NULL) {
        int rc = tdk_cursor_read(r->cursor, run, err);
        return rc == -ECANCELED ? err_say(err, rc, "interrupted") : rc;
    }
    return remote_code(tdk_stream_read(r->stream, run, err), err);
}
