/*
 * pack_inner.h - a packed block that is being read, between the files that read it.
 *
 *   pack_outline.c    what is in it, and where: begin
 *   pack_directory.c  the directory of the block that it was
 *   pack_group.c      a group's columns back into frames
 *   pack_piece.c      a hundred of these frames, word by word
 *   pack_read.c       all of it
 *   pack_parts.c      some instruments of it
 *
 * Nothing that is stored is believed: a checksum that agrees says that it was written so, not that
 * it makes sense.
 */
#ifndef TDK_TAPE_PACK_INNER_H
#define TDK_TAPE_PACK_INNER_H

#include <string.h>
#include <zstd.h>

#include "tape/column.h"
#include "tape/directory.h"
#include "tape/pack.h"
#include "tape/stamps.h"
#include "tapedeck/dbn.h"
#include "tapedeck/tick.h"

struct strand {
    uint32_t instrument;
    uint32_t first; /* its first frame, in order of strands */
    uint32_t count;
    uint16_t entry; /* in the directory; of those that are no control frames */
    uint8_t class;
};

/* What is known of a group before it is unpacked. */
struct group {
    size_t at;     /* in what is stored */
    size_t raw_at; /* of what was not read yet of it in pack->raw, when all are unpacked */
    size_t raw_end;
    uint32_t first;      /* its first frame, in order of strands */
    uint32_t strand;     /* that one's */
    uint32_t begin, end; /* when some are picked: between these frames of it; none: equal */
};

/* Which of a group's frames are laid down, and where: as the ranks[i]-th of all that are. */
struct pack_part {
    uint32_t begin, end;
    const uint16_t *ranks;
};

/* What a column tells, by its head alone. */
enum pack_kind {
    PACK_KNOWN,  /* there is none: the field is told elsewhere */
    PACK_ALIKE,  /* `base` in every frame */
    PACK_NEAR,   /* `base` more than field head.ref */
    PACK_COLUMN, /* a value for each */
};
struct pack_told {
    enum pack_kind kind;
    struct column_head head;
    bool begins_word; /* no other field with values, nor the instrument, is there before it */
    uint64_t base;
    struct column column; /* in the group, unpacked */
};

#define PACK_WORDS_MAX ((sizeof(struct tdk_frame) + PACK_SIZE_MAX) / sizeof(uint64_t))
#define PACK_ROWS      (COLUMN_ROWS + 8) /* a word's: no two of them lie a power of two apart */

struct pack {
    /* The group at hand, so many of its frames, until each goes to its place: words[w][i] is word w
     * of frame i. First, so that where all of this is mapped no register's load is in two lines. */
    uint64_t words[PACK_WORDS_MAX][PACK_ROWS];

    ZSTD_DCtx *zstd;
    const struct block_head *head; /* borrowed, like the two below, until the next pack_begin() */
    const unsigned char *stored;
    unsigned char *frames;    /* NULL: what is picked goes to picked_frames */
    unsigned char *directory; /* behind the frames, or own_directory */
    struct pack_head outline;
    const unsigned char *classes,
        *groups_told;       /* struct pack_class, struct pack_group; unaligned */
    struct strand *strands; /* outline.strands; ours */
    struct group *groups;   /* outline.groups; ours */
    size_t strand_room, group_room;
    uint32_t entries;
    uint32_t ticks;
    struct pack_layout layout; /* of class layout_of; 0: of none */
    uint8_t layout_of;

    unsigned char *raw; /* unpacked groups; ours */
    size_t raw_room, raw_size;
    unsigned char *own_directory, *picked_frames; /* ours */
    size_t own_directory_room, picked_room;
    bool is_mapped; /* all of this, by buffers_map() */
    struct stamps told_stamps;
    bool stamps_open;
    bool is_right; /* no frame has to be looked at again */

    uint64_t stamps[PACK_FRAMES_MAX];   /* by place; of what is picked by rank */
    uint16_t place_of[PACK_FRAMES_MAX]; /* in order of strands */
    /* What is picked: which strands, how many frames, and their ranks among them. */
    uint64_t wanted[PACK_FRAMES_MAX / 64];
    uint32_t wanted_count, picked;
    bool is_picked; /* and there */
    union {
        struct {
            uint16_t rank_of[PACK_FRAMES_MAX];      /* in order of strands */
            uint16_t picked_place[PACK_FRAMES_MAX]; /* by rank */
        };
        /* Of a block that is read whole, by place: those that are kept whole, in raw. */
        uint32_t raw_of[PACK_FRAMES_MAX];
    };
    /* Where frames are of several spans, or some are kept whole; by place. */
    uint16_t strand_of[PACK_FRAMES_MAX];
    uint32_t offset_of[PACK_FRAMES_MAX]; /* of the frame; before that is known: its span */
    uint32_t cursors[BLOCK_ENTRIES_MAX]; /* of the directory's entries */
    bool seen[PACK_FRAMES_MAX];          /* by place */

