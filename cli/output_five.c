/* output_five.c - ticks of five fields as JSON lines: symbol, time, price, volume, type. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/output_kind.h"
#include "formats/dbn_layout.h"
#include "formats/dbn_names.h"
#include "formats/five.h"

/* Names are kept in sets, by number, because those of one file alternate, and a name that is not
 * kept may have to be asked for over a network. */
#define SETS 256u
#define WAYS 4u

/* The name of a kind of wide trades, as it was looked up. kind 0: none, that one needs no name. */
struct kind_name {
    uint64_t epoch;
    uint16_t number, kind;
    char name[FIVE_TYPE_MAX + 1];
    size_t size;
};

struct five_state {
    struct kind_name kinds[SETS][WAYS];
    unsigned turn; /* which of a set gives way to the next one */
    char id[16];   /* "#123": an instrument whose symbol is not known */
};

static int five_open(struct output *o, struct tdk_err *err)
{
    o->state = calloc(1, sizeof(struct five_state));
    return o->state != NULL ? 0 : err_set(err, -ENOMEM, "open the output");
}

static void five_close(struct output *o)
{
    free(o->state);
}

static int look_up_kind(const struct output *o, struct kind_name *kind,
                        const struct output_run *run, uint16_t number, struct tdk_err *err)
{
    char key[32];
    void *value = NULL;
    size_t size = 0;
    const struct output_facts *facts = &o->options.facts;
    snprintf(key, sizeof key, "message_type.%u", number);
    int rc = -ENOENT;
    if (facts->property != NULL)
        rc = facts->property(facts->context, run->track, run->epoch, key, &value, &size);
    if (rc < 0 || size > FIVE_TYPE_MAX) {
        free(value);
        return err_say(err, TDK_EFORMAT, "track %s gives no name for message type %u", run->track,
                       number);
    }
    *kind = (struct kind_name){
        .epoch = run->epoch, .number = run->number, .kind = number, .size = size};
    memcpy(kind->name, value, size);
    free(value);
    return 0;
}

static struct kind_name *find_kind(struct five_state *state, const struct output_run *run,
                                   uint16_t number)
{
    struct kind_name *set = state->kinds[(number + run->number) % SETS];
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].kind == number && set[i].number == run->number && set[i].epoch == run->epoch)
            return &set[i];
    struct kind_name *kind = &set[state->turn++ % WAYS];
    kind->kind = 0;
    return kind;
}

static int name_kind(const struct output *o, const struct output_run *run, uint16_t number,
                     struct five_tick *tick, struct tdk_err *err)
{
    tick->message_type = "trade";
    tick->message_type_size = strlen("trade");
    if (number == 0)
        return 0;
    struct kind_name *kind = find_kind(o->state, run, number);
    int rc = kind->kind == 0 ? look_up_kind(o, kind, run, number, err) : 0;
    if (rc < 0)
        return rc;
    tick->message_type = kind->name;
    tick->message_type_size = kind->size;
    return 0;
}

static void name_symbol(const struct output *o, const struct output_run *run,
                        const struct tdk_dbn_head *head, uint64_t ts, struct five_tick *tick)
{
    struct five_state *state = o->state;
    tick->symbol = output_symbol(o, run, head->instrument_id, ts);
    if (tick->symbol == NULL) {
        snprintf(state->id, sizeof state->id, "#%" PRIu32, head->instrument_id);
        tick->symbol = state->id;
    }
    tick->symbol_size = strlen(tick->symbol);
}

static int refuse(const struct output *o, const struct tdk_frame *frame, struct tdk_err *err)
{
    const char *name = "opaque payloads";
    if (frame->type <= TDK_TYPE_WIDE && frame->size >= sizeof(struct tdk_dbn_head))
        name = dbn_rtype_name(((const struct tdk_dbn_head *)(frame + 1))->rtype);
    return err_say(err, TDK_EFORMAT,
                   "the %s holds %s, which five fields cannot hold: %sleave out --five",
                   o->options.live ? "ring" : "range", name != NULL ? name : "unknown records",
                   o->options.live ? "" : "choose -t trades or -t wide-trade, or ");
}

/* Five fields cannot express undefined values, and larger ones could not be read back. */
static bool is_said_in_five(const struct five_tick *tick)
{
    return tick->price < TDK_PRICE_UNDEFINED && tick->price > -TDK_PRICE_UNDEFINED &&
           tick->volume != UINT64_MAX && tick->ts != TDK_TS_UNDEFINED;
}

static int five_tick(struct output *o, const struct output_run *run, const struct tdk_frame *frame,
                     struct tdk_err *err)
{
    const struct tdk_dbn_head *head = (const struct tdk_dbn_head *)(frame + 1);
    struct five_tick tick = {.ts = frame->ts};
    uint16_t kind = 0;
    if (frame->type > TDK_TYPE_WIDE)
        return refuse(o, frame, err);
    if (!tdk_dbn_check(frame->type, head, frame->size)) {
        o->skipped++;
        return 0;
    }
    if (head->rtype == TDK_RTYPE_WIDE_TRADE) {
        const struct tdk_wide_trade *trade = (const struct tdk_wide_trade *)head;
        if (head->ts_event != TDK_TS_UNDEFINED) /* as given, even if a feed changed the frame's */
            tick.ts = head->ts_event;
        tick.price = trade->price;
        tick.volume = trade->size;
        kind = trade->kind;
    } else if (head->rtype == TDK_RTYPE_TRADES) {
        const struct tdk_dbn_trades *trade = (const struct tdk_dbn_trades *)head;
        tick.price = trade->price;
        tick.volume = trade->size != UINT32_MAX ? trade->size * UINT64_C(1000000000) : UINT64_MAX;
    } else {
        return refuse(o, frame, err);
    }
    if (!is_said_in_five(&tick)) {
        o->skipped++;
        return 0;
    }
    int rc = name_kind(o, run, kind, &tick, err);
    if (rc < 0)
        return rc;
    name_symbol(o, run, head, tick.ts, &tick);
    five_encode(&o->text, &tick);
    return 0;
}

const struct output_kind output_five = {
    .unfit = "not a whole record, or its price, size or time is undefined",
    .open = five_open,
    .tick = five_tick,
    .close = five_close,
};
