/* What should run where, derived from the rows: an active project, and one that still has live attempts. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/services/events.h"
#include "server/services/node_private.h"
#include "server/services/platform.h"
#include "server/store/execution_store.h"
#include "server/store/project_store.h"
#include "server/store/store.h"

enum { ARENA_MAX = 64 << 20 };

/* --- placing ------------------------------------------------------------------------------------------------ */

struct placing {
    const char *project_id;
    const char *node_id;
};

static int write_place(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct placing *placing = arg;
    struct pb_project *project;
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, 256 << 10);
    r = pb_project_load(db, &arena, placing->project_id, &project, err);
    if (r == 0 && !project->node_id) {
        project->node_id = placing->node_id;
        r = pb_project_observe(db, project, err);
    }
    pb_arena_release(&arena);
    return r;
}

/* The online node with the fewest agents; false when none is online. */
static bool choose_node(struct pb_node_hub *hub, char ret_id[ID_TEXT])
{
    int64_t fewest = INT64_MAX;

    (void)pthread_mutex_lock(&hub->lock);
    for (const struct node *node = hub->nodes; node; node = node->next) {
        int64_t count = 0;

        if (!node->link)
            continue;
        for (size_t i = 0; i < AGENTS; i++)
            for (const struct agent *agent = hub->agents[i]; agent; agent = agent->next)
                count += strcmp(agent->node_id, node->id) == 0;
        if (count < fewest) {
            fewest = count;
            memcpy(ret_id, node->id, ID_TEXT);
        }
    }
    (void)pthread_mutex_unlock(&hub->lock);
    return fewest < INT64_MAX;
}

static int place(struct pb_node_hub *hub, const char *project_id, const char *node_id,
                 struct pb_error *err)
{
    pb_log_info("node_hub", "project=%s node=%s placed", project_id, node_id);
    return pb_store_write(hub->platform->store, write_place, &(struct placing){project_id, node_id},
                          err);
}

/* --- messages ------------------------------------------------------------------------------------------------ */

static void put_settings(struct pb_json_writer *w, const struct pb_project *project)
{
    pb_json_begin_object(w, "settings");
    pb_json_put_int(w, "max_concurrent", project->max_concurrent);
    pb_json_put_int(w, "silence_ms", project->silence_ms);
    pb_json_end_object(w);
}

static void send_about(struct link *link, enum pb_message_type type, const char *project_id,
                       const struct pb_project *settings_of)
{
    struct pb_message_builder b;
    struct pb_buf frame;

    pb_buf_init(&frame, 4096);
    pb_message_begin(&b, &frame, type, NULL);
    pb_json_put_text(&b.json, "id", project_id);
    if (settings_of)
        put_settings(&b.json, settings_of);
    pb_message_end(&b, NULL, 0);
    (void)pb_link_send(link, &frame); /* a lost one is in the wishes after the next hello */
    pb_buf_release(&frame);
}

void pb_node_send_remove(struct link *link, const char *project_id)
{
    send_about(link, PB_MESSAGE_PROJECT_REMOVE, project_id, NULL);
}

static void send_settings(struct link *link, const struct pb_project *project)
{
    struct pb_message_builder b;
    struct pb_buf frame;

    pb_buf_init(&frame, 4096);
    pb_message_begin(&b, &frame, PB_MESSAGE_SETTINGS, project->id);
    pb_json_put_int(&b.json, "max_concurrent", project->max_concurrent);
    pb_json_put_int(&b.json, "silence_ms", project->silence_ms);
    pb_message_end(&b, NULL, 0);
    (void)pb_link_send(link, &frame);
    pb_buf_release(&frame);
}

/* --- the whole list ------------------------------------------------------------------------------------------ */

struct wishes {
    struct link *link;
    struct pb_db *db;
    struct pb_arena *arena;
    struct pb_json_writer *w;
};

static bool is_wanted(const struct pb_project *project)
{
    return project->status == PB_PROJECT_ACTIVE || project->status == PB_PROJECT_PAUSED;
}

static int has_live(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                    bool *ret_live, struct pb_error *err)
{
    struct pb_attempt_list live;

    if (pb_attempt_live(db, arena, project_id, NULL, &live, err) < 0)
        return -1;
    *ret_live = live.count > 0;
    return 0;
}

static int put_wish(struct wishes *wishes, const struct pb_project *project, struct pb_error *err)
{
    const char *node_id = wishes->link->node_id;
    bool wanted = is_wanted(project);

    if (wanted && !project->node_id && place(wishes->link->hub, project->id, node_id, err) < 0)
        return -1;
    if (project->node_id ? strcmp(project->node_id, node_id) != 0 : !wanted)
        return 0;
    if (!wanted && has_live(wishes->db, wishes->arena, project->id, &wanted, err) < 0)
        return -1;
    if (!wanted)
        return 0;
    pb_json_begin_object(wishes->w, NULL);
    pb_json_put_text(wishes->w, "id", project->id);
    put_settings(wishes->w, project);
    pb_json_end_object(wishes->w);
    return 0;
}

