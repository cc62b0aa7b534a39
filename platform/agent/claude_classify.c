#include <string.h>

#include "agent/claude_driver.h"
#include "base/text.h"

/*
 * An API failure, told by what stands first: the words of the text (they are
 * the most exact where the status says little), then the status, then the
 * CLI's own word. The first row that fits counts.
 */
static const struct {
    const char *text;           /* in the final text or the first error; NULL = any */
    int status_from, status_to; /* 0, 0 = any, also none */
    const char *word;           /* NULL = any */
    const char *kind;
} API_FAILURES[] = {
    {"Prompt is too long", 0, 0, NULL, "prompt_too_long"},
    {"Credit balance is too low", 0, 0, NULL, "billing"},
    {"spend limit", 0, 0, NULL, "billing"}, /* a monthly cap also comes as 429, and no wait helps */
    {"Not logged in", 0, 0, NULL, "auth"},
    {"Invalid API key", 0, 0, NULL, "auth"},
    {"ENOTFOUND", 0, 0, NULL, "network"},
    {"the broker cannot reach", 0, 0, NULL, "network"},
    {NULL, 401, 401, NULL, "auth"},
    {NULL, 402, 402, NULL, "billing"},
    {NULL, 403, 403, NULL, "auth"},
    {NULL, 404, 404, NULL, "model"},
    {NULL, 413, 413, NULL, "prompt_too_long"},
    {NULL, 429, 429, NULL, "rate_limit"},
    {NULL, 529, 529, NULL, "overloaded"},
    {NULL, 400, 599, NULL, "provider"},
    {NULL, 0, 0, "authentication_failed", "auth"},
    {NULL, 0, 0, "billing_error", "billing"},
    {NULL, 0, 0, "rate_limit", "rate_limit"},
    {NULL, 0, 0, "overloaded", "overloaded"},
    {NULL, 0, 0, "model_not_found", "model"},
    {"ECONN", 0, 0, NULL, "network"},
    {"timed out", 0, 0, NULL, "network"},
    {"Connection", 0, 0, NULL, "network"},
    {"socket", 0, 0, NULL, "network"},
    {NULL, 0, 0, NULL, "provider"},
};

/* Standard error or a result's error of a session that cannot be used: a fresh one can. */
static const char *const SESSION_TROUBLE[] = {
    "No conversation found",
    "is already in use",
    "requires a valid session",
};

static bool has(const char *text, const char *part)
{
    return text && strstr(text, part) != NULL;
}

static bool is_good(const struct pb_stream_facts *facts)
{
    return facts->has_result && !facts->is_error && pb_text_equal(facts->subtype, "success");
}

static const char *keep(struct pb_arena *arena, const char *text, size_t max, bool *failed)
{
    char *kept;

    if (!text)
        return "";
    kept = pb_arena_bytes(arena, text, pb_utf8_cut(text, strlen(text), max));
    *failed |= !kept;
    return kept ? kept : "";
}

static const char *first_line(struct pb_arena *arena, const char *text, bool *failed)
{
    size_t len = strcspn(text, "\r\n");
    char *line = pb_arena_bytes(arena, text, pb_utf8_cut(text, len, 500));

    *failed |= !line;
    return line ? line : "";
}

static void fail(struct pb_outcome *out, enum pb_outcome_kind outcome, const char *kind,
                 const char *reason)
{
    out->outcome = outcome;
    out->kind = kind;
    out->reason = reason ? reason : "";
}

/* ```poppo-question … ``` in the final text. */
static bool find_question(const char *text, const char **ret_start, size_t *ret_len)
{
    static const char FENCE[] = "```poppo-question";
    const char *block = strstr(text, FENCE), *body, *end;

    while (block && block != text && block[-1] != '\n')
        block = strstr(block + 1, FENCE);
    if (!block)
        return false;
    body = block + sizeof(FENCE) - 1;
    body += strcspn(body, "\n"); /* the newline is part of the closing fence of an empty block */
    end = strstr(body, "\n```");
    end = end ? end : body + strlen(body);
    body += strspn(body, "\r\n");
    *ret_start = body;
    *ret_len = end > body ? (size_t)(end - body) : 0;
    return *ret_len > 0;
}

