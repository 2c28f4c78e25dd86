/*
 * manual.h - what the manual says about all commands, from their tables: docs/man has the words
 * around it.
 */
#ifndef TDK_CLI_MANUAL_H
#define TDK_CLI_MANUAL_H

#include <stdio.h>

#include "cli/command.h"

/* `form`: man, the commands for tapedeck(1); conf, their sections for tapedeck.conf(5). The exit
 * status. */
int manual_show(const struct command *const *commands, const char *form, FILE *out);

#endif
