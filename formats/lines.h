/*
 * lines.h - `NS PAYLOAD`: a time in ns, one space, any bytes up to the newline.
 *
 * The payload is what follows the first space, without the newline; it may be empty. Pure; any
 * thread.
 */
#ifndef TDK_FORMATS_LINES_H
#define TDK_FORMATS_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

/* Decode one line without its newline; the payload is a part of it. TDK_EVALUE: malformed, and err
 * says why. */
int lines_decode(const char *line, size_t size, uint64_t *ts, const char **payload,
                 size_t *payload_size, struct tdk_err *err);

#endif
