/* client_lend.c - a ring in memory is passed to a recorder. */

#include "base/err.h"
#include "wire/client.h"

int tdk_client_lend(struct tdk_client *c, const char *ring, const char *track, int file,
                    struct tdk_err *err)
{
    struct wire_map result;
    struct text_buffer *params = client_begin(c, "lend");
    wire_put_map(params, track != NULL ? 2 : 1);
    wire_pair_string(params, "ring", ring);
    if (track != NULL)
        wire_pair_string(params, "track", track);
    c->file = file;
    int rc = client_call(c, NULL, NULL, &result, err);
    c->file = -1;
    return rc;
}
