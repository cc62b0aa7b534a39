#include "queue_world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/log.h"
#include "server/services/events.h"
#include "server/services/github_effects.h"
#include "server/services/log_hub.h"
#include "server/services/node_hub.h"
#include "server/services/queue_gate.h"
#include "server/store/execution_store.h"
#include "server/store/log_store.h"
#include "server/store/project_store.h"
#include "server/store/queue_store.h"
#include "server/store/store.h"

struct queue_world queue_world;

static int64_t next_due;

/* --- doubles ------------------------------------------------------------------------------------------- */

const char *pb_node_hub_where(struct pb_node_hub *hub, const char *project_id,
                              const char **ret_why_not)
{
    (void)hub;
    (void)project_id;
    *ret_why_not = queue_world.why_not;
    return queue_world.why_not ? NULL : "node-1";
}

bool pb_node_hub_assign(struct pb_node_hub *hub, const struct pb_execution *execution)
{
    (void)hub;
    if (queue_world.refuses)
        return false;
    snprintf(queue_world.sent[queue_world.sent_count % QUEUE_WORLD_SENT].id, 32, "%s",
             execution->id);
    queue_world.sent_count++;
    return true;
}

void pb_node_hub_cancel(struct pb_node_hub *hub, const struct pb_attempt_claim *claim)
{
    (void)hub;
    (void)claim;
    queue_world.cancels++;
}

void pb_node_hub_discard(struct pb_node_hub *hub, const struct pb_attempt_claim *claim)
{
    (void)hub;
    (void)claim;
    queue_world.discards++;
}

void pb_node_hub_attempt_ended(struct pb_node_hub *hub, const char *project_id)
{
    (void)hub;
    (void)project_id;
}

void pb_node_hub_sweep(struct pb_node_hub *hub)
{
    (void)hub;
}

int64_t pb_node_hub_next_sweep(struct pb_node_hub *hub)
{
    (void)hub;
    return 0;
}

void pb_events_execution(struct pb_events *events, const char *project_id, const char *execution_id)
{
    (void)events;
    (void)project_id;
    (void)execution_id;
    queue_world.events++;
}

void pb_events_project(struct pb_events *events, const char *project_id)
{
    (void)events;
    (void)project_id;
}

void pb_events_log_head(struct pb_events *events, const char *execution_id)
{
    (void)events;
    (void)execution_id;
}

void pb_github_effects_kick(struct pb_github_effects *effects)
{
    (void)effects;
}

void pb_log_hub_note(struct pb_log_hub *hub, const char *execution_id, char stream,
                     const char *text)
{
    (void)hub;
    (void)execution_id;
    (void)stream;
    (void)text;
}

/* The linker puts it before the real one (-Wl,--wrap). */
int __real_pb_store_write(struct pb_store *store, pb_store_write_fn *fn, void *arg,
                          struct pb_error *err);
int __wrap_pb_store_write(struct pb_store *store, pb_store_write_fn *fn, void *arg,
                          struct pb_error *err);

int __wrap_pb_store_write(struct pb_store *store, pb_store_write_fn *fn, void *arg,
                          struct pb_error *err)
{
    int r = __real_pb_store_write(store, fn, arg, err);

    if (r == 0 && queue_world.unknown_writes > 0) {
        queue_world.unknown_writes--;
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "store_failed", "nobody knows");
    }
    return r;
}

/* --- the world --------------------------------------------------------------------------------------------- */

static void must(int r)
{
    if (r < 0)
        fail_msg("%s", queue_world.err.message);
}

static struct pb_db *reader(void)
{
    struct pb_db *db = pb_store_reader(queue_world.platform.store, &queue_world.err);

    if (!db)
        fail_msg("%s", queue_world.err.message);
    return db;
}

void queue_world_open(const char *dir)
{
    struct pb_platform *platform = &queue_world.platform;
    char database[96], logs[96];

    snprintf(queue_world.dir, sizeof(queue_world.dir), "%s", dir);
    snprintf(database, sizeof(database), "%s/poppo.db", dir);
    snprintf(logs, sizeof(logs), "%s/logs", dir);
    pb_arena_init(&queue_world.arena, 512 << 20);
    *platform = (struct pb_platform){
        .settings = {.cancel_timeout_ms = 15000, .retry_percent = 100, .offline_limit_ms = 60000},
        .node_hub = (struct pb_node_hub *)(uintptr_t)1, /* only the doubles see it */
    };
    platform->store =
        pb_store_open(&(struct pb_store_options){.database = database, .app_version = "test"},
                      &queue_world.err);
    platform->log_store =
        platform->store
            ? pb_log_store_open(&(struct pb_log_store_options){.dir = logs}, &queue_world.err)
            : NULL;
    queue_world.look = platform->log_store ? pb_look_new(platform, &queue_world.err) : NULL;
    if (!queue_world.look)
        fail_msg("%s", queue_world.err.message);
}

