/*
 * pack_inner.h - a packed block that is being read, shared by the files that read it.
 *
 *   pack_outline.c    what is in it, and where: begin
 *   pack_directory.c  the directory of the block before it was packed
 *   pack_group.c      a group's columns back into frames
 *   pack_piece.c      about a hundred of these frames, word by word
 *   pack_read.c       all of it
 *   pack_parts.c      some instruments of it
 *
 * Nothing that is stored is believed: a checksum that matches says that the bytes are what was
 * written, not that they make sense.
 */
#ifndef TDK_TAPE_PACK_INNER_H
#define TDK_TAPE_PACK_INNER_H

#include <string.h>
#include <zstd.h>

#include "base/scratch.h"
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
    uint16_t entry; /* in the directory; only for strands that are not control frames */
    uint8_t class;
};

/* What is known of a group before it is unpacked. */
struct group {
    size_t at; /* among the stored bytes */
    /* Once it is unpacked: the bytes of it in pack->raw that were not read yet. */
    size_t raw_at;
    size_t raw_end;
    uint32_t first;      /* its first frame, in order of strands */
    uint32_t strand;     /* the strand of that frame */
    uint32_t begin, end; /* of the frames picked from it; none: equal */
};

/* The frames of a group that are written out, and where: frame i is the ranks[i]-th of all that
 * are. */
struct pack_part {
    uint32_t begin, end;
    const uint16_t *ranks;
};

/* What a column says, by its head alone. */
enum pack_kind {
    PACK_KNOWN,  /* there is no column: the field is stored elsewhere */
    PACK_ALIKE,  /* `base` in every frame */
    PACK_NEAR,   /* field head.ref plus `base` */
    PACK_COLUMN, /* a value for each frame */
};
struct pack_told {
    enum pack_kind kind;
    struct column_head head;
    /* Neither another field with values nor the instrument comes before it in its word. */
    bool begins_word;
    uint64_t base;
    struct column column; /* in the unpacked group */
};

#define PACK_WORDS_MAX ((sizeof(struct tdk_frame) + PACK_SIZE_MAX) / sizeof(uint64_t))
#define PACK_ROWS      (COLUMN_ROWS + 8) /* of a word; no two words lie a power of two apart */

struct pack {
    /* That many frames of the current group, until each goes to its place: words[w][i] is word w of
     * frame i. It comes first, so that where the whole struct is mapped no register's load crosses
     * a cache line. */
    uint64_t words[PACK_WORDS_MAX][PACK_ROWS];

    ZSTD_DCtx *zstd;
    const struct block_head *head; /* borrowed, like the two below, until the next pack_begin() */
    const unsigned char *stored;
    unsigned char *frames;    /* NULL: picked ticks go to picked_frames */
    unsigned char *directory; /* after the frames, or own_directory */
    struct pack_head outline;
    const unsigned char *classes,
        *groups_told;       /* struct pack_class, struct pack_group; unaligned */
    struct strand *strands; /* outline.strands */
    struct group *groups;   /* outline.groups */
    struct scratch strand_memory, group_memory; /* of these two; ours */
    uint32_t entries;
    uint32_t ticks;
    struct pack_layout layout; /* of class layout_of; layout_of 0: of none */
    uint8_t layout_of;

    struct scratch raw; /* unpacked groups; ours */
    size_t raw_size;
    struct scratch own_directory, picked_frames; /* ours */
    bool is_mapped;                              /* the whole struct is mapped, by buffers_map() */
    struct stamps told_stamps;
    bool stamps_open;
    bool is_right; /* no frame has to be checked again */

