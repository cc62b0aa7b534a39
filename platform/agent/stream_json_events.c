#include <string.h>

#include "agent/stream_json_private.h"
#include "base/id.h"
#include "base/text.h"

static const struct pb_stream_bound WORDS = {.lines = 4000, .bytes = 256 << 10};
static const struct pb_stream_bound RESULT_OF_TOOL = {.lines = 20, .bytes = 4 << 10};
static const struct pb_stream_bound ONE_LINE = {.lines = 1, .bytes = 1};

enum {
    ARGUMENT_BYTES = 300,
    NAME_BYTES = 200,
};

/* The argument that says most about a call, per tool; others show their whole input, cut. */
static const struct {
    const char *tool, *member;
} ARGUMENTS[] = {
    {"Bash", "command"},    {"Read", "file_path"},      {"Write", "file_path"},
    {"Edit", "file_path"},  {"MultiEdit", "file_path"}, {"NotebookEdit", "notebook_path"},
    {"Glob", "pattern"},    {"Grep", "pattern"},        {"WebFetch", "url"},
    {"WebSearch", "query"}, {"Task", "description"},    {"Agent", "description"},
    {"Skill", "skill"},     {"ToolSearch", "query"},    {"LS", "path"},
};

static const char *text_or_null(const struct pb_json *object, const char *name)
{
    const char *text = pb_json_text(object, name, NULL);

    return text && text[0] ? text : NULL;
}

/* A number of whatever size as one that fits. */
static int64_t whole(const struct pb_json *object, const char *name)
{
    double number = pb_json_number(object, name, 0);

    return number > 0 && number < 1e15 ? (int64_t)number : 0;
}

static void keep_session(struct pb_stream_json *stream, const struct pb_json *event)
{
    const char *id = text_or_null(event, "session_id");

    if (id && pb_uuid_valid(id) && !pb_text_equal(id, stream->facts.session_id))
        stream->facts.session_id = pb_stream_keep(stream, id, NAME_BYTES);
}

static void add_denial(struct pb_stream_json *stream, const char *tool)
{
    struct pb_stream_facts *facts = &stream->facts;

    for (size_t i = 0; i < facts->denial_count; i++)
        if (pb_text_equal(facts->denials[i], tool))
            return;
    if (facts->denial_count < PB_STREAM_DENIALS_MAX) {
        const char *kept = pb_stream_keep(stream, tool, NAME_BYTES);
        if (kept)
            facts->denials[facts->denial_count++] = kept;
    }
}

/* Tool calls and their results. */

static void write_argument(struct pb_stream_json *stream, struct pb_buf *buf, const char *tool,
                           const struct pb_json *input)
{
    const char *text = NULL;
    const char *cwd = pb_buf_string(&stream->cwd);
    size_t len;

    for (size_t i = 0; i < sizeof(ARGUMENTS) / sizeof(ARGUMENTS[0]) && !text; i++)
        if (pb_text_equal(ARGUMENTS[i].tool, tool))
            text = pb_json_text(input, ARGUMENTS[i].member, NULL);
    if (!text) {
        if (pb_json_count(input) > 0)
            pb_json_dump(buf, input);
        return;
    }
    if (cwd[0] && pb_text_starts(text, cwd))
        text += stream->cwd.len;
    len = strcspn(text, "\n");
    pb_buf_bytes(buf, text, len);
    if (text[len])
        pb_buf_text(buf, " …");
}

static void on_tool_use(struct pb_stream_json *stream, const struct pb_json *block,
                        const char *prefix)
{
    const char *tool = pb_json_text(block, "name", "tool");
    struct pb_buf input, line;
    size_t shown;

    pb_buf_init(&input, PB_STREAM_LINE_MAX);
    pb_buf_init(&line, 2 * (size_t)PB_STREAM_LINE_MAX);
    write_argument(stream, &input, tool, pb_json_get(block, "input"));
    shown = pb_stream_cut(pb_buf_string(&input), input.len, ARGUMENT_BYTES);
    pb_buf_text(&line, tool);
    if (shown > 0)
        pb_buf_text(&line, ": ");
    pb_buf_bytes(&line, pb_buf_string(&input), shown);
    if (shown < input.len)
        pb_buf_text(&line, " …");
    pb_stream_say(stream, 't', prefix, pb_buf_string(&line), ONE_LINE);
    pb_buf_release(&input);
    pb_buf_release(&line);
}

