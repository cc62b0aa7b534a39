#include "server/services/claude_check.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "model/project.h"
#include "net/http_client.h"

enum { TIMEOUT_MS = 15 * 1000, ANSWER_MAX = 1 << 20, MODEL_TEXT = 100 };

#define SMALLEST_MODEL "claude-3-5-haiku-latest"

struct check {
    struct pb_http_client *http;
    const char *base_url;
    const char *key;
    const char *model;
    struct pb_arena *arena;
    struct pb_claude_check *out;
};

/* What an HTTP status says, in words. */
static const struct row {
    int status;
    struct pb_check_row row;
} STATUSES[] = {
    {401,
     {"key", "error", "The key is not accepted.", "API キーが受け付けられません。",
      "Check that the key was copied whole, or make a new one at platform.claude.com.",
      "キー全体をコピーしたか確認するか、platform.claude.com で新しいキーを作成してください。"}},
    {403,
     {"key", "error", "The key may not be used for this.", "このキーには利用権限がありません。",
      "Ask the owner of the account for a key that may use the Messages API.",
      "Messages API を利用できるキーをアカウントの管理者に依頼してください。"}},
    {402,
     {"credit", "error", "The account has no credit left.",
      "アカウントのクレジット残高がありません。",
      "Add credit at platform.claude.com, then check again.",
      "platform.claude.com でクレジットを追加してから、もう一度確認してください。"}},
    {429,
     {"credit", "warning", "The key works, but its limit is used up just now.",
      "キーは有効ですが、現在は利用上限に達しています。",
      "It will pass by itself; runs wait for it.",
      "しばらくすると解消します。実行は自動的に待機します。"}},
};

static const struct pb_check_row KEY_MISSING = {
    "key",
    "error",
    "There is no key yet.",
    "API キーがまだ設定されていません。",
    "Enter a key of the Claude API (it begins with sk-ant-).",
    "Claude API のキー (sk-ant- で始まります) を入力してください。"};
static const struct pb_check_row KEY_CHARACTERS = {
    "key",
    "error",
    "The key has characters that no key has.",
    "キーに使用できない文字が含まれています。",
    "Copy it again, without spaces or line breaks.",
    "空白や改行を含めずに、もう一度コピーしてください。"};
static const struct pb_check_row REACHABLE = {
    "reachable", "ok", "The API answers.", "API に接続できました。", NULL, NULL};
static const struct pb_check_row KEY_WORKS = {"key", "ok", "The key works.", "キーは有効です。",
                                              NULL,  NULL};
static const struct pb_check_row MODEL_THERE = {
    "model", "ok", "The model can be used.", "モデルを利用できます。", NULL, NULL};
static const struct pb_check_row MODEL_MISSING = {
    "model",
    "error",
    "This key cannot use that model.",
    "このキーではそのモデルを利用できません。",
    "Choose one of the list, or leave it empty for the CLI's own choice.",
    "一覧から選ぶか、空欄にして CLI の既定値を使ってください。"};

static void add(struct check *check, const struct pb_check_row *row)
{
    if (check->out->count < PB_CLAUDE_CHECK_ROWS)
        check->out->rows[check->out->count++] = *row;
}

static int add_words(struct check *check, const char *name, const char *state, const char *en,
                     const char *ja, const char *fix_en, const char *fix_ja, struct pb_error *err)
{
    if (!en || !ja)
        return pb_fail(err, PB_ERROR_LIMITED, "answer too large");
    add(check, &(struct pb_check_row){name, state, en, ja, fix_en, fix_ja});
    return 0;
}

static int unreachable(struct check *check, const struct pb_error *why, struct pb_error *err)
{
    return add_words(check, "reachable", "error",
                     pb_arena_format(check->arena, "The API cannot be reached: %s.", why->message),
                     pb_arena_format(check->arena, "API に接続できません: %s", why->message),
                     "Check the address and this server's network.",
                     "アドレスと、このサーバーのネットワークを確認してください。", err);
}

/* Any other status: it answers, but not as a Messages API does. */
static int odd(struct check *check, const struct pb_http_answer *answer, struct pb_error *err)
{
    if (answer->status >= 500)
        return add_words(check, "reachable", "warning",
                         pb_arena_format(check->arena, "The API has trouble just now (HTTP %d).",
                                         answer->status),
                         pb_arena_format(check->arena, "API が一時的に不安定です (HTTP %d)。",
                                         answer->status),
                         "Try again in a while.", "しばらくしてからもう一度お試しください。", err);
    return add_words(
        check, "reachable", "error",
        pb_arena_format(check->arena,
                        "The address answers, but not like the Messages API (HTTP %d).",
                        answer->status),
        pb_arena_format(check->arena,
                        "応答はありましたが、Messages API ではないようです (HTTP %d)。",
                        answer->status),
        "Check the address.", "アドレスを確認してください。", err);
}

static int call(struct check *check, const char *method, const char *path,
                const struct pb_buf *body, struct pb_http_answer *ret, struct pb_error *err)
{
    const struct pb_http_header headers[] = {
        {"x-api-key", check->key},
        {"anthropic-version", "2023-06-01"},
        {"Content-Type", "application/json"},
        {"Accept", "application/json"},
    };
    const struct pb_http_call wish = {
        .method = method,
        .url = pb_arena_format(check->arena, "%s%s", check->base_url, path),
        .headers = headers,
        .header_count = sizeof(headers) / sizeof(headers[0]),
        .body = body ? body->data : NULL,
        .body_len = body ? body->len : 0,
        .response_max = ANSWER_MAX,
        .timeout_ms = TIMEOUT_MS,
    };

    return pb_http_call(check->http, &wish, check->arena, ret, err);
}

