/*
 * format.h - the structs on disk. docs/tape-format.md says the same in words, for readers outside
 * the project.
 *
 *   TAPE/tape.meta                  struct tape_meta: which tape this is
 *   TAPE/segments/0000000042.seg    a sealed segment;  .open: the one being written;
 *                 0000000042.g1.seg  sealed and packed: generation 1
 *
 *   segment file
 *     offset   size
 *          0   4096   struct segment_head, zeros behind it
 *       4096    ...   writes: each a multiple of 4096 bytes: blocks back to back, then zeros
 *        ...    ...   only in a sealed segment: struct block_ref table, the catalogue, the states
 *    end-256    256   only in a sealed segment: struct segment_foot
 *
 *   block: struct block_head, then stored_size bytes, then zeros up to the next block (head.span).
 *
 * A raw block stores the frames, the symbol directory, and the sums of the frames' chunks. A packed
 * one (head.codec) stores one zstd frame around the frames and the directory, or columns (pack.h).
 *
 * Little-endian. A size is believed only after the CRC of the struct that it stands in was checked.
 * No magic is zero, so zeros never pass for anything.
 */
#ifndef TDK_TAPE_FORMAT_H
#define TDK_TAPE_FORMAT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "index/index.h"

#define TAPE_VERSION 1u
/* Version of a stub's head (stub.h): a reader that does not know it refuses the segment by name,
 * and does not take the hole for damage */
#define STUB_VERSION 2u
#define TAPE_ALIGN   4096u /* alignment of a write and of a segment's head, for O_DIRECT */

#define TAPE_MAGIC    UINT64_C(0x31455041544b4454) /* "TDKTAPE1" */
#define SEGMENT_MAGIC UINT64_C(0x314d4745534b4454) /* "TDKSEGM1" */
#define BLOCK_MAGIC   UINT64_C(0x4b434f4c424b4454) /* "TDKBLOCK" */
#define CLEAN_MAGIC   UINT64_C(0x3145544f4e4b4454) /* "TDKNOTE1" */
#define FOOT_MAGIC    UINT64_C(0x31544f4f464b4454) /* "TDKFOOT1" */

#define BLOCK_TICKS_MAX   65536u       /* the directory numbers ticks in 16 bits */
#define BLOCK_ENTRIES_MAX 16384u       /* instruments in one block */
#define BLOCK_FRAMES_MAX  (33u << 20)  /* bytes; a reader refuses to allocate more */
#define BLOCK_SPAN_MAX    (34u << 20)  /* bytes from a block's head to the next; likewise */
#define CATALOG_MAX       (512u << 20) /* bytes of a catalogue unpacked; likewise */

struct tape_meta {
    uint64_t magic;
    uint32_t version;
    uint32_t crc; /* CRC-32C of this struct with crc = 0 */
    uint8_t tape_id[16];
    uint64_t created_ns;
    uint64_t first_segment; /* those before it were given up on purpose; 0: none was */
    uint8_t zero[208];
};
static_assert(sizeof(struct tape_meta) == 256, "on disk");

/* TAPE/index/clean: the index was synced whole when `segment` was the tape's last. */
struct clean_mark {
    uint64_t magic;
    uint32_t version;
    uint32_t crc; /* CRC-32C of this struct with crc = 0 */
    uint8_t tape_id[16];
    uint64_t segment;   /* 0: the tape has none */
    uint32_t index_sum; /* CRC-32C of TAPE/index/data.mdb */
    uint32_t zero;
};
static_assert(sizeof(struct clean_mark) == 48, "on disk");

struct segment_head {
    uint64_t magic;
    uint32_t version;
    uint32_t crc; /* CRC-32C of this struct with crc = 0 */
    uint8_t tape_id[16];
    uint64_t number;
    uint64_t created_ns;
    uint32_t generation; /* 0 as recorded; 1 packed */
    uint32_t zero;
    uint8_t annex[16]; /* only in a stub: the annex that has its blocks */
    uint8_t zeros[184];
};
static_assert(sizeof(struct segment_head) == 256, "on disk");

enum block_flags {
    BLOCK_HAS_ODD = 1,       /* holds ticks whose time is not trusted */
    BLOCK_HAS_LOSS = 2,      /* holds LOSS frames */
    BLOCK_HAS_CONTROL = 4,   /* holds control frames of any kind */
    BLOCK_REWRITTEN = 8,     /* may repeat ticks of a failed write: (epoch, seq) says which */
    BLOCK_MONOTONE = 16,     /* no trusted ts in it is below an earlier one of this epoch */
    BLOCK_HAS_SYMBOLS = 32,  /* names instruments: SYMBOL, INFO, DBN mappings, definitions */
    BLOCK_BEGINS_EPOCH = 64, /* holds its EPOCH frame: nothing of the epoch was recorded before */
};

enum block_codec {
    BLOCK_RAW = 0,
    BLOCK_ZSTD = 1,    /* one zstd frame around frames and directory */
    BLOCK_COLUMNS = 2, /* see pack.h */
    BLOCK_BITS = 3,    /* the same; some groups have columns in bits */
};

