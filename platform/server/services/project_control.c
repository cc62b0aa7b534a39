#include "server/services/project_control.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "model/project.h"
#include "server/services/auth.h"
#include "server/services/events.h"
#include "server/services/execution_control.h"
#include "server/services/github_sync.h"
#include "server/services/node_hub.h"
#include "server/services/platform.h"
#include "server/services/repository_url.h"
#include "server/services/scheduler.h"
#include "server/services/vault.h"
#include "server/store/execution_store.h"
#include "server/store/identity_store.h"
#include "server/store/project_store.h"
#include "server/store/store.h"

enum { ARENA_MAX = 4 << 20, ID_TRIES = 1000 };

/* One change of one project on the writer thread. */
struct change {
    struct pb_platform *platform;
    struct pb_project *project;
    const struct pb_project_secrets *secrets;
    const struct pb_principal *who;
    const char *action; /* for the audit row */
    const char *id;
    enum pb_project_status status;
    bool wants_id; /* create: any free one will do */
};

static int audit(struct pb_db *db, const struct change *change, const char *id,
                 struct pb_error *err)
{
    char actor[160];
    char object[80];

    (void)snprintf(actor, sizeof(actor), "user:%.120s", change->who->username);
    (void)snprintf(object, sizeof(object), "project:%.64s", id);
    return pb_audit_append(db,
                           &(struct pb_audit){
                               .at = pb_clock_wall_ms(),
                               .actor = actor,
                               .action = change->action,
                               .object = object,
                               .address = change->who->address,
                               .request_id = change->who->request_id,
                           },
                           err);
}

static int put_secrets(struct pb_db *db, const struct change *change, struct pb_error *err)
{
    struct pb_vault *vault = change->platform->vault;
    const struct pb_project_secrets *secrets = change->secrets;
    const char *id = change->project->id;
    const char *by = change->who->username;

    if (secrets->github_token && *secrets->github_token &&
        pb_vault_put(vault, db, id, PB_SECRET_GITHUB_TOKEN, secrets->github_token, by, err) < 0)
        return -1;
    if (secrets->anthropic_api_key && *secrets->anthropic_api_key &&
        pb_vault_put(vault, db, id, PB_SECRET_ANTHROPIC_API_KEY, secrets->anthropic_api_key, by,
                     err) < 0)
        return -1;
    return 0;
}

/* After the commit. */
static void announce(struct pb_platform *platform, const char *id)
{
    pb_events_project(platform->events, id);
    pb_node_hub_project_changed(platform->node_hub, id);
    pb_github_sync_kick(platform->github_sync, id);
    pb_scheduler_kick_project(platform->scheduler, id);
}

int pb_project_get(struct pb_platform *platform, const char *id, struct pb_arena *arena,
                   struct pb_project **ret_project, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_project *project;

    if (!db || pb_project_load(db, arena, id, &project, err) < 0)
        return -1;
    if (project->status == PB_PROJECT_DELETED)
        return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "project_not_found", "no project '%s'", id);
    *ret_project = project;
    return 0;
}

int pb_project_taken_by(struct pb_platform *platform, const struct pb_project *project,
                        char ret_id[PB_LIMIT_PROJECT_ID + 1], struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);

    return db ? pb_project_rival(db, project, ret_id, err) : -1;
}

/* --- create ----------------------------------------------------------------------------------------------- */

/* The suggested id, else "site-2", "site-3" … Ids of deleted projects stay taken: they name folders. */
static int free_id(struct pb_db *db, struct pb_arena *arena, struct pb_project *project,
                   struct pb_error *err)
{
    char suggested[PB_LIMIT_PROJECT_ID + 1];
    struct pb_project *other;

    pb_project_id_suggest(project->github_repo, suggested);
    for (int i = 1; i < ID_TRIES; i++) {
        const char *id =
            i == 1 ? pb_arena_text(arena, suggested)
                   : pb_arena_format(arena, "%.*s-%d", PB_LIMIT_PROJECT_ID - 5, suggested, i);

        if (!id)
            return pb_fail(err, PB_ERROR_LIMITED, "request too large");
        if (pb_project_load(db, arena, id, &other, err) == 0)
            continue;
        if (err->code != PB_ERROR_NOT_FOUND)
            return -1;
        project->id = id;
        return 0;
    }
    return pb_fail_reason(err, PB_ERROR_CONFLICT, "project_exists", "no free id like '%s'",
                          suggested);
}

