#include "server/services/github_client.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "net/http_client.h"
#include "server/services/counters.h"
#include "server/services/github_link.h"
#include "server/services/github_memory.h"
#include "server/services/github_text.h"
#include "server/services/github_trust.h"

enum {
    REDIRECTS_MAX = 3,
    /* 100 issues with 65,536 characters of three bytes each, and what is around them. */
    ANSWER_MAX = 32 << 20,
    CACHED_BODY_MAX = 1 << 20,
    URL_MAX = 4096,
};

struct pb_github {
    struct pb_github_options options;
    struct pb_github_limits *limits; /* owned */
    struct pb_github_trust *trust;   /* owned */
    atomic_bool stopping;
};

static void remember(void *arg, const char *token_hash, const struct pb_github_pause *pause)
{
    struct pb_github *github = arg;

    pb_github_memory_save_pause(github->options.store, token_hash, pause);
}

static int64_t recall(void *arg, const char *token_hash)
{
    struct pb_github *github = arg;

    return pb_github_memory_load_pause(github->options.store, token_hash);
}

struct pb_github *pb_github_new(const struct pb_github_options *options, struct pb_error *err)
{
    struct pb_github *github = calloc(1, sizeof(*github));

    if (!github) {
        pb_fail(err, PB_ERROR_UNAVAILABLE, "out of memory for the GitHub client");
        return NULL;
    }
    github->options = *options;
    if (!github->options.timeout_ms)
        github->options.timeout_ms = 30 * 1000;
    github->limits =
        pb_github_limits_new(&(struct pb_github_limits_options){.pace_ms = options->pace_ms,
                                                                .remember = remember,
                                                                .recall = recall,
                                                                .arg = github},
                             err);
    github->trust = pb_github_trust_new(err);
    if (!github->limits || !github->trust) {
        pb_github_free(github);
        return NULL;
    }
    return github;
}

void pb_github_free(struct pb_github *github)
{
    if (!github)
        return;
    pb_github_limits_free(github->limits);
    pb_github_trust_free(github->trust);
    free(github);
}

struct pb_github_trust *pb_github_trust_of(struct pb_github *github)
{
    return github->trust;
}

void pb_github_stop(struct pb_github *github)
{
    atomic_store(&github->stopping, true);
    pb_github_limits_stop(github->limits);
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

int pb_github_account_init(struct pb_github_account *account, const char *api_url,
                           const char *token, const char *project_id, struct pb_error *err)
{
    size_t url_len = strlen(api_url);
    struct pb_buf both;

    while (url_len && api_url[url_len - 1] == '/')
        url_len--;
    if (!pb_text_starts(api_url, "https://") && !pb_text_starts(api_url, "http://"))
        return pb_fail_field(err, "github_api_url", "not an http or https address: '%s'", api_url);
    if (url_len >= sizeof(account->api_url) || !is_printable(api_url))
        return pb_fail_field(err, "github_api_url", "not an address: too long, or odd characters");
    if (!*token || strlen(token) >= sizeof(account->token) || !is_printable(token))
        return pb_fail_field(err, "github_token",
                             "not a GitHub token: empty, too long, or odd characters");
    if (project_id && strlen(project_id) >= sizeof(account->project_id))
        return pb_fail_field(err, "project_id", "too long");
    *account = (struct pb_github_account){0};
    memcpy(account->api_url, api_url, url_len);
    memcpy(account->token, token, strlen(token));
    if (project_id)
        memcpy(account->project_id, project_id, strlen(project_id));
    pb_buf_init(&both, 2048);
    both.secret = true;
    pb_buf_format(&both, "%s\n%s", account->api_url, account->token);
    pb_sha256_text(both.data, both.len, account->token_hash);
    pb_buf_release(&both);
    return 0;
}

void pb_github_account_release(struct pb_github_account *account)
{
    pb_wipe(account, sizeof(*account));
}

void pb_github_answer_release(struct pb_github_answer *answer)
{
    pb_json_free(answer->json);
    free(answer->next);
    free(answer->prev);
    free(answer->last);
    free(answer->scopes);
    *answer = (struct pb_github_answer){0};
}

char *pb_github_escape(struct pb_arena *arena, const char *text)
{
    struct pb_buf buf;
    char *escaped;

    pb_buf_init(&buf, URL_MAX);
    for (const char *c = text; *c; c++) {
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
            strchr("-._~", *c))
            pb_buf_char(&buf, *c);
        else
            pb_buf_format(&buf, "%%%02X", (unsigned char)*c);
    }
    escaped = pb_buf_failed(&buf) ? NULL : pb_arena_text(arena, pb_buf_string(&buf));
    pb_buf_release(&buf);
    return escaped;
}

