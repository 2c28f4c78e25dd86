/*
 * complete.h - shell completion: commands, options, values, and the names of rings, tracks and
 * symbols that exist right now.
 *
 * One engine for all shells. It knows only the tables from which --help is made.
 */
#ifndef TDK_CLI_COMPLETE_H
#define TDK_CLI_COMPLETE_H

#include <stdio.h>

#include "cli/command.h"

/* `words`: the program, the words typed after it, and last the word to complete, as far as typed.
 * Writes lines `WORD<TAB>what it is`. A line `:files` or `:dirs` tells the shell to use its own. */
void complete(const struct command *const *commands, const struct option_list *words, FILE *out);

#endif
