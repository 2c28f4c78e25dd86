#include "index/find_state.h"

#include "base/bytes.h"
#include "base/err.h"

enum { AT_INSTRUMENT = KEY_EPOCH_SIZE, AT_SEGMENT = KEY_EPOCH_SIZE + sizeof(uint32_t) };

/* Does the cursor stand at a state's key that begins like this one? */
static bool is_alike(const struct store_cursor *at, const struct key *key, size_t size)
{
    return at->key_size == KEY_STATE_SIZE && memcmp(at->key, key->bytes, size) == 0;
}

/* Go to the last key that is not above this one. */
static int seek_last(struct store_cursor *cursor, const struct key *key)
{
    int rc = store_cursor_seek(cursor, key);
    if (rc == 0)
        return store_cursor_last(cursor);
    if (rc == 1 && !is_alike(cursor, key, key->size))
        return store_cursor_prev(cursor);
    return rc;
}

static int take(const struct store_cursor *cursor, const struct state_ref *like,
                struct state_ref *state, struct tdk_err *err)
{
    if (cursor->value_size != sizeof state->kinds)
        return store_misfit(err);
    *state = *like;
    state->segment = load_be64(cursor->key + AT_SEGMENT);
    state->kinds = load_u32(cursor->value);
    return 0;
}

static int walk_down(struct store_cursor *cursor, const struct state_ref *last,
                     struct state_ref *states, int room, struct tdk_err *err)
{
    struct key key;
    key_state(&key, last);
    int count = 0, rc = seek_last(cursor, &key);
    while (rc == 1 && count < room && is_alike(cursor, &key, AT_SEGMENT)) {
        rc = take(cursor, last, &states[count], err);
        if (rc == 0) {
            count++;
            rc = store_cursor_prev(cursor);
        }
    }
    return rc < 0 ? rc : count;
}

int find_states(struct store *store, const struct state_ref *last, struct state_ref *states,
                int room, struct tdk_err *err)
{
    struct store_look look;
    int rc = store_look_open(&look, store, err);
    if (rc < 0)
        return rc;
    rc = walk_down(&look.at, last, states, room, err);
    store_look_close(&look);
    return rc;
}

int find_state_instrument(struct store *store, const struct state_ref *first,
                          uint32_t *instrument_id, struct tdk_err *err)
{
    struct store_look look;
    struct key key;
    key_state(&key, first);
    int rc = store_look_open(&look, store, err);
    if (rc < 0)
        return rc;
    rc = store_cursor_seek(&look.at, &key);
    if (rc == 1 && !is_alike(&look.at, &key, AT_INSTRUMENT))
        rc = 0;
    if (rc == 1)
        *instrument_id = __builtin_bswap32(load_u32(look.at.key + AT_INSTRUMENT));
    store_look_close(&look);
    return rc;
}