void pb_github_stats(struct pb_github *github, struct pb_github_stats *ret_stats)
{
    pb_github_limits_stats(github->limits, ret_stats);
}

bool pb_github_is_temporary(const struct pb_error *err)
{
    if (strcmp(err->reason, "github_moved_away") == 0)
        return false;
    return err->code == PB_ERROR_UNREACHABLE || err->code == PB_ERROR_TIMEOUT ||
           err->code == PB_ERROR_UNAVAILABLE || err->code == PB_ERROR_LIMITED;
}

int64_t pb_github_retry_at(struct pb_github *github, const struct pb_github_account *account,
                           enum pb_github_kind kind)
{
    return pb_github_limits_retry_at(github->limits, account->token_hash, kind);
}

/* One exchange: what it asked and what came back, everything in one arena. */
struct exchange {
    struct pb_github *github;
    const struct pb_github_account *account;
    const struct pb_github_call *call;
    struct pb_arena arena;
    struct pb_github_cached cached; /* etag NULL = nothing kept */
    struct pb_http_answer http;
    struct pb_json *json; /* owned: the tree of the body */
    bool moved;
};

static int64_t header_number(const struct pb_http_answer *http, const char *name)
{
    const char *text = pb_http_answer_header(http, name);
    uint64_t value;

    return text && pb_parse_u64(text, (uint64_t)1 << 40, &value) ? (int64_t)value : -1;
}

/* Names the API call in an error: the method and the path, without base URL and query. */
static int fail_at(const struct exchange *x, struct pb_error *err)
{
    const char *path = x->call->path;
    size_t base = strlen(x->account->api_url);

    if (strncmp(path, x->account->api_url, base) == 0)
        path += base;
    return pb_fail_in(err, "GitHub %s %.*s", x->call->method, (int)strcspn(path, "?"), path);
}

/* 403 and 429 are limits when GitHub says so by header or in words; anything else is a refusal. */
static bool is_limit(const struct exchange *x, const char *message)
{
    if (x->http.status == 429)
        return true;
    if (x->http.status != 403)
        return false;
    return pb_http_answer_header(&x->http, "retry-after") ||
           header_number(&x->http, "x-ratelimit-remaining") == 0 ||
           pb_github_text_has(message, "rate limit") ||
           pb_github_text_has(message, "abuse detection");
}

static enum pb_counter what_came_of(const struct exchange *x, bool answered, bool limited)
{
    if (!answered || x->http.status >= 500)
        return PB_COUNTER_GITHUB_FAILED;
    if (limited)
        return PB_COUNTER_GITHUB_LIMITED;
    if (x->http.status >= 400)
        return PB_COUNTER_GITHUB_REFUSED;
    return x->http.status == 304 ? PB_COUNTER_GITHUB_UNCHANGED : PB_COUNTER_GITHUB_OK;
}