void queue_world_close(void)
{
    pb_look_free(queue_world.look);
    pb_log_store_close(queue_world.platform.log_store);
    pb_store_close(queue_world.platform.store);
    pb_arena_release(&queue_world.arena);
}

int queue_world_setup(void **state)
{
    char dir[] = "/tmp/pb-queue-XXXXXX";

    (void)state;
    memset(&queue_world, 0, sizeof(queue_world));
    pb_log_init("test", PB_LOG_ERROR, false);
    assert_non_null(mkdtemp(dir));
    queue_world_open(dir);
    return 0;
}

int queue_world_teardown(void **state)
{
    (void)state;
    pb_clock_set_for_test(0);
    queue_world_close();
    return pb_fs_remove_tree(AT_FDCWD, queue_world.dir, &queue_world.err);
}

static int write_project(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct pb_project *project = arg;

    return project->version ? pb_project_save(db, project, err)
                            : pb_project_insert(db, project, err);
}

void queue_world_project(const char *id, int64_t concurrent, void (*change)(struct pb_project *))
{
    struct pb_project project = {
        .id = id,
        .name = id,
        .github_owner = "acme",
        .github_repo = id,
        .github_api_url = "https://api.github.com",
        .trigger_label = "poppo",
        .label_prefix = "poppo:",
        .poll_interval_ms = 60000,
        .driver = "noop",
        .language = "en",
        .wall_ms = 3600000,
        .silence_ms = 600000,
        .max_concurrent = concurrent,
        .queue_weight = 10,
        .retry_limit = -1,
        .created_at = 1,
        .updated_at = 1,
    };

    if (change)
        change(&project);
    must(pb_store_write(queue_world.platform.store, write_project, &project, &queue_world.err));
}

void queue_world_change(const char *id, void (*change)(struct pb_project *))
{
    struct pb_project *project = NULL;

    must(pb_project_load(reader(), &queue_world.arena, id, &project, &queue_world.err));
    change(project);
    must(pb_store_write(queue_world.platform.store, write_project, project, &queue_world.err));
}

static int write_limits(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_queue_limit_replace(db, arg, err);
}

void queue_world_limits(const struct pb_queue_limit *limits, size_t count)
{
    struct pb_queue_limit copy[16];

    assert_true(count <= COUNT(copy));
    if (count > 0)
        memcpy(copy, limits, count * sizeof(*limits));
    must(pb_store_write(queue_world.platform.store, write_limits,
                        &(struct pb_queue_limits){copy, count}, &queue_world.err));
}

const char *queue_world_enqueue(const char *project, struct pb_enqueue wish)
{
    char key[PB_ULID_TEXT];
    const char *id = NULL;

    pb_ulid(key);
    wish.project_id = project;
    wish.title = wish.title ? wish.title : "T";
    wish.prompt = wish.prompt ? wish.prompt : "please";
    wish.trigger = PB_TRIGGER_UI;
    wish.dedupe_key = wish.dedupe_key ? wish.dedupe_key : key;
    must(pb_execution_enqueue(&queue_world.platform, &wish, &queue_world.arena, &id,
                              &queue_world.err));
    return id;
}

size_t queue_world_look(void)
{
    struct pb_queue_scope scope = {.is_all = true};
    size_t before = queue_world.sent_count;

    must(pb_look_at_queue(queue_world.look, &scope, &next_due, &queue_world.err));
    return queue_world.sent_count - before;
}

int64_t queue_world_next(void)
{
    return next_due;
}

struct pb_execution *queue_world_load(const char *id)
{
    struct pb_execution *execution = NULL;

    must(pb_execution_load(reader(), &queue_world.arena, id, &execution, &queue_world.err));
    return execution;
}

struct pb_attempt *queue_world_attempt(const char *id)
{
    struct pb_attempt *attempt = NULL;

    must(pb_attempt_load(reader(), &queue_world.arena, id, queue_world_load(id)->attempt_count,
                         &attempt, &queue_world.err));
    return attempt;
}

const struct pb_waiting *queue_world_why(const char *id)
{
    struct pb_execution *execution = queue_world_load(id);

    must(pb_queue_explain(&queue_world.platform, reader(), &queue_world.arena, execution, 1,
                          &queue_world.err));
    return execution->waiting;
}

struct pb_attempt_claim queue_world_claim(const char *id)
{
    const struct pb_execution *execution = queue_world_load(id);

    return (struct pb_attempt_claim){execution->project_id, execution->id, execution->attempt_count,
                                     execution->fence, "node-1"};
}

void queue_world_finish(const char *id, const char *outcome, const char *kind)
{
    struct pb_attempt_claim claim = queue_world_claim(id);

    must(pb_execution_accepted(&queue_world.platform, &claim, &queue_world.err));
    must(pb_execution_finished(&queue_world.platform, &claim,
                               &(struct pb_attempt_outcome){.outcome = outcome,
                                                            .kind = kind,
                                                            .reason = kind,
                                                            .usage = {.cost_micro_usd = -1},
                                                            .exit_code = -1,
                                                            .signal = -1},
                               &queue_world.err));
}
