/*
 * manual.h - the part of the manual that is made from the tables of all commands; docs/man has the
 * text around it.
 */
#ifndef TDK_CLI_MANUAL_H
#define TDK_CLI_MANUAL_H

#include <stdio.h>

#include "cli/command.h"

/* `form`: "man" writes the commands for tapedeck(1), "conf" their sections for tapedeck.conf(5).
 * Returns the exit status. */
int manual_show(const struct command *const *commands, const char *form, FILE *out);

#endif
