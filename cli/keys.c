#include "cli/keys.h"

#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static bool open_now;
static struct termios before;

bool keys_open(void)
{
    static bool registered;
    if (open_now || !isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
        tcgetattr(STDIN_FILENO, &before) < 0)
        return open_now;
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO); /* ISIG stays: ^C still interrupts */
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
        return false;
    open_now = true;
    if (!registered)
        registered = atexit(keys_close) == 0;
    return true;
}

void keys_close(void)
{
    if (open_now)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
    open_now = false;
}

/* ESC [ A and ESC O A: terminals send an arrow in either form. */
static enum key arrow(char last)
{
    switch (last) {
    case 'A':
        return KEY_UP;
    case 'B':
        return KEY_DOWN;
    case 'C':
        return KEY_RIGHT;
    case 'D':
        return KEY_LEFT;
    default:
        return KEY_NONE;
    }
}

static bool next_byte(char *byte)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&fd, 1, 0) == 1 && read(STDIN_FILENO, byte, 1) == 1;
}

enum key keys_read(void)
{
    char byte;
    while (open_now && next_byte(&byte)) {
        if (byte == ' ')
            return KEY_SPACE;
        if (byte == 'q' || byte == 'Q')
            return KEY_QUIT;
        if (byte == 27 && next_byte(&byte) && (byte == '[' || byte == 'O') && next_byte(&byte)) {
            enum key key = arrow(byte);
            if (key != KEY_NONE)
                return key;
        }
    }
    return KEY_NONE;
}