/* A tool's result is a text, or a list of blocks of which the texts are shown. */
static void on_tool_result(struct pb_stream_json *stream, const struct pb_json *block)
{
    const struct pb_json *content = pb_json_get(block, "content");
    const char *prefix = pb_json_bool(block, "is_error", false) ? "failed: " : "";

    if (pb_json_is_text(content)) {
        pb_stream_say(stream, 'r', prefix, pb_json_as_text(content, ""), RESULT_OF_TOOL);
        return;
    }
    for (size_t i = 0; i < pb_json_count(content) && i < 20; i++) {
        const struct pb_json *part = pb_json_at(content, i);
        const char *text = pb_json_text(part, "text", NULL);
        if (text)
            pb_stream_say(stream, 'r', prefix, text, RESULT_OF_TOOL);
        else
            pb_stream_sayf(stream, 'r', "%s(%s)", prefix, pb_json_text(part, "type", "nothing"));
    }
}

static void on_block(struct pb_stream_json *stream, const struct pb_json *block, bool is_sub)
{
    const char *type = pb_json_text(block, "type", "");

    if (pb_text_equal(type, "text")) {
        stream->said_words |= !is_sub;
        pb_stream_say(stream, 'c', is_sub ? "  " : "", pb_json_text(block, "text", ""), WORDS);
    } else if (pb_text_equal(type, "tool_use")) {
        on_tool_use(stream, block, is_sub ? "  " : "");
    } else if (pb_text_equal(type, "tool_result")) {
        on_tool_result(stream, block);
    }
}

/* Messages: one content block per line as a rule, but nothing promises it. */

static void on_assistant(struct pb_stream_json *stream, const struct pb_json *event)
{
    const struct pb_json *message = pb_json_get(event, "message");
    const struct pb_json *content = pb_json_get(message, "content");
    const char *error = text_or_null(event, "error");
    bool is_sub = text_or_null(event, "parent_tool_use_id") != NULL;

    stream->facts.has_result = false;
    if (error)
        stream->facts.api_error = pb_stream_keep(stream, error, NAME_BYTES);
    for (size_t i = 0; i < pb_json_count(content); i++) {
        const struct pb_json *block = pb_json_at(content, i);
        if (error) /* made by the CLI, in the model's name */
            pb_stream_say(stream, 'x', "", pb_json_text(block, "text", ""), WORDS);
        else
            on_block(stream, block, is_sub);
    }
}

static void on_user(struct pb_stream_json *stream, const struct pb_json *event)
{
    const struct pb_json *content = pb_json_get(pb_json_get(event, "message"), "content");

    stream->facts.has_result = false;
    for (size_t i = 0; i < pb_json_count(content); i++) {
        const struct pb_json *block = pb_json_at(content, i);
        if (pb_text_equal(pb_json_text(block, "type", ""), "tool_result"))
            on_tool_result(stream, block);
    }
}

/* system/… */

static void say_servers(struct pb_stream_json *stream, const struct pb_json *servers)
{
    for (size_t i = 0; i < pb_json_count(servers) && i < 20; i++) {
        const struct pb_json *server = pb_json_at(servers, i);
        const char *status = pb_json_text(server, "status", "");
        if (!pb_text_equal(status, "connected"))
            pb_stream_sayf(stream, 'w', "MCP server %s: %s", pb_json_text(server, "name", "?"),
                           status);
    }
}

