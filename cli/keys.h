/*
 * keys.h - single keys from the terminal while something runs.
 *
 * Between open and close the terminal delivers keys at once, without echo. It is restored on exit,
 * for any reason except SIGKILL. One per process.
 */
#ifndef TDK_CLI_KEYS_H
#define TDK_CLI_KEYS_H

#include <stdbool.h>

enum key { KEY_NONE, KEY_SPACE, KEY_UP, KEY_DOWN, KEY_LEFT, KEY_RIGHT, KEY_QUIT };

/* False: stdin is no terminal, or we are not in its foreground; keys_read() then finds none. */
bool keys_open(void);
void keys_close(void);

/* The next key that has a meaning, without waiting. */
enum key keys_read(void);

#endif
