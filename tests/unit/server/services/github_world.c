#include "github_world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/log.h"
#include "net/http_client.h"
#include "pb_test.h"
#include "server/services/events.h"
#include "server/services/execution_control.h"
#include "server/services/github_client.h"
#include "server/services/project_control.h"
#include "server/services/vault.h"
#include "server/store/execution_store.h"
#include "server/store/outbox_store.h"
#include "server/store/project_store.h"
#include "server/store/remark_store.h"
#include "server/store/store.h"
#include "server/store/work_item_store.h"

struct world world;

static struct pb_store *store;

static void write_ok(pb_store_write_fn *fn, void *arg)
{
    struct pb_error err;

    assert_ok(pb_store_write(store, fn, arg, &err), &err);
}

static struct pb_db *reader(void)
{
    struct pb_error err;
    struct pb_db *db = pb_store_reader(store, &err);

    assert_non_null(db);
    return db;
}

static int insert_project(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct pb_project project = {.id = "site",
                                       .name = "Site",
                                       .status = PB_PROJECT_ACTIVE,
                                       .github_owner = "acme",
                                       .github_repo = "site",
                                       .github_api_url = arg,
                                       .default_branch = "main",
                                       .trigger_label = "poppo",
                                       .label_prefix = "poppo:",
                                       .poll_interval_ms = 60000,
                                       .driver = "claude",
                                       .permission_mode = "dontAsk",
                                       .language = "en",
                                       .wall_ms = 3600000,
                                       .silence_ms = 600000,
                                       .max_concurrent = 1,
                                       .created_at = 1,
                                       .updated_at = 1};

    return pb_project_insert(db, &project, err);
}

void world_start(void)
{
    struct pb_error err;
    char path[64];

    memset(&world, 0, sizeof(world));
    pb_log_init("test", PB_LOG_ERROR, false);
    pb_arena_init(&world.arena, 16 << 20);
    snprintf(world.dir, sizeof(world.dir), "/tmp/pb-github-XXXXXX");
    assert_non_null(mkdtemp(world.dir));
    snprintf(path, sizeof(path), "%s/poppo.db", world.dir);
    store =
        pb_store_open(&(struct pb_store_options){.database = path, .app_version = "test"}, &err);
    assert_non_null(store);
    world.github = stand_in_start();
    world.platform = (struct pb_platform){.settings = {.base_url = "https://poppo.example",
                                                       .poll_interval_ms = 60000},
                                          .store = store};
    world.platform.http = pb_http_client_new("poppo-test", NULL, &err);
    assert_non_null(world.platform.http);
    world.platform.github =
        pb_github_new(&(struct pb_github_options){.http = world.platform.http, .store = store},
                      &err);
    assert_non_null(world.platform.github);
    write_ok(insert_project, (void *)(uintptr_t)stand_in_url(world.github));
}

void world_end(void)
{
    struct pb_error err;

    pb_github_free(world.platform.github);
    pb_http_client_free(world.platform.http);
    stand_in_stop(world.github);
    pb_store_close(store);
    for (size_t i = 0; i < world.call_count; i++)
        free(world.calls[i].prompt);
    pb_arena_release(&world.arena);
    assert_ok(pb_fs_remove_tree(AT_FDCWD, world.dir, &err), &err);
}

static int change_project(struct pb_db *db, void *arg, struct pb_error *err)
{
    void (**change)(struct pb_project *) = arg;
    struct pb_project *project;

    if (pb_project_load(db, &world.arena, "site", &project, err) < 0)
        return -1;
    (*change)(project);
    return pb_project_save(db, project, err);
}

void world_set_project(void (*change)(struct pb_project *project))
{
    write_ok(change_project, &change);
}

struct pb_project *world_project(void)
{
    struct pb_project *project;
    struct pb_error err;

    assert_ok(pb_project_load(reader(), &world.arena, "site", &project, &err), &err);
    return project;
}

struct pb_work_item *world_item(int64_t number)
{
    struct pb_work_item *item;
    struct pb_error err;

    assert_ok(pb_work_item_find(reader(), &world.arena, "site", number, &item, &err), &err);
    return item;
}

struct pb_execution *world_execution(const char *id)
{
    struct pb_execution *execution;
    struct pb_error err;

    assert_ok(pb_execution_load(reader(), &world.arena, id, &execution, &err), &err);
    return execution;
}