static void on_init(struct pb_stream_json *stream, const struct pb_json *event)
{
    struct pb_stream_facts *facts = &stream->facts;
    const char *cwd = pb_json_text(event, "cwd", "");

    facts->model = pb_stream_keep(stream, text_or_null(event, "model"), NAME_BYTES);
    facts->version = pb_stream_keep(stream, text_or_null(event, "claude_code_version"), NAME_BYTES);
    if (cwd[0] == '/' && stream->cwd.len == 0) {
        pb_buf_text(&stream->cwd, cwd);
        pb_buf_char(&stream->cwd, '/');
    }
    pb_stream_sayf(stream, 's', "claude %s, model %s, session %s, permissions %s",
                   facts->version ? facts->version : "?", facts->model ? facts->model : "?",
                   facts->session_id ? facts->session_id : "?",
                   pb_json_text(event, "permissionMode", "?"));
    say_servers(stream, pb_json_get(event, "mcp_servers"));
}

static void on_api_retry(struct pb_stream_json *stream, const struct pb_json *event)
{
    int64_t status = pb_json_int(event, "error_status", 0);

    stream->facts.retries++;
    stream->facts.api_status = status > 0 && status < 1000 ? (int)status : 0;
    pb_stream_sayf(stream, 'w', "the API did not answer: %s (%lld); try %lld of %lld in %lld ms",
                   pb_json_text(event, "error", "unknown"), (long long)status,
                   (long long)whole(event, "attempt") + 1,
                   (long long)whole(event, "max_retries") + 1,
                   (long long)whole(event, "retry_delay_ms"));
}

static void on_permission_denied(struct pb_stream_json *stream, const struct pb_json *event)
{
    const char *tool = pb_json_text(event, "tool_name", "?");

    add_denial(stream, tool);
    pb_stream_sayf(stream, 'w', "not permitted: %s: %s", tool, pb_json_text(event, "message", ""));
}

static void on_refusal(struct pb_stream_json *stream, const struct pb_json *event)
{
    stream->facts.refused = true;
    pb_stream_say(stream, 'w', "the model refused to answer. ",
                  pb_json_text(event, "api_refusal_explanation", ""), ONE_LINE);
}

static void on_fallback(struct pb_stream_json *stream, const struct pb_json *event)
{
    pb_stream_say(stream, 'w', "", pb_json_text(event, "content", "another model answers"),
                  ONE_LINE);
}

static void on_compacted(struct pb_stream_json *stream, const struct pb_json *event)
{
    (void)event;
    pb_stream_sayf(stream, 's', "the conversation so far was summarised to make room");
}

static void on_informational(struct pb_stream_json *stream, const struct pb_json *event)
{
    pb_stream_say(stream, 's', "", pb_json_text(event, "content", ""), ONE_LINE);
}

static const struct {
    const char *subtype;
    void (*fn)(struct pb_stream_json *stream, const struct pb_json *event);
} SYSTEM_EVENTS[] = {
    {"init", on_init},
    {"api_retry", on_api_retry},
    {"permission_denied", on_permission_denied},
    {"model_refusal_no_fallback", on_refusal},
    {"model_fallback", on_fallback},
    {"compact_boundary", on_compacted},
    {"informational", on_informational},
};

static void on_system(struct pb_stream_json *stream, const struct pb_json *event)
{
    const char *subtype = pb_json_text(event, "subtype", "");

    for (size_t i = 0; i < sizeof(SYSTEM_EVENTS) / sizeof(SYSTEM_EVENTS[0]); i++)
        if (pb_text_equal(SYSTEM_EVENTS[i].subtype, subtype))
            SYSTEM_EVENTS[i].fn(stream, event);
}

/* The last line. */

static void keep_result_text(struct pb_stream_json *stream, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    size_t kept = text ? pb_stream_cut(text, len, PB_STREAM_RESULT_MAX) : 0;

    pb_buf_clear(&stream->result);
    pb_buf_bytes(&stream->result, text ? text : "", kept);
    if (kept < len)
        pb_buf_text(&stream->result, " …");
    stream->facts.result = text ? pb_buf_string(&stream->result) : NULL;
}

