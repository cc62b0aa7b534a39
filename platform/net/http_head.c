#include <string.h>
#include <strings.h>

#include "net/http_chunked_private.h"
#include "net/http_head_private.h"

#define REFUSAL(name, status_, code_, detail_) \
    static const struct pb_http_refusal name = {status_, code_, detail_}

REFUSAL(BAD_LINE, 400, "bad_request", "the request line is malformed");
REFUSAL(BAD_BYTES, 400, "bad_request",
        "the head holds a bare CR, a bare LF or a control character");
REFUSAL(BAD_TARGET, 400, "bad_request", "the request target is malformed");
REFUSAL(LONG_TARGET, 414, "target_too_long", "the request target is longer than 8192 bytes");
REFUSAL(BAD_VERSION, 505, "http_version", "this server speaks HTTP/1.0 and HTTP/1.1");
REFUSAL(BAD_METHOD, 501, "method_unknown", "this server does not know that method");
REFUSAL(BAD_FIELD, 400, "bad_request", "a header line is malformed");
REFUSAL(FOLDED, 400, "bad_request", "a header line is folded");
REFUSAL(MANY_FIELDS, 431, "headers_too_large", "more than 100 header lines");
REFUSAL(BAD_HOST, 400, "bad_request", "a request needs exactly one valid Host header");
REFUSAL(BAD_LENGTH, 400, "bad_request", "the Content-Length is malformed or given twice");
REFUSAL(BAD_CODING, 501, "transfer_coding", "the only transfer coding known here is chunked");
REFUSAL(TWO_CODINGS, 400, "bad_request", "Transfer-Encoding is given twice");
REFUSAL(OLD_CODING, 400, "bad_request", "HTTP/1.0 knows no Transfer-Encoding");
REFUSAL(BOTH_LENGTHS, 400, "bad_request", "both Transfer-Encoding and Content-Length are given");
REFUSAL(UPGRADE_BODY, 400, "bad_request", "an upgrade request has no body");
REFUSAL(BAD_EXPECT, 417, "expectation", "the only expectation known here is 100-continue");

static const char *const METHODS[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

bool pb_http_span_is(struct pb_http_span span, const char *text)
{
    return span.len == strlen(text) && strncasecmp(span.data, text, span.len) == 0;
}

static struct pb_http_span trimmed(const char *data, size_t len)
{
    while (len > 0 && (data[0] == ' ' || data[0] == '\t')) {
        data++;
        len--;
    }
    while (len > 0 && (data[len - 1] == ' ' || data[len - 1] == '\t'))
        len--;
    return (struct pb_http_span){data, len};
}

bool pb_http_list_has(struct pb_http_span list, const char *word)
{
    while (list.len > 0) {
        const char *comma = memchr(list.data, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.data) : list.len;

        if (pb_http_span_is(trimmed(list.data, len), word))
            return true;
        len += comma ? 1 : 0;
        list.data += len;
        list.len -= len;
    }
    return false;
}

/* Every CR is followed by LF, every LF follows CR, nothing else below SP but HTAB. */
static bool has_clean_bytes(const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];

        if (c == '\r' && i + 1 < len && data[i + 1] == '\n') {
            i++;
            continue;
        }
        if (!pb_http_is_text_char(c))
            return false;
    }
    return true;
}

static const struct pb_http_refusal *read_version(const char *text, size_t len, int *ret_minor)
{
    if (len != 8 || memcmp(text, "HTTP/", 5) != 0)
        return &BAD_LINE;
    if (text[5] < '0' || text[5] > '9' || text[6] != '.' || text[7] < '0' || text[7] > '9')
        return &BAD_LINE;
    if (text[5] != '1' || text[7] > '1')
        return &BAD_VERSION;
    *ret_minor = text[7] - '0';
    return NULL;
}

static bool is_known_method(struct pb_http_span method)
{
    for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++) {
        if (method.len == strlen(METHODS[i]) && memcmp(method.data, METHODS[i], method.len) == 0)
            return true;
    }
    return false;
}

static const struct pb_http_refusal *check_target(struct pb_http_span target,
                                                  struct pb_http_span method)
{
    if (target.len > PB_HTTP_TARGET_MAX)
        return &LONG_TARGET;
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.data[i];

        if (c <= 0x20 || c >= 0x7f || c == '#')
            return &BAD_TARGET;
    }
    if (pb_http_span_is(target, "*"))
        return pb_http_span_is(method, "OPTIONS") ? NULL : &BAD_TARGET;
    return target.len > 0 && target.data[0] == '/' ? NULL : &BAD_TARGET;
}

static const struct pb_http_refusal *read_request_line(const char *line, size_t len,
                                                       struct pb_http_head *head)
{
    const char *space = memchr(line, ' ', len);
    const char *last = memrchr(line, ' ', len);
    const struct pb_http_refusal *refusal;

    if (!space || space == line || space == last)
        return &BAD_LINE;
    head->method = (struct pb_http_span){line, (size_t)(space - line)};
    head->target = (struct pb_http_span){space + 1, (size_t)(last - space - 1)};
    for (size_t i = 0; i < head->method.len; i++) {
        if (!pb_http_is_token_char((unsigned char)head->method.data[i]))
            return &BAD_LINE;
    }
    refusal = read_version(last + 1, (size_t)(line + len - last - 1), &head->minor);
    if (refusal)
        return refusal;
    if (!is_known_method(head->method))
        return &BAD_METHOD;
    return check_target(head->target, head->method);
}

