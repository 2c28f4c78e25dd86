#include "formats/itch.h"

#include "base/bytes.h"
#include "tapedeck/tick.h"

size_t itch_size(unsigned char type)
{
    static const uint8_t sizes[128] = {
        ['S'] = 12, ['R'] = 39, ['H'] = 25, ['Y'] = 20, ['L'] = 26, ['V'] = 35,
        ['W'] = 12, ['K'] = 28, ['J'] = 35, ['h'] = 21, ['A'] = 36, ['F'] = 40,
        ['E'] = 31, ['C'] = 36, ['X'] = 23, ['D'] = 19, ['U'] = 35, ['P'] = 44,
        ['Q'] = 40, ['B'] = 19, ['I'] = 50, ['N'] = 20, ['O'] = 48,
    };
    return type < sizeof sizes ? sizes[type] : 0;
}

uint64_t itch_ns(const unsigned char *message)
{
    return (uint64_t)load_be16(message + 5) << 32 | __builtin_bswap32(load_u32(message + 7));
}

bool itch_type(unsigned char letter, uint8_t *type)
{
    bool lower = letter >= 'a' && letter <= 'z';
    if (!lower && (letter < 'A' || letter > 'Z'))
        return false;
    *type = (uint8_t)(TDK_TYPE_OPAQUE + (lower ? 26 + letter - 'a' : letter - 'A'));
    return true;
}