static void keep_result(struct pb_stream_json *stream, const struct pb_json *event)
{
    struct pb_stream_facts *facts = &stream->facts;
    const struct pb_json *denials = pb_json_get(event, "permission_denials");
    int64_t status = pb_json_int(event, "api_error_status", 0);
    double cost = pb_json_number(event, "total_cost_usd", -1);

    facts->has_result = true;
    facts->is_error = pb_json_bool(event, "is_error", false);
    facts->subtype = pb_stream_keep(stream, pb_json_text(event, "subtype", ""), NAME_BYTES);
    facts->terminal_reason =
        pb_stream_keep(stream, text_or_null(event, "terminal_reason"), NAME_BYTES);
    facts->first_error =
        pb_stream_keep(stream, pb_json_as_text(pb_json_at(pb_json_get(event, "errors"), 0), NULL),
                       2000);
    facts->api_status = status > 0 && status < 1000 ? (int)status : 0;
    facts->num_turns = pb_json_int(event, "num_turns", 0);
    facts->duration_ms = whole(event, "duration_ms");
    facts->has_cost = cost >= 0 && cost < 1e9;
    facts->total_cost_micro_usd = facts->has_cost ? (int64_t)(cost * 1e6 + 0.5) : 0;
    for (size_t i = 0; i < pb_json_count(denials); i++)
        add_denial(stream, pb_json_text(pb_json_at(denials, i), "tool_name", "?"));
    keep_result_text(stream, pb_json_text(event, "result", NULL));
}

static void on_result(struct pb_stream_json *stream, const struct pb_json *event)
{
    const struct pb_stream_facts *facts = &stream->facts;
    bool good;

    keep_result(stream, event);
    good = !facts->is_error && pb_text_equal(facts->subtype, "success");
    if (!stream->said_words && facts->result && good)
        pb_stream_say(stream, 'c', "", pb_json_text(event, "result", ""), WORDS);
    if (facts->first_error)
        pb_stream_say(stream, 'x', "", facts->first_error, RESULT_OF_TOOL);
    pb_stream_sayf(stream, good ? 's' : 'x',
                   "%s: %lld turns, %lld.%lld s, session so far $%lld.%04lld",
                   good                                                          ? "finished"
                   : facts->is_error && pb_text_equal(facts->subtype, "success") ? "failed"
                                                                                 : facts->subtype,
                   (long long)facts->num_turns, (long long)(facts->duration_ms / 1000),
                   (long long)(facts->duration_ms / 100 % 10),
                   (long long)(facts->total_cost_micro_usd / 1000000),
                   (long long)(facts->total_cost_micro_usd / 100 % 10000));
}

static void on_rate_limit(struct pb_stream_json *stream, const struct pb_json *event)
{
    const struct pb_json *info = pb_json_get(event, "rate_limit_info");
    const char *status = pb_json_text(info, "status", "allowed");
    double resets_at = pb_json_number(info, "resetsAt", 0);

    stream->facts.limited_until_ms = 0;
    if (pb_text_equal(status, "allowed"))
        return;
    pb_stream_sayf(stream, 'w', "rate limit of the account: %s", status);
    if (pb_text_equal(status, "rejected") && resets_at > 0 && resets_at < 1e11)
        stream->facts.limited_until_ms = (int64_t)(resets_at * 1000);
}

static const struct {
    const char *type;
    void (*fn)(struct pb_stream_json *stream, const struct pb_json *event);
} EVENTS[] = {
    {"assistant", on_assistant},
    {"user", on_user},
    {"system", on_system},
    {"result", on_result},
    {"rate_limit_event", on_rate_limit},
};

void pb_stream_event(struct pb_stream_json *stream, const struct pb_json *event)
{
    const char *type = pb_json_text(event, "type", "");

    keep_session(stream, event);
    for (size_t i = 0; i < sizeof(EVENTS) / sizeof(EVENTS[0]); i++)
        if (pb_text_equal(EVENTS[i].type, type))
            EVENTS[i].fn(stream, event);
}
