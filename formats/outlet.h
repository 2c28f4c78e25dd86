/*
 * outlet.h - collects bytes into large pieces, writes them, and counts them.
 *
 * For writers of files that state offsets within themselves. One thread.
 */
#ifndef TDK_FORMATS_OUTLET_H
#define TDK_FORMATS_OUTLET_H

#include "base/text_buffer.h"
#include "tapedeck/err.h"

/* Takes all `size` bytes. Returns 0, or a negative code, which ends the writing and is returned to
 * the caller. */
typedef int outlet_write_cb(void *context, const void *bytes, size_t size, struct tdk_err *err);

struct outlet {
    outlet_write_cb *write;
    void *context;
    struct text_buffer text; /* not written yet; add to it freely, see outlet_settle() */
    uint64_t gone;           /* bytes written before it */
};

void outlet_init(struct outlet *outlet, outlet_write_cb *write, void *context);
void outlet_close(struct outlet *outlet); /* writes nothing; may be called twice */

/* The offset at which the next byte will be. */
static inline uint64_t outlet_offset(const struct outlet *outlet)
{
    return outlet->gone + outlet->text.size;
}

/* outlet_settle() writes what is there if it is a large piece, outlet_flush() in any case. -ENOMEM:
 * some of what was added is missing. */
int outlet_settle(struct outlet *outlet, struct tdk_err *err);
int outlet_flush(struct outlet *outlet, struct tdk_err *err);

#endif
