#include "tape/states.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tape/kinds.h"

/* ---- making ---- */

enum {
    SLOTS = 2 * BLOCK_ENTRIES_MAX,
    VARINT_MAX = 5, /* bytes of a u32 */
};

struct slot {
    uint32_t instrument_id;
    uint16_t stamp; /* of the block that used it last */
    uint16_t kinds;
};

struct states_maker {
    unsigned char *bytes; /* ours */
    size_t size, room;
    size_t blocks;
    bool is_short; /* the list is not complete */
    uint16_t stamp;
    uint32_t used; /* slots used by this block */
    struct kinds_table table;
    struct scatter scatter; /* over the slots */
    struct slot slots[SLOTS];
};
static_assert(SLOTS == 1u << 15, "slot_of() takes the 15 high bits of 32");
static_assert(KINDS_COUNT < 16, "slot.kinds, segment_ref.states");

struct states_maker *states_maker_open(void)
{
    struct states_maker *maker = calloc(1, sizeof *maker);
    if (maker != NULL) {
        kinds_table_fill(&maker->table);
        scatter_init(&maker->scatter);
    }
    return maker;
}

void states_maker_close(struct states_maker *maker)
{
    if (maker == NULL)
        return;
    free(maker->bytes);
    free(maker);
}

void states_maker_clear(struct states_maker *maker)
{
    maker->size = maker->blocks = 0;
    maker->is_short = false;
}

/* The instrument's slot. A free slot has another stamp. */
static inline struct slot *slot_of(struct states_maker *m, uint32_t instrument_id)
{
    struct slot *slot = &m->slots[scatter_of(&m->scatter, instrument_id) >> 17];
    while (slot->instrument_id != instrument_id && slot->stamp == m->stamp)
        if (++slot == m->slots + SLOTS)
            slot = m->slots;
    return slot;
}

static inline void note_tick(struct states_maker *m, uint32_t instrument_id, uint32_t kind)
{
    struct slot *slot = slot_of(m, instrument_id);
    if (slot->stamp == m->stamp) {
        slot->kinds |= (uint16_t)kind;
    } else if (m->used == BLOCK_ENTRIES_MAX) {
        m->is_short = true; /* no directory lists so many: the block is wrong */
    } else {
        *slot = (struct slot){instrument_id, m->stamp, (uint16_t)kind};
        m->used++;
    }
}

static void begin_block(struct states_maker *m)
{
    m->used = 0;
    if (++m->stamp == 0) { /* once in 65536 blocks: otherwise the old stamps would look new */
        memset(m->slots, 0, sizeof m->slots);
        m->stamp = 1;
    }
}

/* Two words of a frame have everything: what frame_rtype() and frame_instrument() read one by
 * one. */
static void note_ticks(struct states_maker *m, const struct block_view *view)
{
    const unsigned char *at = view->frames, *end = at + view->head->frames_size;
    while (at != end) {
        uint64_t head = load_u64(at);
        /* The type, and whether the payload is whole. */
        unsigned type = head >> 48 & (0xff | TDK_FLAG_INVALID << 8);
        at += tdk_frame_span((uint32_t)head);
        if (type - 1u > TDK_TYPE_WIDE - 1u)
            continue;
        uint64_t record = load_u64(at - tdk_frame_span((uint32_t)head) + sizeof(struct tdk_frame));
        uint32_t kind = (type == TDK_TYPE_DBN ? m->table.dbn : m->table.wide)[record >> 8 & 0xff];
        if (kind != 0 && record >> 32 != 0)
            note_tick(m, (uint32_t)(record >> 32), kind);
    }
}

static bool reserve(struct states_maker *m, size_t size)
{
    if (m->room - m->size >= size)
        return true;
    size_t room = m->room == 0 ? (size_t)64 << 10 : 2 * m->room;
    while (room - m->size < size)
        room *= 2;
    unsigned char *bytes = room > 2 * STATES_MAX ? NULL : realloc(m->bytes, room);
    if (bytes == NULL)
        return false;
    m->bytes = bytes;
    m->room = room;
    return true;
}

/* 7 bits a byte, low ones first; bit 7: more follow. */
static void put_varint(struct states_maker *m, uint32_t value)
{
    for (; value >= 0x80; value >>= 7)
        m->bytes[m->size++] = (unsigned char)(value | 0x80);
    m->bytes[m->size++] = (unsigned char)value;
}

