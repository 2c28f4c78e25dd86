#include "cli/forecast.h"

#include "cli/interrupt.h"

/* Count by the blocks' directories. Only the blocks at the two ends of the range are read. */
static uint64_t count_here(struct tdk_tape *tape, const struct tdk_query *query)
{
    struct tdk_cursor *cursor;
    struct tdk_run run;
    struct tdk_err err;
    uint64_t ticks = 0;
    int rc = tdk_cursor_open(&cursor, tape, query, &err);
    if (rc < 0)
        return 0;
    while (!interrupted() &&
           ((rc = tdk_cursor_read(cursor, &run, &err)) == 1 || rc == TDK_ECORRUPT))
        ticks += rc == 1 ? run.ticks : 0;
    tdk_cursor_close(cursor);
    return rc == 0 ? ticks : 0;
}

static uint64_t count_there(struct remote *remote, const struct tdk_query *query)
{
    const struct tdk_client_query asked = {.range = *query};
    struct tdk_client_count count = {.ticks = 0};
    struct tdk_err err;
    return remote_count(remote, &asked, &count, &err) == 0 ? count.ticks : 0;
}

uint64_t forecast_ticks(struct depot *depot, const struct tdk_query *query)
{
    struct tdk_query counted = *query;
    if (query->symbol_count > 0 || query->type_count > 0 ||
        (depot->types != NULL && depot->types->count > 0))
        return 0;
    counted.count_only = true;
    counted.control = counted.reverse = false;
    counted.limit = 0;
    uint64_t ticks = depot->remote != NULL ? count_there(depot->remote, &counted)
                                           : count_here(depot->tape, &counted);
    return query->limit > 0 && query->limit < ticks ? query->limit : ticks;
}

uint64_t forecast_bytes(uint64_t forecast, uint64_t ticks, uint64_t bytes)
{
    if (forecast == 0 || ticks == 0)
        return 0;
    if (ticks >= forecast) /* possible when the tape is being recorded */
        return bytes;
    return (uint64_t)((double)bytes / (double)ticks * (double)forecast);
}
