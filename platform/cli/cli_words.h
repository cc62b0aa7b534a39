/*
 * The language people read: Japanese when LC_ALL, LC_MESSAGES or LANG (the
 * first that is set) begins with "ja", else English. Both texts stand side by
 * side where they are used, so neither can be forgotten.
 */
#ifndef PB_CLI_CLI_WORDS_H
#define PB_CLI_CLI_WORDS_H

#include <stdbool.h>

/* Looks at the environment; without it, it is English. */
void pb_cli_words_init(void);
bool pb_cli_is_japanese(void);

/* The compiler checks both as formats where one is wanted. */
const char *pb_say(const char *en, const char *ja) __attribute__((format_arg(1), format_arg(2)));

/* A name of the API ("waiting_input") in words; the name itself when it is unknown. */
const char *pb_cli_status_words(const char *status);
const char *pb_cli_project_status_words(const char *status);
const char *pb_cli_health_words(const char *health);
const char *pb_cli_agent_words(const char *state);
const char *pb_cli_node_words(const char *status);
const char *pb_cli_trigger_words(const char *trigger);
const char *pb_cli_priority_words(const char *priority);
const char *pb_cli_limit_words(const char *kind);
const char *pb_cli_schedule_words(const char *result);

#endif
