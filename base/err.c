#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int code;
    const char *text;
} texts[] = {
    {TDK_ECORRUPT, "damaged data"},
    {TDK_EVERSION, "another version"},
    {TDK_EFORMAT, "not the expected format"},
    {TDK_EFOREIGN, "belongs to another tape"},
    {TDK_ETRUNCATED, "ends inside a record"},
    {TDK_ENAME,
     "not a valid name (letters, digits, '.', '_', '-'; 1 to 64, no '.', '_' or '-' first)"},
    {TDK_EVALUE, "not a valid value"},
    {TDK_EBUSY, "in use by another process"},
    {TDK_ENOTAPE, "not a tape"},
    {TDK_ENOTRACK, "no such track"},
    {TDK_ENORING, "no such ring"},
    {TDK_ELAPPED, "overtaken by the producer"},
    {TDK_EHOSTILE, "shared memory breaks its own rules"},
    {TDK_ESTALLED, "consumer stalled"},
    {TDK_EHOLE, "the range is not whole"},
    {TDK_EFULL, "a limit is reached"},
    {TDK_EINTERNAL, "internal error"},
    {TDK_EHELLO, "hello comes first"},
    {TDK_EAWAY, "moved, and its directory is not there"},
};

const char *tdk_strerror(int code)
{
    if (code == 0)
        return "success";
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].code == code)
            return texts[i].text;
    if (code < 0 && code > -4096) {
        const char *text = strerrordesc_np(-code);
        if (text != NULL)
            return text;
    }
    return "unknown error";
}

/* Names come from anywhere, and the text goes to terminals. So control bytes are shown as '?'. */
static void make_harmless(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

/* As vsnprintf at `used`, but if the text had to be cut it ends with "...". */
__attribute__((format(printf, 3, 0))) static size_t append(struct tdk_err *err, size_t used,
                                                           const char *format, va_list args)
{
    int n = vsnprintf(err->text + used, sizeof err->text - used, format, args);
    if (n < 0)
        return used;
    make_harmless(err->text + used);
    if ((size_t)n < sizeof err->text - used)
        return used + (size_t)n;
    memcpy(err->text + sizeof err->text - 4, "...", 4);
    return sizeof err->text - 1;
}

int err_set(struct tdk_err *err, int code, const char *format, ...)
{
    if (err == NULL)
        return code;
    va_list args;
    va_start(args, format);
    size_t used = append(err, 0, format, args);
    va_end(args);
    snprintf(err->text + used, sizeof err->text - used, ": %s", tdk_strerror(code));
    err->code = code;
    return code;
}

int err_say(struct tdk_err *err, int code, const char *format, ...)
{
    if (err == NULL)
        return code;
    va_list args;
    va_start(args, format);
    append(err, 0, format, args);
    va_end(args);
    err->code = code;
    return code;
}

int err_wrap(struct tdk_err *err, int code, const char *format, ...)
{
    if (err == NULL)
        return code;
    struct tdk_err inner = *err;
    va_list args;
    va_start(args, format);
    size_t used = append(err, 0, format, args);
    va_end(args);
    snprintf(err->text + used, sizeof err->text - used, ": %.400s", inner.text);
    return err->code;
}

int err_advise(struct tdk_err *err, int code, int about, const char *remedy)
{
    if (err == NULL || code != about)
        return code;
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, "; %s", remedy);
    return code;
}
