#include "cli/sizes.h"

#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/quantity.h"
#include "tapedeck/tick.h"

static const struct {
    const char *word;
    enum market_kind market;
} markets[] = {{"market", MARKET_MIXED}, {"trades", MARKET_TRADES}, {"mbp-1", MARKET_QUOTES}};

static const struct {
    const char *prefix;
    enum sizes_kind kind;
} prefixes[] = {{"fixed:", SIZES_FIXED}, {"uniform:", SIZES_UNIFORM}, {"log:", SIZES_LOG}};

static bool read_size(const char *text, size_t length, uint32_t *size)
{
    char word[32];
    uint64_t bytes;
    if (length >= sizeof word)
        return false;
    memcpy(word, text, length);
    word[length] = '\0';
    if (quantity_size(word, &bytes, NULL) < 0 || bytes > TDK_PAYLOAD_HARD_MAX)
        return false;
    *size = (uint32_t)bytes;
    return true;
}

/* "64", or "0-4K" for the kinds that take two numbers. */
static bool read_bounds(const char *text, struct sizes *sizes)
{
    const char *dash = strchr(text, '-');
    if (sizes->kind == SIZES_FIXED) {
        bool good = read_size(text, strlen(text), &sizes->least);
        sizes->most = sizes->least;
        return good;
    }
    return dash != NULL && read_size(text, (size_t)(dash - text), &sizes->least) &&
           read_size(dash + 1, strlen(dash + 1), &sizes->most) && sizes->least <= sizes->most;
}

int sizes_parse(const char *text, struct sizes *sizes, struct tdk_err *err)
{
    for (size_t i = 0; i < array_size(markets); i++)
        if (strcmp(text, markets[i].word) == 0) {
            *sizes = (struct sizes){.kind = SIZES_MARKET, .market = markets[i].market};
            return 0;
        }
    for (size_t i = 0; i < array_size(prefixes); i++) {
        size_t size = strlen(prefixes[i].prefix);
        struct sizes found = {.kind = prefixes[i].kind};
        if (strncmp(text, prefixes[i].prefix, size) == 0 && read_bounds(text + size, &found)) {
            *sizes = found;
            return 0;
        }
    }
    return err_say(err, TDK_EVALUE,
                   "'%s' is not a distribution of sizes; write market, trades, mbp-1, fixed:N, "
                   "uniform:A-B or log:A-B (bytes, up to 16M)",
                   text);
}

static uint32_t between(uint32_t least, uint32_t most, struct random *random)
{
    return least + random_below(random, most - least + 1);
}

/* Pick a power of two first, then a size up to it. */
static uint32_t log_between(uint32_t least, uint32_t most, struct random *random)
{
    unsigned low = 0, high = 0;
    while (high < 31 && (1u << high) <= most)
        high++;
    while (low < high && (1u << low) <= least)
        low++;
    uint32_t top = (1u << between(low, high, random)) - 1;
    if (top > most)
        top = most;
    if (top < least)
        top = least;
    uint32_t bottom = top / 2 + 1 > least ? top / 2 + 1 : least;
    return bottom >= top ? top : between(bottom, top, random);
}

uint32_t sizes_next(const struct sizes *sizes, struct random *random)
{
    switch (sizes->kind) {
    case SIZES_UNIFORM:
        return between(sizes->least, sizes->most, random);
    case SIZES_LOG:
        return log_between(sizes->least, sizes->most, random);
    case SIZES_MARKET:
    case SIZES_FIXED:
        break;
    }
    return sizes->least;
}

uint32_t sizes_most(const struct sizes *sizes)
{
    return sizes->kind == SIZES_MARKET ? sizeof(struct tdk_dbn_mbp_1) : sizes->most;
}
