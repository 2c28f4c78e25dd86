/*
 * five_names.h - numbers for names: a symbol's instrument id, a message type's kind.
 *
 * A number is made from the name's hash: its low bits, but not 0, and if that number is taken, the
 * next one. So a name has the same number in every file, unless two names meet in one number. All
 * files of an epoch share one table, so that within it no two names have the same number. One
 * thread.
 */
#ifndef TDK_FORMATS_FIVE_NAMES_H
#define TDK_FORMATS_FIVE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIVE_NAMES_MAX (1u << 20) /* symbols in one epoch */
#define FIVE_KINDS_MAX 4096u      /* message types in one epoch */

struct five_names;

int five_names_open(struct five_names **names);
void five_names_close(struct five_names *names);

/* 1: it is new and must be announced. 0: known. -ENOMEM; TDK_EFULL: too many. */
int five_names_symbol(struct five_names *names, const char *symbol, size_t size, uint32_t *id);

/* The same for a message type; "trade" is kind 0 and never new. */
int five_names_kind(struct five_names *names, const char *type, size_t size, uint16_t *kind);

#endif
