/* Errors as RFC 9457 problem documents. */
#ifndef PB_SERVER_API_PROBLEM_H
#define PB_SERVER_API_PROBLEM_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

/* {type, title, status, code, detail, field?, errors?, request_id}. Sentences begin with a capital letter
 * here: the error's own message is made to be put behind a context. INTERNAL errors say nothing of their
 * inside; the log has it under the same request id. */
void pb_problem_write(struct pb_buf *buf, const struct pb_error *err, const struct pb_error *fields,
                      size_t field_count, const char *request_id);
/* The same up to where other members may follow, which the caller ends; `code` says what it is as a whole. */
void pb_problem_begin(struct pb_json_writer *w, enum pb_error_code code, const struct pb_error *err,
                      const char *request_id);
/* The same for a status that is no error code of ours. */
void pb_problem_write_status(struct pb_buf *buf, int status, const char *title, const char *code,
                             const char *detail, const char *request_id);

#endif
