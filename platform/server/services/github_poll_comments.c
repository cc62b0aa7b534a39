#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "model/limits.h"
#include "server/services/execution_control.h"
#include "server/services/github_pin_private.h"
#include "server/services/github_poll_private.h"
#include "server/services/github_prompt.h"
#include "server/services/github_text.h"
#include "server/services/github_trust.h"
#include "server/services/github_words.h"
#include "server/store/execution_store.h"
#include "server/store/identity_store.h"
#include "server/store/store.h"
#include "server/store/work_item_store.h"

enum {
    OVERLAP_MS = 2 * 60 * 1000,     /* GitHub's lists may lag behind */
    LIST_AGAIN_MS = 60 * 60 * 1000, /* a server without the list may have been updated */
    ITEMS_MAX = 50,                 /* asked one by one where there is no list */
    COMMENT_ARENA = 8 << 20,
};

/* Comments being read. */
struct reading {
    struct pb_github_pass *pass;
    int64_t number; /* of the issue asked about; 0 = the repository's list */
    int64_t newest; /* latest change seen */
};

/* One comment that may start something. */
struct hearing {
    struct pb_github_pass *pass;
    const struct pb_github_comment *comment;
    struct pb_arena *arena;
    struct pb_work_item *item;
    struct pb_execution *newest; /* of the work item */
    const char *key;
    const char *prompt;
    struct pb_remark remark;
};

/* Whether this comment may start anything at all; costs no call. */
static int is_candidate(struct hearing *h, bool *ret_candidate, struct pb_error *err)
{
    const struct pb_github_comment *comment = h->comment;
    struct pb_github_pass *pass = h->pass;
    const char *known = NULL;

    *ret_candidate = false;
    if (comment->author.is_bot || !comment->author.login || strstr(comment->body, PB_GITHUB_MARKER))
        return 0;
    if (pb_work_item_find(pass->db, h->arena, pass->project->id, comment->issue_number, &h->item,
                          err) < 0)
        return -1;
    if (!h->item || h->item->kind != PB_WORK_ITEM_ISSUE ||
        comment->created_at < h->item->last_comment_at)
        return 0;
    if (pb_execution_newest_of(pass->db, h->arena, h->item->id, &h->newest, err) < 0)
        return -1;
    if (!h->newest)
        return 0;
    h->key = pb_arena_format(h->arena, "comment:%lld", (long long)comment->id);
    if (!h->key)
        return pb_fail(err, PB_ERROR_LIMITED, "no room for a trigger's key");
    if (pb_execution_find_key(pass->db, h->arena, pass->project->id, h->key, &known, err) < 0)
        return -1;
    *ret_candidate = !known;
    return 0;
}

static int build_prompt(struct hearing *h, const struct pb_github_issue *issue,
                        struct pb_error *err)
{
    const struct pb_project *project = h->pass->project;
    bool waits = h->newest->status == PB_EXECUTION_WAITING_INPUT;
    struct pb_buf branch;
    struct pb_buf prompt;

    pb_buf_init(&branch, 512);
    pb_buf_init(&prompt, PB_LIMIT_PROMPT);
    pb_github_branch(&branch, h->item, issue->number);
    pb_github_prompt_comment(&prompt,
                             &(struct pb_github_ask){.language = project->language,
                                                     .owner = project->github_owner,
                                                     .repo = project->github_repo,
                                                     .branch = pb_buf_string(&branch),
                                                     .number = issue->number,
                                                     .title = issue->title,
                                                     .url = issue->url,
                                                     .author = issue->author.login,
                                                     .body = issue->body},
                             &(struct pb_github_said){.login = h->comment->author.login,
                                                      .at = h->comment->created_at,
                                                      .body = h->comment->body},
                             h->comment->issue_number,
                             waits && h->newest->question ? h->newest->question : NULL);
    h->prompt = pb_buf_failed(&prompt) ? NULL : pb_arena_text(h->arena, pb_buf_string(&prompt));
    pb_buf_release(&branch);
    pb_buf_release(&prompt);
    if (!h->prompt)
        return pb_fail(err, PB_ERROR_TOO_LARGE, "comment %lld is too large to be handed on",
                       (long long)h->comment->id);
    return 0;
}

/* What is kept of the comment, for whoever reads later how the work went. */
static int build_remark(struct hearing *h, struct pb_error *err)
{
    const struct pb_github_comment *comment = h->comment;
    struct pb_buf text;

    pb_buf_init(&text, 4 * PB_GITHUB_TEXT_CHARS + 256);
    pb_github_text_clean(&text, comment->body, strlen(comment->body), PB_LIMIT_REMARK_CHARS);
    h->remark = (struct pb_remark){.text = pb_buf_failed(&text)
                                               ? NULL
                                               : pb_arena_text(h->arena, pb_buf_string(&text)),
                                   .said_by = comment->author.login,
                                   .url = comment->url,
                                   .said_at = comment->created_at};
    pb_buf_release(&text);
    if (!h->remark.text)
        return pb_fail(err, PB_ERROR_TOO_LARGE, "comment %lld is too large to be kept",
                       (long long)comment->id);
    return 0;
}

