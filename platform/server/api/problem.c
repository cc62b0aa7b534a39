#include "server/api/problem.h"

#include "base/json.h"

static const char *title_of(enum pb_error_code code)
{
    switch (code) {
    case PB_ERROR_INVALID:
        return "The request is not valid";
    case PB_ERROR_UNAUTHENTICATED:
        return "Sign in first";
    case PB_ERROR_DENIED:
        return "Not allowed";
    case PB_ERROR_NOT_FOUND:
        return "Not found";
    case PB_ERROR_CONFLICT:
        return "In conflict with the present state";
    case PB_ERROR_PRECONDITION:
        return "Changed by somebody else meanwhile";
    case PB_ERROR_TOO_LARGE:
        return "Too large";
    case PB_ERROR_UNSUPPORTED:
        return "Not supported";
    case PB_ERROR_UNPROCESSABLE:
        return "Cannot be done";
    case PB_ERROR_LIMITED:
        return "Too much at once";
    case PB_ERROR_UNREACHABLE:
        return "The other side cannot be reached";
    case PB_ERROR_UNAVAILABLE:
        return "Not available right now";
    case PB_ERROR_TIMEOUT:
        return "No answer in time";
    case PB_OK:
    case PB_ERROR_INTERNAL:
        break;
    }
    return "Something went wrong inside the platform";
}

/* "no such project" → "No such project" */
static void put_sentence(struct pb_json_writer *w, const char *name, const char *message)
{
    struct pb_buf text;

    pb_buf_init(&text, 1024);
    if (*message >= 'a' && *message <= 'z') {
        pb_buf_char(&text, (char)(*message - 'a' + 'A'));
        message++;
    }
    pb_buf_text(&text, message);
    pb_json_put_text(w, name, pb_buf_string(&text));
    pb_buf_release(&text);
}

static void put_fields(struct pb_json_writer *w, const struct pb_error *fields, size_t count)
{
    pb_json_begin_array(w, "errors");
    for (size_t i = 0; i < count; i++) {
        pb_json_begin_object(w, NULL);
        pb_json_put_text(w, "field", fields[i].field);
        pb_json_put_text(w, "code", pb_error_reason(&fields[i]));
        put_sentence(w, "detail", fields[i].message);
        pb_json_end_object(w);
    }
    pb_json_end_array(w);
}

void pb_problem_begin(struct pb_json_writer *w, enum pb_error_code code, const struct pb_error *err,
                      const char *request_id)
{
    pb_json_begin_object(w, NULL);
    pb_json_put_text(w, "type", "about:blank");
    pb_json_put_text(w, "title", title_of(code));
    pb_json_put_int(w, "status", pb_error_http_status(code));
    pb_json_put_text(w, "code", pb_error_reason(err));
    if (err->code == PB_ERROR_INTERNAL)
        pb_json_put_text(w, "detail", "The platform's log has the details under this request id");
    else
        put_sentence(w, "detail", err->message);
    pb_json_put_text(w, "request_id", request_id);
}

void pb_problem_write(struct pb_buf *buf, const struct pb_error *err, const struct pb_error *fields,
                      size_t field_count, const char *request_id)
{
    struct pb_json_writer w;

    pb_json_writer_init(&w, buf);
    pb_problem_begin(&w, err->code, err, request_id);
    if (err->field[0])
        pb_json_put_text(&w, "field", err->field);
    if (field_count > 0)
        put_fields(&w, fields, field_count);
    pb_json_end_object(&w);
}

void pb_problem_write_status(struct pb_buf *buf, int status, const char *title, const char *code,
                             const char *detail, const char *request_id)
{
    struct pb_json_writer w;

    pb_json_writer_init(&w, buf);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "type", "about:blank");
    pb_json_put_text(&w, "title", title);
    pb_json_put_int(&w, "status", status);
    pb_json_put_text(&w, "code", code);
    pb_json_put_text(&w, "detail", detail);
    pb_json_put_text(&w, "request_id", request_id);
    pb_json_end_object(&w);
}
