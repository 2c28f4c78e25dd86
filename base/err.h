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

/* The same, but the text is all there is: nothing is added for the code. For a failure that says
 * better than its code why it happened and what to do. */
int err_say(struct tdk_err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "what: " in front of the text that is there. Returns err's code, or `code` without err. */
int err_wrap(struct tdk_err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "; remedy" behind the text that is there, if that is about this code: what an operator does
 * then. Returns `code`. */
int err_advise(struct tdk_err *err, int code, int about, const char *remedy);

#endif
