#include "recorder/writer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "tape/files.h"

#define RETRY_NS          NS_PER_S
#define UNSYNCED_MAX      ((uint64_t)16 << 20) /* bytes written before a sync is asked for early */
#define FAILED_IN_ROW_MAX 3u
#define FRAMES_DEFAULT    ((size_t)1 << 20) /* a tick of the default size fits any buffer */

static struct write *write_at(const struct writer *w, uint64_t number)
{
    return &w->writes[number % w->count];
}

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

    void *memory = mmap(NULL, w->memory_size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        return err_set(err, -errno, "allocate %zu bytes of write buffers", w->memory_size);
    w->memory = memory;
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
    if (w->memory != NULL)
        munmap(w->memory, w->memory_size);
    if (w->writes != NULL)
        free(w->writes[0].pieces);
    free(w->writes);
    w->memory = NULL;
    w->writes = NULL;
}

bool writer_is_idle(const struct writer *w)
{
    return w->done == w->formed && !w->syncing && !w->journal->busy;
}

/* ---- forming ---- */

struct write *writer_begin(struct writer *w, size_t need, size_t *limit, uint64_t now_ns)
{
    struct write *write = write_at(w, w->formed);
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
    struct write *write = write_at(w, w->formed);
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
    w->state = WRITER_MOVING;
    w->sync_failed = false;
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
    writer_run(w, clock_mono());
    w->changed(w->context);
}

/* Nothing goes into a segment while the one before it could still lose its tail. */
static bool may_send(const struct writer *w, const struct write *write)
{
    if (w->sent == w->synced || w->sync == SYNC_NONE)
        return true;
    return write_at(w, w->sent - 1)->reel == write->reel;
}

static bool send_one(struct writer *w, struct write *write)
{
    write->back = false;
    place(w, write, write->again);
    if (uv_queue_work(w->loop, &write->work, write_work, on_written) < 0)
        return false;
    w->in_flight++;
    return true;
}

static void send_all(struct writer *w)
{
    while (w->state == WRITER_OK && w->sent < w->formed && w->in_flight < WRITER_IN_FLIGHT) {
        struct write *write = write_at(w, w->sent);
        if (!may_send(w, write) || !send_one(w, write))
            return;
        w->sent++;
    }
}

/* What found no space goes out again, to the same place: nothing is wrong with the file. */
static void send_again(struct writer *w, uint64_t now_ns)
{
    if (w->state != WRITER_NO_SPACE || now_ns < w->retry_ns)
        return;
    w->retry_ns = now_ns + RETRY_NS;
    bool any = false;
    for (uint64_t i = w->told; i < w->sent; i++) {
        struct write *write = write_at(w, i);
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
            source_written(piece->source, piece->position);
        if (piece->mark.seq != 0)
            piece->source->written = piece->mark;
    }
    write->told = true;
    w->counts.writes++;
    w->counts.blocks += write->piece_count;
    w->counts.bytes += write->size;
}

static void tell_all(struct writer *w)
{
    while (w->told < w->sent) {
        struct write *write = write_at(w, w->told);
        if (!write->back || write->status < 0)
            return;
        tell(w, write);
        w->told++;
    }
    if (w->sync == SYNC_NONE && w->state != WRITER_MOVING)
        w->synced = w->told;
}

/* ---- syncing ---- */

static void mark_durable(struct writer *w, uint64_t upto)
{
    for (; w->synced < upto; w->synced++) {
        const struct write *write = write_at(w, w->synced);
        for (unsigned i = 0; i < write->piece_count; i++) {
            struct source *source = write->pieces[i].source;
            if (write->pieces[i].mark.seq == 0)
                continue;
            source->durable = write->pieces[i].mark;
            source->owes_ack = true;
        }
    }
}

static void sync_work(uv_work_t *work)
{
    struct writer *w = container_of(work, struct writer, sync_work);
    w->sync_status = files->fdatasync(w->sync_reel->file->fd);
    w->sync_took_ns = clock_mono() - w->sync_started_ns;
}

static void on_synced(uv_work_t *work, int status)
{
    struct writer *w = container_of(work, struct writer, sync_work);
    assert(status == 0); /* nothing cancels it */
    (void)status;
    w->syncing = false;
    w->counts.syncs++;
    if (w->sync_took_ns > w->counts.sync_max_ns)
        w->counts.sync_max_ns = w->sync_took_ns;
    if (w->sync_status == 0) {
        w->sync_reel->synced_upto = w->sync_end;
        mark_durable(w, w->sync_upto);
        w->failures = 0;
        w->synced_to(w->context);
    } else {
        struct tdk_err err;
        err_set(&err, w->sync_status, "sync segment %llu",
                (unsigned long long)w->sync_reel->number);
        log_error("%s; what is not safe yet is written again to a fresh segment", err.text);
        w->sync_reel->failed = true;
        w->sync_failed = true;
        w->state = WRITER_MOVING;
    }
    writer_run(w, clock_mono());
    w->changed(w->context);
}