static int put_wishes(struct wishes *wishes, struct pb_error *err)
{
    static const enum pb_project_status STATUSES[] = {PB_PROJECT_ACTIVE, PB_PROJECT_PAUSED,
                                                      PB_PROJECT_STOPPED, PB_PROJECT_DELETED};
    struct pb_project_filter filter = {
        .page = {.limit = PB_LIMIT_PAGE},
        .statuses = STATUSES,
        .status_count = sizeof(STATUSES) / sizeof(STATUSES[0]),
    };
    struct pb_project_list list;

    do {
        if (pb_project_list(wishes->db, wishes->arena, &filter, &list, err) < 0)
            return -1;
        for (size_t i = 0; i < list.count; i++)
            if (put_wish(wishes, &list.items[i], err) < 0)
                return -1;
        filter.page.cursor = list.next_cursor;
    } while (list.next_cursor);
    return 0;
}

int pb_node_send_wishes(struct link *link, struct pb_error *err)
{
    struct pb_message_builder b;
    struct pb_arena arena;
    struct pb_buf frame;
    struct wishes wishes = {
        .link = link,
        .db = pb_store_reader(link->hub->platform->store, err),
        .arena = &arena,
        .w = &b.json,
    };
    int r;

    if (!wishes.db)
        return -1;
    pb_arena_init(&arena, ARENA_MAX);
    pb_buf_init(&frame, PB_MESSAGE_FRAME_MAX);
    pb_message_begin(&b, &frame, PB_MESSAGE_PROJECT_WISHES, NULL);
    pb_json_begin_array(&b.json, "projects");
    r = put_wishes(&wishes, err);
    pb_json_end_array(&b.json);
    pb_message_end(&b, NULL, 0);
    if (r == 0 && !pb_link_send(link, &frame))
        r = pb_fail(err, PB_ERROR_UNAVAILABLE, "the wishes could not be sent");
    pb_buf_release(&frame);
    pb_arena_release(&arena);
    return r;
}

/* --- one project changed --------------------------------------------------------------------------------------- */

static int tell(struct pb_node_hub *hub, struct pb_db *db, struct pb_arena *arena,
                const struct pb_project *project, struct pb_error *err)
{
    bool wanted = is_wanted(project);
    char node_id[ID_TEXT] = "";
    struct link *link;

    if (project->node_id)
        memcpy(node_id, project->node_id, strnlen(project->node_id, ID_TEXT - 1));
    else if (!wanted || !choose_node(hub, node_id))
        return 0; /* its node will be chosen when one comes */
    if (!project->node_id && place(hub, project->id, node_id, err) < 0)
        return -1;
    link = pb_link_of_node(hub, node_id);
    if (!link)
        return 0;
    if (!wanted && has_live(db, arena, project->id, &wanted, err) < 0) {
        pb_link_unref(link);
        return -1;
    }
    if (wanted) {
        send_about(link, PB_MESSAGE_PROJECT_START, project->id, project);
        send_settings(link, project);
    } else {
        send_about(link,
                   project->status == PB_PROJECT_DELETED ? PB_MESSAGE_PROJECT_REMOVE
                                                         : PB_MESSAGE_PROJECT_STOP,
                   project->id, NULL);
    }
    pb_link_unref(link);
    return 0;
}

static void log_untold(const char *project_id, const struct pb_error *err)
{
    pb_log_fail(PB_LOG_WARN, "node_hub", err,
                "project=%s its node is not told what changed until it connects again", project_id);
}

static void change(struct pb_node_hub *hub, const char *project_id, bool only_unwanted)
{
    struct pb_project *project;
    struct pb_arena arena;
    struct pb_error err;
    struct pb_db *db;

    if (!hub)
        return;
    db = pb_store_reader(hub->platform->store, &err);
    pb_arena_init(&arena, 4 << 20);
    if (!db || pb_project_load(db, &arena, project_id, &project, &err) < 0)
        log_untold(project_id, &err);
    else if (!(only_unwanted && is_wanted(project)) && tell(hub, db, &arena, project, &err) < 0)
        log_untold(project_id, &err);
    pb_arena_release(&arena);
}

void pb_node_hub_project_changed(struct pb_node_hub *hub, const char *project_id)
{
    change(hub, project_id, false);
}

void pb_node_hub_attempt_ended(struct pb_node_hub *hub, const char *project_id)
{
    change(hub, project_id, true);
}

void pb_node_hub_project_restart(struct pb_node_hub *hub, const char *project_id)
{
    struct link *link = NULL;
    struct pb_project *project;
    struct pb_arena arena;
    struct pb_error err;
    struct pb_db *db = pb_store_reader(hub->platform->store, &err);

    pb_arena_init(&arena, 4 << 20);
    if (!db || pb_project_load(db, &arena, project_id, &project, &err) < 0)
        log_untold(project_id, &err);
    else if (project->node_id)
        link = pb_link_of_node(hub, project->node_id);
    if (link)
        send_about(link, PB_MESSAGE_PROJECT_RESTART, project_id, NULL);
    pb_link_unref(link);
    pb_arena_release(&arena);
}
