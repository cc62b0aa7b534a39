#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int status;
    const char *name;
} CODES[] = {[PB_OK] = {200, "ok"},
#define X(code, status_, name_) [PB_ERROR_##code] = {status_, name_},
             PB_ERROR_CODES(X)
#undef X
};

static bool is_known(enum pb_error_code code)
{
    return (size_t)code < sizeof(CODES) / sizeof(CODES[0]);
}

/* Arguments may point into *err itself, so the text is made aside. */
static void record(struct pb_error *err, enum pb_error_code code, const char *reason,
                   const char *field, const char *message)
{
    (void)snprintf(err->reason, sizeof(err->reason), "%s", reason);
    (void)snprintf(err->field, sizeof(err->field), "%s", field);
    (void)snprintf(err->message, sizeof(err->message), "%s", message);
    err->code = code;
}

#define FORMAT(text, fmt)                                \
    do {                                                 \
        va_list ap_;                                     \
        va_start(ap_, fmt);                              \
        (void)vsnprintf((text), sizeof(text), fmt, ap_); \
        va_end(ap_);                                     \
    } while (0)

int pb_fail(struct pb_error *err, enum pb_error_code code, const char *fmt, ...)
{
    char message[sizeof(err->message)];

    FORMAT(message, fmt);
    record(err, code, "", "", message);
    return -1;
}

int pb_fail_field(struct pb_error *err, const char *field, const char *fmt, ...)
{
    char name[sizeof(err->field)];
    char message[sizeof(err->message)];

    FORMAT(message, fmt);
    (void)snprintf(name, sizeof(name), "%s", field);
    record(err, PB_ERROR_INVALID, "", name, message);
    return -1;
}

int pb_fail_reason(struct pb_error *err, enum pb_error_code code, const char *reason,
                   const char *fmt, ...)
{
    char name[sizeof(err->reason)];
    char message[sizeof(err->message)];

    FORMAT(message, fmt);
    (void)snprintf(name, sizeof(name), "%s", reason);
    record(err, code, name, "", message);
    return -1;
}

static enum pb_error_code code_of_errno(int number)
{
    switch (number) {
    case ENOENT:
        return PB_ERROR_NOT_FOUND;
    case ENOSPC:
    case EDQUOT:
        return PB_ERROR_UNAVAILABLE;
    case EACCES:
    case EPERM:
        return PB_ERROR_DENIED;
    default:
        return PB_ERROR_INTERNAL;
    }
}

int pb_fail_errno(struct pb_error *err, const char *fmt, ...)
{
    int number = errno;
    enum pb_error_code code = code_of_errno(number);
    char what[sizeof(err->message)];
    char message[sizeof(err->message)];

    FORMAT(what, fmt);
    errno = number;
    (void)snprintf(message, sizeof(message), "%s: %m", what);
    record(err, code, code == PB_ERROR_UNAVAILABLE ? "disk_full" : "", "", message);
    return -1;
}

int pb_fail_in(struct pb_error *err, const char *fmt, ...)
{
    char context[sizeof(err->message)];
    char message[sizeof(err->message)];

    FORMAT(context, fmt);
    (void)snprintf(message, sizeof(message), "%s: %s", context, err->message);
    memcpy(err->message, message, sizeof(message));
    return -1;
}

int pb_error_http_status(enum pb_error_code code)
{
    return is_known(code) ? CODES[code].status : CODES[PB_ERROR_INTERNAL].status;
}

const char *pb_error_name(enum pb_error_code code)
{
    return is_known(code) ? CODES[code].name : CODES[PB_ERROR_INTERNAL].name;
}

const char *pb_error_reason(const struct pb_error *err)
{
    return err->reason[0] ? err->reason : pb_error_name(err->code);
}