    /* More of that group. */
    uint16_t starts[COLUMN_TICKS_MAX];
    uint64_t values[COLUMN_ROWS]; /* of a column */
    struct pack_told told[PACK_FIELDS_MAX];
    uint64_t pattern[PACK_WORDS_MAX]; /* a frame, as far as all are alike; zeros elsewhere */
    /* Which fields have values; has one of them the instruments' word? */
    uint8_t varying[PACK_FIELDS_MAX], varying_count;
    bool instruments_share;
};

static_assert(sizeof(struct pack) <= 2 << 20, "one large page");

static inline bool has_bit(const uint64_t *bits, size_t i)
{
    return (bits[i / 64] >> i % 64 & 1) != 0;
}

static inline void set_bit(uint64_t *bits, size_t i)
{
    bits[i / 64] |= UINT64_C(1) << i % 64;
}

static inline struct pack_group group_told(const struct pack *pack, uint32_t group)
{
    struct pack_group told;
    memcpy(&told, pack->groups_told + group * sizeof told, sizeof told);
    return told;
}

static inline struct pack_class class_told(const struct pack *pack, uint8_t class)
{
    struct pack_class told;
    memcpy(&told, pack->classes + (class - PACK_CLASSES) * sizeof told, sizeof told);
    return told;
}

/* ---- pack_outline.c ---- */

int pack_corrupt(struct tdk_err *err, const char *what);

/* Room for so many bytes, and for who reads a column behind them; what was in it is not kept. */
bool pack_grow(void **bytes, size_t *room, size_t size);

/* ---- pack_directory.c ---- */

/* Head and entries, by the strands. */
int pack_begin_directory(struct pack *pack, struct tdk_err *err);

uint16_t *pack_ordinals(const struct pack *pack); /* NULL: one instrument, whose are all */

/* ---- pack_group.c ---- */

/* Its bytes into `raw`. */
int pack_unpack_group(struct pack *pack, uint32_t group, unsigned char *raw, struct tdk_err *err);

/* Where strands begin in the first `count` frames of a group. */
struct column_strands pack_starts(struct pack *pack, uint32_t group, uint32_t count);

/* The places of its frames. Returns how many of its bytes tell them; 0: they cannot be right. */
size_t pack_read_places(struct pack *pack, uint32_t group, const unsigned char *raw,
                        const struct column_strands *strands);

/* Its frames, or a part of them; what tells their fields is behind the places. Where all are of one
 * span their seq is taken from the places and their time from the ranks; where they are not, both
 * are in the frames already. */
int pack_read_fields(struct pack *pack, uint32_t group, const unsigned char *raw, size_t size,
                     const struct column_strands *strands, const struct pack_part *part,
                     struct tdk_err *err);

/* ---- pack_piece.c ---- */

/* Frames [begin, end) of a group; those from `from` on are wanted. */
struct pack_piece {
    const struct pack_class *class;
    const struct pack_layout *layout;
    const struct column_strands *strands;
    const struct pack_part *part;
    const uint16_t *places; /* of the group's frames */
    uint32_t group_first;
    uint32_t begin, end, from;
    const struct strand *strand; /* that the first wanted one is of, or one before */
    const struct strand *laid;   /* whose instrument all COLUMN_ROWS rows have; NULL: not known */
};

#define PACK_INSTRUMENT_AT                                                                         \
    (sizeof(struct tdk_frame) + offsetof(struct tdk_dbn_head, instrument_id)) /* in a record */

static inline uint64_t pack_mask_of(uint8_t size)
{
    return UINT64_MAX >> (64 - 8 * size);
}

/* What is alike in all frames of a group, into each word of `rows` of them. */
void pack_lay_pattern(struct pack *pack, size_t span, uint32_t rows);

/* What is not, of this piece; those of its frames that are wanted go to their places. */
void pack_lay_piece(struct pack *pack, struct pack_piece *piece);

/* ---- pack_read.c ---- */

int pack_open_stamps(struct pack *pack, struct tdk_err *err);

#endif
