#include "tape/kinds.h"

/* The first seven take one byte where segments list them. They are the most frequent. */
const struct tdk_type_filter kinds[KINDS_COUNT] = {
    {TDK_TYPE_DBN, TDK_RTYPE_TRADES},      {TDK_TYPE_DBN, TDK_RTYPE_MBP_1},
    {TDK_TYPE_WIDE, TDK_RTYPE_WIDE_TRADE}, {TDK_TYPE_WIDE, TDK_RTYPE_WIDE_QUOTE},
    {TDK_TYPE_DBN, TDK_RTYPE_MBP_10},      {TDK_TYPE_DBN, TDK_RTYPE_BBO_1S},
    {TDK_TYPE_DBN, TDK_RTYPE_CMBP_1},      {TDK_TYPE_DBN, TDK_RTYPE_DEFINITION},
    {TDK_TYPE_DBN, TDK_RTYPE_STATUS},      {TDK_TYPE_DBN, TDK_RTYPE_SYMBOL_MAPPING},
    {TDK_TYPE_DBN, TDK_RTYPE_TCBBO},       {TDK_TYPE_DBN, TDK_RTYPE_BBO_1M},
    {TDK_TYPE_DBN, TDK_RTYPE_CBBO_1S},     {TDK_TYPE_DBN, TDK_RTYPE_CBBO_1M},
};

void kinds_table_fill(struct kinds_table *table)
{
    *table = (struct kinds_table){{0}, {0}};
    for (unsigned i = 0; i < KINDS_COUNT; i++) {
        uint16_t *of = kinds[i].type == TDK_TYPE_DBN ? table->dbn : table->wide;
        of[kinds[i].rtype] = (uint16_t)(1u << i);
    }
}