static int follow_up(struct hearing *h, const struct pb_github_issue *issue, struct pb_error *err)
{
    const char *id = NULL;

    if (pb_execution_enqueue(h->pass->platform,
                             &(struct pb_enqueue){.project_id = h->pass->project->id,
                                                  .issue_number = h->item->number,
                                                  .work_item_id = h->item->id,
                                                  .title = h->item->title,
                                                  .url = issue->url,
                                                  .author = issue->author.login,
                                                  .prompt = h->prompt,
                                                  .trigger = PB_TRIGGER_COMMENT,
                                                  .requested_by = h->comment->author.login,
                                                  .dedupe_key = h->key,
                                                  .resume = true,
                                                  .labels = issue->labels,
                                                  .remark = &h->remark},
                             h->arena, &id, err) < 0)
        return -1;
    pb_log_info("github_sync", "project=%s issue=%lld execution=%s queued by a comment of '%s'",
                h->pass->project->id, (long long)h->item->number, id, h->comment->author.login);
    return 0;
}

/* An answer when somebody waits for one, else more work after what there is. */
static int act(struct hearing *h, const struct pb_github_issue *issue, struct pb_error *err)
{
    struct pb_error why = {0};
    int r = -1;

    if (h->newest->status == PB_EXECUTION_WAITING_INPUT ||
        h->newest->status == PB_EXECUTION_WAITING_APPROVAL) {
        r = pb_execution_reply(h->pass->platform, h->newest->id, h->prompt, &h->remark, h->key,
                               &why);
        if (r == 0)
            pb_log_info("github_sync", "project=%s execution=%s answered by '%s'",
                        h->pass->project->id, h->newest->id, h->comment->author.login);
        if (r == 0 || strcmp(why.reason, "not_waiting") != 0)
            goto out;
    }
    why = (struct pb_error){0};
    r = follow_up(h, issue, &why);
out:
    if (r < 0 && why.code == PB_ERROR_CONFLICT)
        return 0; /* heard before */
    if (r < 0)
        *err = why;
    return r;
}

static int hear(struct hearing *h, struct pb_error *err)
{
    struct pb_github_issue issue;
    bool candidate;
    bool may;

    if (is_candidate(h, &candidate, err) < 0)
        return -1;
    if (!candidate)
        return 0;
    if (pb_github_trust_may_write(&h->pass->repo, &h->comment->author, &may, err) < 0)
        return -1;
    if (!may)
        return 0;
    if (pb_github_issue_get(&h->pass->repo, h->item->number, h->arena, &issue, err) < 0)
        return -1;
    if (issue.is_open) {
        if (pb_github_pass_facts(h->pass, err) < 0 || build_prompt(h, &issue, err) < 0 ||
            build_remark(h, err) < 0 || act(h, &issue, err) < 0)
            return -1;
    } else {
        pb_log_info("github_sync",
                    "project=%s issue=%lld is closed, comment of '%s' starts nothing",
                    h->pass->project->id, (long long)h->item->number, h->comment->author.login);
    }
    return pb_github_pass_save_seen(h->pass,
                                    &(struct pb_github_seen){.number = h->item->number,
                                                             .comment_at = h->comment->created_at},
                                    err);
}

static int hear_one(struct reading *reading, const struct pb_json *json, struct pb_error *err)
{
    struct pb_github_comment comment = {0};
    struct pb_error why = {0};
    struct pb_arena arena;
    struct hearing h = {.pass = reading->pass, .comment = &comment, .arena = &arena};
    int r;

    pb_arena_init(&arena, COMMENT_ARENA);
    r = pb_github_comment_read(json, &arena, &comment, &why);
    if (r == 0) {
        if (reading->number)
            comment.issue_number = reading->number;
        r = hear(&h, &why);
    }
    if (r < 0 && pb_github_pass_may_go_on(&why)) {
        pb_log_fail(PB_LOG_WARN, "github_sync", &why, "project=%s comment=%lld passed over",
                    reading->pass->project->id, (long long)comment.id);
        r = 0;
    }
    if (r == 0 && comment.updated_at > reading->newest)
        reading->newest = comment.updated_at;
    if (r < 0)
        *err = why;
    pb_arena_release(&arena);
    return r;
}

static int hear_page(void *arg, const struct pb_json *comments, bool *stop, struct pb_error *err)
{
    struct reading *reading = arg;

    for (size_t i = 0; i < pb_json_count(comments); i++) {
        if (atomic_load(reading->pass->stop)) {
            *stop = true;
            return 0;
        }
        if (hear_one(reading, pb_json_at(comments, i), err) < 0)
            return -1;
    }
    return 0;
}

/* --- from when on ------------------------------------------------------------------------------------- */

