#include "cli/cli_words.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct word {
    const char *name;
    const char *en;
    const char *ja;
};

static const struct word STATUSES[] = {
    {"queued", "queued", "待機中"},
    {"assigned", "assigned", "割り当て済み"},
    {"preparing", "preparing", "準備中"},
    {"running", "running", "実行中"},
    {"waiting_input", "waiting for answer", "回答待ち"},
    {"waiting_approval", "waiting for approval", "承認待ち"},
    {"waiting_quota", "waiting for quota", "制限の解除待ち"},
    {"cancelling", "cancelling", "中止中"},
    {"succeeded", "succeeded", "成功"},
    {"failed", "failed", "失敗"},
    {"timed_out", "timed out", "タイムアウト"},
    {"budget_exhausted", "budget exhausted", "予算超過"},
    {"cancelled", "cancelled", "中止済み"},
    {NULL, NULL, NULL},
};

static const struct word PROJECT_STATUSES[] = {
    {"active", "active", "有効"},       {"paused", "paused", "一時停止"},
    {"stopped", "stopped", "停止中"},   {"archived", "archived", "アーカイブ"},
    {"deleted", "deleted", "削除済み"}, {NULL, NULL, NULL},
};

static const struct word HEALTHS[] = {
    {"healthy", "healthy", "正常"},
    {"failing", "failing", "失敗が継続"},
    {"misconfigured", "misconfigured", "設定エラー"},
    {"stopped", "stopped", "停止中"},
    {"unknown", "not checked yet", "未確認"},
    {NULL, NULL, NULL},
};

static const struct word AGENTS[] = {
    {"stopped", "stopped", "停止中"},
    {"starting", "starting", "起動中"},
    {"running", "running", "稼働中"},
    {"backing_off", "backing off", "再起動待ち"},
    {"degraded", "degraded", "一部に問題あり"},
    {"unreachable", "unreachable", "応答なし"},
    {NULL, NULL, NULL},
};

static const struct word NODES[] = {
    {"online", "online", "オンライン"},
    {"offline", "offline", "オフライン"},
    {NULL, NULL, NULL},
};

static const struct word TRIGGERS[] = {
    {"label", "label", "ラベル"},      {"comment", "comment", "コメント"},
    {"ui", "by hand", "画面操作"},     {"api", "API", "API"},
    {"retry", "re-run", "再実行"},     {"schedule", "schedule", "スケジュール"},
    {"webhook", "webhook", "Webhook"}, {NULL, NULL, NULL},
};

static const struct word PRIORITIES[] = {
    {"critical", "critical", "最優先"},
    {"high", "high", "高"},
    {"normal", "normal", "通常"},
    {"low", "low", "低"},
    {NULL, NULL, NULL},
};

static const struct word LIMITS[] = {
    {"user", "person", "ユーザー"},
    {"label", "label", "ラベル"},
    {"node", "node", "ノード"},
    {NULL, NULL, NULL},
};

static const struct word SCHEDULES[] = {
    {"started", "started", "開始しました"},
    {"waiting", "waits for the last run to end", "前回の実行が終わるのを待っています"},
    {"overlapped", "left out: the last run was still going",
     "前回の実行が続いていたため見送りました"},
    {"missed", "left out: the platform was down", "プラットフォームが停止していたため見送りました"},
    {"retrying", "could not read the issue; trying again",
     "Issue を読み取れないため再試行しています"},
    {"failed", "could not start", "開始できませんでした"},
    {NULL, NULL, NULL},
};

static bool is_japanese;

void pb_cli_words_init(void)
{
    static const char *const NAMES[] = {"LC_ALL", "LC_MESSAGES", "LANG"};

    is_japanese = false;
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        const char *value = getenv(NAMES[i]);

        if (value && *value) {
            is_japanese = pb_text_starts(value, "ja");
            return;
        }
    }
}

bool pb_cli_is_japanese(void)
{
    return is_japanese;
}

const char *pb_say(const char *en, const char *ja)
{
    return is_japanese ? ja : en;
}

static const char *find(const struct word *words, const char *name)
{
    for (; name && words->name; words++)
        if (strcmp(words->name, name) == 0)
            return pb_say(words->en, words->ja);
    return name ? name : "";
}

const char *pb_cli_status_words(const char *status)
{
    return find(STATUSES, status);
}

const char *pb_cli_project_status_words(const char *status)
{
    return find(PROJECT_STATUSES, status);
}

const char *pb_cli_health_words(const char *health)
{
    return find(HEALTHS, health);
}

const char *pb_cli_agent_words(const char *state)
{
    return find(AGENTS, state);
}

const char *pb_cli_node_words(const char *status)
{
    return find(NODES, status);
}

const char *pb_cli_trigger_words(const char *trigger)
{
    return find(TRIGGERS, trigger);
}

const char *pb_cli_priority_words(const char *priority)
{
    return find(PRIORITIES, priority);
}

const char *pb_cli_limit_words(const char *kind)
{
    return find(LIMITS, kind);
}

const char *pb_cli_schedule_words(const char *result)
{
    return find(SCHEDULES, result);
}
