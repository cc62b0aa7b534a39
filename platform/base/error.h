/*
 * What went wrong, in words for a person and a code for a program.
 *
 * The caller owns the struct (usually on its stack, or in the request), so
 * reporting an error never allocates. A function that can fail takes
 * `struct pb_error *err` last and returns 0 or -1 (or a pointer or NULL);
 * on success it leaves *err alone.
 */
#ifndef PB_BASE_ERROR_H
#define PB_BASE_ERROR_H

#define PB_MUST_CHECK        __attribute__((warn_unused_result))
#define PB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* code, HTTP status, name on the wire */
#define PB_ERROR_CODES(X)                      \
    X(INVALID, 400, "invalid")                 \
    X(UNAUTHENTICATED, 401, "unauthenticated") \
    X(DENIED, 403, "denied")                   \
    X(NOT_FOUND, 404, "not_found")             \
    X(CONFLICT, 409, "conflict")               \
    X(PRECONDITION, 412, "precondition")       \
    X(TOO_LARGE, 413, "too_large")             \
    X(UNSUPPORTED, 415, "unsupported")         \
    X(UNPROCESSABLE, 422, "unprocessable")     \
    X(LIMITED, 429, "limited")                 \
    X(INTERNAL, 500, "internal")               \
    X(UNREACHABLE, 502, "unreachable")         \
    X(UNAVAILABLE, 503, "unavailable")         \
    X(TIMEOUT, 504, "timeout")

enum pb_error_code {
    PB_OK = 0,
#define X(code, status, name) PB_ERROR_##code,
    PB_ERROR_CODES(X)
#undef X
};

struct pb_error {
    enum pb_error_code code;
    char reason
        [40]; /* finer, stable name for programs ("github_token_invalid"); "" = the code's name */
    char field[48];    /* the input at fault ("github_owner"); "" = none in particular */
    char message[512]; /* lower case, no full stop, says what and which */
};

/* Records the error and returns -1, so a failure is one line: return pb_fail(...). */
int pb_fail(struct pb_error *err, enum pb_error_code code, const char *fmt, ...) PB_PRINTF(3, 4);

/* The same, about one field of the input: INVALID with err->field set. */
int pb_fail_field(struct pb_error *err, const char *field, const char *fmt, ...) PB_PRINTF(3, 4);

/* The same with a finer stable name for programs. */
int pb_fail_reason(struct pb_error *err, enum pb_error_code code, const char *reason,
                   const char *fmt, ...) PB_PRINTF(4, 5);

/* "<what>: <strerror(errno)>"; ENOENT → NOT_FOUND, ENOSPC → UNAVAILABLE reason "disk_full",
 * EACCES/EPERM → DENIED, else INTERNAL. Call it before anything else can change errno. */
int pb_fail_errno(struct pb_error *err, const char *fmt, ...) PB_PRINTF(2, 3);

/* Puts "<context>: " in front of a message on its way up; returns -1. */
int pb_fail_in(struct pb_error *err, const char *fmt, ...) PB_PRINTF(2, 3);

int pb_error_http_status(enum pb_error_code code);
const char *pb_error_name(enum pb_error_code code);
/* err->reason, or the code's name when there is none. */
const char *pb_error_reason(const struct pb_error *err);

#endif