/* In the order of the directory: by instrument. Instrument 0 means none, and is left out. */
static void put_block(struct states_maker *m, const struct block_view *view, uint32_t count)
{
    uint32_t last = 0, first = count > 0 && directory_instrument(view, 0) == 0 ? 1 : 0;
    put_varint(m, count - first);
    for (uint32_t i = first; i < count; i++) {
        uint32_t instrument_id = directory_instrument(view, i);
        const struct slot *slot = m->used > 0 ? slot_of(m, instrument_id) : NULL;
        put_varint(m, instrument_id - last);
        put_varint(m, slot != NULL && slot->stamp == m->stamp ? slot->kinds : 0);
        last = instrument_id;
    }
}

void states_note(struct states_maker *maker, const struct block_view *view)
{
    maker->blocks++;
    if (maker->is_short)
        return;
    begin_block(maker);
    note_ticks(maker, view);
    uint32_t count = view->head->count > 0 ? directory_instruments(view) : 0;
    if (!reserve(maker, VARINT_MAX + 2 * VARINT_MAX * (size_t)count))
        maker->is_short = true;
    if (!maker->is_short)
        put_block(maker, view, count);
}

const void *states_made(const struct states_maker *maker, size_t blocks, size_t *size)
{
    if (maker->is_short || maker->blocks != blocks || maker->size > STATES_MAX || blocks == 0)
        return NULL;
    *size = maker->size;
    return maker->bytes;
}

/* ---- reading ---- */

/* Read the number at *at, and move *at past it. False: there is none before the end. */
static bool get_varint(const unsigned char **at, const unsigned char *end, uint32_t *value)
{
    uint64_t sum = 0;
    for (unsigned shift = 0; shift < 7 * VARINT_MAX; shift += 7) {
        if (*at == end)
            return false;
        unsigned char byte = *(*at)++;
        sum |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *value = (uint32_t)sum;
            return sum <= UINT32_MAX;
        }
    }
    return false;
}

/* Check a block's list: ids ascend, and there is no kind that was not looked for. Each instrument
 * has a kind, unless the list has all instruments. */
static bool check_block(const struct states *s, const unsigned char **at, const unsigned char *end)
{
    uint32_t count, step, found, last = 0;
    const bool tells_all = (s->kinds & KINDS_PRESENT) != 0;
    const uint32_t state = s->kinds & ~KINDS_PRESENT;
    if (!get_varint(at, end, &count) || count > BLOCK_ENTRIES_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!get_varint(at, end, &step) || !get_varint(at, end, &found) || step == 0 ||
            step > UINT32_MAX - last || (found == 0 && !tells_all) || (found & ~state) != 0)
            return false;
        last += step;
    }
    return true;
}

int states_open(struct states *states, void *bytes, size_t size, size_t blocks, uint32_t kinds_told)
{
    struct states s = {.bytes = bytes, .blocks = blocks, .kinds = kinds_told};
    const unsigned char *at = bytes, *end = at + size;
    bool is_possible = size <= STATES_MAX && blocks <= size; /* a block takes at least one byte */
    if (is_possible)
        s.starts = malloc((blocks + 1) * sizeof *s.starts);
    if (s.starts == NULL) {
        free(bytes);
        return is_possible ? -ENOMEM : TDK_ECORRUPT;
    }
    for (size_t i = 0; i < blocks && is_possible; i++) {
        s.starts[i] = (uint32_t)(at - s.bytes);
        is_possible = check_block(&s, &at, end);
    }
    if (!is_possible || at != end) {
        states_close(&s);
        return TDK_ECORRUPT;
    }
    s.starts[blocks] = (uint32_t)size;
    *states = s;
    return 0;
}

void states_close(struct states *states)
{
    free(states->bytes);
    free(states->starts);
    *states = (struct states){.bytes = NULL};
}

size_t states_of_block(const struct states *states, size_t block, struct known *items)
{
    const unsigned char *at = states->bytes + states->starts[block];
    const unsigned char *end = states->bytes + states->starts[block + 1];
    uint32_t count = 0, step = 0, found = 0, last = 0;
    bool whole = get_varint(&at, end, &count);
    for (uint32_t i = 0; i < count; i++) {
        whole = whole && get_varint(&at, end, &step) && get_varint(&at, end, &found);
        items[i].instrument_id = last += step;
        items[i].kinds = found | (states->kinds & KINDS_PRESENT);
    }
    assert(whole); /* states_open() has checked each list */
    return count;
}