struct creation {
    struct change change;
    struct pb_arena *arena; /* the caller's: the new id lives in it */
};

static int write_create(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct creation *creation = arg;
    struct change *change = &creation->change;

    if (change->wants_id && free_id(db, creation->arena, change->project, err) < 0)
        return -1;
    if (pb_project_insert(db, change->project, err) < 0 || put_secrets(db, change, err) < 0)
        return -1;
    return audit(db, change, change->project->id, err);
}

int pb_project_create(struct pb_platform *platform, struct pb_project *project,
                      const struct pb_project_secrets *secrets, const struct pb_principal *who,
                      struct pb_arena *arena, struct pb_error *err)
{
    struct creation creation = {
        .change = {.platform = platform,
                   .project = project,
                   .secrets = secrets,
                   .who = who,
                   .action = "project.create",
                   .wants_id = !project->id},
        .arena = arena,
    };

    project->created_at = project->updated_at = pb_clock_wall_ms();
    project->created_by = who->username;
    if (pb_store_write(platform->store, write_create, &creation, err) < 0)
        return -1;
    pb_log_info("project", "project=%s repository=%s/%s by=%s made", project->id,
                project->github_owner, project->github_repo, who->username);
    announce(platform, project->id);
    return 0;
}

/* --- update ----------------------------------------------------------------------------------------------- */

/* Moved: the saved secret would be sent to an address it was not given for. */
static int check_moved(struct pb_db *db, const struct change *change, const char *secret,
                       const char *given, bool is_moved, struct pb_error *err)
{
    int64_t ignored;
    bool is_set;

    if (!is_moved || (given && *given))
        return 0;
    if (pb_vault_state(db, change->project->id, secret, &is_set, &ignored, err) < 0)
        return -1;
    if (!is_set)
        return 0;
    (void)pb_fail_field(err, secret, "enter it again: what is saved was given for another address");
    (void)snprintf(err->reason, sizeof(err->reason), "secret_needed");
    return -1;
}

/* Who may change a project may use its secrets, but may not have them sent to a server of their own. */
static int check_addresses(struct pb_db *db, const struct change *change,
                           const struct pb_project *old, struct pb_arena *arena,
                           struct pb_error *err)
{
    const struct pb_platform_settings *settings = &change->platform->settings;
    const struct pb_project *now = change->project;
    const char *git_before = pb_repository_base(settings, old, arena);
    const char *git_now = pb_repository_base(settings, now, arena);
    const char *claude_before =
        old->anthropic_base_url ? old->anthropic_base_url : settings->anthropic_base_url;
    const char *claude_now =
        now->anthropic_base_url ? now->anthropic_base_url : settings->anthropic_base_url;

    if (!git_before || !git_now)
        return pb_fail(err, PB_ERROR_LIMITED, "request too large");
    if (check_moved(db, change, PB_SECRET_GITHUB_TOKEN, change->secrets->github_token,
                    strcmp(git_before, git_now) != 0 ||
                        strcmp(old->github_api_url, now->github_api_url) != 0,
                    err) < 0)
        return -1;
    return check_moved(db, change, PB_SECRET_ANTHROPIC_API_KEY, change->secrets->anthropic_api_key,
                       strcmp(claude_before, claude_now) != 0, err);
}

static int write_update(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct change *change = arg;
    struct pb_project *old;
    struct pb_arena arena;
    int r = -1;

    pb_arena_init(&arena, ARENA_MAX);
    change->project->updated_at = pb_clock_wall_ms();
    if (pb_project_load(db, &arena, change->project->id, &old, err) < 0 ||
        check_addresses(db, change, old, &arena, err) < 0 ||
        pb_project_save(db, change->project, err) < 0)
        goto out;
    old->default_branch = change->project->default_branch;
    if (pb_project_observe(db, old, err) < 0 || put_secrets(db, change, err) < 0)
        goto out;
    r = audit(db, change, change->project->id, err);
out:
    pb_arena_release(&arena);
    return r;
}

