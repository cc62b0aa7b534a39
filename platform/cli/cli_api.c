#include "cli/cli_api.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/text.h"
#include "cli/cli_problem.h"
#include "cli/cli_session.h"
#include "cli/cli_words.h"

enum {
    SESSION_ARENA = 256 << 10,
    MARGIN_MS = 20 * 1000, /* a token that runs out so soon may not reach the platform alive */
    CONNECT_MS = 5 * 1000,
    CALL_MS = 60 * 1000, /* checks at GitHub wait for GitHub */
    HEADERS_MAX = 3,
    PROBLEM_MAX = 64 << 10,
};

struct pb_cli_api {
    struct pb_http_client *http; /* owned */
    struct pb_arena arena;       /* holds the session */
    struct pb_cli_session session;
    bool has_session;
};

struct wish {
    const char *method;
    const char *url;
    const char *path;
    const char *body;
    const char *token;  /* NULL = none */
    const char *cookie; /* NULL = none */
};

struct pb_cli_api *pb_cli_api_open(struct pb_error *err)
{
    struct pb_cli_api *api = calloc(1, sizeof(*api));

    if (!api) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        return NULL;
    }
    pb_arena_init(&api->arena, SESSION_ARENA);
    api->http = pb_http_client_new("poppo/" PB_VERSION, NULL, err);
    if (!api->http) {
        pb_cli_api_close(api);
        return NULL;
    }
    return api;
}

void pb_cli_api_close(struct pb_cli_api *api)
{
    if (!api)
        return;
    pb_http_client_free(api->http);
    pb_arena_release(&api->arena);
    free(api);
}

/* --- one request ------------------------------------------------------------------------------ */

static int fail_unreachable(struct pb_error *err, const char *url)
{
    struct pb_error why = *err;

    if (err->code != PB_ERROR_UNREACHABLE && err->code != PB_ERROR_TIMEOUT)
        return -1;
    return pb_fail_reason(err, PB_ERROR_UNREACHABLE, "platform_unreachable",
                          pb_say("cannot reach the platform at %s (%s)",
                                 "プラットフォーム %s に接続できません (%s)"),
                          url, pb_error_reason(&why));
}

/* Any status is an answer. */
static int request(struct pb_cli_api *api, const struct wish *wish, struct pb_arena *arena,
                   struct pb_http_answer *ret_answer, struct pb_error *err)
{
    struct pb_http_header headers[HEADERS_MAX];
    struct pb_http_call call = {
        .method = wish->method,
        .url = pb_arena_format(arena, "%s%s", wish->url, wish->path),
        .headers = headers,
        .body = wish->body,
        .body_len = wish->body ? strlen(wish->body) : 0,
        .connect_timeout_ms = CONNECT_MS,
        .timeout_ms = CALL_MS,
    };
    const char *bearer = wish->token ? pb_arena_format(arena, "Bearer %s", wish->token) : NULL;

    if (!call.url || (wish->token && !bearer))
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    if (bearer)
        headers[call.header_count++] = (struct pb_http_header){"Authorization", bearer};
    if (wish->cookie)
        headers[call.header_count++] = (struct pb_http_header){"Cookie", wish->cookie};
    if (wish->body)
        headers[call.header_count++] = (struct pb_http_header){"Content-Type", "application/json"};
    if (pb_http_call(api->http, &call, arena, ret_answer, err) < 0)
        return fail_unreachable(err, wish->url);
    return 0;
}

static enum pb_error_code code_of(int status)
{
    switch (status) {
#define X(code, http, name) \
    case http:              \
        return PB_ERROR_##code;
        PB_ERROR_CODES(X)
#undef X
    default:
        return status < 500 ? PB_ERROR_INVALID : PB_ERROR_INTERNAL;
    }
}

