/* Numbers for people: how long, how long ago, how much. */
#ifndef PB_CLI_CLI_FORMAT_H
#define PB_CLI_CLI_FORMAT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/json.h"

/* All give a text in the arena; "" for what is unknown (and when the arena is full). */
const char *pb_cli_duration(struct pb_arena *arena, int64_t ms);
/* "3 min ago", from an RFC 3339 time; NULL is unknown. */
const char *pb_cli_ago(struct pb_arena *arena, const char *time, int64_t now_ms);
/* Of an execution: its active_ms and, while an attempt works, the time since active_since (RFC 3339). */
const char *pb_cli_worked(struct pb_arena *arena, int64_t active_ms, const char *active_since,
                          int64_t now_ms);
/* "2026-11-22 10:06:07 UTC" */
const char *pb_cli_time(struct pb_arena *arena, const char *time);
const char *pb_cli_bytes(struct pb_arena *arena, int64_t bytes); /* below 0: unknown */
const char *pb_cli_count(struct pb_arena *arena, int64_t count); /* below 0: unknown */
/* Member in US dollars; null is unknown. */
const char *pb_cli_money(struct pb_arena *arena, const struct pb_json *object, const char *name);

#endif