int pb_project_update(struct pb_platform *platform, struct pb_project *project,
                      const struct pb_project_secrets *secrets, const struct pb_principal *who,
                      struct pb_error *err)
{
    struct change change = {
        .platform = platform,
        .project = project,
        .secrets = secrets,
        .who = who,
        .action = "project.update",
    };

    if (pb_store_write(platform->store, write_update, &change, err) < 0)
        return -1;
    announce(platform, project->id);
    return 0;
}

/* --- status ----------------------------------------------------------------------------------------------- */

static int write_status(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct change *change = arg;
    struct pb_project *project;
    struct pb_arena arena;
    int r = -1;

    pb_arena_init(&arena, ARENA_MAX);
    if (pb_project_load(db, &arena, change->id, &project, err) < 0)
        goto out;
    if (project->status == PB_PROJECT_DELETED) {
        (void)pb_fail_reason(err, PB_ERROR_NOT_FOUND, "project_not_found", "no project '%s'",
                             change->id);
        goto out;
    }
    if (project->status == PB_PROJECT_ARCHIVED && change->status != PB_PROJECT_DELETED) {
        (void)pb_fail_reason(err, PB_ERROR_CONFLICT, "project_closed", "project '%s' is archived",
                             change->id);
        goto out;
    }
    project->status = change->status;
    project->updated_at = pb_clock_wall_ms();
    if (pb_project_save(db, project, err) < 0)
        goto out;
    if (change->status == PB_PROJECT_DELETED && pb_vault_forget(db, change->id, err) < 0)
        goto out;
    r = audit(db, change, change->id, err);
out:
    pb_arena_release(&arena);
    return r;
}

static int set_status(struct pb_platform *platform, const char *id, enum pb_project_status status,
                      const char *action, const struct pb_principal *who, struct pb_error *err)
{
    struct change change = {
        .platform = platform, .who = who, .action = action, .id = id, .status = status};

    return pb_store_write(platform->store, write_status, &change, err);
}

/* Cancels what is open: `only_active` leaves what is queued or waits. */
static int cancel_open(struct pb_platform *platform, const char *id, const struct pb_principal *who,
                       bool only_active, struct pb_error *err)
{
    enum pb_execution_status open[PB_EXECUTION_STATUS_COUNT];
    struct pb_execution_filter filter = {.page = {.limit = PB_LIMIT_PAGE},
                                         .project_id = id,
                                         .statuses = open};
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_execution_list list;
    struct pb_arena arena;
    int r = db ? 0 : -1;

    for (int i = 0; i < PB_EXECUTION_STATUS_COUNT; i++) {
        enum pb_execution_status status = (enum pb_execution_status)i;

        if (only_active ? pb_execution_is_active(status) : !pb_execution_is_final(status))
            open[filter.status_count++] = status;
    }
    pb_arena_init(&arena, 64 << 20);
    while (r == 0) {
        r = pb_execution_list(db, &arena, &filter, &list, err);
        for (size_t i = 0; r == 0 && i < list.count; i++) {
            r = pb_execution_cancel(platform, list.items[i].id, who->username, err);
            if (r < 0 && err->code == PB_ERROR_CONFLICT)
                r = 0; /* it ended meanwhile */
        }
        if (r < 0 || !list.next_cursor)
            break;
        filter.page.cursor = list.next_cursor;
    }
    pb_arena_release(&arena);
    return r;
}

int pb_project_start(struct pb_platform *platform, const char *id, const struct pb_principal *who,
                     struct pb_error *err)
{
    if (set_status(platform, id, PB_PROJECT_ACTIVE, "project.start", who, err) < 0)
        return -1;
    announce(platform, id);
    return 0;
}