static void end_turn(struct exchange *x, bool answered)
{
    struct pb_github_report report = {.limit = -1,
                                      .remaining = -1,
                                      .reset_at_ms = -1,
                                      .retry_after_ms = -1};
    int64_t seconds;

    if (answered) {
        report.limited = is_limit(x, pb_json_text(x->json, "message", ""));
        report.limit = header_number(&x->http, "x-ratelimit-limit");
        report.remaining = header_number(&x->http, "x-ratelimit-remaining");
        seconds = header_number(&x->http, "x-ratelimit-reset");
        report.reset_at_ms = seconds < 0 ? -1 : seconds * 1000;
        seconds = header_number(&x->http, "retry-after");
        report.retry_after_ms = seconds < 0 ? -1 : seconds * 1000;
    }
    pb_count(what_came_of(x, answered, report.limited), 1);
    pb_github_limits_end(x->github->limits, x->account->token_hash, x->call->kind, &report);
}

/* A body that is no JSON leaves x->json NULL: error pages of proxies are HTML. */
static void read_body(struct exchange *x)
{
    struct pb_error ignored = {0};
    struct pb_buf mended;

    if (!x->http.len)
        return;
    pb_buf_init(&mended, (size_t)ANSWER_MAX * 3);
    pb_github_text_mend_json(&mended, x->http.body, x->http.len);
    if (!pb_buf_failed(&mended))
        x->json = pb_json_parse(pb_buf_string(&mended), mended.len, &ignored);
    pb_buf_release(&mended);
}

static int send_once(struct exchange *x, const char *url, struct pb_error *err)
{
    struct pb_http_header headers[5];
    size_t count = 0;
    char *authorization = pb_arena_format(&x->arena, "Bearer %s", x->account->token);
    int r;

    if (!authorization)
        return pb_fail(err, PB_ERROR_LIMITED, "request too large");
    headers[count++] = (struct pb_http_header){"Authorization", authorization};
    headers[count++] = (struct pb_http_header){"Accept", "application/vnd.github+json"};
    headers[count++] = (struct pb_http_header){"X-GitHub-Api-Version", "2022-11-28"};
    if (x->call->body)
        headers[count++] = (struct pb_http_header){"Content-Type", "application/json"};
    if (x->cached.etag)
        headers[count++] = (struct pb_http_header){"If-None-Match", x->cached.etag};
    r = pb_github_limits_begin(x->github->limits, x->account->token_hash, x->call->kind, err);
    if (r < 0)
        goto out;
    r = pb_http_call(x->github->options.http,
                     &(struct pb_http_call){.method = x->call->method,
                                            .url = url,
                                            .headers = headers,
                                            .header_count = count,
                                            .body = x->call->body,
                                            .body_len = x->call->body_len,
                                            .response_max = ANSWER_MAX,
                                            .timeout_ms = x->github->options.timeout_ms},
                     &x->arena, &x->http, err);
    if (r == 0) {
        pb_json_free(x->json);
        x->json = NULL;
        read_body(x);
    }
    end_turn(x, r == 0);
out:
    pb_wipe(authorization, strlen(authorization));
    return r;
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 307 || status == 308;
}

/* Follows the repository to its new name, but never takes the token to another server. */
static int send_following(struct exchange *x, const char *url, struct pb_error *err)
{
    for (int hops = 0;; hops++) {
        const char *location;

        if (send_once(x, url, err) < 0)
            return -1;
        location = pb_http_answer_header(&x->http, "location");
        if (!is_redirect(x->http.status) || !location)
            return 0;
        if (hops == REDIRECTS_MAX)
            return pb_fail_reason(err, PB_ERROR_UNREACHABLE, "github_moved_away",
                                  "redirected in circles");
        url = location[0] == '/' ? pb_github_link_resolve(&x->arena, x->account->api_url, location)
                                 : pb_arena_text(&x->arena, location);
        if (!url)
            return pb_fail(err, PB_ERROR_LIMITED, "request too large");
        if (!pb_github_link_same_origin(x->account->api_url, url))
            return pb_fail_reason(err, PB_ERROR_UNREACHABLE, "github_moved_away",
                                  "redirected to another server, not followed");
        x->moved = true;
    }
}