static bool on_good(const struct pb_stream_facts *facts, struct pb_arena *arena,
                    struct pb_outcome *out)
{
    const char *text = facts->result ? facts->result : "";
    const char *question;
    bool failed = false;
    size_t len;

    out->outcome = PB_OUTCOME_SUCCEEDED;
    out->summary = keep(arena, text, PB_CLAUDE_SUMMARY_MAX, &failed);
    if (find_question(text, &question, &len)) {
        out->outcome = PB_OUTCOME_WAITING_INPUT;
        out->question =
            pb_arena_bytes(arena, question, pb_utf8_cut(question, len, PB_CLAUDE_QUESTION_MAX));
        failed |= !out->question;
    }
    return !failed;
}

static const char *api_failure_kind(const struct pb_stream_facts *facts)
{
    for (size_t i = 0; i < sizeof(API_FAILURES) / sizeof(API_FAILURES[0]); i++) {
        const char *text = API_FAILURES[i].text, *word = API_FAILURES[i].word;
        int from = API_FAILURES[i].status_from, to = API_FAILURES[i].status_to;
        if (text && !has(facts->result, text) && !has(facts->first_error, text))
            continue;
        if (to && (facts->api_status < from || facts->api_status > to))
            continue;
        if (word && !pb_text_equal(word, facts->api_error))
            continue;
        return API_FAILURES[i].kind;
    }
    return "provider";
}

static bool on_api_failure(const struct pb_stream_facts *facts, struct pb_arena *arena,
                           struct pb_outcome *out)
{
    bool failed = false;
    const char *text = facts->result && facts->result[0] ? facts->result : facts->first_error;
    const char *reason =
        keep(arena, text ? text : "the provider's answer was an error", 2000, &failed);

    out->http_status = facts->api_status;
    if (facts->refused)
        fail(out, PB_OUTCOME_FAILED, "refusal", reason);
    else if (pb_text_equal(facts->terminal_reason, "prompt_too_long"))
        fail(out, PB_OUTCOME_FAILED, "prompt_too_long", reason);
    else
        fail(out, PB_OUTCOME_FAILED, api_failure_kind(facts), reason);
    if (pb_text_equal(out->kind, "rate_limit")) {
        out->outcome = PB_OUTCOME_WAITING_QUOTA;
        out->resume_at_ms = facts->limited_until_ms;
    }
    return !failed;
}

static bool has_session_trouble(const struct pb_claude_end *end)
{
    if (end->facts->num_turns > 0 || end->run->exit.code == 0)
        return false;
    for (size_t i = 0; i < sizeof(SESSION_TROUBLE) / sizeof(SESSION_TROUBLE[0]); i++)
        if (has(end->errors, SESSION_TROUBLE[i]) ||
            has(end->facts->first_error, SESSION_TROUBLE[i]))
            return true;
    return false;
}

static bool on_session_trouble(const struct pb_claude_end *end, struct pb_arena *arena,
                               struct pb_outcome *out)
{
    bool failed = false;

    fail(out, PB_OUTCOME_FAILED, "cli_crashed",
         end->errors[0] ? first_line(arena, end->errors, &failed)
                        : keep(arena, end->facts->first_error, 500, &failed));
    out->session_id = NULL;
    out->run_again = end->round == 1;
    return !failed;
}

static bool on_bad_result(const struct pb_claude_end *end, struct pb_arena *arena,
                          struct pb_outcome *out)
{
    const struct pb_stream_facts *facts = end->facts;
    bool failed = false;
    const char *reason = keep(arena, facts->first_error, 2000, &failed);

