#include "server/services/env_control.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "model/limits.h"
#include "server/services/auth.h"
#include "server/services/platform.h"
#include "server/services/vault.h"
#include "server/store/identity_store.h"
#include "server/store/project_store.h"
#include "server/store/store.h"

enum { CONTEXT_TEXT = 256, ARENA_MAX = 64 << 20, SEALED_MAX = 128 << 10 };

/* What a sealed value is bound to. */
static void context_of(char ret[CONTEXT_TEXT], const char *project_id, const char *key)
{
    (void)snprintf(ret, CONTEXT_TEXT, "env/%s/%s", project_id, key);
}

static int load(struct pb_platform *platform, struct pb_db *db, const char *project_id,
                struct pb_arena *arena, struct pb_env_var_list *ret, struct pb_error *err)
{
    struct pb_project *project;

    (void)platform;
    if (pb_project_load(db, arena, project_id, &project, err) < 0)
        return -1;
    if (project->status == PB_PROJECT_DELETED)
        return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "project_not_found", "no project '%s'",
                              project_id);
    return pb_env_var_list(db, arena, project_id, ret, err);
}

int pb_env_show(struct pb_platform *platform, const char *project_id, struct pb_arena *arena,
                struct pb_json_writer *w, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_env_var_list list;

    if (!db || load(platform, db, project_id, arena, &list, err) < 0)
        return -1;
    pb_json_begin_object(w, NULL);
    pb_json_begin_array(w, "items");
    for (size_t i = 0; i < list.count; i++) {
        pb_json_begin_object(w, NULL);
        pb_json_put_text(w, "key", list.items[i].key);
        pb_json_put_text(w, "value", list.items[i].encrypted ? NULL : list.items[i].value);
        pb_json_put_bool(w, "encrypted", list.items[i].encrypted);
        pb_json_end_object(w);
    }
    pb_json_end_array(w);
    pb_json_end_object(w);
    return 0;
}

/* --- replace ---------------------------------------------------------------------------------------------- */

struct replacement {
    struct pb_platform *platform;
    const char *project_id;
    const struct pb_env_var *vars;
    size_t count;
    const struct pb_principal *who;
};

static const struct pb_env_var *find(const struct pb_env_var_list *list, const char *key)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].key, key) == 0)
            return &list->items[i];
    return NULL;
}

static int seal(const struct replacement *wish, const struct pb_env_var *plain,
                struct pb_arena *arena, struct pb_env_var *ret, struct pb_error *err)
{
    char context[CONTEXT_TEXT];
    struct pb_buf sealed;
    int r;

    context_of(context, wish->project_id, plain->key);
    pb_buf_init(&sealed, SEALED_MAX);
    r = pb_vault_seal_text(wish->platform->vault, context, plain->value, &sealed, err);
    if (r == 0) {
        ret->value = pb_arena_text(arena, pb_buf_string(&sealed));
        r = ret->value ? 0 : pb_fail(err, PB_ERROR_LIMITED, "too many variables");
    }
    pb_buf_release(&sealed);
    return r;
}

/* The row for one wish: plain, newly sealed, or sealed as before. */
static int make_row(const struct replacement *wish, const struct pb_env_var *var,
                    const struct pb_env_var_list *old, struct pb_arena *arena,
                    struct pb_env_var *ret, struct pb_error *err)
{
    const struct pb_env_var *before = find(old, var->key);

    *ret = (struct pb_env_var){.project_id = wish->project_id,
                               .key = var->key,
                               .value = var->value,
                               .encrypted = var->encrypted};
    if (!var->encrypted) {
        ret->value = var->value ? var->value : "";
        return 0;
    }
    if (var->value)
        return seal(wish, var, arena, ret, err);
    if (!before || !before->encrypted)
        return pb_fail_field(err, "items", "%s needs a value", var->key);
    ret->value = before->value;
    return 0;
}