static int build_url(struct exchange *x, const char **ret_url, struct pb_error *err)
{
    const char *path = x->call->path;
    const char *url;

    url = path[0] == '/' ? pb_arena_format(&x->arena, "%s%s", x->account->api_url, path)
                         : pb_arena_text(&x->arena, path);
    if (!url || strlen(url) > URL_MAX)
        return pb_fail(err, PB_ERROR_INVALID, "address too long");
    if (!pb_github_link_same_origin(x->account->api_url, url))
        return pb_fail_reason(err, PB_ERROR_UNREACHABLE, "github_moved_away",
                              "the next page is on another server, not followed");
    *ret_url = url;
    return 0;
}

/* GitHub's own words, shortened and without anything that could disturb a log or a page. */
static const char *words_of(struct exchange *x)
{
    const char *message = pb_json_text(x->json, "message", "");
    const struct pb_json *errors = pb_json_get(x->json, "errors");
    struct pb_buf words;
    char *kept;

    pb_buf_init(&words, 400);
    pb_github_text_line(&words, message, 200);
    for (size_t i = 0; i < pb_json_count(errors) && i < 3 && words.len < 250; i++) {
        const struct pb_json *item = pb_json_at(errors, i);

        pb_buf_text(&words, i ? "; " : ": ");
        pb_github_text_line(&words, pb_json_text(item, "message", pb_json_text(item, "code", "?")),
                            60);
    }
    kept = pb_buf_failed(&words) ? NULL : pb_arena_text(&x->arena, pb_buf_string(&words));
    pb_buf_release(&words);
    return kept ? kept : "(no words)";
}

static bool has_error_code(const struct pb_json *json, const char *code)
{
    const struct pb_json *errors = pb_json_get(json, "errors");

    for (size_t i = 0; i < pb_json_count(errors); i++)
        if (strcmp(pb_json_text(pb_json_at(errors, i), "code", ""), code) == 0)
            return true;
    return false;
}

/* Refusals that look alike by status and are told apart by GitHub's words. */
static const struct {
    const char *words;
    enum pb_error_code code;
    const char *reason;
} REFUSALS[] = {
    {"draft pull requests are not supported", PB_ERROR_UNPROCESSABLE, "github_no_draft"},
    {"no commits between", PB_ERROR_UNPROCESSABLE, "github_no_commits"},
    {"already exists", PB_ERROR_CONFLICT, "github_exists"},
};

static int fail_unprocessable(struct exchange *x, const char *words, struct pb_error *err)
{
    if (has_error_code(x->json, "already_exists"))
        return pb_fail_reason(err, PB_ERROR_CONFLICT, "github_exists", "already exists");
    for (size_t i = 0; i < sizeof(REFUSALS) / sizeof(REFUSALS[0]); i++)
        if (pb_github_text_has(words, REFUSALS[i].words))
            return pb_fail_reason(err, REFUSALS[i].code, REFUSALS[i].reason, "%s", words);
    return pb_fail_reason(err, PB_ERROR_UNPROCESSABLE, "github_refused", "%s", words);
}

static int fail_status(struct exchange *x, struct pb_error *err)
{
    int status = x->http.status;
    const char *words = words_of(x);

    if (is_limit(x, pb_json_text(x->json, "message", "")))
        return pb_fail_reason(err, PB_ERROR_LIMITED, "github_limited", "rate limit: %s", words);
    if (status >= 500)
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "github_down", "answered %d", status);
    if (status == 401)
        return pb_fail_reason(err, PB_ERROR_UNAUTHENTICATED, "github_token",
                              "the token was refused: %s", words);
    if (status == 403 || status == 451)
        return pb_fail_reason(err, PB_ERROR_DENIED, "github_denied", "not allowed: %s", words);
    if (status == 404)
        return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "github_missing", "not found: %s", words);
    if (status == 410)
        return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "github_gone", "gone: %s", words);
    if (status == 409)
        return pb_fail_reason(err, PB_ERROR_CONFLICT, "github_conflict", "%s", words);
    if (status == 422)
        return fail_unprocessable(x, words, err);
    return pb_fail_reason(err, PB_ERROR_UNPROCESSABLE, "github_refused", "answered %d: %s", status,
                          words);
}

