/*
 * tick.h - the frame: one tick with its head, the same bytes in a ring, on a tape, on the wire.
 *
 *   offset size field
 *        0    4 size     payload bytes, without padding
 *        4    2 track    number of the track in its tape; 0 in a ring that a producer writes
 *        6    1 type     enum tdk_type
 *        7    1 flags    enum tdk_flag
 *        8    8 seq      per (track, epoch), dense from 1; a hole is a loss, exactly counted
 *       16    8 ts       receive time, ns since 1970-01-01T00:00:00Z
 *       24  ...  payload  padded with zeros to 8
 *
 * Little-endian, 8-aligned. Everything here is inline and pure; any thread.
 */
#ifndef TAPEDECK_TICK_H
#define TAPEDECK_TICK_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tapedeck keeps ticks little-endian and in place: x86-64 and aarch64 only"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define TDK_NAME_MAX            64u         /* characters of a ring's or a track's name */
#define TDK_PAYLOAD_DEFAULT_MAX (1u << 20)  /* bytes of a payload, unless a ring says otherwise */
#define TDK_PAYLOAD_HARD_MAX    (16u << 20) /* bytes of a payload, whatever a ring says */
#define TDK_TS_UNDEFINED        UINT64_MAX
#define TDK_PRICE_UNDEFINED     INT64_MAX

struct tdk_frame {
    uint32_t size;
    uint16_t track;
    uint8_t type;
    uint8_t flags;
    uint64_t seq;
    uint64_t ts;
};
static_assert(sizeof(struct tdk_frame) == 24, "the frame's head is a format");

enum tdk_type {
    TDK_TYPE_PADDING = 0,
    TDK_TYPE_DBN = 1,    /* a DBN record, untouched (dbn.h) */
    TDK_TYPE_WIDE = 2,   /* a wide trade or quote: DBN's header, sizes in 1e-9 (dbn.h) */
    TDK_TYPE_OPAQUE = 3, /* the first of the opaque types: any bytes */
    TDK_TYPE_OPAQUE_LAST = 0xBF,
    /* Control frames are about ticks, not ticks. They spend no seq and carry the next tick's. */
    TDK_TYPE_CONTROL = 0xC0,
    TDK_TYPE_LOSS = 0xC0,   /* struct tdk_loss */
    TDK_TYPE_CLOCK = 0xC1,  /* struct tdk_clock_jump */
    TDK_TYPE_EPOCH = 0xC2,  /* struct tdk_epoch */
    TDK_TYPE_SYMBOL = 0xC3, /* struct tdk_symbol, then the symbol's bytes */
    TDK_TYPE_MARK = 0xC4,   /* a name; if time before it is to be kept: a NUL, then ns u64 */
    TDK_TYPE_TRACK = 0xC5,  /* struct tdk_track_head, then the name's bytes */
    TDK_TYPE_JOIN = 0xC6,   /* empty: history ends here, live begins */
    TDK_TYPE_END = 0xC7,    /* struct tdk_end */
    TDK_TYPE_INFO = 0xC8,   /* struct tdk_info, then the key's bytes, then the value's */
};

enum tdk_flag {
    TDK_FLAG_TS_UNTRUSTED = 1,     /* the time is absurd: kept out of every running maximum */
    TDK_FLAG_CLOCK_BACK = 2,       /* earlier than a tick of this track before it */
    TDK_FLAG_AFTER_LOSS = 4,       /* the first tick after a loss */
    TDK_FLAG_PROLOGUE = 8,         /* state from before a range, not part of it */
    TDK_FLAG_SOURCE_SEQUENCE = 16, /* the payload has the source's own sequence */
    TDK_FLAG_INVALID = 32,         /* a DBN or wide payload that fails its check; kept as it is */
};

/* Why ticks were lost. */
enum tdk_loss_reason {
    TDK_LOSS_RING_FULL = 1,  /* the ring was full: the claim was refused and its seq spent */
    TDK_LOSS_NO_SPACE = 2,   /* the disk was full */
    TDK_LOSS_DAMAGE = 3,     /* a part of the tape cannot be read */
    TDK_LOSS_QUARANTINE = 4, /* the ring broke its rules and was set aside */
    TDK_LOSS_UNKNOWN = 5,    /* the producer left a hole and did not say why */
    TDK_LOSS_RETIRED = 6,    /* deleted on purpose, by retention; only in gaps, never in a frame */
    TDK_LOSS_AWAY = 7,       /* moved to a disk that is not there now; likewise only in gaps */
};