static int audit(struct pb_db *db, const struct replacement *wish, struct pb_error *err)
{
    char actor[160];
    char object[80];

    (void)snprintf(actor, sizeof(actor), "user:%.120s", wish->who->username);
    (void)snprintf(object, sizeof(object), "project:%.64s", wish->project_id);
    return pb_audit_append(db,
                           &(struct pb_audit){.at = pb_clock_wall_ms(),
                                              .actor = actor,
                                              .action = "project.env",
                                              .object = object,
                                              .address = wish->who->address,
                                              .request_id = wish->who->request_id},
                           err);
}

static int write_replace(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct replacement *wish = arg;
    struct pb_env_var_list old;
    struct pb_env_var *rows;
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, ARENA_MAX);
    rows = pb_arena_alloc(&arena, (wish->count + 1) * sizeof(*rows));
    r = rows ? load(wish->platform, db, wish->project_id, &arena, &old, err)
             : pb_fail(err, PB_ERROR_LIMITED, "too many variables");
    for (size_t i = 0; r == 0 && i < wish->count; i++)
        r = make_row(wish, &wish->vars[i], &old, &arena, &rows[i], err);
    if (r == 0)
        r = pb_env_var_replace(db, wish->project_id, rows, wish->count, err);
    if (r == 0)
        r = audit(db, wish, err);
    pb_arena_release(&arena);
    return r;
}

int pb_env_replace(struct pb_platform *platform, const char *project_id,
                   const struct pb_env_var *vars, size_t count, const struct pb_principal *who,
                   struct pb_error *err)
{
    struct replacement wish = {platform, project_id, vars, count, who};

    if (count > PB_LIMIT_ENV_VARS_PER_PROJECT)
        return pb_fail_field(err, "items", "at most %d variables", PB_LIMIT_ENV_VARS_PER_PROJECT);
    for (size_t i = 0; i < count; i++)
        for (size_t k = i + 1; k < count; k++)
            if (strcmp(vars[i].key, vars[k].key) == 0)
                return pb_fail_field(err, "items", "%s is there twice", vars[i].key);
    return pb_store_write(platform->store, write_replace, &wish, err);
}

/* --- for executions ------------------------------------------------------------------------------------------- */

static int put_values(struct pb_platform *platform, const struct pb_env_var *vars, size_t count,
                      const char *project_id, struct pb_json_writer *w, struct pb_error *err)
{
    int r = 0;

    pb_json_begin_object(w, "env");
    for (size_t i = 0; r == 0 && i < count; i++) {
        const char *value = vars[i].value ? vars[i].value : "";
        char context[CONTEXT_TEXT];
        char *plain = NULL;

        if (!vars[i].encrypted) {
            pb_json_put_text(w, vars[i].key, value);
            continue;
        }
        context_of(context, project_id, vars[i].key);
        r = pb_vault_open_text(platform->vault, context, value, &plain, err);
        if (r == 0)
            pb_json_put_text(w, vars[i].key, plain);
        pb_wipe_free(plain);
    }
    pb_json_end_object(w);
    return r < 0 ? pb_fail_in(err, "environment of %s", project_id) : 0;
}

int pb_env_put_plain(struct pb_platform *platform, const struct pb_env_var *vars, size_t count,
                     const char *project_id, struct pb_json_writer *w, struct pb_error *err)
{
    if (put_values(platform, vars, count, project_id, w, err) < 0)
        return -1;
    pb_json_begin_array(w, "env_secrets");
    for (size_t i = 0; i < count; i++)
        if (vars[i].encrypted)
            pb_json_put_text(w, NULL, vars[i].key);
    pb_json_end_array(w);
    return 0;
}

int pb_env_put_of_project(struct pb_platform *platform, const char *project_id,
                          struct pb_json_writer *w, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_env_var_list list;
    struct pb_arena arena;
    int r;

    if (!db)
        return -1;
    pb_arena_init(&arena, ARENA_MAX);
    r = load(platform, db, project_id, &arena, &list, err);
    if (r == 0)
        r = pb_env_put_plain(platform, list.items, list.count, project_id, w, err);
    pb_arena_release(&arena);
    return r;
}