static int fail_foreign(struct pb_error *err, const struct pb_http_answer *answer)
{
    const char *location = pb_http_answer_header(answer, "Location");

    if (location && answer->status >= 300 && answer->status < 400)
        return pb_fail_reason(
            err, PB_ERROR_UNREACHABLE, "not_a_platform",
            pb_say("the address leads elsewhere, to %s: sign in there with --url",
                   "このアドレスは %s に転送されます。--url でそちらを指定してください"),
            location);
    return pb_fail_reason(err, PB_ERROR_UNREACHABLE, "not_a_platform",
                          pb_say("what answers there is no PoppoBuilder platform (HTTP %d)",
                                 "応答したのは PoppoBuilder ではありません (HTTP %d)"),
                          answer->status);
}

/* 0 for 2xx, else the problem as an error. */
static int judge(const struct pb_http_answer *answer, struct pb_error *err)
{
    struct pb_json *problem = NULL;
    struct pb_buf text;
    const char *code;

    if (answer->status >= 200 && answer->status < 300)
        return 0;
    problem = pb_json_parse(answer->body, answer->len, err);
    code = pb_json_text(problem, "code", NULL);
    if (!code) {
        pb_json_free(problem);
        return fail_foreign(err, answer);
    }
    pb_buf_init(&text, PROBLEM_MAX);
    pb_cli_put_problem(problem, &text);
    (void)pb_fail_reason(err, code_of(answer->status),
                         pb_text_equal(code, "internal") ? "platform_internal" : code, "%s",
                         pb_buf_string(&text));
    pb_buf_release(&text);
    pb_json_free(problem);
    return -1;
}

struct pb_json *pb_cli_api_json(const struct pb_http_answer *answer, struct pb_error *err)
{
    struct pb_json *json = pb_json_parse(answer->body, answer->len, err);

    if (json && pb_json_is_object(json))
        return json;
    pb_json_free(json);
    (void)fail_foreign(err, answer);
    return NULL;
}

/* --- the session ------------------------------------------------------------------------------ */

/* What the file says now; texts of the session before end here. */
static int load(struct pb_cli_api *api, struct pb_error *err)
{
    struct pb_cli_session session;
    struct pb_arena arena;

    pb_arena_init(&arena, SESSION_ARENA);
    if (pb_cli_session_load(&arena, &session, err) < 0) {
        pb_arena_release(&arena);
        return -1;
    }
    pb_arena_release(&api->arena);
    api->arena = arena;
    api->session = session;
    api->has_session = true;
    return 0;
}

static bool is_fresh(const struct pb_cli_session *session)
{
    return session->access_token[0] && session->access_until_ms > pb_clock_wall_ms() + MARGIN_MS;
}

/* "name=value" of a Set-Cookie; NULL when there is none or it takes the cookie away. */
static const char *cookie_of(const struct pb_http_answer *answer, struct pb_arena *arena)
{
    const char *header = pb_http_answer_header(answer, "Set-Cookie");
    size_t len = header ? strcspn(header, ";") : 0;
    const char *equals = header ? memchr(header, '=', len) : NULL;

    if (!equals || equals + 1 == header + len)
        return NULL;
    return pb_arena_bytes(arena, header, len);
}

/* A sign-in's or refresh's answer becomes the session. Within its grace a refresh gives no new cookie: the old
 * one, or the one another command got, is still good. */
static int keep(const struct pb_http_answer *answer, struct pb_arena *arena,
                struct pb_cli_session session, struct pb_error *err)
{
    struct pb_json *json = pb_cli_api_json(answer, err);
    const char *cookie = cookie_of(answer, arena);
    int r = -1;

    if (!json)
        return -1;
    if (cookie)
        session.cookie = cookie;
    session.access_token = pb_json_need_text(json, "access_token", err);
    session.access_until_ms = pb_clock_wall_ms() + pb_json_int(json, "expires_in", 0) * 1000;
    if (session.access_token && !session.cookie)
        (void)pb_fail_reason(err, PB_ERROR_UNREACHABLE, "not_a_platform",
                             "the platform sent no session cookie");
    else if (session.access_token)
        r = pb_cli_session_save(&session, err);
    pb_json_free(json);
    return r;
}