static const char *cursor_key(struct pb_github_pass *pass)
{
    return pb_arena_format(&pass->arena, "github_sync.comments_since.%s", pass->project->id);
}

/* Without a cursor: since the oldest work item was started; 0 = nobody waits for comments. */
static int first_cursor(struct pb_github_pass *pass, int64_t *ret_since, struct pb_error *err)
{
    struct pb_work_item_list list;
    int64_t since = 0;

    if (pb_work_item_list(pass->db, &pass->arena, pass->project->id,
                          &(struct pb_page){.limit = PB_LIMIT_PAGE}, &list, err) < 0)
        return -1;
    for (size_t i = 0; i < list.count; i++)
        if (list.items[i].last_comment_at && (!since || list.items[i].last_comment_at < since))
            since = list.items[i].last_comment_at;
    *ret_since = since;
    return 0;
}

static int read_cursor(struct pb_github_pass *pass, int64_t *ret_since, struct pb_error *err)
{
    const char *key = cursor_key(pass);
    const char *value = NULL;
    int64_t since = 0;

    if (!key)
        return pb_fail(err, PB_ERROR_LIMITED, "no room for a cursor");
    if (pb_setting_get(pass->db, &pass->arena, key, &value, err) < 0)
        return -1;
    if (value && pb_parse_i64(value, 1, INT64_MAX, &since)) {
        *ret_since = since;
        return 0;
    }
    return first_cursor(pass, ret_since, err);
}

/* The cursor as a write. */
struct cursor {
    const char *key;
    const char *value;
};

static int put_cursor(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct cursor *cursor = arg;

    return pb_setting_put(db, cursor->key, cursor->value, pb_clock_wall_ms(), err);
}

static int save_cursor(struct pb_github_pass *pass, int64_t newest, struct pb_error *err)
{
    struct cursor cursor = {.key = cursor_key(pass),
                            .value = pb_arena_format(&pass->arena, "%lld", (long long)newest)};

    if (!cursor.key || !cursor.value)
        return pb_fail(err, PB_ERROR_LIMITED, "no room for a cursor");
    return pb_store_write(pass->platform->store, put_cursor, &cursor, err);
}

/* --- the two ways to read them ------------------------------------------------------------------------- */

static int read_one_number(struct reading *reading, int64_t number, int64_t since,
                           struct pb_error *err)
{
    struct pb_error why = {0};

    reading->number = number;
    if (pb_github_comments_since(&reading->pass->repo, number, since, hear_page, reading, &why) ==
        0)
        return 0;
    if (pb_github_pass_may_go_on(&why))
        return 0; /* the issue is gone */
    *err = why;
    return -1;
}

/* Issue by issue, and their pull requests: for servers without a list of all comments. */
static int read_by_item(struct reading *reading, int64_t since, struct pb_error *err)
{
    struct pb_github_pass *pass = reading->pass;
    struct pb_work_item_list list;

    if (pb_work_item_list(pass->db, &pass->arena, pass->project->id,
                          &(struct pb_page){.limit = ITEMS_MAX}, &list, err) < 0)
        return -1;
    for (size_t i = 0; i < list.count; i++) {
        const struct pb_work_item *item = &list.items[i];

        if (item->kind != PB_WORK_ITEM_ISSUE)
            continue;
        if (read_one_number(reading, item->number, since, err) < 0)
            return -1;
        if (item->pr_number && read_one_number(reading, item->pr_number, since, err) < 0)
            return -1;
    }
    return 0;
}

static bool has_list(const struct pb_github_poll *poll)
{
    return !poll->no_comments_list_at ||
           pb_clock_steady_ms() - poll->no_comments_list_at > LIST_AGAIN_MS;
}

static int read_all(struct reading *reading, int64_t since, struct pb_error *err)
{
    struct pb_github_pass *pass = reading->pass;
    struct pb_error why = {0};

    if (has_list(pass->poll)) {
        if (pb_github_comments_since(&pass->repo, 0, since, hear_page, reading, &why) == 0) {
            pass->poll->no_comments_list_at = 0;
            return 0;
        }
        if (why.code != PB_ERROR_NOT_FOUND) {
            *err = why;
            return -1;
        }
        pb_log_info("github_sync", "project=%s no list of all comments here, asking issue by issue",
                    pass->project->id);
        pass->poll->no_comments_list_at = pb_clock_steady_ms();
    }
    return read_by_item(reading, since, err);
}

int pb_github_poll_comments(struct pb_github_pass *pass, struct pb_error *err)
{
    struct reading reading = {.pass = pass};
    int64_t since;

    if (atomic_load(pass->stop))
        return 0;
    if (read_cursor(pass, &since, err) < 0)
        return -1;
    if (!since)
        return 0;
    reading.newest = since;
    if (read_all(&reading, since > OVERLAP_MS ? since - OVERLAP_MS : 1, err) < 0)
        return -1;
    if (reading.newest == since || atomic_load(pass->stop))
        return 0;
    return save_cursor(pass, reading.newest, err);
}
