#include "recorder/rounds.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "recorder/recorder.h"

void rounds_init(struct rounds *rs, struct recorder *recorder)
{
    *rs = (struct rounds){.recorder = recorder};
    rs->asked_last = &rs->asked;
}

struct round_task *rounds_add(struct rounds *rs, struct request *request, enum round_kind kind)
{
    struct round_task *task = calloc(1, sizeof *task);
    if (task == NULL)
        return NULL;
    task->request = request;
    task->kind = kind;
    *rs->asked_last = task;
    rs->asked_last = &task->next;
    return task;
}

/* What was asked, up to a second mark: a round has one name for its marks. */
static void begin(struct rounds *rs)
{
    struct recorder *r = rs->recorder;
    struct round_task **at = &rs->asked;
    const struct round_task *mark = NULL;
    for (; *at != NULL && (mark == NULL || (*at)->kind != ROUND_MARK); at = &(*at)->next)
        if ((*at)->kind == ROUND_MARK)
            mark = *at;
    rs->round = rs->asked;
    rs->asked = *at;
    *at = NULL;
    if (rs->asked == NULL)
        rs->asked_last = &rs->asked;
    rs->placed = false;
    if (mark != NULL)
        pump_push(&r->pump, mark->name, mark->back, mark->ts);
    else
        pump_push(&r->pump, NULL, 0, 0);
    pump_turn(&r->pump, clock_mono());
}

static bool has(const struct rounds *rs, enum round_kind kind)
{
    for (const struct round_task *t = rs->round; t != NULL; t = t->next)
        if (t->kind == kind)
            return true;
    return false;
}

static void answer(const struct round_task *task, uint64_t segment)
{
    if (task->kind == ROUND_DETACH && task->inlet->state != RING_DETACHED)
        inlet_detach(task->inlet); /* it may have been asked for twice */
    if (task->request == NULL)
        return;
    struct text_buffer *out = request_answer(task->request);
    wire_put_map(out, task->kind == ROUND_ROLL || task->kind == ROUND_MARK ? 1 : 0);
    if (task->kind == ROUND_ROLL)
        wire_pair_u64(out, "segment", segment);
    else if (task->kind == ROUND_MARK)
        wire_pair_u64(out, "ts", task->ts);
    request_done(task->request);
}

static void finish(struct rounds *rs)
{
    const struct recorder *r = rs->recorder;
    uint64_t segment = r->rotate.current != NULL ? r->rotate.current->number : 0;
    struct round_task *round = rs->round;
    rs->round = NULL;
    while (round != NULL) {
        struct round_task *next = round->next;
        answer(round, segment);
        free(round);
        round = next;
    }
}

static void place(struct rounds *rs)
{
    struct recorder *r = rs->recorder;
    if (rs->placed || !pump_is_pushed(&r->pump))
        return;
    rs->placed = true;
    rs->upto = r->writer.formed;
    if (has(rs, ROUND_ROLL)) {
        rotate_roll(&r->rotate);
        rotate_tend(&r->rotate, clock_mono());
    }
}

static bool is_safe(const struct rounds *rs)
{
    const struct recorder *r = rs->recorder;
    for (const struct round_task *t = rs->round; t != NULL; t = t->next)
        if (t->kind == ROUND_DETACH && !inlet_is_left(t->inlet))
            return false;
    bool rolled = !has(rs, ROUND_ROLL) || (!r->rotate.wanted && r->rotate.current != NULL);
    return rs->placed && r->writer.done >= rs->upto && rolled;
}

void rounds_turn(struct rounds *rs)
{
    struct recorder *r = rs->recorder;
    if (r == NULL || (rs->round == NULL && rs->asked == NULL))
        return;
    if (rs->round == NULL)
        begin(rs);
    place(rs);
    r->writer.draining = r->writer.draining || rs->placed; /* sync at once */
    writer_run(&r->writer, clock_mono());
    if (!is_safe(rs))
        return;
    r->writer.draining = r->stopping;
    finish(rs);
}

static void give_up(struct round_task *tasks)
{
    struct tdk_err err;
    err_say(&err, -ECANCELED, "the recorder is stopping");
    while (tasks != NULL) {
        struct round_task *next = tasks->next;
        if (tasks->request != NULL)
            request_fail(tasks->request, &err);
        free(tasks);
        tasks = next;
    }
}

void rounds_close(struct rounds *rs)
{
    struct round_task *round = rs->round, *asked = rs->asked;
    *rs = (struct rounds){.recorder = NULL};
    rs->asked_last = &rs->asked;
    give_up(round);
    give_up(asked);
}