bool states_have(const struct states *states, size_t block, const uint32_t *instruments,
                 size_t count)
{
    const unsigned char *at = states->bytes + states->starts[block];
    const unsigned char *end = states->bytes + states->starts[block + 1];
    uint32_t left = 0, step = 0, found = 0, id = 0;
    bool whole = get_varint(&at, end, &left);
    for (size_t i = 0; i < count; i++) {
        for (; id < instruments[i] && left > 0; left--) {
            whole = whole && get_varint(&at, end, &step) && get_varint(&at, end, &found);
            id += step;
        }
        if (id == instruments[i])
            return true;
        if (id < instruments[i])
            break; /* that was the last instrument */
    }
    assert(whole); /* states_open() has checked each list */
    return false;
}

void states_take(struct states_maker *maker, size_t blocks, struct states *states)
{
    size_t size;
    *states = (struct states){.bytes = NULL};
    if (states_made(maker, blocks, &size) != NULL) {
        /* Without memory there is no list. */
        states_open(states, maker->bytes, size, blocks, KINDS_TOLD);
        maker->bytes = NULL;
        maker->room = 0;
    }
    states_maker_clear(maker);
}

/* ---- by instrument ---- */

static bool is_of(const struct block_ref *ref, const struct block_ref *other)
{
    return ref->track == other->track && ref->epoch == other->epoch;
}

/* Unite the lists of the blocks from `first` on that are of the same track and epoch, and mark
 * those blocks as done. */
static int unite(const struct states *states, const struct block_ref *refs, size_t first,
                 bool *done, struct known *items, struct known_table *united)
{
    int rc = 0;
    known_clear(united);
    for (size_t i = first; i < states->blocks && rc == 0; i++) {
        if (done[i] || !is_of(&refs[i], &refs[first]))
            continue;
        done[i] = true;
        size_t count = states_of_block(states, i, items);
        for (size_t k = 0; k < count && rc == 0; k++)
            rc = known_add(united, items[k].instrument_id, items[k].kinds);
    }
    return rc;
}

static int tell_each(const struct known_table *united, const struct block_ref *ref,
                     int (*each)(const struct state_ref *state, void *context), void *context)
{
    int rc = 0;
    for (size_t i = 0; i < united->room && rc == 0; i++) {
        const struct state_ref state = {.epoch = ref->epoch,
                                        .segment = ref->segment,
                                        .instrument_id = united->items[i].instrument_id,
                                        .kinds = united->items[i].kinds,
                                        .track = ref->track};
        if (state.instrument_id != 0)
            rc = each(&state, context);
    }
    return rc;
}

int states_each(const struct states *states, const struct block_ref *refs,
                int (*each)(const struct state_ref *state, void *context), void *context)
{
    struct known_table united = {.items = NULL};
    struct known *items = malloc(BLOCK_ENTRIES_MAX * sizeof *items);
    bool *done = calloc(states->blocks + 1, sizeof *done);
    int rc = items != NULL && done != NULL ? 0 : -ENOMEM;
    for (size_t i = 0; i < states->blocks && rc == 0; i++) {
        if (done[i])
            continue;
        rc = unite(states, refs, i, done, items, &united);
        if (rc == 0)
            rc = tell_each(&united, &refs[i], each, context);
    }
    known_close(&united);
    free(items);
    free(done);
    return rc;
}

/* ---- into the index ---- */

struct putting {
    struct index *index;
    uint32_t count;
    struct tdk_err *err;
};

static int count_one(const struct state_ref *state, void *context)
{
    struct putting *p = context;
    (void)state;
    return ++p->count > STATES_INDEXED_MAX;
}

static int put_one(const struct state_ref *state, void *context)
{
    struct putting *p = context;
    return index_put_state(p->index, state, p->err);
}

int states_put(const struct states *states, const struct block_ref *refs, struct index *index,
               uint16_t *kinds_put, struct tdk_err *err)
{
    struct putting p = {.index = index, .err = err};
    int rc = states_each(states, refs, count_one, &p);
    if (rc == 0)
        rc = states_each(states, refs, put_one, &p);
    *kinds_put = rc == 0 ? (uint16_t)states->kinds : 0;
    if (rc == -ENOMEM)
        return err_set(err, rc, "index the states of a segment");
    return rc < 0 ? rc : 0;
}