/* A change of an execution as one write. */
struct change {
    const char *id;
    void (*fn)(struct pb_execution *execution);
};

static int change_execution(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct change *change = arg;
    struct pb_execution *execution;
    enum pb_execution_status from;

    if (pb_execution_load(db, &world.arena, change->id, &execution, err) < 0)
        return -1;
    from = execution->status;
    change->fn(execution);
    if (pb_execution_save(db, execution, from, err) < 0)
        return -1;
    return pb_outbox_put(db, "site", execution->work_item_id, execution->id, "sync_issue", NULL,
                         pb_clock_wall_ms(), err);
}

void world_set_execution(const char *id, void (*change)(struct pb_execution *execution))
{
    struct change arg = {.id = id, .fn = change};

    write_ok(change_execution, &arg);
}

static int add_remark(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_remark_add(db, arg, err);
}

void world_answer(const char *id, const char *question, const char *text)
{
    struct pb_remark remark = {.execution_id = id,
                               .question = question,
                               .text = text,
                               .said_by = "alice",
                               .url = "https://github.example/acme/site/issues/12#issuecomment-5",
                               .said_at = 5};

    write_ok(add_remark, &remark);
}

/* --- doubles -------------------------------------------------------------------------------------------- */

int pb_vault_reveal(struct pb_vault *vault, const char *project_id, const char *name,
                    const char *by, const char *purpose, char **ret_plain, struct pb_error *err)
{
    (void)vault;
    (void)by;
    (void)purpose;
    assert_string_equal(project_id, "site");
    assert_string_equal(name, PB_SECRET_GITHUB_TOKEN);
    *ret_plain = strdup(WORLD_TOKEN);
    return *ret_plain ? 0 : pb_fail(err, PB_ERROR_UNAVAILABLE, "out of memory");
}

/* What enqueue is about, inside its write. */
struct insert {
    const struct pb_enqueue *wish;
    char id[PB_ULID_TEXT];
};

static int insert_execution(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct insert *insert = arg;
    const struct pb_enqueue *wish = insert->wish;
    struct pb_execution execution = {.id = insert->id,
                                     .project_id = wish->project_id,
                                     .work_item_id = wish->work_item_id,
                                     .issue_number = wish->issue_number,
                                     .title = wish->title,
                                     .trigger = wish->trigger,
                                     .requested_by = wish->requested_by,
                                     .dedupe_key = wish->dedupe_key,
                                     .prompt = wish->prompt,
                                     .driver = "claude",
                                     .resume = wish->resume,
                                     .created_at = pb_clock_wall_ms(),
                                     .updated_at = pb_clock_wall_ms()};
    struct pb_work_item item = {.project_id = wish->project_id,
                                .kind = PB_WORK_ITEM_ISSUE,
                                .number = wish->issue_number,
                                .item = pb_arena_format(&world.arena, "issue-%lld",
                                                        (long long)wish->issue_number),
                                .title = wish->title,
                                .url = wish->url,
                                .author = wish->author,
                                .created_at = pb_clock_wall_ms(),
                                .updated_at = pb_clock_wall_ms()};
    int64_t number;

    if (!execution.work_item_id && pb_work_item_put(db, &item, &execution.work_item_id, err) < 0)
        return -1;
    if (pb_execution_insert(db, &execution, &number, err) < 0)
        return -1;
    return pb_outbox_put(db, wish->project_id, execution.work_item_id, execution.id, "sync_issue",
                         NULL, pb_clock_wall_ms(), err);
}

static void note_call(const char *id, const char *key, const char *by, const char *prompt,
                      bool is_reply, const struct pb_enqueue *wish)
{
    struct world_call *call = &world.calls[world.call_count++];

    assert_true(world.call_count <= WORLD_CALLS);
    snprintf(call->id, sizeof(call->id), "%s", id);
    snprintf(call->key, sizeof(call->key), "%s", key);
    snprintf(call->by, sizeof(call->by), "%s", by ? by : "");
    snprintf(call->title, sizeof(call->title), "%s", wish ? wish->title : "");
    snprintf(call->labels, sizeof(call->labels), "%s", wish && wish->labels ? wish->labels : "");
    call->prompt = strdup(prompt);
    call->is_reply = is_reply;
    call->trigger = wish ? wish->trigger : PB_TRIGGER_COMMENT;
    call->resume = wish && wish->resume;
}

