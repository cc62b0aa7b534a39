#include "server/services/github_problem.h"

#include <string.h>

/* reason (NULL = any), code of the error, and what people read */
static const struct {
    const char *reason;
    enum pb_error_code error;
    struct pb_github_problem problem;
} PROBLEMS[] = {
    {"dns",
     PB_ERROR_UNREACHABLE,
     {"github_unreachable", PB_HEALTH_FAILING, "GitHub's address was not found in DNS.",
      "GitHub のアドレスが DNS で見つかりません。",
      "Check the API address and this machine's network and DNS.",
      "API のアドレスと、このマシンのネットワークと DNS を確認してください。"}},
    {"tls",
     PB_ERROR_UNREACHABLE,
     {"github_tls", PB_HEALTH_MISCONFIGURED,
      "No secure connection to GitHub: its certificate was not accepted.",
      "GitHub と安全に接続できません。証明書が受け入れられませんでした。",
      "Check the API address; a server of your own needs its certificate authority installed here.",
      "API "
      "のアドレスを確認してください。自社サーバーの場合は、その認証局をこのマシンに登録してください"
      "。"}},
    {"github_not_json",
     PB_ERROR_UNREACHABLE,
     {"github_not_json", PB_HEALTH_MISCONFIGURED,
      "What answers at the API address is not GitHub's API.",
      "API のアドレスから、GitHub の API ではない応答がありました。",
      "Use https://api.github.com, or https://HOST/api/v3 for GitHub Enterprise Server.",
      "https://api.github.com、または GitHub Enterprise Server の https://ホスト名/api/v3 "
      "を指定してください。"}},
    {"github_moved_away",
     PB_ERROR_UNREACHABLE,
     {"github_moved_away", PB_HEALTH_MISCONFIGURED,
      "GitHub sends us to another server, which we do not follow.",
      "GitHub が別のサーバーへ転送しようとしたため、接続を中止しました。",
      "Check the API address and the repository's name in the project's settings.",
      "プロジェクトの設定で、API のアドレスとリポジトリ名を確認してください。"}},
    {NULL,
     PB_ERROR_UNREACHABLE,
     {"github_unreachable", PB_HEALTH_FAILING, "GitHub cannot be reached.",
      "GitHub に接続できません。",
      "It is tried again by itself. If it stays, check the API address and this machine's network.",
      "自動的に再試行します。続く場合は、API のアドレスとネットワークを確認してください。"}},
    {NULL,
     PB_ERROR_TIMEOUT,
     {"github_timeout", PB_HEALTH_FAILING, "GitHub does not answer in time.",
      "GitHub が時間内に応答しません。", "It is tried again by itself.", "自動的に再試行します。"}},
    {"github_down",
     PB_ERROR_UNAVAILABLE,
     {"github_down", PB_HEALTH_FAILING, "GitHub answers with server errors.",
      "GitHub でサーバーエラーが発生しています。", "It is tried again by itself.",
      "自動的に再試行します。"}},
    {NULL,
     PB_ERROR_LIMITED,
     {"github_limited", PB_HEALTH_FAILING, "GitHub's rate limit for this token is used up.",
      "このトークンの GitHub API 利用上限に達しました。",
      "It goes on by itself when GitHub allows it. If it happens often, poll less often.",
      "上限が解除されると自動的に再開します。頻繁に起きる場合は、確認の間隔を長くしてください。"}},
    {NULL,
     PB_ERROR_UNAUTHENTICATED,
     {"github_token", PB_HEALTH_MISCONFIGURED,
      "GitHub does not accept the token: it is wrong, expired or revoked.",
      "GitHub がトークンを受け付けません。誤っているか、期限切れか、取り消されています。",
      "Make a new token and enter it as this project's token.",
      "新しいトークンを作成し、このプロジェクトのトークンとして入力してください。"}},
    {NULL,
     PB_ERROR_DENIED,
     {"github_denied", PB_HEALTH_MISCONFIGURED,
      "The token may not do what is needed in this repository.",
      "このリポジトリで必要な操作が、トークンに許可されていません。",
      "The token needs read and write access to contents, issues and pull requests (classic: scope "
      "\"repo\").",
      "トークンには Contents、Issues、Pull requests の読み書き権限が必要です（classic "
      "の場合はスコープ repo）。"}},
    {"github_gone",
     PB_ERROR_NOT_FOUND,
     {"github_gone", PB_HEALTH_MISCONFIGURED,
      "The repository's issues are switched off or were deleted.",
      "リポジトリの Issue が無効か、削除されています。",
      "Switch issues on in the repository's settings at GitHub.",
      "GitHub のリポジトリ設定で Issues を有効にしてください。"}},
    {NULL,
     PB_ERROR_NOT_FOUND,
     {"github_missing", PB_HEALTH_MISCONFIGURED,
      "The repository does not exist, or this token may not see it.",
      "リポジトリが存在しないか、このトークンでは参照できません。",
      "Check owner and repository, and that the token was given access to it.",
      "所有者とリポジトリ名、およびトークンにアクセス権があることを確認してください。"}},
    {NULL,
     PB_ERROR_UNPROCESSABLE,
     {"github_refused", PB_HEALTH_FAILING, "GitHub refused a request.",
      "GitHub がリクエストを拒否しました。",
      "It is tried again by itself. If it stays, see the platform's log.",
      "自動的に再試行します。続く場合は、プラットフォームのログを確認してください。"}},
};

static const struct pb_github_problem OTHER = {
    "github_failed",
    PB_HEALTH_FAILING,
    "Work with GitHub failed.",
    "GitHub との連携に失敗しました。",
    "It is tried again by itself. If it stays, see the platform's log.",
    "自動的に再試行します。続く場合は、プラットフォームのログを確認してください。",
};

const struct pb_github_problem PB_GITHUB_PROBLEM_ARCHIVED = {
    "github_archived",
    PB_HEALTH_MISCONFIGURED,
    "The repository is archived: nothing can be written to it.",
    "リポジトリがアーカイブされているため、書き込みできません。",
    "Unarchive it at GitHub, or stop this project.",
    "GitHub でアーカイブを解除するか、このプロジェクトを停止してください。",
};

const struct pb_github_problem PB_GITHUB_PROBLEM_NO_ISSUES = {
    "github_no_issues",
    PB_HEALTH_MISCONFIGURED,
    "Issues are switched off in this repository.",
    "このリポジトリでは Issue が無効になっています。",
    "Switch issues on in the repository's settings at GitHub.",
    "GitHub のリポジトリ設定で Issues を有効にしてください。",
};

const struct pb_github_problem PB_GITHUB_PROBLEM_NO_TOKEN = {
    "github_no_token",
    PB_HEALTH_MISCONFIGURED,
    "This project has no GitHub token.",
    "このプロジェクトには GitHub のトークンが設定されていません。",
    "Enter a token in the project's settings.",
    "プロジェクトの設定でトークンを入力してください。",
};

const struct pb_github_problem *pb_github_problem(const struct pb_error *err)
{
    for (size_t i = 0; i < sizeof(PROBLEMS) / sizeof(PROBLEMS[0]); i++)
        if (PROBLEMS[i].error == err->code &&
            (!PROBLEMS[i].reason || strcmp(PROBLEMS[i].reason, err->reason) == 0))
            return &PROBLEMS[i].problem;
    return &OTHER;
}
