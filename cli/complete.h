/*
 * complete.h - what may stand where the cursor is: commands, options, values, and the names of
 * rings, tracks and symbols that are there right now.
 *
 * One engine for all shells, and the tables that --help is made of are all it knows.
 */
#ifndef TDK_CLI_COMPLETE_H
#define TDK_CLI_COMPLETE_H

#include <stdio.h>

#include "cli/command.h"

/* `words`: the program, what was typed behind it, and last the word to complete, as far as it goes.
 * Writes lines `WORD<TAB>what it is`; a line `:files` or `:dirs` asks the shell for its own. */
void complete(const struct command *const *commands, const struct option_list *words, FILE *out);

#endif
