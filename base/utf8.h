/* utf8.h - is it UTF-8, and up to where? Pure; any thread. */
#ifndef TDK_BASE_UTF8_H
#define TDK_BASE_UTF8_H

#include <stddef.h>

/* How many bytes from the first on are well-formed UTF-8: no overlong forms, no surrogates, nothing
 * above U+10FFFF, no character cut at the end. `size` if all are. */
size_t utf8_span(const void *bytes, size_t size);

#endif
