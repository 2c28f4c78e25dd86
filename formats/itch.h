/*
 * itch.h - messages of Nasdaq TotalView-ITCH 5.0: how long they are, and when they were sent.
 *
 *   offset size
 *        0    1 type, a letter
 *        1    2 stock locate   2 tracking number
 *        5    6 time, ns since midnight; big-endian, like everything here
 *
 * Pure; any thread.
 */
#ifndef TDK_FORMATS_ITCH_H
#define TDK_FORMATS_ITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ITCH_HEAD_SIZE ((size_t)11)

/* The size of a message of this type, in bytes. 0: there is no such type. */
size_t itch_size(unsigned char type);

/* The time of a message, which has at least ITCH_HEAD_SIZE bytes. */
uint64_t itch_ns(const unsigned char *message);

/* The opaque type that a message gets on a tape, by its letter: A to Z are 3 to 28, a to z are 29
 * to 54. False: not a letter. */
bool itch_type(unsigned char letter, uint8_t *type);

#endif
