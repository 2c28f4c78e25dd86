/*
 * err.h - how our own code fills a struct tdk_err.
 *
 * Any thread; nothing is allocated. `err` may be NULL everywhere.
 */
#ifndef TDK_BASE_ERR_H
#define TDK_BASE_ERR_H

#include "tapedeck/err.h"

/* "open a.seg: No such file or directory". Returns code, so that a failure is one line. */
int err_set(struct tdk_err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, but nothing is added for the code. It is for a text that says better than the code why
 * it failed and what to do. */
int err_say(struct tdk_err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "what: " in front of the text that is there. Returns the code in err, or `code` if err is
 * NULL. */
int err_wrap(struct tdk_err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Add "; remedy" to the text if `code` is `about`: what an operator does in that case. Returns
 * `code`. */
int err_advise(struct tdk_err *err, int code, int about, const char *remedy);

#endif
