#include "server/services/github_poll.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "server/services/events.h"
#include "server/services/github_pin_private.h"
#include "server/services/github_poll_private.h"
#include "server/services/github_problem.h"
#include "server/services/project_control.h"
#include "server/store/project_store.h"
#include "server/store/store.h"
#include "server/store/work_item_store.h"

enum { FACTS_EVERY_MS = 5 * 60 * 1000 };

void pb_github_poll_release(struct pb_github_poll *poll)
{
    free(poll->listed);
    *poll = (struct pb_github_poll){0};
}

bool pb_github_pass_may_go_on(const struct pb_error *err)
{
    return err->code == PB_ERROR_NOT_FOUND || err->code == PB_ERROR_TOO_LARGE ||
           strcmp(err->reason, "github_moved_away") == 0;
}

/* What GitHub says about the repository, as one write. */
struct news {
    const char *project_id;
    const struct pb_github_repo_facts *facts;
};

static int save_branch(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct news *news = arg;
    struct pb_project *project;
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, 1 << 20);
    r = pb_project_load(db, &arena, news->project_id, &project, err);
    if (r == 0) {
        project->default_branch = news->facts->default_branch;
        r = pb_project_observe(db, project, err);
    }
    pb_arena_release(&arena);
    return r;
}

static int save_name(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct news *news = arg;
    struct pb_project *project;
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, 1 << 20);
    r = pb_project_load(db, &arena, news->project_id, &project, err);
    if (r == 0) {
        project->github_owner = news->facts->owner;
        project->github_repo = news->facts->name;
        project->updated_at = pb_clock_wall_ms();
        r = pb_project_save(db, project, err);
    }
    pb_arena_release(&arena);
    return r;
}

static int note_branch(struct pb_github_pass *pass, const struct pb_github_repo_facts *facts,
                       struct pb_error *err)
{
    struct news news = {.project_id = pass->project->id, .facts = facts};

    if (pb_text_equal(pass->project->default_branch, facts->default_branch))
        return 0;
    if (pb_store_write(pass->platform->store, save_branch, &news, err) < 0)
        return -1;
    pb_log_info("github_sync", "project=%s default branch is '%s' (was '%s')", pass->project->id,
                facts->default_branch,
                pass->project->default_branch ? pass->project->default_branch : "");
    pass->project->default_branch = facts->default_branch;
    return 0;
}

/* The old name leads to the new one only until somebody makes another repository of that name: the project takes
 * the new name. That another project has it already is for people to sort out. */
static void note_name(struct pb_github_pass *pass, const struct pb_github_repo_facts *facts)
{
    struct news news = {.project_id = pass->project->id, .facts = facts};
    struct pb_error err = {0};

    if (!facts->moved || !pb_github_owner_valid(facts->owner) || !pb_github_repo_valid(facts->name))
        return;
    if (pb_store_write(pass->platform->store, save_name, &news, &err) < 0) {
        pb_log_fail(PB_LOG_WARN, "github_sync", &err,
                    "project=%s its repository is now %s, name not changed", pass->project->id,
                    facts->full_name);
        return;
    }
    pb_log_info("github_sync", "project=%s its repository %s/%s is now %s", pass->project->id,
                pass->project->github_owner, pass->project->github_repo, facts->full_name);
    pass->project->github_owner = facts->owner;
    pass->project->github_repo = facts->name;
    pb_github_repo_rename(&pass->repo, facts->owner, facts->name);
    pb_events_project(pass->platform->events, pass->project->id);
}

/* Errors made of problems, so that they take the same way to the project's health. */
static int fail_archived(struct pb_error *err)
{
    return pb_fail_reason(err, PB_ERROR_DENIED, "github_archived", "the repository is archived");
}

static int fail_no_issues(struct pb_error *err)
{
    return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "github_no_issues", "issues are switched off");
}

int pb_github_pass_facts(struct pb_github_pass *pass, struct pb_error *err)
{
    struct pb_github_repo_facts facts;

    if (pass->has_facts)
        return 0;
    if (pb_github_repo_facts(&pass->repo, &pass->arena, &facts, err) < 0)
        return -1;
    if (facts.is_archived)
        return fail_archived(err);
    if (!facts.has_issues)
        return fail_no_issues(err);
    note_name(pass, &facts);
    if (note_branch(pass, &facts, err) < 0)
        return -1;
    pass->has_facts = true;
    pass->poll->facts_at = pb_clock_steady_ms();
    return 0;
}

static int load_or_make(struct pb_db *db, struct pb_arena *arena, const struct pb_github_seen *seen,
                        struct pb_work_item **ret_item, struct pb_error *err)
{
    struct pb_work_item *item;
    const struct pb_github_issue *issue = seen->issue;
    int64_t id;

    if (pb_work_item_find(db, arena, seen->project_id, seen->number, &item, err) < 0)
        return -1;
    if (!item && issue) {
        const struct pb_work_item made = {
            .project_id = seen->project_id,
            .kind = PB_WORK_ITEM_ISSUE,
            .number = seen->number,
            .item = pb_arena_format(arena, "issue-%lld", (long long)seen->number),
            .title = issue->title,
            .url = issue->url,
            .author = issue->author.login,
            .created_at = pb_clock_wall_ms(),
            .updated_at = pb_clock_wall_ms(),
        };

        if (pb_work_item_put(db, &made, &id, err) < 0 ||
            pb_work_item_load(db, arena, id, &item, err) < 0)
            return -1;
    }
    if (!item)
        return pb_fail(err, PB_ERROR_NOT_FOUND, "no work item for #%lld", (long long)seen->number);
    *ret_item = item;
    return 0;
}

