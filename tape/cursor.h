/* cursor.h - what the rest of tape/ asks of a cursor. */
#ifndef TDK_TAPE_CURSOR_H
#define TDK_TAPE_CURSOR_H

#include <stdbool.h>

#include "tapedeck/tape.h"

/* It was opened with count_only. */
bool cursor_counts(const struct tdk_cursor *cursor);

/* It ends here: each call from now on fails with `code`. */
void cursor_fail(struct tdk_cursor *cursor, int code);

#endif
