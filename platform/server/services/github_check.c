#include "server/services/github_check.h"

#include <string.h>

#include "base/text.h"
#include "server/services/github_problem.h"
#include "server/services/github_repo.h"

/* A check being filled. */
struct checking {
    const struct pb_github_repo *repo;
    struct pb_arena *arena;
    struct pb_github_check *check;
    struct pb_github_repo_facts facts;
    bool full; /* the arena is */
};

static const char *kept(struct checking *c, const char *text)
{
    if (!text)
        c->full = true;
    return text ? text : "";
}

static struct pb_check_row *add(struct checking *c, const char *name, const char *state,
                                const char *en, const char *ja)
{
    struct pb_check_row *row = &c->check->rows[c->check->count++];

    *row = (struct pb_check_row){.name = name, .state = state, .message_en = en, .message_ja = ja};
    if (strcmp(state, "error") == 0)
        c->check->ok = false;
    return row;
}

/* The problem's sentence and, where it helps, GitHub's own words behind it. */
static void add_problem(struct checking *c, const char *name, const struct pb_error *err)
{
    const struct pb_github_problem *problem = pb_github_problem(err);
    struct pb_check_row *row =
        add(c, name, "error",
            kept(c, pb_arena_format(c->arena, "%s (%s)", problem->en, err->message)),
            kept(c, pb_arena_format(c->arena, "%s（%s）", problem->ja, err->message)));

    row->fix_en = problem->fix_en;
    row->fix_ja = problem->fix_ja;
}

static void add_known(struct checking *c, const char *name, const struct pb_github_problem *problem)
{
    struct pb_check_row *row = add(c, name, "error", problem->en, problem->ja);

    row->fix_en = problem->fix_en;
    row->fix_ja = problem->fix_ja;
}

static void add_reachable(struct checking *c)
{
    add(c, "reachable", "ok", "GitHub answers.", "GitHub に接続できました。");
}

static void add_token(struct checking *c)
{
    add(c, "token", "ok", "The token is accepted.", "トークンは有効です。");
}

/* No repository: which row says why, and which rows before it were fine. */
static void explain(struct checking *c, const struct pb_error *err)
{
    if (pb_github_is_temporary(err) || strcmp(err->reason, "github_moved_away") == 0) {
        add_problem(c, "reachable", err);
        return;
    }
    add_reachable(c);
    if (err->code == PB_ERROR_UNAUTHENTICATED) {
        add_problem(c, "token", err);
        return;
    }
    add_token(c);
    add_problem(c, "repository", err);
}

static void add_repository(struct checking *c)
{
    const struct pb_github_repo_facts *facts = &c->facts;
    struct pb_check_row *row;

    if (facts->is_archived) {
        add_known(c, "repository", &PB_GITHUB_PROBLEM_ARCHIVED);
    } else if (c->check->is_empty) {
        row = add(c, "repository", "warning", "The repository has no commit yet.",
                  "リポジトリにまだコミットがありません。");
        row->fix_en = "Push a first commit (a README will do): work needs a branch to start from.";
        row->fix_ja = "作業の起点となるブランチが必要です。最初のコミット（README など）を push "
                      "してください。";
    } else if (facts->moved) {
        row = add(c, "repository", "warning",
                  kept(c, pb_arena_format(c->arena, "The repository is now called %s.",
                                          facts->full_name)),
                  kept(c, pb_arena_format(c->arena, "リポジトリは %s に移動しています。",
                                          facts->full_name)));
        row->fix_en = "Use the new name.";
        row->fix_ja = "新しい名前を指定してください。";
    } else {
        add(c, "repository", "ok",
            kept(c, pb_arena_format(c->arena, "%s, default branch %s.", facts->full_name,
                                    facts->default_branch)),
            kept(c, pb_arena_format(c->arena, "%s（デフォルトブランチ %s）", facts->full_name,
                                    facts->default_branch)));
    }
}

/* What has to be asked because the repository's description does not tell. */
static int try_get(struct checking *c, const char *path, struct pb_error *err)
{
    struct pb_github_answer answer = {0};
    int r = pb_github_repo_call(
        c->repo, &(struct pb_github_call){.kind = PB_GITHUB_READ, .method = "GET", .path = path},
        &answer, err);

    pb_github_answer_release(&answer);
    return r;
}

static void add_issues(struct checking *c)
{
    struct pb_error err = {0};

    if (!c->facts.has_issues)
        add_known(c, "issues", &PB_GITHUB_PROBLEM_NO_ISSUES);
    else if (try_get(c, "/issues?state=open&per_page=1", &err) < 0)
        add_problem(c, "issues", &err);
    else
        add(c, "issues", "ok", "Issues can be read.", "Issue を読み取れます。");
}

