#include "server/services/github_show.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "server/services/execution_control.h"
#include "server/services/github_issue.h"
#include "server/services/github_label.h"
#include "server/services/github_pin_private.h"
#include "server/services/github_problem.h"
#include "server/services/github_pull.h"
#include "server/services/github_shown_private.h"
#include "server/services/github_words.h"
#include "server/services/platform.h"
#include "server/store/execution_store.h"
#include "server/store/project_store.h"
#include "server/store/remark_store.h"
#include "server/store/store.h"
#include "server/store/work_item_store.h"

enum { ARENA = 16 << 20, LOOK_BACK = 50, REMARKS = 100 };

/* One work item being shown. */
struct showing {
    struct pb_platform *platform;
    struct pb_arena arena;
    struct pb_github_repo repo;
    struct pb_project *project;
    struct pb_work_item *item;
    struct pb_execution_list list; /* newest first, the last LOOK_BACK */
    struct pb_execution *current;  /* which one is shown */
    struct pb_remark_list remarks;
    struct pb_github_shown_item shown;
    struct pb_github_shown_repo shown_repo;
    const char *pull_problem; /* for the comment */
    struct pb_error first;    /* what will not pass by itself; code PB_OK = nothing */
};

static struct pb_github_story story_of(const struct showing *s,
                                       const struct pb_execution *execution)
{
    return (struct pb_github_story){.project = s->project,
                                    .item = s->item,
                                    .execution = execution,
                                    .executions = s->list.items,
                                    .execution_count = s->list.count,
                                    .has_more = s->list.next_cursor != NULL,
                                    .remarks = s->remarks.items,
                                    .remark_count = s->remarks.count,
                                    .base_url = s->platform->settings.base_url,
                                    .pull_problem = s->pull_problem};
}

/* A step that failed: temporary failures end the showing, others are kept while the next steps go on. */
static int pass_over(struct showing *s, const struct pb_error *why, struct pb_error *err)
{
    if (pb_github_is_temporary(why) || why->code == PB_ERROR_UNAUTHENTICATED) {
        *err = *why;
        return -1;
    }
    if (!s->first.code)
        s->first = *why;
    return 0;
}

/* --- 👀 ----------------------------------------------------------------------------------------------- */

/* Said once, before there is a comment; a server without reactions is asked once. */
static int react(struct showing *s, struct pb_error *err)
{
    struct pb_error why = {0};

    if (s->item->comment_id || s->shown_repo.no_reactions ||
        pb_github_issue_react(&s->repo, s->item->number, &why) == 0)
        return 0;
    if (pb_github_is_temporary(&why) || why.code == PB_ERROR_UNAUTHENTICATED) {
        *err = why;
        return -1;
    }
    pb_log_fail(PB_LOG_INFO, "github_effects", &why,
                "project=%s no reactions here, going on without", s->project->id);
    s->shown_repo.no_reactions = true;
    return 0;
}

/* --- the pull request --------------------------------------------------------------------------------- */

/* The newest execution that pushed something: a follow-up that has just begun has not yet. */
static const struct pb_execution *find_pushed(const struct showing *s)
{
    for (size_t i = 0; i < s->list.count; i++)
        if (s->list.items[i].head_sha && *s->list.items[i].head_sha && s->list.items[i].branch)
            return &s->list.items[i];
    return NULL;
}

static int record_pull(struct showing *s, const struct pb_execution *pushed,
                       const struct pb_github_pull *pull, struct pb_error *err)
{
    if (pb_execution_set_pull_request(s->platform, pushed->id, pull->number, pull->url, err) < 0)
        return -1;
    s->item->pr_number = pull->number;
    s->item->pr_url = pull->url;
    snprintf(s->shown.pull_sha, sizeof(s->shown.pull_sha), "%s", pushed->head_sha);
    return 0;
}

static int build(struct showing *s, void (*words)(struct pb_buf *, const struct pb_github_story *),
                 const struct pb_execution *execution, const char **ret_text, struct pb_error *err)
{
    const struct pb_github_story story = story_of(s, execution);
    struct pb_buf buf;
    const char *text;

    pb_buf_init(&buf, PB_GITHUB_WORDS_MAX);
    words(&buf, &story);
    text = pb_buf_failed(&buf) ? NULL : pb_arena_text(&s->arena, pb_buf_string(&buf));
    pb_buf_release(&buf);
    if (!text)
        return pb_fail(err, PB_ERROR_TOO_LARGE, "the text for GitHub is too large");
    *ret_text = text;
    return 0;
}

