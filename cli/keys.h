/*
 * keys.h - single keys from the terminal while something runs.
 *
 * The terminal gives keys at once and unseen between open and close, and is put back on the way
 * out, whichever way that is short of SIGKILL. One per process.
 */
#ifndef TDK_CLI_KEYS_H
#define TDK_CLI_KEYS_H

#include <stdbool.h>

enum key { KEY_NONE, KEY_SPACE, KEY_UP, KEY_DOWN, KEY_LEFT, KEY_RIGHT, KEY_QUIT };

/* False: stdin is no terminal, or we are not in its foreground; keys_read() then finds none. */
bool keys_open(void);
void keys_close(void);

/* The next key that means something, without waiting. */
enum key keys_read(void);

#endif
