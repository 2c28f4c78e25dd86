#include "base/crc32c.h"

#include <stdbool.h>

#include "base/bytes.h"
#include "base/crc32c_inner.h"

#define POLY 0x82f63b78u /* reflected */

/* ---- arithmetic on polynomials modulo POLY, reflected: bit 31 is x^0 ---- */

static uint32_t multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (uint32_t bit = 1u << 31; bit != 0; bit >>= 1) {
        if (a & bit)
            product ^= b;
        b = b & 1 ? (b >> 1) ^ POLY : b >> 1;
    }
    return product;
}

/* x^(8 n): what a CRC is multiplied by if n zero bytes follow. */
static uint32_t power_of_bytes(size_t n)
{
    uint32_t square = 1u << 23; /* x^8 */
    uint32_t power = 1u << 31;  /* x^0 */
    for (; n != 0; n >>= 1) {
        if (n & 1)
            power = multiply(power, square);
        square = multiply(square, square);
    }
    return power;
}

/* ---- without help ---- */

static uint32_t table[256];

__attribute__((constructor)) static void table_fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? (c >> 1) ^ POLY : c >> 1;
        table[i] = c;
    }
}

uint32_t crc32c_plain(uint32_t crc, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    crc = ~crc;
    for (size_t i = 0; i < size; i++)
        crc = (crc >> 8) ^ table[(crc ^ p[i]) & 0xff];
    return ~crc;
}

/* ---- with the processor's instruction ---- */

#if defined(__x86_64__)
#include <nmmintrin.h>
#define HARDWARE    __attribute__((target("sse4.2")))
#define step8(c, p) ((uint32_t)_mm_crc32_u64((c), load_u64(p)))
#define step1(c, p) ((uint32_t)_mm_crc32_u8((c), *(p)))
static bool hardware_has(void)
{
    return __builtin_cpu_supports("sse4.2");
}
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#define HARDWARE    __attribute__((target("+crc")))
#define step8(c, p) __crc32cd((c), load_u64(p))
#define step1(c, p) __crc32cb((c), *(p))
static bool hardware_has(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}
#else
#define HARDWARE
#define step8(c, p) (~crc32c_plain(~(c), (p), 8))
#define step1(c, p) (~crc32c_plain(~(c), (p), 1))
static bool hardware_has(void)
{
    return false;
}
#endif

/* The instruction takes three cycles, and a new one can begin in each. So three streams run side by
 * side over the thirds of a stretch and are combined after it. */
#define STRETCH_LONG  ((size_t)4096)
#define STRETCH_SHORT ((size_t)256)
static uint32_t shift_long, shift_short;
static bool hardware, wide; /* wide: crc32c_wide.c */

__attribute__((constructor)) static void hardware_prepare(void)
{
    hardware = hardware_has();
    wide = crc32c_wide_is_possible();
    shift_long = power_of_bytes(STRETCH_LONG);
    shift_short = power_of_bytes(STRETCH_SHORT);
}

void crc32c_narrow(void)
{
    wide = false;
}

HARDWARE static uint32_t stretch(uint32_t a, const unsigned char *p, size_t third, uint32_t shift)
{
    uint32_t b = 0, c = 0;
    for (size_t i = 0; i < third; i += 8) {
        a = step8(a, p + i);
        b = step8(b, p + third + i);
        c = step8(c, p + 2 * third + i);
    }
    return multiply(multiply(a, shift) ^ b, shift) ^ c;
}

HARDWARE static uint32_t crc32c_hardware(uint32_t crc, const unsigned char *p, size_t size)
{
    crc = ~crc;
    for (; size >= 3 * STRETCH_LONG; size -= 3 * STRETCH_LONG, p += 3 * STRETCH_LONG)
        crc = stretch(crc, p, STRETCH_LONG, shift_long);
    for (; size >= 3 * STRETCH_SHORT; size -= 3 * STRETCH_SHORT, p += 3 * STRETCH_SHORT)
        crc = stretch(crc, p, STRETCH_SHORT, shift_short);
    for (; size >= 8; size -= 8, p += 8)
        crc = step8(crc, p);
    for (; size > 0; size--, p++)
        crc = step1(crc, p);
    return ~crc;
}

uint32_t crc32c_instruction(uint32_t crc, const void *bytes, size_t size)
{
    return hardware ? crc32c_hardware(crc, bytes, size) : crc32c_plain(crc, bytes, size);
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    size_t taken = wide ? size - size % CRC32C_WIDE : 0;
    if (taken > 0)
        crc = ~crc32c_wide(~crc, p, taken);
    return taken < size ? crc32c_instruction(crc, p + taken, size - taken) : crc;
}

/* Four streams that are independent of each other. They need not be combined. */
HARDWARE static void four_chunks(const unsigned char *p, size_t chunk, uint32_t *crcs)
{
    uint32_t a = ~0u, b = ~0u, c = ~0u, d = ~0u;
    for (size_t i = 0; i < chunk; i += 8) {
        a = step8(a, p + i);
        b = step8(b, p + chunk + i);
        c = step8(c, p + 2 * chunk + i);
        d = step8(d, p + 3 * chunk + i);
    }
    crcs[0] = ~a;
    crcs[1] = ~b;
    crcs[2] = ~c;
    crcs[3] = ~d;
}

void crc32c_chunks(const void *bytes, size_t size, size_t chunk, uint32_t *crcs)
{
    const unsigned char *p = bytes;
    if (hardware && !wide && (chunk & 7) == 0)
        for (; size >= 4 * chunk; size -= 4 * chunk, p += 4 * chunk, crcs += 4)
            four_chunks(p, chunk, crcs);
    for (; size > 0; crcs++) {
        size_t n = size < chunk ? size : chunk;
        *crcs = crc32c(0, p, n);
        p += n;
        size -= n;
    }
}