/* 304: the tree and the pages of last time. */
static int answer_from_cache(struct exchange *x, struct pb_github_answer *answer,
                             struct pb_error *err)
{
    answer->unchanged = true;
    answer->json = pb_json_parse(x->cached.body, x->cached.body_len, err);
    if (!answer->json)
        return -1;
    if (x->cached.next) {
        answer->next = strdup(x->cached.next);
        if (!answer->next)
            return pb_fail(err, PB_ERROR_UNAVAILABLE, "out of memory");
    }
    return 0;
}

static void keep(struct exchange *x, const char *url, const struct pb_github_answer *answer)
{
    const char *etag = pb_http_answer_header(&x->http, "etag");
    struct pb_buf body;

    if (!x->call->cached || !etag || !answer->json || x->http.len > CACHED_BODY_MAX)
        return;
    pb_buf_init(&body, 2 * (size_t)CACHED_BODY_MAX);
    pb_json_dump(&body, answer->json);
    if (!pb_buf_failed(&body))
        pb_github_memory_save_etag(x->github->options.store, x->account, url,
                                   &(struct pb_github_cached){.etag = etag,
                                                              .next = answer->next,
                                                              .body = pb_buf_string(&body),
                                                              .body_len = body.len});
    pb_buf_release(&body);
}

static int read_answer(struct exchange *x, const char *url, struct pb_github_answer *ret_answer,
                       struct pb_error *err)
{
    struct pb_github_answer answer = {.status = x->http.status, .moved = x->moved};
    const char *scopes = pb_http_answer_header(&x->http, "x-oauth-scopes");
    int r = -1;

    if (x->http.status == 304 && x->cached.etag) {
        r = answer_from_cache(x, &answer, err);
        goto out;
    }
    if (x->http.status < 200 || x->http.status >= 300) {
        fail_status(x, err);
        goto out;
    }
    if (x->http.len && !x->json) {
        pb_fail_reason(err, PB_ERROR_UNREACHABLE, "github_not_json",
                       "the answer is not JSON: is this really GitHub's API address?");
        goto out;
    }
    answer.json = x->json;
    x->json = NULL;
    if (pb_github_link_read(pb_http_answer_header(&x->http, "link"), &answer.next, &answer.prev,
                            &answer.last) < 0 ||
        (scopes && !(answer.scopes = strdup(scopes)))) {
        pb_fail(err, PB_ERROR_UNAVAILABLE, "out of memory");
        goto out;
    }
    keep(x, url, &answer);
    r = 0;
out:
    if (r < 0)
        pb_github_answer_release(&answer);
    else
        *ret_answer = answer;
    return r;
}

int pb_github_call(struct pb_github *github, const struct pb_github_account *account,
                   const struct pb_github_call *call, struct pb_github_answer *ret_answer,
                   struct pb_error *err)
{
    struct exchange x = {.github = github, .account = account, .call = call};
    const char *url = NULL;
    int r = -1;

    pb_arena_init(&x.arena, (size_t)ANSWER_MAX * 2);
    if (build_url(&x, &url, err) < 0)
        goto out;
    if (call->cached)
        pb_github_memory_load_etag(github->options.store, account, url, &x.arena, &x.cached);
    if (send_following(&x, url, err) < 0)
        goto out;
    r = read_answer(&x, url, ret_answer, err);
out:
    if (r < 0 && atomic_load(&github->stopping))
        pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "stopping", "the platform is stopping");
    if (r < 0)
        fail_at(&x, err);
    pb_json_free(x.json);
    pb_arena_release(&x.arena);
    return r;
}

int pb_github_get(struct pb_github *github, const struct pb_github_account *account,
                  const char *path, struct pb_github_answer *ret_answer, struct pb_error *err)
{
    return pb_github_call(github, account,
                          &(struct pb_github_call){.kind = PB_GITHUB_READ,
                                                   .method = "GET",
                                                   .path = path},
                          ret_answer, err);
}