static void note_remark(const struct pb_remark *remark)
{
    struct world_call *call = &world.calls[world.call_count - 1];

    snprintf(call->remark, sizeof(call->remark), "%s", remark->text);
    snprintf(call->remark_url, sizeof(call->remark_url), "%s", remark->url);
}

int pb_execution_enqueue(struct pb_platform *platform, const struct pb_enqueue *wish,
                         struct pb_arena *arena, const char **ret_id, struct pb_error *err)
{
    struct insert insert = {.wish = wish};

    pb_ulid(insert.id);
    if (pb_store_write(platform->store, insert_execution, &insert, err) < 0)
        return err->code == PB_ERROR_CONFLICT
                   ? pb_fail_reason(err, PB_ERROR_CONFLICT, "duplicate", "seen before")
                   : -1;
    note_call(insert.id, wish->dedupe_key, wish->requested_by, wish->prompt, false, wish);
    if (wish->remark)
        note_remark(wish->remark);
    *ret_id = pb_arena_text(arena, insert.id);
    return 0;
}

int pb_execution_reply(struct pb_platform *platform, const char *id, const char *prompt,
                       const struct pb_remark *answer, const char *dedupe_key, struct pb_error *err)
{
    (void)platform;
    (void)err;
    note_call(id, dedupe_key, answer->said_by, prompt, true, NULL);
    note_remark(answer);
    return 0;
}

int pb_execution_follow_labels(struct pb_platform *platform, int64_t work_item_id,
                               const char *labels, struct pb_error *why)
{
    (void)platform;
    (void)work_item_id;
    (void)why;
    snprintf(world.labels, sizeof(world.labels), "%s", labels);
    return 0;
}

/* A pull request as a write. */
struct pull {
    const char *id;
    int64_t number;
    const char *url;
};

static int save_pull(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct pull *pull = arg;
    struct pb_execution *execution;
    struct pb_work_item *item;

    if (pb_execution_load(db, &world.arena, pull->id, &execution, err) < 0 ||
        pb_work_item_load(db, &world.arena, execution->work_item_id, &item, err) < 0)
        return -1;
    execution->pr_number = item->pr_number = pull->number;
    execution->pr_url = item->pr_url = pull->url;
    if (pb_work_item_save(db, item, err) < 0)
        return -1;
    return pb_execution_save(db, execution, execution->status, err);
}

int pb_execution_set_pull_request(struct pb_platform *platform, const char *id, int64_t number,
                                  const char *url, struct pb_error *err)
{
    struct pull pull = {.id = id, .number = number, .url = url};

    return pb_store_write(platform->store, save_pull, &pull, err);
}

void pb_execution_note(struct pb_platform *platform, const char *id, char stream, const char *fmt,
                       ...)
{
    size_t len = strlen(world.notes);
    va_list args;

    (void)platform;
    (void)id;
    len += (size_t)snprintf(world.notes + len, sizeof(world.notes) - len, "%c ", stream);
    va_start(args, fmt);
    vsnprintf(world.notes + len, sizeof(world.notes) - len, fmt, args);
    va_end(args);
    len = strlen(world.notes);
    snprintf(world.notes + len, sizeof(world.notes) - len, "\n");
}

void pb_events_project(struct pb_events *events, const char *project_id)
{
    (void)events;
    assert_string_equal(project_id, "site");
}

int pb_project_set_health(struct pb_platform *platform, const char *id, const char *health,
                          const char *code, const char *en, const char *ja, struct pb_error *err)
{
    (void)platform;
    (void)err;
    assert_string_equal(id, "site");
    assert_true(!code || (*en && *ja));
    snprintf(world.health, sizeof(world.health), "%s", health);
    snprintf(world.health_code, sizeof(world.health_code), "%s", code ? code : "");
    world.health_count++;
    return 0;
}

const char *world_enqueue(int64_t issue_number, const char *key)
{
    struct pb_error err;
    const char *id;

    assert_ok(pb_execution_enqueue(
                  &world.platform,
                  &(struct pb_enqueue){.project_id = "site",
                                       .issue_number = issue_number,
                                       .title = "Make it blue",
                                       .url = "https://github.example/acme/site/issues/12",
                                       .author = "stranger",
                                       .prompt = "do it",
                                       .trigger = PB_TRIGGER_LABEL,
                                       .requested_by = "alice",
                                       .dedupe_key = key},
                  &world.arena, &id, &err),
              &err);
    return id;
}
