/* error.c - codes on the wire: a number and a name. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "wire/message.h"

static const struct {
    int code;
    const char *name;
} names[] = {
    {TDK_ECORRUPT, "ECORRUPT"}, {TDK_EVERSION, "EVERSION"},     {TDK_EFORMAT, "EFORMAT"},
    {TDK_EFOREIGN, "EFOREIGN"}, {TDK_ETRUNCATED, "ETRUNCATED"}, {TDK_ENAME, "ENAME"},
    {TDK_EVALUE, "EVALUE"},     {TDK_EBUSY, "EBUSY"},           {TDK_ENOTAPE, "ENOTAPE"},
    {TDK_ENOTRACK, "ENOTRACK"}, {TDK_ENORING, "ENORING"},       {TDK_ELAPPED, "ELAPPED"},
    {TDK_EHOSTILE, "EHOSTILE"}, {TDK_ESTALLED, "ESTALLED"},     {TDK_EHOLE, "EHOLE"},
    {TDK_EFULL, "EFULL"},       {TDK_EINTERNAL, "EINTERNAL"},   {TDK_EHELLO, "EHELLO"},
    {TDK_EAWAY, "EAWAY"},
};

const char *wire_error_name(int code)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].code == code)
            return names[i].name;
    const char *name = code < 0 && code > -4096 ? strerrorname_np(-code) : NULL;
    return name != NULL ? name : "EUNKNOWN";
}

int wire_error_code(int code)
{
    switch (code) {
    case TDK_EVALUE:
    case TDK_ENAME:
        return -EINVAL;
    case TDK_ENOTRACK:
    case TDK_ENORING:
        return -ENOENT;
    default:
        return code;
    }
}
