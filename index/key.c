#include "index/key.h"

#include "base/bytes.h"

static void put_u8(struct key *key, uint8_t value)
{
    key->bytes[key->size++] = value;
}

static void put_u16(struct key *key, uint16_t value)
{
    store_be16(key->bytes + key->size, value);
    key->size += sizeof value;
}

static void put_u32(struct key *key, uint32_t value)
{
    store_u32(key->bytes + key->size, __builtin_bswap32(value));
    key->size += sizeof value;
}

static void put_u64(struct key *key, uint64_t value)
{
    store_be64(key->bytes + key->size, value);
    key->size += sizeof value;
}

static void begin(struct key *key, enum key_kind kind)
{
    key->size = 0;
    put_u8(key, (uint8_t)kind);
}

void key_meta(struct key *key)
{
    begin(key, KEY_META);
}

void key_segment(struct key *key, uint64_t number)
{
    begin(key, KEY_SEGMENT);
    put_u64(key, number);
}

void key_of_track(struct key *key, enum key_kind kind, uint16_t track)
{
    begin(key, kind);
    put_u16(key, track);
}

void key_track(struct key *key, uint16_t track)
{
    key_of_track(key, KEY_TRACK, track);
}

void key_epoch(struct key *key, enum key_kind kind, uint16_t track, uint64_t epoch)
{
    key_of_track(key, kind, track);
    put_u64(key, epoch);
}

void key_symbol(struct key *key, const struct symbol_ref *symbol)
{
    key_epoch(key, KEY_SYMBOL, symbol->track, symbol->epoch);
    put_u32(key, symbol->instrument_id);
    put_u64(key, symbol->from);
    put_u16(key, symbol->order);
}

void key_mark(struct key *key, const struct mark_ref *mark)
{
    size_t size = strnlen(mark->name, sizeof mark->name - 1);
    begin(key, KEY_MARK);
    put_u64(key, mark->ts);
    put_u16(key, mark->track);
    put_u64(key, mark->epoch);
    put_u64(key, mark->seq);
    memcpy(key->bytes + key->size, mark->name, size);
    key->size += size;
}

void key_state(struct key *key, const struct state_ref *state)
{
    key_epoch(key, KEY_STATE, state->track, state->epoch);
    put_u32(key, state->instrument_id);
    put_u64(key, state->segment);
}

void key_block_from(struct key *key, enum key_kind kind, uint16_t track, uint64_t epoch,
                    uint64_t time)
{
    key_epoch(key, kind, track, epoch);
    put_u64(key, time);
}

void key_block(struct key *key, enum key_kind kind, const struct block_ref *block)
{
    key_block_from(key, kind, block->track, block->epoch, block->running_max);
    put_u64(key, block->first_seq);
    put_u64(key, block->segment);
    put_u32(key, block->block);
}

bool key_info(struct key *key, uint16_t track, uint64_t epoch, const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > KEY_MAX - KEY_EPOCH_SIZE)
        return false;
    key_epoch(key, KEY_INFO, track, epoch);
    memcpy(key->bytes + key->size, name, size);
    key->size += size;
    return true;
}

int key_compare(const struct key *a, const struct key *b)
{
    int order = memcmp(a->bytes, b->bytes, a->size < b->size ? a->size : b->size);
    if (order != 0)
        return order;
    return a->size < b->size ? -1 : a->size > b->size;
}
