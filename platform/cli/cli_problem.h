/*
 * What the platform refused, in the reader's language. Its codes are stable,
 * its sentences are English: for Japanese readers stands here what each code
 * means that a command can be given. The platform's own words stay where ours
 * are vague, and for a code that is newer than this command.
 */
#ifndef PB_CLI_CLI_PROBLEM_H
#define PB_CLI_CLI_PROBLEM_H

#include "base/buf.h"
#include "base/json.h"

/* The sentence, then what is wrong with each field. */
void pb_cli_put_problem(const struct pb_json *problem, struct pb_buf *text);

#endif
