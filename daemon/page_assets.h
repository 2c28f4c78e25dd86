/* page_assets.h - the files of daemon/page/ as part of the program. cmake/embed.cmake makes the
 * .c. */
#ifndef TDK_DAEMON_PAGE_ASSETS_H
#define TDK_DAEMON_PAGE_ASSETS_H

#include <stddef.h>

struct page_asset {
    const char *name; /* "index.html"; NULL ends the list */
    const unsigned char *bytes;
    size_t size;
};

extern const struct page_asset page_assets[];

#endif
