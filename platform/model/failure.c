#include "model/failure.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"

static const char *const NAMES[] = {
#define X(kind, name, retry) name,
    PB_FAILURES(X)
#undef X
};

/* NAME_AUTH, RETRY_AUTH …: constants, so that the table below can be one. */
#define X(kind, name, retry)                \
    static const char NAME_##kind[] = name; \
    enum { RETRY_##kind = PB_RETRY_##retry };
PB_FAILURES(X)
#undef X

const struct pb_names PB_FAILURE_NAMES = {NAMES, PB_FAILURE_COUNT};

#define ROW(kind, ...) \
    [PB_FAILURE_##kind] = {NAME_##kind, (enum pb_failure_retry)RETRY_##kind, __VA_ARGS__}

static const struct pb_failure FAILURES[] = {
    ROW(AUTH, .en = "The Claude API key was not accepted.",
        .ja = "Claude API キーが受け付けられませんでした。",
        .next_en = "Enter a valid key in the project's settings, then re-run.",
        .next_ja = "プロジェクトの設定で有効なキーを入力してから、再実行してください。"),
    ROW(BILLING, .en = "The Claude account has no credit left.",
        .ja = "Claude アカウントの残高がありません。",
        .next_en = "Add credit to the account (or use another key), then re-run.",
        .next_ja = "アカウントに残高を追加するか別のキーに変えてから、再実行してください。"),
    ROW(RATE_LIMIT, .en = "The Claude API's rate limit was reached.",
        .ja = "Claude API の利用上限に達しました。",
        .next_en = "It continues by itself when the limit is lifted.",
        .next_ja = "上限が解除されると、自動的に再開します。"),
    ROW(OVERLOADED, .en = "The Claude API was overloaded and did not recover in time.",
        .ja = "Claude API が混雑しており、時間内に回復しませんでした。",
        .next_en = "Re-run in a few minutes.", .next_ja = "数分待ってから、再実行してください。"),
    ROW(MODEL, .en = "The model does not exist, or this key may not use it.",
        .ja = "指定されたモデルが存在しないか、このキーでは利用できません。",
        .next_en = "Choose another model in the project's settings, then re-run.",
        .next_ja = "プロジェクトの設定で別のモデルを選んでから、再実行してください。"),
    ROW(PROMPT_TOO_LONG, .en = "The conversation became too long for the model.",
        .ja = "会話がモデルの扱える長さを超えました。",
        .next_en = "Split the issue into smaller ones, or re-run it in a fresh session.",
        .next_ja = "Issue を小さく分けるか、新しいセッションで再実行してください。"),
    ROW(REFUSAL, .en = "The model declined to work on this request.",
        .ja = "モデルがこの依頼への対応を拒否しました。",
        .next_en = "Put the request in other words, then re-run.",
        .next_ja = "依頼の内容を書き直してから、再実行してください。"),
    ROW(MAX_TURNS, .en = "The limit of turns was reached before the work was done.",
        .ja = "作業が終わる前に、ターン数の上限に達しました。",
        .next_en = "Continue with a comment on the issue, or raise the limit in the settings.",
        .next_ja = "Issue にコメントして続けるか、設定で上限を引き上げてください。"),
    ROW(BUDGET, .en = "The budget of this execution was used up.",
        .ja = "この実行の予算を使い切りました。",
        .next_en = "Continue with a comment on the issue, or raise the budget in the settings.",
        .next_ja = "Issue にコメントして続けるか、設定で予算を引き上げてください。"),
    ROW(PROVIDER, .en = "The Claude API answered with an error of its own.",
        .ja = "Claude API 側でエラーが発生しました。",
        .next_en = "Re-run later; if it stays so, look at the provider's status page.",
        .next_ja = "時間をおいて再実行してください。"
                   "続く場合は、提供元の稼働状況を確認してください。"),
    ROW(NETWORK, .en = "The network was not usable: a host could not be reached.",
        .ja = "ネットワークに問題があり、接続先に到達できませんでした。",
        .next_en = "Check the node's network and the addresses in the settings, then re-run.",
        .next_ja = "ノードのネットワークと設定のアドレスを確認してから、再実行してください。"),
    ROW(CLI_MISSING, .en = "The Claude Code CLI was not found on the node, or cannot be started.",
        .ja = "ノードに Claude Code CLI が見つからないか、起動できません。",
        .next_en = "Install it on the node, or set its path (claude_path), then re-run.",
        .next_ja = "ノードにインストールするか、パス (claude_path) を設定してから、"
                   "再実行してください。"),
    ROW(CLI_CRASHED, .en = "The Claude Code CLI ended abnormally.",
        .ja = "Claude Code CLI が異常終了しました。",
        .next_en = "Look at the end of the log, then re-run.",
        .next_ja = "ログの末尾を確認してから、再実行してください。"),
    ROW(CLI_OUTPUT, .en = "The Claude Code CLI ended without a readable result.",
        .ja = "Claude Code CLI が読み取れる結果を出さずに終了しました。",
        .next_en = "Re-run; if it happens again, check which version is installed on the node.",
        .next_ja = "再実行してください。"
                   "繰り返す場合は、ノードにあるバージョンを確認してください。"),
    ROW(COMMAND, .en = "The command ended with an error.", .ja = "コマンドがエラーで終了しました。",
        .next_en = "Look at the end of the log, then re-run.",
        .next_ja = "ログの末尾を確認してから、再実行してください。"),
    ROW(SILENT, .en = "There was no output for too long, so the run was ended.",
        .ja = "長い間出力がなかったため、実行を終了しました。",
        .next_en = "Re-run, or raise the silence limit in the project's settings.",
        .next_ja = "再実行するか、プロジェクトの設定で無応答の制限を延ばしてください。"),
    ROW(WALL_CLOCK, .en = "The time limit of the run was reached.",
        .ja = "実行の制限時間に達しました。",
        .next_en = "Continue with a comment on the issue, or raise the time limit in the settings.",
        .next_ja = "Issue にコメントして続けるか、設定で制限時間を延ばしてください。"),
    ROW(LEAKED, .en = "A process went on after the result and had to be ended.",
        .ja = "結果が出た後もプロセスが残っていたため、強制終了しました。",
        .next_en = "Re-run; if it happens again, look in the log for what was left running.",
        .next_ja = "再実行してください。"
                   "繰り返す場合は、何が残ったかをログで確認してください。"),
    ROW(OOM, .en = "The run used more memory than it may have.",
        .ja = "実行に使えるメモリーの上限を超えました。",
        .next_en = "Make the task smaller, or run it on a node with more memory.",
        .next_ja = "タスクを小さくするか、メモリーの多いノードで実行してください。"),
    ROW(DISK, .en = "There was no disk space left.", .ja = "ディスクの空き容量が足りませんでした。",
        .next_en = "Free some space on the node or the platform, then re-run.",
        .next_ja = "ノードまたはプラットフォームの空き容量を増やしてから、再実行してください。"),
    ROW(SANDBOX, .en = "The protected environment for the run could not be made.",
        .ja = "実行用の隔離環境を用意できませんでした。",
        .next_en = "Look at the agent's log for the reason, or choose another node.",
        .next_ja = "エージェントのログで原因を確認するか、別のノードを選んでください。"),
    ROW(WORKSPACE, .en = "The repository could not be fetched into the workspace.",
        .ja = "リポジトリを作業フォルダーに取得できませんでした。",
        .next_en = "Look at the log for what git said, then re-run.",
        .next_ja = "ログで git のメッセージを確認してから、再実行してください。"),
    ROW(REPO_EMPTY, .en = "The repository is empty: there is no branch to begin from.",
        .ja = "リポジトリが空のため、作業の起点となるブランチがありません。",
        .next_en = "Push a first commit, then re-run.",
        .next_ja = "最初のコミットをプッシュしてから、再実行してください。"),
    ROW(REPO_GONE, .en = "The repository was not found: moved, deleted, or hidden from this token.",
        .ja = "リポジトリが見つかりません。"
              "移動または削除されたか、このトークンでは見えません。",
        .next_en = "Correct owner and repository in the settings, or use a token that can see it.",
        .next_ja = "設定の所有者とリポジトリ名を直すか、アクセスできるトークンに変えてください。"),
    ROW(PUSH_REJECTED, .en = "GitHub did not accept the push.",
        .ja = "GitHub がプッシュを受け付けませんでした。",
        .next_en = "Check branch protection and the token's permission for contents, then re-run.",
        .next_ja = "ブランチ保護とトークンの contents 権限を確認してから、再実行してください。"),
    ROW(PUBLISH_REFUSED,
        .en = "The result was not published: it contains what this project forbids.",
        .ja = "このプロジェクトで禁止されている内容が含まれるため、結果を公開しませんでした。",
        .next_en = "Look at the log for what was found; the settings say what is allowed.",
        .next_ja = "検出された内容をログで確認してください。"
                   "許可する内容は設定で変更できます。"),
    ROW(GITHUB_AUTH, .en = "The GitHub token was not accepted.",
        .ja = "GitHub のトークンが受け付けられませんでした。",
        .next_en = "Enter a valid token in the project's settings, then re-run.",
        .next_ja = "プロジェクトの設定で有効なトークンを入力してから、再実行してください。"),
    ROW(GITHUB_SCOPE, .en = "The GitHub token lacks a permission that is needed.",
        .ja = "GitHub のトークンに必要な権限がありません。",
        .next_en = "Give it write access to contents, issues and pull requests, then re-run.",
        .next_ja = "contents、issues、pull requests の書き込み権限を付けてから、"
                   "再実行してください。"),
    ROW(GITHUB_RATE, .en = "GitHub's rate limit was reached.",
        .ja = "GitHub の利用上限に達しました。",
        .next_en = "It continues by itself when the limit is lifted.",
        .next_ja = "上限が解除されると、自動的に再開します。"),
    ROW(NODE_LOST, .en = "The node was lost too often while it worked on this.",
        .ja = "作業中のノードとの接続が繰り返し失われました。",
        .next_en = "Check the node and its log, then re-run.",
        .next_ja = "ノードとそのログを確認してから、再実行してください。"),
    ROW(NO_NODE, .en = "There is no node that can run this.",
        .ja = "これを実行できるノードがありません。",
        .next_en = "It starts by itself when a node is online.",
        .next_ja = "ノードがオンラインになると、自動的に開始します。"),
    ROW(BUSY, .en = "The node had no room for this right now.",
        .ja = "ノードが混み合っていて、受け入れられませんでした。",
        .next_en = "It is tried again by itself in a moment.",
        .next_ja = "しばらくすると、自動的に再試行します。"),
    ROW(PLATFORM, .en = "Something went wrong inside the platform.",
        .ja = "プラットフォームの内部で問題が発生しました。",
        .next_en = "Re-run; if it happens again, report it with the details below.",
        .next_ja = "再実行してください。"
                   "繰り返す場合は、下記の詳細を添えて報告してください。"),
    ROW(CANCELLED, .en = "It was cancelled.", .ja = "中止されました。",
        .next_en = "Re-run to start it again.",
        .next_ja = "もう一度始めるには、再実行してください。"),
    ROW(INVALID_SETTINGS, .en = "It cannot start with the project's settings.",
        .ja = "プロジェクトの設定が正しくないため、開始できません。",
        .next_en = "Correct the settings, then re-run.",
        .next_ja = "設定を直してから、再実行してください。"),
};

static_assert(sizeof(FAILURES) / sizeof(FAILURES[0]) == PB_FAILURE_COUNT,
              "every kind has its words");

const struct pb_failure *pb_failure(enum pb_failure_kind kind)
{
    assert(kind < PB_FAILURE_COUNT);
    return &FAILURES[kind];
}

/* Reasons and codes of errors (base/error.h) that nodes pass on as a kind. */
static const struct {
    const char *reason;
    enum pb_failure_kind kind;
} ALIASES[] = {
    {"disk_full", PB_FAILURE_DISK},      {"unavailable", PB_FAILURE_BUSY},
    {"limited", PB_FAILURE_BUSY},        {"timeout", PB_FAILURE_BUSY},
    {"unreachable", PB_FAILURE_NETWORK}, {"invalid", PB_FAILURE_INVALID_SETTINGS},
};

const struct pb_failure *pb_failure_find(const char *name)
{
    int kind = PB_FAILURE_PLATFORM;

    if (!name)
        return NULL;
    if (pb_names_find(&PB_FAILURE_NAMES, name, &kind))
        return &FAILURES[kind];
    for (size_t i = 0; i < sizeof(ALIASES) / sizeof(ALIASES[0]); i++) {
        if (strcmp(ALIASES[i].reason, name) == 0)
            return &FAILURES[ALIASES[i].kind];
    }
    return &FAILURES[PB_FAILURE_PLATFORM];
}

const char *pb_failure_sentence(const struct pb_failure *failure, const char *language)
{
    return pb_text_equal(language, "ja") ? failure->ja : failure->en;
}

const char *pb_failure_next(const struct pb_failure *failure, const char *language)
{
    return pb_text_equal(language, "ja") ? failure->next_ja : failure->next_en;
}