int pb_project_stop(struct pb_platform *platform, const char *id, const struct pb_principal *who,
                    struct pb_error *err)
{
    if (set_status(platform, id, PB_PROJECT_STOPPED, "project.stop", who, err) < 0 ||
        cancel_open(platform, id, who, true, err) < 0)
        return -1;
    announce(platform, id);
    return 0;
}

int pb_project_pause(struct pb_platform *platform, const char *id, const struct pb_principal *who,
                     struct pb_error *err)
{
    if (set_status(platform, id, PB_PROJECT_PAUSED, "project.pause", who, err) < 0)
        return -1;
    announce(platform, id);
    return 0;
}

int pb_project_restart(struct pb_platform *platform, const char *id, const struct pb_principal *who,
                       struct pb_error *err)
{
    if (set_status(platform, id, PB_PROJECT_ACTIVE, "project.restart", who, err) < 0)
        return -1;
    announce(platform, id);
    pb_node_hub_project_restart(platform->node_hub, id);
    return 0;
}

int pb_project_delete(struct pb_platform *platform, const char *id, const struct pb_principal *who,
                      struct pb_error *err)
{
    if (set_status(platform, id, PB_PROJECT_DELETED, "project.delete", who, err) < 0 ||
        cancel_open(platform, id, who, false, err) < 0)
        return -1;
    pb_log_info("project", "project=%s by=%s deleted", id, who->username);
    announce(platform, id);
    pb_events_project_deleted(platform->events, id);
    return 0;
}

/* --- health ----------------------------------------------------------------------------------------------- */

struct health {
    const char *id;
    enum pb_project_health health;
    const char *reason; /* JSON or NULL */
    bool changed;       /* out */
};

static int write_health(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct health *health = arg;
    struct pb_project *project;
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, ARENA_MAX);
    health->changed = false;
    r = pb_project_load(db, &arena, health->id, &project, err);
    if (r == 0 && (project->health != health->health ||
                   strcmp(project->health_reason ? project->health_reason : "",
                          health->reason ? health->reason : "") != 0)) {
        project->health = health->health;
        project->health_reason = health->reason;
        health->changed = true;
        r = pb_project_observe(db, project, err);
    }
    pb_arena_release(&arena);
    return r;
}

/* Most reports say what is known already: those are settled by a look. */
static bool is_known(struct pb_platform *platform, const struct health *health)
{
    struct pb_project *project;
    struct pb_arena arena;
    struct pb_error err;
    struct pb_db *db = pb_store_reader(platform->store, &err);
    bool known;

    pb_arena_init(&arena, ARENA_MAX);
    known = db && pb_project_load(db, &arena, health->id, &project, &err) == 0 &&
            project->health == health->health &&
            strcmp(project->health_reason ? project->health_reason : "",
                   health->reason ? health->reason : "") == 0;
    pb_arena_release(&arena);
    return known;
}

int pb_project_set_health(struct pb_platform *platform, const char *id, const char *health,
                          const char *code, const char *en, const char *ja, struct pb_error *err)
{
    struct health change = {.id = id};
    struct pb_json_writer w;
    struct pb_buf reason;
    int value;
    int r = 0;

    if (!pb_names_find(&PB_PROJECT_HEALTH_NAMES, health, &value))
        return pb_fail(err, PB_ERROR_INTERNAL, "there is no health '%s'", health);
    change.health = (enum pb_project_health)value;
    pb_buf_init(&reason, 8192);
    if (code) {
        pb_json_writer_init(&w, &reason);
        pb_json_begin_object(&w, NULL);
        pb_json_put_text(&w, "code", code);
        pb_json_put_text(&w, "en", en);
        pb_json_put_text(&w, "ja", ja);
        pb_json_end_object(&w);
        change.reason = pb_buf_failed(&reason) ? NULL : pb_buf_string(&reason);
    }
    if (!is_known(platform, &change))
        r = pb_store_write(platform->store, write_health, &change, err);
    if (r == 0 && change.changed) {
        pb_log_info("project", "project=%s health=%s code=%s", id, health, code ? code : "");
        pb_events_project(platform->events, id);
    }
    pb_buf_release(&reason);
    return r;
}
