/* Errors as people read them: what, why, what to do. */
#include <string.h>

#include "base/text.h"
#include "cli/cli_command.h"
#include "cli/cli_text.h"
#include "cli/cli_words.h"

#define SIGN_IN_EN "sign in with: poppo login"
#define SIGN_IN_JA "poppo login でログインしてください"

#define LIST_EN "poppo projects and poppo executions list what there is"
#define LIST_JA "一覧は poppo projects と poppo executions で表示します"

#define SECRET_EN "enter it in the project's settings, in the browser"
#define SECRET_JA "ブラウザーで、プロジェクトの設定に入力してください"

/* What helps. What happened is said already, in the right language. */
static const struct {
    const char *reason;
    const char *help_en;
    const char *help_ja;
} ROWS[] = {
    {"usage", "poppo help lists the commands", "コマンドの一覧は poppo help で表示します"},
    {"not_signed_in", SIGN_IN_EN, SIGN_IN_JA},
    {"session_ended", SIGN_IN_EN, SIGN_IN_JA},
    {"session_reused", SIGN_IN_EN, SIGN_IN_JA},
    {"token_missing", SIGN_IN_EN, SIGN_IN_JA},
    {"token_invalid", SIGN_IN_EN, SIGN_IN_JA},
    {"token_expired", SIGN_IN_EN, SIGN_IN_JA},
    {"session_file_open", "or sign in again with: poppo login",
     "または poppo login でログインし直してください"},
    {"login_failed", "try again", "もう一度お試しください"},
    {"login_delayed", "wait, then try again", "時間をおいて、もう一度お試しください"},
    {"plain_http", "use https, or --allow-plain-http if you trust the network",
     "https を使うか、信頼できるネットワークであれば --allow-plain-http を付けてください"},
    {"platform_unreachable",
     "check that it runs and that the address is right; poppo login --url ADDRESS changes it",
     "起動していることとアドレスを確認してください。アドレスは poppo login --url で変更できます"},
    {"not_a_platform", "check the address; poppo login --url ADDRESS changes it",
     "アドレスを確認してください。poppo login --url で変更できます"},
    {"role", "ask an administrator for another role", "管理者に役割の変更を依頼してください"},
    {"session_missing", SIGN_IN_EN, SIGN_IN_JA},
    {"refresh_reused", SIGN_IN_EN, SIGN_IN_JA},
    {"not_found", LIST_EN, LIST_JA},
    {"project_not_found", LIST_EN, LIST_JA},
    {"execution_not_found", LIST_EN, LIST_JA},
    {"schedule_not_found", "poppo schedules list PROJECT lists them",
     "一覧は poppo schedules list プロジェクト で表示します"},
    {"project_closed", "poppo projects start PROJECT starts it",
     "poppo projects start プロジェクト で開始します"},
    {"secret_missing", SECRET_EN, SECRET_JA},
    {"github_token", SECRET_EN, SECRET_JA},
    {"changed_meanwhile", "try again", "もう一度お試しください"},
    {"queue_full", "wait until some have ended", "いくつか終わるまでお待ちください"},
    {"busy", "try again in a moment", "しばらくしてから、もう一度お試しください"},
    {"stopping", "try again in a moment", "しばらくしてから、もう一度お試しください"},
    {"disk_full", "free some space on the platform's disk",
     "プラットフォームのディスクの空き容量を増やしてください"},
    {"database_down", "it comes back by itself; try again in a moment",
     "自動的に復旧します。しばらくしてから、もう一度お試しください"},
    {"outcome_unknown", "look whether it happened before you repeat it",
     "もう一度行う前に、反映されているかどうかを確認してください"},
    {"platform_internal", "its log has the details under this request id",
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
    put_message(buf, err->message);
    pb_buf_char(buf, '\n');
    if (help)
        pb_buf_format(buf, "  %s\n", help);
}
