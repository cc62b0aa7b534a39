#include "server/services/reading.h"

#include <string.h>

#include "base/clock.h"
#include "model/execution.h"
#include "model/project.h"
#include "server/services/node_hub.h"
#include "server/services/platform.h"
#include "server/services/queue_gate.h"
#include "server/services/views.h"
#include "server/store/cluster_store.h"
#include "server/store/execution_store.h"
#include "server/store/identity_store.h"
#include "server/store/log_store.h"
#include "server/store/project_store.h"
#include "server/store/remark_store.h"
#include "server/store/store.h"

enum { STATUSES_MAX = 16, WORD_MAX = 32, DAY_MS = 24 * 3600 * 1000 };

static bool is_among(const int *values, size_t count, int value)
{
    for (size_t i = 0; i < count; i++)
        if (values[i] == value)
            return true;
    return false;
}

/* "queued,running" → numbers of `names`, each once. Unknown words are INVALID, field "status". */
static int read_words(const char *text, const struct pb_names *names, int ret_values[STATUSES_MAX],
                      size_t *ret_count, struct pb_error *err)
{
    size_t count = 0;

    while (text && *text) {
        size_t len = strcspn(text, ",");
        char word[WORD_MAX] = "";

        if (len < sizeof(word))
            memcpy(word, text, len);
        if (count == STATUSES_MAX || !pb_names_find(names, word, &ret_values[count]))
            return pb_fail_field(err, "status", "there is no status '%.*s'",
                                 (int)(len < 40 ? len : 40), text);
        count += !is_among(ret_values, count, ret_values[count]);
        text += len + (text[len] == ',');
    }
    *ret_count = count;
    return 0;
}

static void begin_page(struct pb_json_writer *w)
{
    pb_json_begin_object(w, NULL);
    pb_json_begin_array(w, "items");
}

static void end_page(struct pb_json_writer *w, const char *next_cursor)
{
    pb_json_end_array(w);
    pb_json_put_text(w, "next_cursor", next_cursor);
    pb_json_end_object(w);
}

/* --- projects --------------------------------------------------------------------------------------------- */

int pb_read_projects(struct pb_platform *platform, const struct pb_page_wish *wish,
                     struct pb_arena *arena, struct pb_json_writer *w, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    enum pb_project_status statuses[STATUSES_MAX];
    struct pb_project_filter filter = {.page = {wish->limit, wish->cursor},
                                       .query = wish->query,
                                       .statuses = statuses};
    struct pb_project_list list;
    int words[STATUSES_MAX];

    if (!db ||
        read_words(wish->statuses, &PB_PROJECT_STATUS_NAMES, words, &filter.status_count, err) < 0)
        return -1;
    for (size_t i = 0; i < filter.status_count; i++)
        statuses[i] = (enum pb_project_status)words[i];
    if (pb_project_list(db, arena, &filter, &list, err) < 0)
        return -1;
    begin_page(w);
    for (size_t i = 0; i < list.count; i++)
        if (pb_view_project(platform, db, arena, w, NULL, &list.items[i], err) < 0)
            return -1;
    end_page(w, list.next_cursor);
    return 0;
}

int pb_read_project(struct pb_platform *platform, const char *id, struct pb_arena *arena,
                    struct pb_json_writer *w, int64_t *ret_version, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_project *project;

    if (!db || pb_project_load(db, arena, id, &project, err) < 0)
        return -1;
    if (project->status == PB_PROJECT_DELETED)
        return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "project_not_found", "no project '%s'", id);
    if (pb_view_project(platform, db, arena, w, NULL, project, err) < 0)
        return -1;
    if (ret_version)
        *ret_version = project->version;
    return 0;
}

uint64_t pb_read_generation(struct pb_platform *platform)
{
    return pb_store_generation(platform->store, PB_STORE_HISTORY);
}

/* --- executions ------------------------------------------------------------------------------------------- */

int pb_read_executions(struct pb_platform *platform, const struct pb_page_wish *wish,
                       struct pb_arena *arena, struct pb_json_writer *w, bool *ret_is_lasting,
                       struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    enum pb_execution_status statuses[STATUSES_MAX];
    struct pb_execution_filter filter = {
        .page = {wish->limit, wish->cursor},
        .project_id = wish->project && *wish->project ? wish->project : NULL,
        .number = wish->number,
        .query = wish->query,
        .statuses = statuses,
    };
    struct pb_execution_list list;
    int words[STATUSES_MAX];

    if (!db || read_words(wish->statuses, &PB_EXECUTION_STATUS_NAMES, words, &filter.status_count,
                          err) < 0)
        return -1;
    for (size_t i = 0; i < filter.status_count; i++)
        statuses[i] = (enum pb_execution_status)words[i];
    if (pb_execution_list(db, arena, &filter, &list, err) < 0 ||
        pb_queue_explain(platform, db, arena, list.items, list.count, err) < 0)
        return -1;
    begin_page(w);
    *ret_is_lasting = true;
    for (size_t i = 0; i < list.count; i++) {
        pb_view_execution(w, NULL, &list.items[i], NULL, NULL);
        *ret_is_lasting = *ret_is_lasting && list.items[i].status != PB_EXECUTION_QUEUED;
    }
    end_page(w, list.next_cursor);
    return 0;
}