    uint64_t stamps[PACK_FRAMES_MAX];   /* by place; of picked frames by rank */
    uint16_t place_of[PACK_FRAMES_MAX]; /* in order of strands */
    /* What is picked: the strands, how many frames, and the rank of each among them. */
    uint64_t wanted[PACK_FRAMES_MAX / 64];
    uint32_t wanted_count, picked;
    bool is_picked; /* and unpacked */
    union {
        struct {
            uint16_t rank_of[PACK_FRAMES_MAX];      /* in order of strands */
            uint16_t picked_place[PACK_FRAMES_MAX]; /* by rank */
        };
        /* In a block that is read whole, by place: where in raw the frames are that are kept
         * whole. */
        uint32_t raw_of[PACK_FRAMES_MAX];
    };
    /* Where frames have several spans, or some are kept whole; by place. */
    uint16_t strand_of[PACK_FRAMES_MAX];
    uint32_t offset_of[PACK_FRAMES_MAX]; /* of the frame; until that is known, its span */
    uint32_t cursors[BLOCK_ENTRIES_MAX]; /* one for each entry of the directory */
    bool seen[PACK_FRAMES_MAX];          /* by place */

    /* More about the current group. */
    uint16_t starts[COLUMN_TICKS_MAX];
    uint64_t values[COLUMN_ROWS]; /* of a column */
    struct pack_told told[PACK_FIELDS_MAX];
    uint64_t pattern[PACK_WORDS_MAX]; /* a frame's words as far as all share them; else zeros */
    /* The fields that have values, and whether one of them shares a word with the instrument. */
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
int pack_contradicts(struct tdk_err *err); /* what is in it does: no place for a frame, or two */

/* Make room for `size` bytes and for what a column's reader may read after them; for some more, so
 * that a block that is a little larger does not need it made anew. */
bool pack_need(struct scratch *scratch, size_t size);

/* ---- pack_directory.c ---- */

/* Make the directory's head and entries from the strands. */
int pack_begin_directory(struct pack *pack, struct tdk_err *err);

uint16_t *pack_ordinals(const struct pack *pack); /* NULL: one instrument, whose are all */

/* ---- pack_group.c ---- */

/* Unpack a group's bytes into `raw`. */
int pack_unpack_group(struct pack *pack, uint32_t group, unsigned char *raw, struct tdk_err *err);

/* Where strands begin in the first `count` frames of a group. */
struct column_strands pack_starts(struct pack *pack, uint32_t group, uint32_t count);

/* Read the places of a group's frames. Returns how many of its bytes hold them; 0: they cannot be
 * right. */
size_t pack_read_places(struct pack *pack, uint32_t group, const unsigned char *raw,
                        const struct column_strands *strands);

/* Make a group's frames, or a part of them, from the fields' columns that follow the places. Where
 * all frames have one span, their seqs are taken from the places and their times from the ranks.
 * Where they do not, both are in the frames already. */
int pack_read_fields(struct pack *pack, uint32_t group, const unsigned char *raw, size_t size,
                     const struct column_strands *strands, const struct pack_part *part,
                     struct tdk_err *err);

/* ---- pack_piece.c ---- */

/* Frames [begin, end) of a group, of which those from `from` on are wanted. */
struct pack_piece {
    const struct pack_class *class;
    const struct pack_layout *layout;
    const struct column_strands *strands;
    const struct pack_part *part;
    const uint16_t *places; /* of the group's frames */
    uint32_t group_first;
    uint32_t begin, end, from;
    const struct strand *strand; /* the strand of the first wanted frame, or an earlier one */
    const struct strand *laid;   /* whose instrument is in all COLUMN_ROWS rows; NULL: unknown */
};

#define PACK_INSTRUMENT_AT                                                                         \
    (sizeof(struct tdk_frame) + offsetof(struct tdk_dbn_head, instrument_id)) /* in a record */

static inline uint64_t pack_mask_of(uint8_t size)
{
    return UINT64_MAX >> (64 - 8 * size);
}

/* Lay what all frames of a group share into each word of `rows` rows. */
void pack_lay_pattern(struct pack *pack, size_t span, uint32_t rows);

/* Add what differs among the frames of this piece. The wanted ones go to their places. */
void pack_lay_piece(struct pack *pack, struct pack_piece *piece);

/* ---- pack_read.c ---- */

int pack_open_stamps(struct pack *pack, struct tdk_err *err);

#endif
