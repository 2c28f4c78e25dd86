/*
 * pack_piece.c - about a hundred frames of a group, word by word.
 *
 * A frame is words of eight bytes. pack->words has each word side by side for all frames of the
 * piece, in the first-level cache, so that wide registers put one column after the other into them.
 * When everything is there, the words become frames, four at a time, each at its place in the
 * block, which is written once. A word that all frames of a group share stays from piece to piece.
 */
#include "base/bytes.h"
#include "tape/pack_inner.h"
#include "tape/wide.h"

enum {
    WORD = sizeof(uint64_t),
    SEQ = offsetof(struct tdk_frame, seq) / WORD,
    TS = offsetof(struct tdk_frame, ts) / WORD,
    INSTRUMENT = PACK_INSTRUMENT_AT / WORD,
    FRAMES = 4, /* frames that go to their places together */
    AHEAD = 12, /* how many frames ahead a place is prefetched into the cache */
};

void pack_lay_pattern(struct pack *pack, size_t span, uint32_t rows)
{
    for (size_t w = 0; w < span / WORD; w++) {
        const uint64_t word = pack->pattern[w];
        for (uint32_t i = 0; i < rows; i++)
            pack->words[w][i] = word;
    }
}

/* ---- heads ---- */

/* With one span: a frame's place gives its seq, its rank gives its time. */
ALWAYS_INLINE void lay_uniform_heads(struct pack *pack, const struct pack_piece *piece)
{
    const uint16_t *places = piece->places + piece->begin;
    const uint16_t *ranks = piece->part->ranks + piece->begin;
    const uint64_t first_seq = pack->head->first_seq, *stamps = pack->stamps;
    uint64_t *seq = pack->words[SEQ], *ts = pack->words[TS];
    const uint32_t from = piece->from - piece->begin, end = piece->end - piece->begin;
    for (uint32_t i = from; i < end; i++)
        seq[i] = first_seq + places[i];
    for (uint32_t i = from; i < end; i++)
        ts[i] = stamps[ranks[i]];
}

/* With several spans: both are in the frame already. */
static void lay_mixed_heads(struct pack *pack, const struct pack_piece *piece)
{
    for (uint32_t i = piece->from; i < piece->end; i++) {
        const unsigned char *frame = pack->frames + pack->offset_of[piece->part->ranks[i]];
        pack->words[SEQ][i - piece->begin] = load_u64(frame + offsetof(struct tdk_frame, seq));
        pack->words[TS][i - piece->begin] = load_u64(frame + offsetof(struct tdk_frame, ts));
    }
}

/* The frame of the group behind the strand's last one. */
static uint32_t end_of(const struct pack_piece *piece, const struct strand *strand)
{
    return strand->first + strand->count - piece->group_first;
}

/* What one strand fills is not written again for the next piece, unless other fields share that
 * word. */
ALWAYS_INLINE void lay_instruments(struct pack *pack, struct pack_piece *piece)
{
    const uint32_t begin = piece->begin, end = piece->end;
    uint32_t i = piece->from;
    while (end_of(piece, piece->strand) <= i)
        piece->strand++;
    const struct strand *strand = piece->strand;
    const bool is_one = end_of(piece, strand) >= end;
    if (is_one && piece->laid == strand && !pack->instruments_share)
        return;
    piece->laid = is_one && i == begin && end - begin == COLUMN_ROWS ? strand : NULL;
    for (; i < end; strand++) {
        const uint64_t word = pack->pattern[INSTRUMENT] | (uint64_t)strand->instrument
                                                              << PACK_INSTRUMENT_AT % WORD * 8;
        const uint32_t stop = end_of(piece, strand) < end ? end_of(piece, strand) : end;
        for (; i < stop; i++)
            pack->words[INSTRUMENT][i - begin] = word;
    }
}

/* ---- values ---- */

/* The bits of a field, shifted to the lowest, and where they are in its word. */
struct bits {
    uint64_t mask;
    unsigned shift;
};

