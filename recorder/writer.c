#include "recorder/writer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffers.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "recorder/mend.h"
#include "recorder/sync.h"
#include "tape/files.h"

#define RETRY_NS       NS_PER_S
#define FRAMES_DEFAULT ((size_t)1 << 20) /* a tick of the default size fits into any buffer */

/* ---- memory ---- */

static void share_out(struct writer *w, size_t room, struct piece *pieces, unsigned pieces_max)
{
    for (size_t i = 0; i < w->count; i++) {
        struct write *write = &w->writes[i];
        write->writer = w;
        write->own = w->memory + i * room;
        write->bytes = write->own;
        write->room = room;
        write->pieces = pieces + i * pieces_max;
        write->piece_room = pieces_max;
    }
    w->large = w->memory + w->count * room;
}

int writer_init(struct writer *w, uv_loop_t *loop, struct rotate *rotate, struct journal *journal,
                struct recovered *tape, const struct writer_options *options, struct tdk_err *err)
{
    memset(w, 0, sizeof *w);
    w->loop = loop;
    w->rotate = rotate;
    w->journal = journal;
    w->tape = tape;
    w->limit = align_up(options->limit, TAPE_ALIGN);
    w->sync = options->sync;
    w->interval_ns = options->interval_ns;
    w->written_ns = tape->written_ns;
    size_t least = align_up(block_room_for((uint32_t)FRAMES_DEFAULT), TAPE_ALIGN);
    size_t room = w->limit > least ? w->limit : least;
    w->count = options->memory / room > 4 ? options->memory / room : 4;
    w->large_room = align_up(block_room_for(TDK_PAYLOAD_HARD_MAX), TAPE_ALIGN);
    w->memory_size = w->count * room + w->large_room;

    w->memory = buffers_map(w->memory_size);
    if (w->memory == NULL)
        return err_set(err, -errno, "allocate %zu bytes of write buffers", w->memory_size);
    w->writes = calloc(w->count, sizeof *w->writes);
    struct piece *pieces = calloc(w->count * options->pieces_max, sizeof *pieces);
    if (w->writes == NULL || pieces == NULL) {
        free(pieces);
        writer_close(w);
        return err_set(err, -ENOMEM, "allocate %zu writes", w->count);
    }
    share_out(w, room, pieces, options->pieces_max);
    return 0;
}

void writer_close(struct writer *w)
{
    buffers_unmap(w->memory, w->memory_size);
    if (w->writes != NULL)
        free(w->writes[0].pieces);
    free(w->writes);
    w->memory = NULL;
    w->writes = NULL;
}

bool writer_has_no_space(const struct writer *w)
{
    return w->state == WRITER_NO_SPACE || w->rotate->no_space;
}

bool writer_is_idle(const struct writer *w)
{
    return w->done == w->formed && !w->syncing && !w->journal->busy;
}

/* ---- forming ---- */

struct write *writer_begin(struct writer *w, size_t need, size_t *limit, uint64_t now_ns)
{
    struct write *write = writer_at(w, w->formed);
    size_t size = align_up(need > w->limit ? need : w->limit, TAPE_ALIGN);
    if (w->formed - w->done == w->count || w->state == WRITER_DEAD || w->state == WRITER_MOVING)
        return NULL;
    bool large = size > write->room;
    if (large && (w->large_user != NULL || size > w->large_room))
        return NULL;
    struct reel *reel = rotate_reel(w->rotate, size, now_ns);
    if (reel == NULL)
        return NULL;

    write->bytes = large ? w->large : write->own;
    write->size = 0;
    write->piece_count = 0;
    write->since_ns = UINT64_MAX;
    write->reel = reel;
    write->again = write->told = write->back = false;
    *limit = size;
    return write;
}

static void place(struct writer *w, struct write *write, bool again)
{
    uint64_t wall = clock_wall();
    if (wall > w->written_ns)
        w->written_ns = wall;
    struct block_place place = {
        .segment = write->reel->number,
        .synced_upto = write->reel->synced_upto,
        .previous_end = write->reel->previous_end,
        .written_ns = w->written_ns,
        .flags = again ? BLOCK_REWRITTEN : 0,
    };
    memcpy(place.tape_id, w->tape->folder.tape_id, sizeof place.tape_id);
    for (unsigned i = 0; i < write->piece_count; i++) {
        bool last = i + 1 == write->piece_count;
        const struct piece *piece = &write->pieces[i];
        place.block = write->first_block + i;
        place.span = (uint32_t)((last ? write->size : write->pieces[i + 1].at) - piece->at);
        block_finish(write->bytes + piece->at, &place);
    }
}

void writer_commit(struct writer *w, uint64_t now_ns)
{
    struct write *write = writer_at(w, w->formed);
    if (write->piece_count == 0)
        return;
    size_t padded = align_up(write->size, TAPE_ALIGN);
    memset(write->bytes + write->size, 0, padded - write->size);
    write->size = padded;
    write->offset = write->reel->end;
    write->first_block = write->reel->blocks;
    if (write->bytes == w->large)
        w->large_user = write;
    rotate_placed(w->rotate, write->size, write->piece_count, w->formed, now_ns);
    w->formed++;
    if (w->formed - w->done > w->counts.pool_max)
        w->counts.pool_max = w->formed - w->done;
}

/* ---- sending ---- */

static void write_work(uv_work_t *work)
{
    struct write *write = container_of(work, struct write, work);
    write->started_ns = clock_mono();
    write->status = files_write(write->reel->file->fd, write->bytes, write->size, write->offset);
    write->took_ns = clock_mono() - write->started_ns;
}