int pb_read_execution(struct pb_platform *platform, const char *id, struct pb_arena *arena,
                      struct pb_json_writer *w, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_attempt_list attempts;
    struct pb_execution *execution;
    struct pb_log_info live;

    if (!db || pb_execution_load(db, arena, id, &execution, err) < 0 ||
        pb_attempt_list(db, arena, id, &attempts, err) < 0 ||
        pb_log_stat(platform->log_store, id, &live, err) < 0 ||
        pb_queue_explain(platform, db, arena, execution, 1, err) < 0)
        return -1;
    pb_view_execution(w, NULL, execution, &live, &attempts);
    return 0;
}

int pb_read_attempts(struct pb_platform *platform, const char *id, struct pb_arena *arena,
                     struct pb_json_writer *w, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_attempt_list attempts;
    struct pb_execution *execution;

    if (!db || pb_execution_load(db, arena, id, &execution, err) < 0 ||
        pb_attempt_list(db, arena, id, &attempts, err) < 0)
        return -1;
    pb_json_begin_object(w, NULL);
    pb_json_begin_array(w, "items");
    for (size_t i = 0; i < attempts.count; i++)
        pb_view_attempt(w, NULL, &attempts.items[i]);
    pb_json_end_array(w);
    pb_json_end_object(w);
    return 0;
}

int pb_read_remarks(struct pb_platform *platform, const char *id, const struct pb_page_wish *wish,
                    struct pb_arena *arena, struct pb_json_writer *w, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_page page = {wish->limit, wish->cursor};
    struct pb_execution *execution;
    struct pb_remark_list list;

    if (!db || pb_execution_load(db, arena, id, &execution, err) < 0 ||
        pb_remark_page(db, arena, id, &page, &list, err) < 0)
        return -1;
    begin_page(w);
    for (size_t i = 0; i < list.count; i++)
        pb_view_remark(w, NULL, &list.items[i]);
    end_page(w, list.next_cursor);
    return 0;
}

/* --- nodes, counts ---------------------------------------------------------------------------------------- */

int pb_read_nodes(struct pb_platform *platform, struct pb_arena *arena, struct pb_json_writer *w,
                  struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_node_list list;

    if (!db || pb_node_list(db, arena, &list, err) < 0)
        return -1;
    begin_page(w);
    for (size_t i = 0; i < list.count; i++)
        pb_view_node(w, NULL, &list.items[i],
                     pb_node_hub_agents_on(platform->node_hub, list.items[i].id));
    end_page(w, NULL);
    return 0;
}

static int count_projects(struct pb_db *db, int64_t *ret_count, struct pb_error *err)
{
    int64_t total = 0;

    for (int i = 0; i < PB_PROJECT_DELETED; i++) {
        int64_t count;

        if (pb_project_count(db, (enum pb_project_status)i, &count, err) < 0)
            return -1;
        total += count;
    }
    *ret_count = total;
    return 0;
}

int pb_read_stats(struct pb_platform *platform, struct pb_arena *arena, struct pb_json_writer *w,
                  struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_execution_counts counts;
    struct pb_execution_stats day;
    int64_t projects;
    int64_t running = 0;
    int64_t waiting = 0;

    (void)arena;
    if (!db || count_projects(db, &projects, err) < 0 ||
        pb_project_open_counts(db, &counts, err) < 0 ||
        pb_execution_stats_since(db, pb_clock_wall_ms() - DAY_MS, &day, err) < 0)
        return -1;
    for (int i = 0; i < PB_EXECUTION_STATUS_COUNT; i++) {
        running += pb_execution_is_active((enum pb_execution_status)i) ? counts.by_status[i] : 0;
        waiting += pb_execution_is_waiting((enum pb_execution_status)i) ? counts.by_status[i] : 0;
    }
    pb_json_begin_object(w, NULL);
    pb_json_put_int(w, "projects", projects);
    pb_json_put_int(w, "queued", counts.by_status[PB_EXECUTION_QUEUED]);
    pb_json_put_int(w, "running", running);
    pb_json_put_int(w, "waiting", waiting);
    pb_json_put_int(w, "succeeded_24h", day.succeeded);
    pb_json_put_int(w, "failed_24h", day.failed);
    pb_json_put_millionths(w, "cost_usd_24h", day.cost_micro_usd > 0 ? day.cost_micro_usd : 0);
    pb_json_put_int(w, "agents_running", pb_node_hub_agents_running(platform->node_hub));
    pb_json_end_object(w);
    return 0;
}
