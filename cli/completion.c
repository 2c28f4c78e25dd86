/* completion.c - what the shells load: a few lines that ask us for words as they are needed. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/complete.h"

/* The words come from `tapedeck completion words -- PROGRAM WORD...`: WORD<TAB>what it is. */

static const char bash[] =
    "# tapedeck for bash: eval \"$(tapedeck completion bash)\"\n"
    "_tapedeck()\n"
    "{\n"
    "    local line word current=${COMP_WORDS[COMP_CWORD]}\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        :files)\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            while IFS= read -r word; do COMPREPLY+=(\"$word\"); done \\\n"
    "                < <(compgen -f -- \"$current\")\n"
    "            ;;\n"
    "        :dirs)\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            while IFS= read -r word; do COMPREPLY+=(\"$word\"); done \\\n"
    "                < <(compgen -d -- \"$current\")\n"
    "            ;;\n"
    "        *)\n"
    "            printf -v word %q \"${line%%$'\\t'*}\"\n"
    "            COMPREPLY+=(\"$word\")\n"
    "            ;;\n"
    "        esac\n"
    "    done < <(command tapedeck completion words -- \"${COMP_WORDS[@]:0:COMP_CWORD+1}\" \\\n"
    "        2>/dev/null)\n"
    "}\n"
    "complete -F _tapedeck tapedeck tapedeck-recorder tapedeck-replayer\n";

static const char zsh[] =
    "#compdef tapedeck tapedeck-recorder tapedeck-replayer\n"
    "# tapedeck for zsh: source <(tapedeck completion zsh), or as _tapedeck in a folder of $fpath\n"
    "_tapedeck()\n"
    "{\n"
    "    local line\n"
    "    local -a offered\n"
    "    for line in \"${(@f)$(command tapedeck completion words -- \\\n"
    "        \"${(@)words[1,CURRENT]}\" 2>/dev/null)}\"; do\n"
    "        case $line in\n"
    "        '') ;;\n"
    "        :files) _files ;;\n"
    "        :dirs) _files -/ ;;\n"
    "        *) offered+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\") ;;\n"
    "        esac\n"
    "    done\n"
    "    (( ${#offered} )) && _describe tapedeck offered\n"
    "}\n"
    "if [[ ${funcstack[1]} == _tapedeck ]]; then\n"
    "    _tapedeck \"$@\"\n"
    "else\n"
    "    compdef _tapedeck tapedeck tapedeck-recorder tapedeck-replayer\n"
    "fi\n";

static const char fish[] =
    "# tapedeck for fish: tapedeck completion fish | source\n"
    "function __tapedeck_words\n"
    "    set -l current (commandline -ct)\n"
    "    for line in (command tapedeck completion words -- (commandline -opc) \"$current\" "
    "2>/dev/null)\n"
    "        switch $line\n"
    "            case :files\n"
    "                __fish_complete_path \"$current\"\n"
    "            case :dirs\n"
    "                __fish_complete_directories \"$current\" ''\n"
    "            case '*'\n"
    "                echo $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "for program in tapedeck tapedeck-recorder tapedeck-replayer\n"
    "    complete -c $program -f -a '(__tapedeck_words)'\n"
    "end\n";

static const struct {
    const char *shell, *script;
} scripts[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

static int show_script(const char *shell)
{
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        if (strcmp(shell, scripts[i].shell) == 0) {
            fputs(scripts[i].script, stdout);
            return CLI_OK;
        }
    return cli_usage("there is no completion for '%s'; choose bash, zsh or fish", shell);
}

static int run(const struct cli *cli)
{
    const struct option_list *operands = cli->operands;
    if (strcmp(operands->items[0], "words") == 0) {
        struct option_list words = {.items = operands->items + 1, .count = operands->count - 1};
        complete(cli->commands, &words, stdout);
        return CLI_OK;
    }
    if (operands->count > 1)
        return cli_usage("'%s' is one argument too many", operands->items[1]);
    return show_script(operands->items[0]);
}

const struct command completion_command = {
    .name = "completion",
    .brief = "print a script that completes commands, options and names",
    .usage = "bash|zsh|fish",
    .about = "For bash: eval \"$(tapedeck completion bash)\"; for zsh: source <(tapedeck\n"
             "completion zsh); for fish: tapedeck completion fish | source. Rings, tracks and\n"
             "symbols are completed with the names that exist. The package installs these\n"
             "scripts.",
    .operand = "SHELL",
    .operands_min = 1,
    .operands_max = UINT_MAX,
    .run = run,
};