/* The writes a sync begun now would cover: those returned, of the first one's file. */
static uint64_t sync_reach(const struct writer *w, uint64_t *bytes)
{
    uint64_t upto = w->synced;
    *bytes = 0;
    while (upto < w->told && write_at(w, upto)->reel == write_at(w, w->synced)->reel) {
        *bytes += write_at(w, upto)->size;
        upto++;
    }
    return upto;
}

static bool sync_is_due(const struct writer *w, uint64_t upto, uint64_t bytes, uint64_t now_ns)
{
    const struct write *oldest = write_at(w, w->synced);
    if (w->sync == SYNC_BATCH || w->draining || bytes >= UNSYNCED_MAX ||
        w->told - w->done >= w->count / 2 || w->state == WRITER_MOVING)
        return true;
    if (upto < w->formed && write_at(w, upto)->reel != oldest->reel)
        return true; /* the next segment waits for it */
    return now_ns >= oldest->since_ns + w->interval_ns;
}

static void sync_start(struct writer *w, uint64_t now_ns)
{
    uint64_t bytes;
    if (w->syncing || w->sync == SYNC_NONE || w->told == w->synced || w->sync_failed ||
        w->state == WRITER_DEAD)
        return;
    uint64_t upto = sync_reach(w, &bytes);
    if (!sync_is_due(w, upto, bytes, now_ns))
        return;
    const struct write *last = write_at(w, upto - 1);
    w->sync_reel = last->reel;
    w->sync_upto = upto;
    w->sync_end = last->offset + last->size;
    w->sync_started_ns = now_ns;
    w->syncing = uv_queue_work(w->loop, &w->sync_work, sync_work, on_synced) == 0;
}

/* ---- to a fresh segment ---- */

/* What counts of the failed segment ends where the first write that is not safe begins. */
static void abandon(struct writer *w, const struct write *first)
{
    struct reel *bad = first->reel;
    rotate_abandon(w->rotate, bad, first->offset);
    if (bad->blocks == 0 || first->offset == SEGMENT_FIRST_OFFSET)
        bad->failed = true; /* nothing in it to seal */
    journal_seal_later(w->journal, bad);
    w->counts.failed_segments++;
    w->failures++;
    w->abandoned = true;
}

static void give_up(struct writer *w)
{
    log_error("three segments in a row failed: giving up; what is in the rings stays there");
    w->state = WRITER_DEAD;
    w->dead(w->context);
}

/* New places for everything that is not safe. Nothing in the reel they go to counts so far. */
static void place_again(struct writer *w, struct reel *fresh, uint64_t now_ns)
{
    fresh->end = SEGMENT_FIRST_OFFSET;
    fresh->blocks = 0;
    for (uint64_t i = w->synced; i < w->formed; i++) {
        struct write *write = write_at(w, i);
        write->reel = fresh;
        write->offset = fresh->end;
        write->first_block = fresh->blocks;
        write->again = write->again || i < w->sent;
        rotate_placed(w->rotate, write->size, write->piece_count, i, now_ns);
    }
    w->counts.rewritten += w->sent - w->synced;
    w->sent = w->told = w->synced;
}

static void move(struct writer *w, uint64_t now_ns)
{
    if (!w->abandoned)
        abandon(w, write_at(w, w->synced));
    if (w->failures >= FAILED_IN_ROW_MAX || w->rotate->failures >= FAILED_IN_ROW_MAX) {
        give_up(w);
        return;
    }
    struct reel *fresh = rotate_reel(w->rotate, 0, now_ns);
    if (fresh == NULL)
        return; /* being made: we are asked again */
    place_again(w, fresh, now_ns);
    log_warn("segment %llu takes up what segment before it could not keep: %llu writes",
             (unsigned long long)fresh->number, (unsigned long long)(w->formed - w->synced));
    w->abandoned = false;
    w->sync_failed = false;
    w->state = WRITER_OK;
}

static void move_when_quiet(struct writer *w, uint64_t now_ns)
{
    if (w->state != WRITER_MOVING || w->in_flight != 0 || w->syncing)
        return;
    if (!w->sync_failed && w->told > w->synced && w->sync != SYNC_NONE)
        return; /* what was good before the failure is synced first */
    if (w->done != w->synced || w->journal->busy)
        return; /* the journal still notes what is safe */
    move(w, now_ns);
}

/* ---- the journal ---- */

/* Writes that are safe and of one segment; and whether that segment is complete with them. */
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
    struct reel *reel = write_at(w, w->done)->reel;
    size_t count = 0;
    while (w->done + count < w->synced && count < j->room &&
           write_at(w, w->done + count)->reel == reel) {
        j->writes[count] = write_at(w, w->done + count);
        count++;
    }
    complete = rotate_take_closed(w->rotate, w->done + count);
    journal_start(j, count, reel, complete == reel);
}

static void on_noted(void *context, size_t count)
{
    struct writer *w = context;
    for (size_t i = 0; i < count; i++, w->done++)
        if (write_at(w, w->done) == w->large_user)
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
    sync_start(w, now_ns);
    journal_next(w);
    send_again(w, now_ns);
    move_when_quiet(w, now_ns);
    send_all(w);
}