static int create_pull(struct showing *s, const struct pb_execution *pushed, struct pb_error *err)
{
    struct pb_github_pull_wish wish = {.head = pushed->branch, .base = s->project->default_branch};
    struct pb_github_pull pull;

    if (!wish.base || !*wish.base)
        wish.base = "main";
    if (build(s, pb_github_words_pull_title, pushed, &wish.title, err) < 0 ||
        build(s, pb_github_words_pull_body, pushed, &wish.body, err) < 0 ||
        pb_github_pull_create(&s->repo, &wish, &s->arena, &pull, err) < 0)
        return -1;
    pb_execution_note(s->platform, pushed->id, 's', "pull request #%lld opened: %s",
                      (long long)pull.number, pull.url);
    return record_pull(s, pushed, &pull, err);
}

/* People may have written into it: only a text that is still ours is replaced. */
static int update_pull(struct showing *s, const struct pb_execution *pushed,
                       const struct pb_github_pull *pull, struct pb_error *err)
{
    const char *body;

    if (strstr(pull->body, PB_GITHUB_MARKER)) {
        if (build(s, pb_github_words_pull_body, pushed, &body, err) < 0 ||
            (strcmp(body, pull->body) != 0 &&
             pb_github_pull_set_body(&s->repo, pull->number, body, err) < 0))
            return -1;
    }
    return record_pull(s, pushed, pull, err);
}

/* Looks first: an open one is brought up to date; a closed one that has all of the work was closed by somebody who
 * knew it, and stays closed. */
static int bring_pull(struct showing *s, const struct pb_execution *pushed, struct pb_error *err)
{
    struct pb_github_pull pull;

    if (pb_github_pull_find(&s->repo, pushed->branch, &s->arena, &pull, err) < 0)
        return -1;
    if (pull.number && pull.is_open)
        return update_pull(s, pushed, &pull, err);
    if (pull.number && pb_text_equal_nocase(pull.head_sha, pushed->head_sha))
        return record_pull(s, pushed, &pull, err);
    return create_pull(s, pushed, err);
}

static bool is_pull_shown(const struct showing *s, const struct pb_execution *pushed)
{
    return strcmp(s->shown.pull_sha, pushed->head_sha) == 0 ||
           (pushed->pr_number && pushed->pr_number == s->item->pr_number);
}

static int show_pull(struct showing *s, struct pb_error *err)
{
    const struct pb_execution *pushed = find_pushed(s);
    const struct pb_github_problem *problem;
    struct pb_error why = {0};

    if (!pushed || is_pull_shown(s, pushed) || bring_pull(s, pushed, &why) == 0)
        return 0;
    if (strcmp(why.reason, "github_no_commits") == 0) {
        snprintf(s->shown.pull_sha, sizeof(s->shown.pull_sha), "%s", pushed->head_sha);
        pb_execution_note(s->platform, pushed->id, 's',
                          "no pull request: the branch %s has nothing that %s does not have",
                          pushed->branch,
                          s->project->default_branch ? s->project->default_branch : "main");
        return 0;
    }
    problem = pb_github_problem(&why);
    s->pull_problem =
        pb_arena_format(&s->arena, "%s (%s)",
                        pb_text_equal(s->project->language, "ja") ? problem->ja : problem->en,
                        why.message);
    return pass_over(s, &why, err);
}

/* --- the comment -------------------------------------------------------------------------------------- */

/* A comment's id as a write. */
struct comment_id {
    int64_t work_item_id;
    int64_t id;
};

static int save_comment_id(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct comment_id *comment = arg;
    struct pb_work_item *item;
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, 4 << 20);
    r = pb_work_item_load(db, &arena, comment->work_item_id, &item, err);
    if (r == 0) {
        item->comment_id = comment->id;
        item->updated_at = pb_clock_wall_ms();
        r = pb_work_item_save(db, item, err);
    }
    pb_arena_release(&arena);
    return r;
}

static int keep_comment_id(struct showing *s, int64_t id, struct pb_error *err)
{
    struct comment_id comment = {.work_item_id = s->item->id, .id = id};

    s->item->comment_id = id;
    return pb_store_write(s->platform->store, save_comment_id, &comment, err);
}

static int find_comment(struct showing *s, int64_t *ret_id, struct pb_error *err)
{
    struct pb_buf marker;
    int r;

    pb_buf_init(&marker, 512);
    pb_github_words_marker(&marker, s->project->id, s->item->item);
    r = pb_buf_failed(&marker) ? pb_fail(err, PB_ERROR_TOO_LARGE, "marker too long")
                               : pb_github_comment_find(&s->repo, s->item->number,
                                                        pb_buf_string(&marker), ret_id, err);
    pb_buf_release(&marker);
    return r;
}

