#include "formats/outlet.h"

#include <errno.h>

#include "base/err.h"

#define PIECE_SIZE ((size_t)256 << 10)

void outlet_init(struct outlet *outlet, outlet_write_cb *write, void *context)
{
    *outlet = (struct outlet){.write = write, .context = context};
    text_init(&outlet->text);
}

void outlet_close(struct outlet *outlet)
{
    text_close(&outlet->text);
}

int outlet_flush(struct outlet *outlet, struct tdk_err *err)
{
    if (text_error(&outlet->text) < 0)
        return err_set(err, -ENOMEM, "make the output");
    if (outlet->text.size == 0)
        return 0;
    int rc = outlet->write(outlet->context, outlet->text.bytes, outlet->text.size, err);
    outlet->gone += outlet->text.size;
    text_clear(&outlet->text);
    return rc;
}

int outlet_settle(struct outlet *outlet, struct tdk_err *err)
{
    bool small = outlet->text.size < PIECE_SIZE && text_error(&outlet->text) == 0;
    return small ? 0 : outlet_flush(outlet, err);
}