static const struct pb_http_refusal *read_field(const char *line, size_t len,
                                                struct pb_http_head *head)
{
    const char *colon = memchr(line, ':', len);

    if (line[0] == ' ' || line[0] == '\t')
        return &FOLDED;
    if (!colon || colon == line)
        return &BAD_FIELD;
    for (const char *c = line; c < colon; c++) {
        if (!pb_http_is_token_char((unsigned char)*c))
            return &BAD_FIELD;
    }
    if (head->count == PB_HTTP_HEADERS_MAX)
        return &MANY_FIELDS;
    head->names[head->count] = (struct pb_http_span){line, (size_t)(colon - line)};
    head->values[head->count] = trimmed(colon + 1, (size_t)(line + len - colon - 1));
    head->count++;
    return NULL;
}

static bool is_host(struct pb_http_span value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            !strchr("-._~:[]%", c))
            return false;
    }
    return value.len > 0 && value.len <= 255;
}

static bool read_length(struct pb_http_span value, uint64_t *ret_length)
{
    uint64_t length = 0;

    if (value.len == 0 || value.len > 18)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
        length = length * 10 + (uint64_t)(value.data[i] - '0');
    }
    *ret_length = length;
    return true;
}

/* What the headers say about the message as a whole. */
struct meaning {
    unsigned hosts;
    unsigned codings;
    bool upgrades;
    bool closes;
    bool keeps;
};

static const struct pb_http_refusal *read_meaning(struct pb_http_head *head, size_t i,
                                                  struct meaning *meaning)
{
    struct pb_http_span name = head->names[i], value = head->values[i];

    if (pb_http_span_is(name, "Host")) {
        if (meaning->hosts++ > 0 || !is_host(value))
            return &BAD_HOST;
    } else if (pb_http_span_is(name, "Content-Length")) {
        if (head->has_length || !read_length(value, &head->length))
            return &BAD_LENGTH;
        head->has_length = true;
    } else if (pb_http_span_is(name, "Transfer-Encoding")) {
        if (meaning->codings++ > 0)
            return &TWO_CODINGS;
        if (!pb_http_span_is(value, "chunked"))
            return &BAD_CODING;
        head->is_chunked = true;
    } else if (pb_http_span_is(name, "Expect")) {
        if (!pb_http_span_is(value, "100-continue"))
            return &BAD_EXPECT;
        head->wants_continue = head->minor > 0;
    } else if (pb_http_span_is(name, "Upgrade")) {
        meaning->upgrades = true;
    } else if (pb_http_span_is(name, "Connection")) {
        meaning->closes = meaning->closes || pb_http_list_has(value, "close");
        meaning->keeps = meaning->keeps || pb_http_list_has(value, "keep-alive");
    }
    return NULL;
}

static const struct pb_http_refusal *read_meanings(struct pb_http_head *head)
{
    struct meaning meaning = {0};

    for (size_t i = 0; i < head->count; i++) {
        const struct pb_http_refusal *refusal = read_meaning(head, i, &meaning);

        if (refusal)
            return refusal;
    }
    if (meaning.hosts != 1)
        return &BAD_HOST;
    if (head->is_chunked && head->minor == 0)
        return &OLD_CODING;
    if (head->is_chunked && head->has_length)
        return &BOTH_LENGTHS;
    if (meaning.upgrades && (head->is_chunked || head->length > 0))
        return &UPGRADE_BODY;
    head->keep_alive = !meaning.closes && (head->minor > 0 || meaning.keeps);
    return NULL;
}

/* All lines: `first` reads the first one, the others are fields. */
static const struct pb_http_refusal *read_lines(
    const char *data, size_t len, struct pb_http_head *head,
    const struct pb_http_refusal *(*first)(const char *line, size_t len, struct pb_http_head *head))
{
    const char *line = data, *end = data + len;
    const struct pb_http_refusal *refusal = NULL;

    if (!has_clean_bytes(data, len))
        return &BAD_BYTES;
    while (line < end && !refusal) {
        const char *stop = memchr(line, '\r', (size_t)(end - line));
        size_t line_len = stop ? (size_t)(stop - line) : 0;

        if (!stop)
            refusal = &BAD_LINE;
        else if (line == data)
            refusal = first(line, line_len, head);
        else if (line_len > 0)
            refusal = read_field(line, line_len, head);
        line += line_len + 2;
    }
    return refusal;
}

const struct pb_http_refusal *pb_http_head_read(const char *data, size_t len,
                                                struct pb_http_head *ret_head)
{
    const struct pb_http_refusal *refusal;

    *ret_head = (struct pb_http_head){0};
    refusal = read_lines(data, len, ret_head, read_request_line);
    return refusal ? refusal : read_meanings(ret_head);
}

static const struct pb_http_refusal *read_status_line(const char *line, size_t len,
                                                      struct pb_http_head *head)
{
    if (len < 12 || line[8] != ' ' || (len > 12 && line[12] != ' '))
        return &BAD_LINE;
    for (int i = 9; i < 12; i++) {
        if (line[i] < '0' || line[i] > '9')
            return &BAD_LINE;
        head->status = head->status * 10 + (line[i] - '0');
    }
    return read_version(line, 8, &head->minor);
}

const struct pb_http_refusal *pb_http_head_read_answer(const char *data, size_t len,
                                                       struct pb_http_head *ret_head)
{
    *ret_head = (struct pb_http_head){0};
    return read_lines(data, len, ret_head, read_status_line);
}