static struct bits bits_of(const struct pack_field *field)
{
    return (struct bits){pack_mask_of(field->size), field->offset % WORD * 8};
}

ALWAYS_INLINE void take_near(const uint64_t *restrict ref, struct bits bits, uint64_t base,
                             uint32_t rows, uint64_t *restrict values)
{
    if (bits.mask == UINT64_MAX)
        for (uint32_t i = 0; i < rows; i++)
            values[i] = ref[i] + base;
    else
        for (uint32_t i = 0; i < rows; i++)
            values[i] = (ref[i] >> bits.shift & bits.mask) + base;
}

ALWAYS_INLINE void add_ref(const uint64_t *restrict ref, struct bits bits, uint32_t rows,
                           uint64_t *restrict values)
{
    for (uint32_t i = 0; i < rows; i++)
        values[i] += ref[i] >> bits.shift & bits.mask;
}

ALWAYS_INLINE void begin_word(const uint64_t *restrict values, struct bits bits, uint64_t pattern,
                              uint32_t rows, uint64_t *restrict word)
{
    for (uint32_t i = 0; i < rows; i++)
        word[i] = (values[i] & bits.mask) << bits.shift | pattern;
}

ALWAYS_INLINE void add_to_word(const uint64_t *restrict values, struct bits bits, uint32_t rows,
                               uint64_t *restrict word)
{
    for (uint32_t i = 0; i < rows; i++)
        word[i] |= (values[i] & bits.mask) << bits.shift;
}

/* A field that is a whole word is read directly into its place. Values of rows that are not wanted
 * are read only to get past them. */
ALWAYS_INLINE void put_field(struct pack *pack, const struct pack_piece *piece, unsigned f)
{
    const struct pack_field *field = &piece->layout->fields[f];
    const uint32_t rows = piece->end - piece->begin;
    const size_t w = field->offset / WORD;
    struct pack_told *told = &pack->told[f];
    uint64_t *word = pack->words[w], *values = field->size == WORD ? word : pack->values;
    const bool has_ref = told->head.ref != COLUMN_NO_REF;
    const struct pack_field *ref = &piece->layout->fields[has_ref ? told->head.ref : 0];
    if (told->kind == PACK_COLUMN)
        column_read(&told->column, piece->begin, piece->end, piece->strands, values);
    if (piece->from == piece->end)
        return;
    if (told->kind == PACK_NEAR)
        take_near(pack->words[ref->offset / WORD], bits_of(ref), told->base, rows, values);
    else if (has_ref)
        add_ref(pack->words[ref->offset / WORD], bits_of(ref), rows, values);
    if (field->size != WORD && told->begins_word)
        begin_word(values, bits_of(field), pack->pattern[w], rows, word);
    else if (field->size != WORD)
        add_to_word(values, bits_of(field), rows, word);
}

/* ---- to their places ---- */

typedef uint64_t four __attribute__((vector_size(32), aligned(8), may_alias));

/* Write four words of four frames. */
ALWAYS_INLINE void turn_four(const uint64_t (*words)[PACK_ROWS], size_t row,
                             unsigned char *const *to, size_t at)
{
    const four a = *(const four *)&words[0][row], b = *(const four *)&words[1][row],
               c = *(const four *)&words[2][row], d = *(const four *)&words[3][row];
    const four ab02 = __builtin_shufflevector(a, b, 0, 4, 2, 6),
               ab13 = __builtin_shufflevector(a, b, 1, 5, 3, 7),
               cd02 = __builtin_shufflevector(c, d, 0, 4, 2, 6),
               cd13 = __builtin_shufflevector(c, d, 1, 5, 3, 7);
    *(four *)(to[0] + at) = __builtin_shufflevector(ab02, cd02, 0, 1, 4, 5);
    *(four *)(to[1] + at) = __builtin_shufflevector(ab13, cd13, 0, 1, 4, 5);
    *(four *)(to[2] + at) = __builtin_shufflevector(ab02, cd02, 2, 3, 6, 7);
    *(four *)(to[3] + at) = __builtin_shufflevector(ab13, cd13, 2, 3, 6, 7);
}