int pb_cli_api_login(struct pb_cli_api *api, const char *url, const char *username,
                     const char *password, struct pb_error *err)
{
    struct pb_cli_session session = {.url = url, .username = username};
    struct pb_http_answer answer;
    struct pb_json_writer w;
    struct pb_arena arena;
    struct pb_buf body;
    int lock = -1;
    int r = -1;

    pb_arena_init(&arena, SESSION_ARENA);
    pb_buf_init(&body, 16 << 10);
    body.secret = true;
    pb_json_writer_init(&w, &body);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "username", username);
    pb_json_put_text(&w, "password", password);
    pb_json_end_object(&w);
    if (request(api,
                &(struct wish){.method = "POST",
                               .url = url,
                               .path = "/api/auth/login",
                               .body = pb_buf_string(&body)},
                &arena, &answer, err) < 0 ||
        judge(&answer, err) < 0)
        goto out;
    lock = pb_cli_session_lock(err);
    if (lock >= 0)
        r = keep(&answer, &arena, session, err);
out:
    pb_close(&lock);
    pb_buf_release(&body);
    pb_arena_release(&arena);
    return r;
}

/* The cookie for a new token; the session in the file is replaced. The lock is ours. */
static int renew(struct pb_cli_api *api, struct pb_error *err)
{
    struct pb_http_answer answer;
    struct pb_arena arena;
    int r = -1;

    pb_arena_init(&arena, SESSION_ARENA);
    if (request(api,
                &(struct wish){.method = "POST",
                               .url = api->session.url,
                               .path = "/api/auth/refresh",
                               .cookie = api->session.cookie},
                &arena, &answer, err) == 0 &&
        judge(&answer, err) == 0 && keep(&answer, &arena, api->session, err) == 0)
        r = load(api, err);
    pb_arena_release(&arena);
    return r;
}

/* A token that works, also when the clock says the one we have should. */
static int refresh(struct pb_cli_api *api, bool refused, struct pb_error *err)
{
    char *used = refused ? strdup(api->session.access_token) : NULL;
    int lock = pb_cli_session_lock(err);
    int r = -1;

    if (refused && !used)
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    else if (lock >= 0 && load(api, err) == 0)
        r = is_fresh(&api->session) && !pb_text_equal(api->session.access_token, used)
                ? 0 /* another command was quicker */
                : renew(api, err);
    pb_close(&lock);
    free(used);
    return r;
}

int pb_cli_api_logout(struct pb_cli_api *api, struct pb_error *err)
{
    struct pb_http_answer answer;
    struct pb_arena arena;
    int lock = pb_cli_session_lock(err);
    int r = -1;

    pb_arena_init(&arena, SESSION_ARENA);
    if (lock < 0)
        goto out;
    if (load(api, err) < 0) {
        r = pb_text_equal(pb_error_reason(err), "not_signed_in") ? 0 : -1;
        goto out;
    }
    if (pb_cli_session_forget(err) == 0 && request(api,
                                                   &(struct wish){.method = "POST",
                                                                  .url = api->session.url,
                                                                  .path = "/api/auth/logout",
                                                                  .cookie = api->session.cookie},
                                                   &arena, &answer, err) == 0)
        r = judge(&answer, err);
out:
    pb_close(&lock);
    pb_arena_release(&arena);
    return r;
}

int pb_cli_api_call(struct pb_cli_api *api, const char *method, const char *path, const char *body,
                    struct pb_arena *arena, struct pb_http_answer *ret_answer, struct pb_error *err)
{
    struct pb_http_answer answer;

    if (!api->has_session && load(api, err) < 0)
        return -1;
    if (!is_fresh(&api->session) && refresh(api, false, err) < 0)
        return -1;
    for (int tries = 0; tries < 2; tries++) {
        const struct wish wish = {method, api->session.url,          path,
                                  body,   api->session.access_token, NULL};

        if (request(api, &wish, arena, &answer, err) < 0)
            return -1;
        if (answer.status != 401 || tries > 0)
            break;
        if (refresh(api, true, err) < 0)
            return -1;
    }
    if (judge(&answer, err) < 0)
        return -1;
    *ret_answer = answer;
    return 0;
}
