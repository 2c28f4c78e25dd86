/* commands.h - every command of `tapedeck`. The table is in main.c; each command has its own
 * file. */
#ifndef TDK_CLI_COMMANDS_H
#define TDK_CLI_COMMANDS_H

#include "cli/command.h"

extern const struct command ring_command;
extern const struct command feed_command;
extern const struct command gen_command;
extern const struct command drain_command;
extern const struct command tail_command;
extern const struct command session_command;
extern const struct command ls_sessions_command;
extern const struct command tap_command;
extern const struct command import_command;
extern const struct command query_command;
extern const struct command play_command;
extern const struct command info_command;
extern const struct command ls_command;
extern const struct command verify_command;
extern const struct command digest_command;
extern const struct command coverage_command;
extern const struct command gaps_command;
extern const struct command recover_command;
extern const struct command reindex_command;
extern const struct command stat_command;
extern const struct command top_command;
extern const struct command check_command;
extern const struct command doctor_command;
extern const struct command seal_command;
extern const struct command move_command;
extern const struct command asof_command;
extern const struct command completion_command;
extern const struct command bench_command;
extern const struct command bench_ring_command;
extern const struct command bench_record_command;
extern const struct command bench_query_command;
extern const struct command bench_play_command;
extern const struct command bars_command;
extern const struct command roll_command;
extern const struct command flush_command;
extern const struct command mark_command;
extern const struct command attach_command;
extern const struct command detach_command;
extern const struct command retain_command;
extern const struct command diff_command;
extern const struct command arbitrate_command;
extern const struct command pack_command;
extern const struct command unpack_command;

#endif