struct block_head {
    uint64_t magic;
    uint16_t version;
    uint16_t head_size; /* 224 */
    uint32_t head_crc;  /* CRC-32C of this struct with head_crc = 0 */
    uint8_t tape_id[16];
    uint64_t segment; /* number of the file it was written for */
    uint32_t block;   /* number in that file, from 0 */
    uint16_t track;
    uint8_t codec; /* enum block_codec */
    uint8_t flags; /* enum block_flags */
    uint64_t epoch;
    uint64_t first_seq, last_seq; /* accounted for without a hole, as its ticks or as ticks that its
                                     LOSS frames report lost; nothing: last_seq = first_seq - 1 */
    uint32_t count;               /* ticks */
    uint32_t controls;            /* control frames */
    uint32_t frames_size;         /* bytes of frames, unpacked; a multiple of 8 */
    uint32_t directory_size;      /* bytes of the directory, unpacked; a multiple of 8 */
    uint32_t stored_size;         /* bytes behind this head on disk */
    uint32_t tail_crc; /* CRC-32C of what is stored after the frames: the directory and the sums;
                          packed: of everything that is stored */
    uint32_t span;     /* from this head to the next block's, a multiple of 8 */
    uint32_t odd;      /* ticks whose time is not trusted */
    uint64_t min_ts, max_ts; /* of ticks whose time is trusted, and of the time that LOSS frames
                                span; none: UINT64_MAX, 0 */
    uint64_t min_event, max_event; /* of all ticks; none: UINT64_MAX, 0 */
    uint64_t odd_min, odd_max;     /* ts of ticks whose time is not trusted; none: UINT64_MAX, 0 */
    uint64_t running_max; /* of trusted ts over the epoch, up to and including this block */
    uint64_t step_back;   /* the largest distance of a trusted ts in it below the running maximum */
    uint64_t lost;        /* ticks that LOSS frames in it report lost */
    uint64_t synced_upto; /* this file was synced up to here when the block was written */
    uint64_t written_ns;  /* wall time; never decreases along a tape */
    uint64_t filter[2];   /* Bloom filter over its instrument ids */
    uint64_t previous_end; /* where the blocks of the segment before end; 0: none, or not known */
    uint32_t invalid;      /* ticks whose DBN or wide payload fails its check */
    uint32_t entries_crc;  /* CRC-32C of the directory's head and entries, which a count needs; by
                              columns: of the outline; zstd: 0 */
};
static_assert(sizeof(struct block_head) == 224 && offsetof(struct block_head, epoch) == 48 &&
                  offsetof(struct block_head, min_ts) == 104 &&
                  offsetof(struct block_head, filter) == 192,
              "on disk");

/*
 * The symbol directory, after the frames. A tick's ordinal is its place among the block's ticks.
 *   struct directory_head
 *   struct directory_entry x entries   by instrument_id, ascending
 *   u32 x anchors      offset of the tick with ordinal 16 x i; none when uniform
 *   u16 x ordinals     grouped by entry, ascending in a group; none when there is one entry
 *   zeros to a multiple of 8
 */
struct directory_head {
    uint32_t entries;
    uint32_t anchors;
    uint32_t ordinals;
    uint32_t uniform; /* span of every frame, when all are ticks of one span; else 0 */
};
struct directory_entry {
    uint32_t instrument_id;
    uint32_t first; /* place of its first ordinal; its last is just before the next entry's first */
};
#define DIRECTORY_STRIDE 16u

/*
 * The sums, after the directory of a raw block: u32 x ceil(frames_size / BLOCK_CHUNK), the CRC-32C
 * of each chunk of the frames (the last may be shorter), then zeros to a multiple of 8. With them a
 * reader can take only the chunks it needs (one symbol's ticks, the first second of a minute) and
 * still check every byte that it looks at. For a count, the directories alone are enough.
 */
#define BLOCK_CHUNK 1024u

struct segment_foot {
    uint64_t magic;
    uint32_t version;
    uint32_t crc; /* CRC-32C of this struct with crc = 0 */
    uint8_t tape_id[16];
    uint64_t number;
    uint64_t sealed_ns;
    uint64_t blocks, ticks, lost;
    uint64_t end;          /* where the blocks end and the table begins */
    uint64_t table_size;   /* bytes: blocks x sizeof(struct block_ref) */
    uint64_t catalog_size; /* bytes of the zstd frame behind the table */
    uint32_t table_crc, catalog_crc;
    uint32_t digest; /* CRC-32C over the head_crc of all blocks, in file order */
    uint32_t generation;
    uint64_t min_ts, max_ts;
    uint32_t previous_digest; /* of segment number - 1, as recorded; 0: none, or not known */
    /* Generation 1 and up: digest and end as they were recorded. The next segment's chain refers to
     * these: see segment_chain_... below. */
    uint32_t recorded_digest;
    uint64_t recorded_end;
    uint64_t states_size; /* bytes of the zstd frame behind the catalogue; 0: there is none */
    uint32_t states_crc;
    uint32_t states_kinds; /* the kinds of state that were looked for; see states.h */
    uint8_t zero[96];
};
static_assert(sizeof(struct segment_foot) == 256 && offsetof(struct segment_foot, end) == 72 &&
                  offsetof(struct segment_foot, previous_digest) == 128 &&
                  offsetof(struct segment_foot, states_size) == 144,
              "on disk");

/* What the segment after this one says of it, whether or not this one was packed since. */
static inline uint32_t segment_chain_digest(const struct segment_foot *foot)
{
    return foot->generation != 0 ? foot->recorded_digest : foot->digest;
}
static inline uint64_t segment_chain_end(const struct segment_foot *foot)
{
    return foot->generation != 0 ? foot->recorded_end : foot->end;
}

/* block_ref.flags: enum block_flags, and above them the generation of the file that it is in. */
#define BLOCK_GENERATION_SHIFT 8
static inline unsigned block_ref_generation(const struct block_ref *ref)
{
    return ref->flags >> BLOCK_GENERATION_SHIFT;
}

static_assert(sizeof(struct block_ref) == 160 && offsetof(struct block_ref, segment) == 80 &&
                  offsetof(struct block_ref, filter) == 128,
              "on disk: the table before a foot");

#endif