static int save_seen(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct pb_github_seen *seen = arg;
    struct pb_work_item *item;
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, 4 << 20);
    r = load_or_make(db, &arena, seen, &item, err);
    if (r == 0) {
        if (seen->label_event_key)
            item->label_event_key = seen->label_event_key;
        if (seen->updated_text)
            item->seen_updated_at = seen->updated_text;
        if (seen->state)
            item->state = seen->state;
        if (seen->comment_at > item->last_comment_at)
            item->last_comment_at = seen->comment_at;
        item->updated_at = pb_clock_wall_ms();
        r = pb_work_item_save(db, item, err);
    }
    pb_arena_release(&arena);
    return r;
}

int pb_github_pass_save_seen(struct pb_github_pass *pass, const struct pb_github_seen *seen,
                             struct pb_error *err)
{
    struct pb_github_seen copy = *seen;

    copy.project_id = pass->project->id;
    return pb_store_write(pass->platform->store, save_seen, &copy, err);
}

static const struct pb_github_problem *problem_of(const struct pb_error *err)
{
    if (strcmp(err->reason, "github_archived") == 0)
        return &PB_GITHUB_PROBLEM_ARCHIVED;
    if (strcmp(err->reason, "github_no_issues") == 0)
        return &PB_GITHUB_PROBLEM_NO_ISSUES;
    if (strcmp(err->reason, "secret_missing") == 0)
        return &PB_GITHUB_PROBLEM_NO_TOKEN;
    return pb_github_problem(err);
}

/* Only GitHub's own problems are cleared here: the agent's are other services' to tell and to clear. */
static bool is_ours_to_clear(const struct pb_project *project)
{
    return project->health == PB_HEALTH_UNKNOWN || project->health == PB_HEALTH_STOPPED ||
           (project->health_reason && strstr(project->health_reason, "\"github_"));
}

static void tell_health(struct pb_github_pass *pass, const struct pb_github_problem *problem)
{
    struct pb_github_poll *poll = pass->poll;
    const struct pb_project *project = pass->project;
    struct pb_error err = {0};
    const char *code = problem ? problem->code : NULL;
    int r = 0;

    if (poll->health_told && poll->health_code == code)
        return;
    if (problem)
        r = pb_project_set_health(pass->platform, project->id,
                                  pb_project_health_name(problem->health), problem->code,
                                  problem->en, problem->ja, &err);
    else if (is_ours_to_clear(project) || poll->health_told)
        r = pb_project_set_health(pass->platform, project->id, "healthy", NULL, NULL, NULL, &err);
    if (r < 0) {
        pb_log_fail(PB_LOG_WARN, "github_sync", &err, "project=%s health not told", project->id);
        return;
    }
    poll->health_told = true;
    poll->health_code = code;
}

/* A full disk or queue of ours is not GitHub's fault, and nothing to tell about the project. */
static bool is_about_github(const struct pb_error *err)
{
    return pb_text_starts(err->reason, "github_") || strcmp(err->reason, "secret_missing") == 0 ||
           err->code == PB_ERROR_UNREACHABLE || err->code == PB_ERROR_TIMEOUT;
}

static int look(struct pb_github_pass *pass, struct pb_error *err)
{
    int64_t age = pb_clock_steady_ms() - pass->poll->facts_at;

    if (!pass->poll->facts_at || age > FACTS_EVERY_MS || pass->poll->health_code) {
        if (pb_github_pass_facts(pass, err) < 0)
            return -1;
    }
    if (pb_github_poll_labels(pass, err) < 0)
        return -1;
    return pb_github_poll_comments(pass, err);
}

int pb_github_poll_pass(struct pb_platform *platform, const char *project_id,
                        struct pb_github_poll *poll, const atomic_bool *stop, int64_t *ret_retry_at,
                        struct pb_error *err)
{
    struct pb_github_pass pass = {.platform = platform, .poll = poll, .stop = stop};
    int r = -1;

    *ret_retry_at = 0;
    pb_arena_init(&pass.arena, PB_GITHUB_PASS_ARENA);
    pass.db = pb_store_reader(platform->store, err);
    if (!pass.db || pb_project_load(pass.db, &pass.arena, project_id, &pass.project, err) < 0)
        goto out;
    if (pass.project->status != PB_PROJECT_ACTIVE) {
        r = 0;
        goto out;
    }
    r = pb_github_open_project(platform, pass.project, "poll", &pass.repo, err);
    if (r == 0)
        r = look(&pass, err);
    if (r < 0 && !is_about_github(err))
        goto out;
    tell_health(&pass, r < 0 ? problem_of(err) : NULL);
    if (r < 0 && *pass.repo.account.token_hash)
        *ret_retry_at = pb_github_retry_at(platform->github, &pass.repo.account, PB_GITHUB_POLL);
out:
    pb_github_repo_close(&pass.repo);
    pb_arena_release(&pass.arena);
    return r;
}