static void fail(struct writer *w, const struct write *write, int status)
{
    struct tdk_err err;
    bool space = status == -ENOSPC || status == -EDQUOT;
    if (space && (w->state == WRITER_OK || w->state == WRITER_NO_SPACE)) {
        if (w->state == WRITER_OK)
            log_error("degraded: no space: segment %llu at %llu; trying again each second",
                      (unsigned long long)write->reel->number, (unsigned long long)write->offset);
        w->state = WRITER_NO_SPACE;
        w->retry_ns = clock_mono() + RETRY_NS;
        return;
    }
    if (w->state == WRITER_MOVING || w->state == WRITER_DEAD)
        return;
    err_set(&err, status, "write segment %llu at %llu", (unsigned long long)write->reel->number,
            (unsigned long long)write->offset);
    log_error("%s; going on in a fresh segment", err.text);
    mend_begin(w, false);
}

static void on_written(uv_work_t *work, int status)
{
    struct write *write = container_of(work, struct write, work);
    struct writer *w = write->writer;
    assert(status == 0); /* nothing cancels it */
    (void)status;
    w->in_flight--;
    write->back = true;
    if (write->took_ns > w->counts.write_max_ns)
        w->counts.write_max_ns = write->took_ns;
    if (write->status < 0)
        fail(w, write, write->status);
    else if (w->sync == SYNC_NONE)
        w->failures = 0; /* otherwise a sync resets it */
    writer_run(w, clock_mono());
    w->changed(w->context);
}

/* Nothing goes into a segment while the previous one could still lose its tail. */
static bool may_send(const struct writer *w, const struct write *write)
{
    if (w->sent == w->synced || w->sync == SYNC_NONE)
        return true;
    return writer_at(w, w->sent - 1)->reel == write->reel;
}

static bool send_one(struct writer *w, struct write *write)
{
    write->back = false;
    if (uv_queue_work(w->loop, &write->work, write_work, on_written) < 0)
        return false;
    w->in_flight++;
    return true;
}

static unsigned most_in_flight(const struct write *write)
{
    return write->reel->file->direct ? WRITER_IN_FLIGHT : WRITER_IN_FLIGHT_BUFFERED;
}

static void send_all(struct writer *w)
{
    while (w->state == WRITER_OK && w->sent < w->formed) {
        struct write *write = writer_at(w, w->sent);
        if (w->in_flight >= most_in_flight(write) || !may_send(w, write))
            return;
        place(w, write, write->again);
        if (!send_one(w, write))
            return;
        w->sent++;
    }
}

/* What found no space goes out again, to the same place: nothing is wrong with the file. And as it
 * was: those behind it may be there already, and no block tells of a later time than the next. */
static void send_again(struct writer *w, uint64_t now_ns)
{
    if (w->state != WRITER_NO_SPACE || now_ns < w->retry_ns)
        return;
    w->retry_ns = now_ns + RETRY_NS;
    bool any = false;
    for (uint64_t i = w->told; i < w->sent; i++) {
        struct write *write = writer_at(w, i);
        if (write->back && write->status < 0)
            any = send_one(w, write) || any;
        any = any || !write->back;
    }
    if (!any) {
        log_info("there is space again");
        w->state = WRITER_OK;
    }
}

/* ---- telling ---- */

static void tell(struct writer *w, struct write *write)
{
    for (unsigned i = 0; i < write->piece_count; i++) {
        struct piece *piece = &write->pieces[i];
        if (!write->told)
            inlet_written(piece->inlet, piece->position);
        if (piece->mark.seq != 0)
            piece->inlet->written = piece->mark;
    }
    write->told = true;
    w->counts.writes++;
    w->counts.blocks += write->piece_count;
    w->counts.bytes += write->size;
}

static bool may_tell(const struct writer *w)
{
    const struct write *write = writer_at(w, w->told);
    return w->told < w->sent && write->back && write->status >= 0;
}

static void tell_all(struct writer *w)
{
    for (; may_tell(w); w->told++)
        tell(w, writer_at(w, w->told));
    if (w->sync == SYNC_NONE && w->state != WRITER_MOVING)
        w->synced = w->told;
}

/* ---- the journal ---- */

/* Pass on writes that are safe and of one segment, and whether that segment is complete with
 * them. */
static void journal_next(struct writer *w)
{
    struct journal *j = w->journal;
    if (j->busy)
        return;
    struct reel *complete = rotate_take_closed(w->rotate, w->done);
    if (complete != NULL) {
        journal_start(j, 0, complete, true);
        return;
    }
    if (w->done == w->synced)
        return;
    struct reel *reel = writer_at(w, w->done)->reel;
    size_t count = 0;
    while (w->done + count < w->synced && count < j->room &&
           writer_at(w, w->done + count)->reel == reel) {
        j->writes[count] = writer_at(w, w->done + count);
        count++;
    }
    complete = rotate_take_closed(w->rotate, w->done + count);
    journal_start(j, count, reel, complete == reel);
}

static void on_noted(void *context, size_t count)
{
    struct writer *w = context;
    for (size_t i = 0; i < count; i++, w->done++)
        if (writer_at(w, w->done) == w->large_user)
            w->large_user = NULL;
    writer_run(w, clock_mono());
    w->changed(w->context);
}

void writer_use_journal(struct writer *w)
{
    w->journal->done = on_noted;
    w->journal->context = w;
}

void writer_run(struct writer *w, uint64_t now_ns)
{
    tell_all(w);
    sync_tend(w, now_ns);
    journal_next(w);
    send_again(w, now_ns);
    mend_tend(w, now_ns);
    send_all(w);
}
