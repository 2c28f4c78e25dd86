#include "formats/dbn_names.h"

#include <string.h>

#include "base/bytes.h"
#include "tapedeck/dbn.h"

/* By number, as files have them. */
static const struct {
    const char *name;
    uint8_t rtype;
} schemas[] = {
    {"mbo", TDK_RTYPE_MBO},
    {"mbp-1", TDK_RTYPE_MBP_1},
    {"mbp-10", TDK_RTYPE_MBP_10},
    {"tbbo", TDK_RTYPE_MBP_1},
    {"trades", TDK_RTYPE_TRADES},
    {"ohlcv-1s", TDK_RTYPE_OHLCV_1S},
    {"ohlcv-1m", TDK_RTYPE_OHLCV_1M},
    {"ohlcv-1h", TDK_RTYPE_OHLCV_1H},
    {"ohlcv-1d", TDK_RTYPE_OHLCV_1D},
    {"definition", TDK_RTYPE_DEFINITION},
    {"statistics", TDK_RTYPE_STATISTICS},
    {"status", TDK_RTYPE_STATUS},
    {"imbalance", TDK_RTYPE_IMBALANCE},
    {"ohlcv-eod", TDK_RTYPE_OHLCV_EOD},
    {"cmbp-1", TDK_RTYPE_CMBP_1},
    {"cbbo-1s", TDK_RTYPE_CBBO_1S},
    {"cbbo-1m", TDK_RTYPE_CBBO_1M},
    {"tcbbo", TDK_RTYPE_TCBBO},
    {"bbo-1s", TDK_RTYPE_BBO_1S},
    {"bbo-1m", TDK_RTYPE_BBO_1M},
};

/* Record types that no schema has. */
static const struct {
    const char *name;
    uint8_t rtype;
} others[] = {
    {"ohlcv", TDK_RTYPE_OHLCV},
    {"error", TDK_RTYPE_ERROR},
    {"symbol-mapping", TDK_RTYPE_SYMBOL_MAPPING},
    {"system", TDK_RTYPE_SYSTEM},
    {"wide-trade", TDK_RTYPE_WIDE_TRADE},
    {"wide-quote", TDK_RTYPE_WIDE_QUOTE},
};

bool dbn_schema_parse(const char *name, uint16_t *schema)
{
    for (size_t i = 0; i < array_size(schemas); i++)
        if (strcmp(schemas[i].name, name) == 0) {
            *schema = (uint16_t)i;
            return true;
        }
    return false;
}

bool dbn_schema_rtype(uint16_t schema, uint8_t *rtype)
{
    if (schema >= array_size(schemas))
        return false;
    *rtype = schemas[schema].rtype;
    return true;
}

uint16_t dbn_rtype_schema(uint8_t rtype)
{
    for (size_t i = 0; i < array_size(schemas); i++)
        if (schemas[i].rtype == rtype)
            return (uint16_t)i; /* mbp-1 comes before tbbo */
    return DBN_SCHEMA_MIXED;
}

const char *dbn_rtype_name(uint8_t rtype)
{
    for (size_t i = 0; i < array_size(others); i++)
        if (others[i].rtype == rtype)
            return others[i].name;
    uint16_t schema = dbn_rtype_schema(rtype);
    return schema != DBN_SCHEMA_MIXED ? schemas[schema].name : NULL;
}

bool dbn_rtype_parse(const char *name, uint8_t *rtype)
{
    uint16_t schema;
    if (dbn_schema_parse(name, &schema))
        return dbn_schema_rtype(schema, rtype);
    for (size_t i = 0; i < array_size(others); i++)
        if (strcmp(others[i].name, name) == 0) {
            *rtype = others[i].rtype;
            return true;
        }
    return false;
}
