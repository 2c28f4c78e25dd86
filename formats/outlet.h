/*
 * outlet.h - bytes on their way out: gathered into large pieces, and counted.
 *
 * For writers of files that tell where in them something lies. One thread.
 */
#ifndef TDK_FORMATS_OUTLET_H
#define TDK_FORMATS_OUTLET_H

#include "base/text_buffer.h"
#include "tapedeck/err.h"

/* Takes all `size` bytes; 0, or a negative code that ends the writing and is what the caller gets.
 */
typedef int outlet_write_cb(void *context, const void *bytes, size_t size, struct tdk_err *err);

struct outlet {
    outlet_write_cb *write;
    void *context;
    struct text_buffer text; /* what waits: added to at will, see outlet_settle() */
    uint64_t gone;           /* bytes written before it */
};

void outlet_init(struct outlet *outlet, outlet_write_cb *write, void *context);
void outlet_close(struct outlet *outlet); /* writes nothing; fine twice */

/* Where the next byte will lie. */
static inline uint64_t outlet_offset(const struct outlet *outlet)
{
    return outlet->gone + outlet->text.size;
}

/* Write what waits if it is a large piece; outlet_flush() whatever it is. -ENOMEM: not all that was
 * added is there. */
int outlet_settle(struct outlet *outlet, struct tdk_err *err);
int outlet_flush(struct outlet *outlet, struct tdk_err *err);

#endif
