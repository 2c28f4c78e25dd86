/*
 * key.h - keys whose bytes sort in the order of what they stand for.
 *
 *   'M'                                                    which tape this index is of
 *   'S' number u64                                         a segment
 *   'T' track u16                                          a track
 *   'E' track u16, epoch u64                               one life of its source
 *   'B' track u16, epoch u64, running_max u64, first_seq u64, segment u64, block u32
 *   'O' the same, for a block that holds ticks with untrusted times
 *   'Y' track u16, epoch u64, instrument u32, from u64, order u16       a symbol
 *   'I' track u16, epoch u64, the key's bytes              a property
 *   'K' ts u64, track u16, epoch u64, seq u64, the name    a mark
 *   'L' track u16, epoch u64, instrument u32, segment u64  what state of it a segment has
 *
 * Numbers are big-endian. The running maximum never goes back in an epoch, so 'B' sorts by seq and
 * by time at once. Pure; any thread.
 */
#ifndef TDK_INDEX_KEY_H
#define TDK_INDEX_KEY_H

#include "index/index.h"

#define KEY_MAX        256
#define KEY_BLOCK_SIZE 39
#define KEY_STATE_SIZE 23
#define KEY_EPOCH_SIZE 11 /* keys of blocks, symbols and properties begin with as many */

enum key_kind {
    KEY_META = 'M',
    KEY_SEGMENT = 'S',
    KEY_TRACK = 'T',
    KEY_EPOCH = 'E',
    KEY_BLOCK = 'B',
    KEY_ODD = 'O',
    KEY_SYMBOL = 'Y',
    KEY_INFO = 'I',
    KEY_MARK = 'K',
    KEY_STATE = 'L',
};

struct key {
    size_t size;
    unsigned char bytes[KEY_MAX];
};

void key_meta(struct key *key);
void key_segment(struct key *key, uint64_t number);
void key_track(struct key *key, uint16_t track);
void key_of_track(struct key *key, enum key_kind kind, uint16_t track); /* all keys of a track */
void key_epoch(struct key *key, enum key_kind kind, uint16_t track, uint64_t epoch);
void key_symbol(struct key *key, const struct symbol_ref *symbol);
void key_mark(struct key *key, const struct mark_ref *mark);
void key_state(struct key *key, const struct state_ref *state);
void key_block(struct key *key, enum key_kind kind, const struct block_ref *block);

/* The key at which to search for the first block that may reach `time`. */
void key_block_from(struct key *key, enum key_kind kind, uint16_t track, uint64_t epoch,
                    uint64_t time);

/* False: the name is empty or too long. */
bool key_info(struct key *key, uint16_t track, uint64_t epoch, const char *name);

/* Compare two keys as LMDB does. */
int key_compare(const struct key *a, const struct key *b);

#endif
