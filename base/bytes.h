/* bytes.h - numbers in memory that need not be aligned; alignment; the struct around a member. */
#ifndef TDK_BASE_BYTES_H
#define TDK_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define array_size(a)                   (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline uint16_t load_u16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t load_u32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t load_u64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline int64_t load_i64(const void *p)
{
    return (int64_t)load_u64(p);
}

static inline void store_u16(void *p, uint16_t v)
{
    memcpy(p, &v, sizeof v);
}

static inline void store_u32(void *p, uint32_t v)
{
    memcpy(p, &v, sizeof v);
}

static inline void store_u64(void *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}

/* Big-endian, so that bytes sort as the numbers do. */
static inline void store_be64(void *p, uint64_t v)
{
    store_u64(p, __builtin_bswap64(v));
}

static inline uint64_t load_be64(const void *p)
{
    return __builtin_bswap64(load_u64(p));
}

static inline void store_be16(void *p, uint16_t v)
{
    store_u16(p, __builtin_bswap16(v));
}

static inline uint16_t load_be16(const void *p)
{
    return __builtin_bswap16(load_u16(p));
}

static inline bool is_power_of_two(uint64_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

/* `n` must be a power of two. */
static inline size_t align_up(size_t value, size_t n)
{
    return (value + n - 1) & ~(n - 1);
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

#endif
