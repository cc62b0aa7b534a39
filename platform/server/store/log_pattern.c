#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/log_pattern_private.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/text.h"
#include "model/limits.h"

enum {
    NESTING_MAX = 50,
    STEPS_MAX = 200000, /* of one match; a line has at most 16 KiB */
    DEPTH_MAX = 2000,
    HEAP_KIB_MAX = 8192,
    STACK_MIN = 32 << 10,
    STACK_MAX = 512 << 10,
};

struct pb_log_pattern {
    bool is_text;
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

static int compile(struct pb_log_pattern *pattern, const char *text, bool is_exact,
                   struct pb_error *err)
{
    uint32_t options = (is_exact ? 0 : PCRE2_CASELESS) |
                       (pattern->is_text ? PCRE2_LITERAL
                                         : PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C |
                                               PCRE2_DOLLAR_ENDONLY);
    pcre2_compile_context *limits = pcre2_compile_context_create(NULL);
    PCRE2_UCHAR words[200] = "";
    PCRE2_SIZE at;
    int code;

    if (!limits)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory to search");
    (void)pcre2_set_parens_nest_limit(limits, NESTING_MAX);
    (void)pcre2_set_max_pattern_length(limits, PB_LIMIT_LOG_QUERY);
    pattern->code = pcre2_compile((PCRE2_SPTR)text, strlen(text), options, &code, &at, limits);
    pcre2_compile_context_free(limits);
    if (pattern->code)
        return 0;
    (void)pcre2_get_error_message(code, words, sizeof(words));
    return pb_fail_field(err, "q", "%s, at character %zu", (const char *)words, (size_t)at + 1);
}

static int prepare(struct pb_log_pattern *pattern, struct pb_error *err)
{
    /* Without the compiler of this processor it is slower, and the same. */
    (void)pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
    pattern->match = pcre2_match_data_create(1, NULL);
    pattern->context = pcre2_match_context_create(NULL);
    pattern->stack = pcre2_jit_stack_create(STACK_MIN, STACK_MAX, NULL);
    if (!pattern->match || !pattern->context || !pattern->stack)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory to search");
    (void)pcre2_set_match_limit(pattern->context, STEPS_MAX);
    (void)pcre2_set_depth_limit(pattern->context, DEPTH_MAX);
    (void)pcre2_set_heap_limit(pattern->context, HEAP_KIB_MAX);
    pcre2_jit_stack_assign(pattern->context, NULL, pattern->stack);
    return 0;
}

struct pb_log_pattern *pb_log_pattern_new(const char *text, bool is_regex, bool is_exact,
                                          struct pb_error *err)
{
    struct pb_log_pattern *pattern;

    if (*text == '\0' || strlen(text) > PB_LIMIT_LOG_QUERY) {
        pb_fail_field(err, "q", "what is searched for has 1 to %d bytes", PB_LIMIT_LOG_QUERY);
        return NULL;
    }
    if (!pb_utf8_valid(text, strlen(text))) {
        pb_fail_field(err, "q", "what is searched for is not UTF-8");
        return NULL;
    }
    if (strchr(text, '\n')) {
        pb_fail_field(err, "q", "what is searched for is on one line");
        return NULL;
    }
    pattern = calloc(1, sizeof(*pattern));
    if (!pattern) {
        pb_fail(err, PB_ERROR_LIMITED, "no memory to search");
        return NULL;
    }
    pattern->is_text = !is_regex;
    if (compile(pattern, text, is_exact, err) < 0 || prepare(pattern, err) < 0) {
        pb_log_pattern_free(pattern);
        return NULL;
    }
    return pattern;
}

void pb_log_pattern_free(struct pb_log_pattern *pattern)
{
    if (!pattern)
        return;
    pcre2_jit_stack_free(pattern->stack);
    pcre2_match_context_free(pattern->context);
    pcre2_match_data_free(pattern->match);
    pcre2_code_free(pattern->code);
    free(pattern);
}

bool pb_log_pattern_is_text(const struct pb_log_pattern *pattern)
{
    return pattern->is_text;
}

int pb_log_pattern_find(struct pb_log_pattern *pattern, const char *subject, size_t len,
                        size_t from, size_t *ret_at, size_t *ret_len, struct pb_error *err)
{
    const PCRE2_SIZE *place;
    int r = pcre2_match(pattern->code, (PCRE2_SPTR)subject, len, from, 0, pattern->match,
                        pattern->context);

    switch (r) {
    case PCRE2_ERROR_NOMATCH:
        return 0;
    case PCRE2_ERROR_MATCHLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
    case PCRE2_ERROR_HEAPLIMIT:
    case PCRE2_ERROR_JIT_STACKLIMIT:
        return pb_fail_reason(err, PB_ERROR_UNPROCESSABLE, "regex_too_costly",
                              "the expression takes too many steps on a line of this log");
    default:
        if (r < 0)
            return pb_fail(err, PB_ERROR_INTERNAL, "searching failed with %d", r);
    }
    place = pcre2_get_ovector_pointer(pattern->match);
    *ret_at = place[0];
    *ret_len = place[1] > place[0] ? place[1] - place[0] : 0; /* \K may turn them round */
    return 1;
}