/* True when the status is one we have words for. */
static bool add_status(struct check *check, int status)
{
    for (size_t i = 0; i < sizeof(STATUSES) / sizeof(STATUSES[0]); i++)
        if (STATUSES[i].status == status) {
            add(check, &REACHABLE);
            add(check, &STATUSES[i].row);
            return true;
        }
    return false;
}

/* A low balance comes as 400 with a sentence. */
static bool says_no_credit(const struct pb_http_answer *answer)
{
    return answer->status == 400 && answer->body && strstr(answer->body, "credit balance");
}

static void add_model(struct check *check)
{
    bool found = false;

    if (!*check->model)
        return;
    for (size_t i = 0; i < check->out->model_count; i++)
        found = found || strcmp(check->out->models[i], check->model) == 0;
    /* Names like "sonnet" are the CLI's own and are in no list. */
    if (found || strncmp(check->model, "claude-", 7) != 0)
        add(check, &MODEL_THERE);
    else
        add(check, &MODEL_MISSING);
}

static int read_models(struct check *check, const struct pb_http_answer *answer,
                       struct pb_error *err)
{
    struct pb_error why;
    struct pb_json *root = pb_json_parse(answer->body, answer->len, &why);
    const struct pb_json *data = pb_json_get(root, "data");
    int r = 0;

    if (!pb_json_is_array(data)) {
        r = odd(check, answer, err);
        goto out;
    }
    for (size_t i = 0; i < pb_json_count(data) && check->out->model_count < PB_CLAUDE_CHECK_MODELS;
         i++) {
        const char *id = pb_json_text(pb_json_at(data, i), "id", NULL);

        if (id && strlen(id) < MODEL_TEXT)
            check->out->models[check->out->model_count++] = pb_arena_text(check->arena, id);
    }
    add(check, &REACHABLE);
    add(check, &KEY_WORKS);
    add_model(check);
out:
    pb_json_free(root);
    return r;
}

/* Where there is no list of models: the smallest message there is. */
static int try_message(struct check *check, struct pb_error *err)
{
    struct pb_http_answer answer;
    struct pb_json_writer w;
    struct pb_error why;
    struct pb_buf body;
    int r;

    pb_buf_init(&body, 4096);
    pb_json_writer_init(&w, &body);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "model", *check->model ? check->model : SMALLEST_MODEL);
    pb_json_put_int(&w, "max_tokens", 1);
    pb_json_begin_array(&w, "messages");
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "role", "user");
    pb_json_put_text(&w, "content", "Hi");
    pb_json_end_object(&w);
    pb_json_end_array(&w);
    pb_json_end_object(&w);
    r = call(check, "POST", "/v1/messages", &body, &answer, &why);
    pb_buf_release(&body);
    if (r < 0)
        return unreachable(check, &why, err);
    if (answer.status == 200) {
        add(check, &REACHABLE);
        add(check, &KEY_WORKS);
        if (*check->model)
            add(check, &MODEL_THERE);
        return 0;
    }
    if (says_no_credit(&answer))
        answer.status = 402;
    if (add_status(check, answer.status))
        return 0;
    if (answer.status == 404 && answer.body && strstr(answer.body, "not_found_error")) {
        add(check, &REACHABLE);
        add(check, &KEY_WORKS);
        add(check, &MODEL_MISSING);
        return 0;
    }
    return odd(check, &answer, err);
}

static bool is_printable(const char *key)
{
    for (; *key; key++)
        if (*key <= ' ' || *key > '~')
            return false;
    return true;
}

static int ask(struct check *check, struct pb_error *err)
{
    struct pb_http_answer answer;
    struct pb_error why;

    if (!*check->key || !is_printable(check->key)) {
        add(check, *check->key ? &KEY_CHARACTERS : &KEY_MISSING);
        return 0;
    }
    if (call(check, "GET", "/v1/models?limit=100", NULL, &answer, &why) < 0)
        return unreachable(check, &why, err);
    if (answer.status == 200)
        return read_models(check, &answer, err);
    if (answer.status == 404 || answer.status == 405)
        return try_message(check, err);
    if (says_no_credit(&answer))
        answer.status = 402;
    return add_status(check, answer.status) ? 0 : odd(check, &answer, err);
}

int pb_claude_check(struct pb_http_client *http, const char *base_url, const char *key,
                    const char *model, struct pb_arena *arena, struct pb_claude_check *ret_check,
                    struct pb_error *err)
{
    size_t len = strlen(base_url);
    struct check check = {
        .http = http, .key = key, .model = model, .arena = arena, .out = ret_check};

    if (!pb_project_url_valid(base_url))
        return pb_fail_field(err, "anthropic_base_url",
                             "anthropic_base_url must be an http(s) address");
    while (len > 0 && base_url[len - 1] == '/')
        len--;
    check.base_url = pb_arena_bytes(arena, base_url, len);
    if (!check.base_url)
        return pb_fail(err, PB_ERROR_LIMITED, "request too large");
    *ret_check = (struct pb_claude_check){.ok = true};
    if (ask(&check, err) < 0)
        return -1;
    for (size_t i = 0; i < ret_check->count; i++)
        if (strcmp(ret_check->rows[i].state, "error") == 0)
            ret_check->ok = false;
    return 0;
}
