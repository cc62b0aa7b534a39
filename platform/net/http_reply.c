/* Heads of replies and the bodies of refusals. Safe from any thread. */
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "base/text.h"
#include "net/http_chunked_private.h"
#include "net/http_head_private.h"
#include "net/http_server_private.h"

enum { DATE_TEXT = 30 }; /* "Sun, 22 Nov 2026 10:06:07 GMT" and its NUL */

static const struct {
    int status;
    const char *words;
} STATUSES[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {529, "Overloaded"},
};

/* These are the server's business, not the handler's. */
static const char *const OURS[] = {"Content-Length", "Transfer-Encoding", "Connection", "Date"};

static const char *status_words(int status)
{
    for (size_t i = 0; i < sizeof(STATUSES) / sizeof(STATUSES[0]); i++) {
        if (STATUSES[i].status == status)
            return STATUSES[i].words;
    }
    return "Status";
}

static void format_date(int64_t wall_ms, char text[DATE_TEXT])
{
    static const char days[][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"}; /* 1970 */
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char iso[PB_CLOCK_TEXT];
    int month;

    pb_clock_format(wall_ms, iso); /* 2026-11-22T10:06:07.037Z */
    month = (iso[5] - '0') * 10 + (iso[6] - '0') - 1;
    memcpy(text, days[wall_ms / 86400000 % 7], 3);
    memcpy(text + 3, ", DD Mmm YYYY HH:MM:SS GMT", DATE_TEXT - 3);
    memcpy(text + 5, iso + 8, 2);
    memcpy(text + 8, months[month], 3);
    memcpy(text + 12, iso, 4);
    memcpy(text + 17, iso + 11, 8);
}

static const char *date_now(void)
{
    static _Thread_local int64_t second = -1;
    static _Thread_local char text[DATE_TEXT];
    int64_t now_ms = pb_clock_wall_ms();

    if (now_ms / 1000 != second) {
        second = now_ms / 1000;
        format_date(now_ms, text);
    }
    return text;
}

static bool is_ours(const char *name)
{
    for (size_t i = 0; i < sizeof(OURS) / sizeof(OURS[0]); i++) {
        if ((name[0] | 0x20) == (OURS[i][0] | 0x20) && strcasecmp(name, OURS[i]) == 0)
            return true;
    }
    return false;
}

static bool is_token(const char *name)
{
    for (const char *c = name; *c; c++) {
        if (!pb_http_is_token_char((unsigned char)*c))
            return false;
    }
    return *name != '\0';
}

/* A value may come from outside: what would end the line becomes a space. */
static void write_value(struct pb_buf *buf, const char *value)
{
    while (*value) {
        size_t clean = 0;

        while (value[clean] && pb_http_is_text_char((unsigned char)value[clean]))
            clean++;
        pb_buf_bytes(buf, value, clean);
        value += clean;
        if (*value) {
            pb_buf_char(buf, ' ');
            value++;
        }
    }
}

void pb_http_write_head(struct pb_buf *buf, int status, const struct pb_http_header *headers,
                        size_t header_count)
{
    pb_buf_text(buf, "HTTP/1.1 ");
    pb_buf_u64(buf, (uint64_t)status);
    pb_buf_char(buf, ' ');
    pb_buf_text(buf, status_words(status));
    pb_buf_text(buf, "\r\nDate: ");
    pb_buf_text(buf, date_now());
    pb_buf_text(buf, "\r\n");
    for (size_t i = 0; i < header_count; i++) {
        if (!is_token(headers[i].name) || is_ours(headers[i].name))
            continue;
        pb_buf_text(buf, headers[i].name);
        pb_buf_text(buf, ": ");
        write_value(buf, headers[i].value);
        pb_buf_text(buf, "\r\n");
    }
}

bool pb_http_asks_close(const struct pb_http_header *headers, size_t header_count)
{
    for (size_t i = 0; i < header_count; i++) {
        struct pb_http_span value = {headers[i].value, strlen(headers[i].value)};

        if (strcasecmp(headers[i].name, "Connection") == 0 && pb_http_list_has(value, "close"))
            return true;
    }
    return false;
}

static void write_problem(struct pb_buf *buf, int status, const char *code, const char *detail)
{
    struct pb_json_writer w;
    char id[PB_ULID_TEXT];

    pb_ulid(id); /* as in every problem document, so that people can name it */
    pb_json_writer_init(&w, buf);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "type", "about:blank");
    pb_json_put_text(&w, "title", status_words(status));
    pb_json_put_int(&w, "status", status);
    pb_json_put_text(&w, "code", code);
    pb_json_put_text(&w, "detail", detail);
    pb_json_put_text(&w, "request_id", id);
    pb_json_end_object(&w);
}

void pb_http_write_refusal(struct pb_buf *buf, int status, const char *code, const char *detail)
{
    static const struct pb_http_header headers[] = {
        {"Content-Type", "application/problem+json"},
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
    };
    struct pb_buf body;

    pb_buf_init(&body, 2048);
    write_problem(&body, status, code, detail);
    pb_http_write_head(buf, status, headers, sizeof(headers) / sizeof(headers[0]));
    pb_buf_text(buf, "Connection: close\r\nContent-Length: ");
    pb_buf_u64(buf, body.len);
    pb_buf_text(buf, "\r\n\r\n");
    pb_buf_bytes(buf, body.data, body.len);
    pb_buf_release(&body);
}