    if (pb_text_equal(facts->subtype, "error_max_turns"))
        fail(out, PB_OUTCOME_FAILED, "max_turns", reason);
    else if (pb_text_equal(facts->subtype, "error_max_budget_usd"))
        fail(out, PB_OUTCOME_BUDGET_EXHAUSTED, "budget", reason);
    else if (facts->terminal_reason && pb_text_starts(facts->terminal_reason, "aborted"))
        fail(out, PB_OUTCOME_CANCELLED, "cancelled", "the run was interrupted");
    else if (pb_text_equal(facts->subtype, "success") || facts->api_status > 0 || facts->refused)
        return on_api_failure(facts, arena, out);
    else
        fail(out, PB_OUTCOME_FAILED, "cli_crashed",
             reason[0] ? reason : pb_arena_format(arena, "claude ended with '%s'", facts->subtype));
    return !failed && out->reason;
}

static bool on_no_result(const struct pb_claude_end *end, struct pb_arena *arena,
                         struct pb_outcome *out)
{
    const struct pb_task_exit *exit = &end->run->exit;
    bool failed = false;
    const char *said = first_line(arena, end->errors, &failed);

    if (exit->signal)
        fail(out, PB_OUTCOME_FAILED, "cli_crashed",
             pb_arena_format(arena, "claude was ended by signal %d%s%s", exit->signal,
                             said[0] ? ": " : "", said));
    else if (exit->code != 0)
        fail(out, PB_OUTCOME_FAILED, "cli_crashed",
             pb_arena_format(arena, "claude exited with code %d%s%s", exit->code,
                             said[0] ? ": " : "", said));
    else
        fail(out, PB_OUTCOME_FAILED, "cli_output",
             pb_arena_format(arena, "claude ended without a result%s%s", said[0] ? ": " : "",
                             said));
    return !failed && out->reason;
}

static bool explain(const struct pb_claude_end *end, struct pb_arena *arena, struct pb_outcome *out)
{
    const struct pb_run_end *run = end->run;
    bool ended_well = run->exit.code == 0 && run->exit.signal == 0;

    if (run->stop == PB_RUN_CANCELLED)
        return pb_outcome_of_stop(run, out);
    /* It may have been ended after its last word, by us or others, which counts nevertheless. */
    if (is_good(end->facts) &&
        (run->stop != PB_RUN_ENDED || ended_well || run->exit.reason == PB_TASK_KILLED))
        return on_good(end->facts, arena, out);
    if (run->stop != PB_RUN_LINGERED && pb_outcome_of_stop(run, out))
        return true;
    if (has_session_trouble(end))
        return on_session_trouble(end, arena, out);
    if (end->facts->has_result && !is_good(end->facts))
        return on_bad_result(end, arena, out);
    return on_no_result(end, arena, out);
}

static const char *const *keep_denials(const struct pb_stream_facts *facts, struct pb_arena *arena,
                                       bool *failed)
{
    const char **list = pb_arena_alloc(arena, (facts->denial_count + 1) * sizeof(char *));

    *failed |= !list;
    for (size_t i = 0; list && i < facts->denial_count; i++)
        list[i] = keep(arena, facts->denials[i], 200, failed);
    return list;
}

int pb_claude_classify(const struct pb_claude_end *end, struct pb_arena *arena,
                       struct pb_outcome *ret_outcome, struct pb_error *err)
{
    const struct pb_stream_facts *facts = end->facts;
    struct pb_outcome out = {.kind = "", .reason = "", .summary = "", .question = ""};
    bool failed = false;

    if (facts->session_id)
        out.session_id = keep(arena, facts->session_id, PB_UUID_TEXT, &failed);
    out.num_turns = facts->num_turns;
    out.total_cost_micro_usd = facts->has_cost ? facts->total_cost_micro_usd : -1;
    if (facts->denial_count > 0)
        out.permission_denials = keep_denials(facts, arena, &failed);
    failed |= !explain(end, arena, &out);
    if (failed)
        return pb_fail(err, PB_ERROR_LIMITED, "the end of a run does not fit its memory");
    *ret_outcome = out;
    return 0;
}