struct tdk_loss {
    uint64_t first_seq, count;
    uint64_t first_ts,
        last_ts; /* of the last tick before and the first after; equal if one is not known */
    uint32_t reason, zero;
};

struct tdk_clock_jump {
    uint64_t old_ts, new_ts; /* where the clock would have stood, and where it stands */
};

/* The beginning of one life of a ring (or of one import). */
struct tdk_epoch {
    uint64_t epoch;        /* on a tape: the tape's; in a ring: the ring's */
    uint64_t previous;     /* the epoch before it in this ring or track; 0: none */
    uint64_t previous_seq; /* the last seq that one spent, published or refused; 0: not known */
    uint64_t ring_epoch;   /* what the ring called it, where the tape had to number it anew */
    uint32_t pid;          /* of the producer, in its own pid namespace: a comment */
    uint32_t clock;        /* enum tdk_clock: where its ts come from */
    uint8_t boot_id[16];   /* of the producer's kernel; zeros: a file */
    uint8_t ring_uuid[16]; /* zeros: a file */
};
static_assert(sizeof(struct tdk_epoch) == 72, "a format");

enum tdk_clock { TDK_CLOCK_REALTIME = 0, TDK_CLOCK_HARDWARE = 1, TDK_CLOCK_FILE = 2 };

/* From `from` up to `to` this instrument_id means this symbol. The symbol follows: size - 24 bytes.
 */
struct tdk_symbol {
    uint32_t instrument_id, zero;
    uint64_t from, to; /* ns; to is exclusive, UINT64_MAX: open */
};

/* The name behind a track's number, from here on. The name follows: name_size bytes. */
struct tdk_track_head {
    uint64_t epoch;
    uint16_t number;
    uint8_t kind; /* enum tdk_kind */
    uint8_t name_size;
    uint32_t zero;
};

enum tdk_kind { TDK_KIND_MIXED = 0, TDK_KIND_DBN = 1, TDK_KIND_WIDE = 2, TDK_KIND_OPAQUE = 3 };

/* The end of a play. */
struct tdk_end {
    uint64_t ticks, lost;
    uint8_t digest[16]; /* XXH3-128, canonical (big-endian) bytes */
    uint8_t complete;   /* 1: nothing lost or damaged in the range */
    uint8_t zero[7];
};
static_assert(sizeof(struct tdk_end) == 40, "a format");

/*
 * One property of a track. It holds from here on, until it is told again. A value that is longer
 * than one frame takes several frames, in order: each has `total` and the `offset` of its part.
 * The keys are listed in docs/tape-format.md ("dbn.metadata", "type.3", ...).
 */
struct tdk_info {
    uint32_t total, offset; /* bytes of the value; where this part of it begins */
    uint16_t key_size, zero;
    uint32_t zero2;
};
static_assert(sizeof(struct tdk_info) == 16, "a format");

/* Bytes that a frame with this payload takes in a ring or on a tape. */
static inline size_t tdk_frame_span(uint32_t payload_size)
{
    return sizeof(struct tdk_frame) + (((size_t)payload_size + 7) & ~(size_t)7);
}

static inline const unsigned char *tdk_frame_payload(const struct tdk_frame *frame)
{
    return (const unsigned char *)(frame + 1);
}

/* True for a tick, false for padding and control frames. */
static inline int tdk_frame_is_tick(const struct tdk_frame *frame)
{
    return frame->type - 1u < TDK_TYPE_CONTROL - 1u;
}

static inline int tdk_type_is_control(uint8_t type)
{
    return type >= TDK_TYPE_CONTROL;
}

static inline const struct tdk_frame *tdk_frame_after(const struct tdk_frame *frame)
{
    return (const struct tdk_frame *)((const unsigned char *)frame + tdk_frame_span(frame->size));
}

#ifdef __cplusplus
}
#endif
#endif
