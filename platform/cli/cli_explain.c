/* Errors as people read them: what, why, what to do. */
#include <string.h>

#include "base/text.h"
#include "cli/cli_command.h"
#include "cli/cli_text.h"
#include "cli/cli_words.h"

#define SIGN_IN_EN "sign in with: poppo login"
#define SIGN_IN_JA "poppo login でログインしてください"

/* reason; its sentence in Japanese (NULL: the message is in the right language already); what helps */
static const struct {
    const char *reason;
    const char *ja;
    const char *help_en;
    const char *help_ja;
} ROWS[] = {
    {"usage", NULL, "poppo help lists the commands", "コマンドの一覧は poppo help で表示します"},
    {"not_signed_in", NULL, SIGN_IN_EN, SIGN_IN_JA},
    {"session_ended", "セッションが終了しています", SIGN_IN_EN, SIGN_IN_JA},
    {"session_reused", "セッションが別の場所で使われたため、終了しました", SIGN_IN_EN, SIGN_IN_JA},
    {"token_missing", "ログインが必要です", SIGN_IN_EN, SIGN_IN_JA},
    {"token_invalid", "ログインが必要です", SIGN_IN_EN, SIGN_IN_JA},
    {"token_expired", "ログインの有効期限が切れました", SIGN_IN_EN, SIGN_IN_JA},
    {"session_file_open", NULL, "or sign in again with: poppo login",
     "または poppo login でログインし直してください"},
    {"login_failed", "ユーザー名またはパスワードが違います", "try again", "もう一度お試しください"},
    {"login_delayed", "ログインの失敗が続いたため、しばらくログインできません",
     "wait, then try again", "時間をおいて、もう一度お試しください"},
    {"plain_http", NULL, "use https, or --allow-plain-http if you trust the network",
     "https を使うか、信頼できるネットワークであれば --allow-plain-http を付けてください"},
    {"platform_unreachable", NULL,
     "check that it runs and that the address is right; poppo login --url ADDRESS changes it",
     "起動していることとアドレスを確認してください。アドレスは poppo login --url で変更できます"},
    {"not_a_platform", NULL, "check the address; poppo login --url ADDRESS changes it",
     "アドレスを確認してください。poppo login --url で変更できます"},
    {"role", "この操作を行う権限がありません", "ask an administrator for another role",
     "管理者に役割の変更を依頼してください"},
    {"not_found", "見つかりません", "poppo projects and poppo executions list what there is",
     "一覧は poppo projects と poppo executions で表示します"},
    {"duplicate", "同じ依頼をすでに受け付けています", NULL, NULL},
    {"already_final", "すでに終了しています", NULL, NULL},
    {"not_now", "現在の状態では行えません", NULL, NULL},
    {"changed_meanwhile", "ほかの操作と重なりました", "try again", "もう一度お試しください"},
    {"queue_full", "待機中の実行が多すぎます", "wait until some have ended",
     "いくつか終わるまでお待ちください"},
    {"busy", "プラットフォームが混雑しています", "try again in a moment",
     "しばらくしてから、もう一度お試しください"},
    {"stopping", "プラットフォームが停止しようとしています", "try again in a moment",
     "しばらくしてから、もう一度お試しください"},
    {"disk_full", "ディスクの空き容量がありません", "free some space on the platform's disk",
     "プラットフォームのディスクの空き容量を増やしてください"},
    {"database_down", "プラットフォームのデータベースに接続できません",
     "it comes back by itself; try again in a moment",
     "自動的に復旧します。しばらくしてから、もう一度お試しください"},
    {"outcome_unknown", "変更が保存されたかどうかを確認できませんでした",
     "look whether it happened before you repeat it",
     "もう一度行う前に、反映されているかどうかを確認してください"},
    {"platform_internal", "プラットフォームの内部で問題が発生しました",
     "its log has the details under this request id",
     "詳細は、プラットフォームのログをこのリクエスト ID で確認してください"},
};

int pb_cli_exit_code(const struct pb_error *err)
{
    const char *reason = pb_error_reason(err);

    if (pb_text_equal(reason, "usage"))
        return 2;
    if (pb_text_equal(reason, "platform_unreachable") || pb_text_equal(reason, "not_a_platform"))
        return 3;
    return 1;
}

static size_t row_of(const char *reason)
{
    size_t i = 0;

    while (i < sizeof(ROWS) / sizeof(ROWS[0]) && strcmp(ROWS[i].reason, reason) != 0)
        i++;
    return i;
}

/* Messages come from the platform too, and with them what strangers wrote. */
static void put_message(struct pb_buf *buf, const char *message)
{
    pb_cli_put_clean(buf, message, strlen(message), false);
}

void pb_cli_explain(const struct pb_error *err, struct pb_buf *buf)
{
    size_t i = row_of(pb_error_reason(err));
    bool known = i < sizeof(ROWS) / sizeof(ROWS[0]);
    const char *help = known ? pb_say(ROWS[i].help_en, ROWS[i].help_ja) : NULL;

    pb_buf_text(buf, "poppo: ");
    if (known && ROWS[i].ja && pb_cli_is_japanese()) {
        pb_buf_format(buf, "%s (", ROWS[i].ja);
        put_message(buf, err->message);
        pb_buf_char(buf, ')');
    } else {
        put_message(buf, err->message);
    }
    pb_buf_char(buf, '\n');
    if (help)
        pb_buf_format(buf, "  %s\n", help);
}