/* The known comment, else the one with our marker, else a new one. */
static int put_comment(struct showing *s, const char *body, struct pb_error *err)
{
    struct pb_error why = {0};
    int64_t id = 0;

    if (s->item->comment_id) {
        if (pb_github_comment_update(&s->repo, s->item->comment_id, body, &why) == 0)
            return 0;
        if (why.code != PB_ERROR_NOT_FOUND) {
            *err = why;
            return -1;
        }
    }
    if (find_comment(s, &id, err) < 0)
        return -1;
    if (id && id != s->item->comment_id) {
        if (keep_comment_id(s, id, err) < 0)
            return -1;
        return pb_github_comment_update(&s->repo, id, body, err);
    }
    if (pb_github_comment_create(&s->repo, s->item->number, body, &id, err) < 0)
        return -1;
    return keep_comment_id(s, id, err);
}

static int show_comment(struct showing *s, struct pb_error *err)
{
    uint8_t digest[PB_SHA256_BYTES];
    struct pb_error why = {0};
    const char *body;

    if (build(s, pb_github_words_comment, s->current, &body, err) < 0)
        return -1;
    pb_sha256(body, strlen(body), digest);
    if (s->item->comment_id && s->shown.has_comment &&
        memcmp(digest, s->shown.comment, sizeof(digest)) == 0)
        return 0;
    if (put_comment(s, body, &why) < 0)
        return pass_over(s, &why, err);
    memcpy(s->shown.comment, digest, sizeof(digest));
    s->shown.has_comment = true;
    return 0;
}

/* --- the label ---------------------------------------------------------------------------------------- */

static int show_label(struct showing *s, struct pb_error *err)
{
    enum pb_github_label label = pb_github_label_of(s->current->status);
    struct pb_error why = {0};

    if (s->shown.has_label && s->shown.label == label)
        return 0;
    if (pb_github_label_show(&s->repo, s->item->number, s->project->label_prefix,
                             s->project->language, label, &s->shown_repo.labels, &why) < 0) {
        s->shown_repo.labels = 0; /* somebody may have deleted one */
        return pass_over(s, &why, err);
    }
    s->shown.label = label;
    s->shown.has_label = true;
    return 0;
}

/* The label comes last: who waits for "done" finds comment and pull request there. */
static int show_all(struct showing *s, struct pb_error *err)
{
    if (react(s, err) < 0 || show_pull(s, err) < 0 || show_comment(s, err) < 0 ||
        show_label(s, err) < 0)
        return -1;
    if (s->first.code) {
        *err = s->first;
        return -1;
    }
    return 0;
}

/* What runs or waits now; a follow-up queued behind it has its turn later. */
static struct pb_execution *find_current(const struct pb_execution_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (pb_execution_is_active(list->items[i].status) ||
            pb_execution_is_waiting(list->items[i].status))
            return &list->items[i];
    return &list->items[0];
}

/* *ret_nothing: the work item is not at GitHub, or its project is gone. */
static int load(struct showing *s, int64_t work_item_id, bool *ret_nothing, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(s->platform->store, err);
    const struct pb_execution_filter filter = {.page = {.limit = LOOK_BACK},
                                               .work_item_id = work_item_id};

    if (!db || pb_work_item_load(db, &s->arena, work_item_id, &s->item, err) < 0 ||
        pb_project_load(db, &s->arena, s->item->project_id, &s->project, err) < 0 ||
        pb_execution_list(db, &s->arena, &filter, &s->list, err) < 0 ||
        pb_remark_list(db, &s->arena, work_item_id, REMARKS, &s->remarks, err) < 0)
        return -1;
    *ret_nothing = s->item->kind != PB_WORK_ITEM_ISSUE || !s->list.count ||
                   s->project->status == PB_PROJECT_DELETED;
    if (!*ret_nothing)
        s->current = find_current(&s->list);
    return 0;
}

int pb_github_show(struct pb_platform *platform, struct pb_github_shown *shown,
                   int64_t work_item_id, int64_t *ret_retry_at, struct pb_error *err)
{
    struct showing s = {.platform = platform};
    bool nothing;
    int r = -1;

    *ret_retry_at = 0;
    pb_arena_init(&s.arena, ARENA);
    if (load(&s, work_item_id, &nothing, err) < 0)
        goto out;
    if (nothing) {
        r = 0;
        goto out;
    }
    pb_github_shown_load_item(shown, work_item_id, &s.shown);
    pb_github_shown_load_repo(shown, s.project->id, &s.shown_repo);
    if (pb_github_open_project(platform, s.project, "report", &s.repo, err) < 0)
        goto out;
    r = show_all(&s, err);
    pb_github_shown_save_item(shown, &s.shown);
    pb_github_shown_save_repo(shown, &s.shown_repo);
    if (r < 0)
        *ret_retry_at = pb_github_retry_at(platform->github, &s.repo.account, PB_GITHUB_CONTENT);
out:
    pb_github_repo_close(&s.repo);
    pb_arena_release(&s.arena);
    return r;
}