/* One scope in "repo, workflow". */
static bool has_scope(const char *scopes, const char *scope)
{
    size_t len = strlen(scope);

    for (const char *at = scopes; *at; at += strcspn(at, ", ")) {
        at += strspn(at, ", ");
        if (strcspn(at, ", ") == len && strncmp(at, scope, len) == 0)
            return true;
    }
    return false;
}

enum answer { NO, YES, UNKNOWN };

/* A classic token has scopes and tells; others only show what their owner may do. */
static enum answer may_write(const struct pb_github_repo_facts *facts)
{
    if (facts->has_permissions && !facts->may_push)
        return NO;
    if (!facts->scopes)
        return UNKNOWN;
    if (has_scope(facts->scopes, "repo"))
        return YES;
    return !facts->is_private && has_scope(facts->scopes, "public_repo") ? YES : NO;
}

/* Things that must be written: row, what GitHub calls the permission, what it is for. */
static const struct {
    const char *name;
    const char *permission;
    const char *en;
    const char *ja;
} WRITES[] = {
    {"contents", "Contents", "push branches", "ブランチの push "},
    {"pull_requests", "Pull requests", "open pull requests", "プルリクエストの作成"},
    {"labels", "Issues", "set labels and write comments", "ラベルの変更とコメントの投稿"},
};

static void add_write(struct checking *c, size_t i, enum answer may)
{
    struct pb_check_row *row;

    if (may == YES) {
        add(c, WRITES[i].name, "ok",
            kept(c, pb_arena_format(c->arena, "The token may %s.", WRITES[i].en)),
            kept(c, pb_arena_format(c->arena, "%sができます。", WRITES[i].ja)));
        return;
    }
    if (may == NO)
        row = add(c, WRITES[i].name, "error",
                  kept(c, pb_arena_format(c->arena, "The token may not %s.", WRITES[i].en)),
                  kept(c, pb_arena_format(c->arena, "%sが許可されていません。", WRITES[i].ja)));
    else
        row = add(c, WRITES[i].name, "warning",
                  kept(c, pb_arena_format(
                              c->arena,
                              "GitHub does not tell whether this token may %s; its owner may.",
                              WRITES[i].en)),
                  kept(c, pb_arena_format(
                              c->arena,
                              "このトークンで%sができるかは、GitHub からは分かりません（所有者には"
                              "権限があります）。",
                              WRITES[i].ja)));
    row->fix_en =
        kept(c, pb_arena_format(c->arena,
                                "Fine-grained token: permission \"%s\", read and write. Classic "
                                "token: scope \"repo\". Its owner needs write access.",
                                WRITES[i].permission));
    row->fix_ja = kept(
        c,
        pb_arena_format(c->arena,
                        "Fine-grained トークンでは %s の読み書き権限、classic トークンではスコープ "
                        "repo が必要です。所有者にも書き込み権限が必要です。",
                        WRITES[i].permission));
}

static void look(struct checking *c)
{
    struct pb_github_check *check = c->check;
    struct pb_error err = {0};
    struct pb_error contents = {0};
    enum answer may;
    enum answer may_push;

    if (pb_github_repo_facts(c->repo, c->arena, &c->facts, &err) < 0) {
        explain(c, &err);
        return;
    }
    may = may_write(&c->facts);
    may_push = may;
    check->has_repository = true;
    check->full_name = c->facts.full_name;
    check->default_branch = c->facts.default_branch;
    check->html_url = c->facts.html_url;
    check->is_private = c->facts.is_private;
    add_reachable(c);
    add_token(c);
    if (pb_github_repo_is_empty(c->repo, &c->facts, &check->is_empty, &contents) < 0)
        may_push = contents.code == PB_ERROR_DENIED ? NO : may;
    add_repository(c);
    add_issues(c);
    for (size_t i = 0; i < sizeof(WRITES) / sizeof(WRITES[0]); i++)
        add_write(c, i, i == 0 ? may_push : may);
}

int pb_github_check(struct pb_github *github, const struct pb_github_check_request *request,
                    struct pb_arena *arena, struct pb_github_check *ret_check, struct pb_error *err)
{
    struct pb_github_check check = {.ok = true};
    struct pb_github_repo repo;
    struct checking c = {.repo = &repo, .arena = arena, .check = &check};
    int r = -1;

    if (pb_github_repo_open(&repo, github, request->api_url, request->token, NULL, request->owner,
                            request->repo, err) < 0)
        goto out;
    look(&c);
    if (c.full) {
        pb_fail(err, PB_ERROR_LIMITED, "no room for the check's result");
        goto out;
    }
    *ret_check = check;
    r = 0;
out:
    pb_github_repo_close(&repo);
    return r;
}