/* Where the frames of a piece go, and some frames after them. `uniform`: the block's uniform span;
 * 0: there are several. */
struct spots {
    size_t end;
    uint32_t at[COLUMN_ROWS + AHEAD];
};

ALWAYS_INLINE void find_spots(const struct pack *pack, const struct pack_piece *piece,
                              uint32_t uniform, struct spots *spots)
{
    const uint16_t *ranks = piece->part->ranks + piece->begin;
    const uint32_t end =
        piece->end + AHEAD < piece->part->end ? piece->end + AHEAD : piece->part->end;
    spots->end = end - piece->begin;
    for (size_t i = piece->from - piece->begin; i < spots->end; i++)
        spots->at[i] = uniform != 0 ? ranks[i] * uniform : pack->offset_of[ranks[i]];
}

ALWAYS_INLINE void put_four(const struct pack *pack, const uint32_t *spots, size_t row, size_t span)
{
    unsigned char *to[FRAMES];
    size_t w = 0;
    for (size_t k = 0; k < FRAMES; k++)
        to[k] = pack->frames + spots[k];
    for (; w + 4 <= span / WORD; w += 4)
        turn_four(pack->words + w, row, to, w * WORD);
    for (; w < span / WORD; w++)
        for (size_t k = 0; k < FRAMES; k++)
            store_u64(to[k] + w * WORD, pack->words[w][row + k]);
}

ALWAYS_INLINE void put_frames(const struct pack *pack, const struct pack_piece *piece, size_t span,
                              uint32_t uniform)
{
    const size_t end = piece->end - piece->begin;
    size_t i = piece->from - piece->begin;
    struct spots spots;
    find_spots(pack, piece, uniform, &spots);
    for (; i + FRAMES <= end; i += FRAMES) {
        for (size_t k = 0; i + AHEAD + FRAMES <= spots.end && k < FRAMES; k++)
            __builtin_prefetch(pack->frames + spots.at[i + AHEAD + k], 1);
        put_four(pack, spots.at + i, i, span);
    }
    for (; i < end; i++)
        for (size_t w = 0; w < span / WORD; w++)
            store_u64(pack->frames + spots.at[i] + w * WORD, pack->words[w][i]);
}

/* The most common spans have a loop of their own. */
ALWAYS_INLINE void put_all(const struct pack *pack, const struct pack_piece *piece)
{
    const uint32_t span = (uint32_t)tdk_frame_span(piece->class->size);
    if (pack->outline.uniform == 0)
        put_frames(pack, piece, span, 0);
    else if (span == 72)
        put_frames(pack, piece, 72, 72);
    else if (span == 80)
        put_frames(pack, piece, 80, 80);
    else if (span == 104)
        put_frames(pack, piece, 104, 104);
    else
        put_frames(pack, piece, span, span);
}

ALWAYS_INLINE void lay_piece(struct pack *pack, struct pack_piece *piece)
{
    const bool is_wanted = piece->from < piece->end;
    if (is_wanted && pack->outline.uniform != 0)
        lay_uniform_heads(pack, piece);
    else if (is_wanted)
        lay_mixed_heads(pack, piece);
    if (is_wanted && piece->class->record)
        lay_instruments(pack, piece);
    for (unsigned i = 0; i < pack->varying_count; i++)
        put_field(pack, piece, pack->varying[i]);
    if (is_wanted)
        put_all(pack, piece);
}

static void lay_plain(struct pack *pack, struct pack_piece *piece)
{
    lay_piece(pack, piece);
}

WIDE static void lay_wide(struct pack *pack, struct pack_piece *piece)
{
    lay_piece(pack, piece);
}

void pack_lay_piece(struct pack *pack, struct pack_piece *piece)
{
    if (wide_is_possible())
        lay_wide(pack, piece);
    else
        lay_plain(pack, piece);
}
