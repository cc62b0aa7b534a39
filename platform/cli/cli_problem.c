#include "cli/cli_problem.h"

#include "base/text.h"
#include "cli/cli_words.h"

struct row {
    const char *code;
    const char *ja;
    bool vague; /* the platform's words say which */
};

static const struct row PROBLEMS[] = {
    /* the code of the error itself, where there is no finer one */
    {"invalid", "入力に誤りがあります", true},
    {"unauthenticated", "ログインが必要です", false},
    {"denied", "この操作は許可されていません", true},
    {"not_found", "見つかりません", true},
    {"conflict", "現在の状態では行えません", true},
    {"precondition", "ほかの操作で先に変更されました", false},
    {"too_large", "内容が大きすぎます", true},
    {"unsupported", "要求の形式が正しくありません", true},
    {"unprocessable", "この操作は実行できません", true},
    {"limited", "回数または件数の上限に達しました", true},
    {"internal", "プラットフォームの内部で問題が起きました", false},
    {"unreachable", "接続先に到達できません", true},
    {"unavailable", "現在は処理できません", true},
    {"timeout", "時間内に応答がありませんでした", true},

    /* sign-in */
    {"login_failed", "ユーザー名またはパスワードが違います", false},
    {"login_delayed", "ログインの失敗が続いたため、しばらくログインできません", false},
    {"plain_http", "暗号化されていない接続ではログインできません", false},
    {"session_missing", "ログインが必要です", false},
    {"session_ended", "セッションが終了しています", false},
    {"session_reused", "セッションが別の場所で使われたため、終了しました", false},
    {"refresh_reused", "セッションが別の場所で使われたため、終了しました", false},
    {"token_missing", "ログインが必要です", false},
    {"token_invalid", "ログインが必要です", false},
    {"token_expired", "ログインの有効期限が切れました", false},
    {"role", "この操作を行う権限がありません", false},

    /* what is not there */
    {"project_not_found", "このプロジェクトはありません", false},
    {"execution_not_found", "この実行はありません", false},
    {"schedule_not_found", "このスケジュールはありません", false},
    {"node_not_found", "このノードはありません", false},

    /* what its state forbids */
    {"already_final", "すでに終了しています", false},
    {"not_final", "まだ終了していません", false},
    {"not_waiting", "回答を待っていません", false},
    {"not_now", "現在の状態では行えません", true},
    {"changed_meanwhile", "ほかの操作と重なりました", false},
    {"duplicate", "同じ依頼をすでに受け付けています", false},
    {"project_closed", "プロジェクトが停止中か、アーカイブされています", false},
    {"queue_full", "プロジェクトの待機中の実行が上限に達しています", false},
    {"secret_missing", "必要なトークンまたはキーが設定されていません", true},
    {"issue_is_pull", "この番号は Issue ではなく、プルリクエストです", false},
    {"issue_not_found", "この番号の Issue は、リポジトリにありません", false},
    {"issue_closed", "この Issue はクローズされています", false},
    {"log_damaged", "ログの一部が壊れているため読み取れません", false},
    {"log_removed", "このログは削除されました", false},
    {"regex_too_costly", "この正規表現は、このログに対して時間がかかりすぎます", false},

    /* GitHub, asked while somebody waits */
    {"github_token", "GitHub がトークンを受け付けません（誤り、期限切れ、または取り消し）", false},
    {"github_denied", "GitHub のトークンに、この操作の権限がありません", false},
    {"github_missing", "Issue またはリポジトリが GitHub にないか、トークンで参照できません", false},
    {"github_gone", "Issue またはリポジトリが GitHub から削除されています", false},
    {"github_archived", "リポジトリがアーカイブされています", false},
    {"github_no_issues", "このリポジトリでは Issue が無効になっています", false},
    {"github_limited", "このトークンの GitHub API 利用上限に達しました", false},
    {"github_down", "GitHub で問題が起きています", false},
    {"github_moved_away", "GitHub API のアドレスが別の場所へ転送されています", true},
    {"github_not_json", "GitHub API のアドレスから、GitHub ではない応答がありました", false},
    {"github_conflict", "GitHub が要求を拒否しました", true},
    {"github_exists", "GitHub が要求を拒否しました", true},
    {"github_refused", "GitHub が要求を拒否しました", true},
    {"dns", "GitHub のホスト名が見つかりません", true},
    {"refused", "GitHub への接続が拒否されました", true},
    {"tls", "GitHub との暗号化された接続を確立できません", true},
    {"cut", "GitHub との接続が途中で切れました", true},
    {"protocol", "GitHub との通信で問題が起きました", true},

    /* the platform */
    {"busy", "プラットフォームが混雑しています", false},
    {"stopping", "プラットフォームが停止しようとしています", false},
    {"memory", "プラットフォームのメモリーが不足しています", false},
    {"too_much_data", "内容が大きすぎます", false},
    {"not_utf8", "UTF-8 ではない文字が含まれています", false},
    {"disk_full", "プラットフォームのディスクに空きがありません", false},
    {"database_down", "プラットフォームがデータベースに接続できません", false},
    {"outcome_unknown", "変更が保存されたかどうかを確認できませんでした", false},
    {"store_failed", "プラットフォームのデータベースで問題が起きました", false},
    {"store_corrupt", "プラットフォームのデータベースが壊れています", false},
};

/* What is wrong with one field; the platform's words say which limit. */
static const struct row FIELDS[] = {
    {"required", "入力が必要です", false},
    {"too_long", "長すぎます", true},
    {"too_short", "短すぎます", true},
    {"duplicate", "すでに使われています", true},
    {"reserved", "この値は使えません", true},
    {"characters", "使えない文字が含まれています", true},
    {"choice", "選べない値です", true},
    {"format", "形式が正しくありません", true},
    {"range", "範囲外です", true},
    {"invalid", "正しくありません", true},
    {"unknown_member", "この項目はありません", false},
};

static const struct row *find(const struct row *rows, size_t count, const char *code)
{
    for (size_t i = 0; i < count; i++)
        if (pb_text_equal(rows[i].code, code))
            return &rows[i];
    return NULL;
}

static void put_words(struct pb_buf *text, const struct row *row, const char *detail)
{
    if (!row || !pb_cli_is_japanese())
        pb_buf_text(text, detail);
    else if (row->vague && *detail)
        pb_buf_format(text, "%s（%s）", row->ja, detail);
    else
        pb_buf_text(text, row->ja);
}

static void put_field(const struct pb_json *error, struct pb_buf *text)
{
    pb_buf_format(text, "%s: ", pb_json_text(error, "field", ""));
    put_words(text,
              find(FIELDS, sizeof(FIELDS) / sizeof(FIELDS[0]), pb_json_text(error, "code", "")),
              pb_json_text(error, "detail", ""));
}

void pb_cli_put_problem(const struct pb_json *problem, struct pb_buf *text)
{
    const struct pb_json *errors = pb_json_get(problem, "errors");
    const char *code = pb_json_text(problem, "code", "");
    const char *detail = pb_json_text(problem, "detail", pb_json_text(problem, "title", ""));
    const struct row *row = find(PROBLEMS, sizeof(PROBLEMS) / sizeof(PROBLEMS[0]), code);

    put_words(text, row, row && pb_json_count(errors) > 0 && pb_cli_is_japanese() ? "" : detail);
    for (size_t i = 0; i < pb_json_count(errors); i++) {
        pb_buf_text(text, i == 0 ? ": " : "; ");
        put_field(pb_json_at(errors, i), text);
    }
    if (pb_text_equal(code, "internal"))
        pb_buf_format(text, ": %s", pb_json_text(problem, "request_id", ""));
}
