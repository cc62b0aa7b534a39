#include "store_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/id.h"
#include "server/store/db_private.h"
#include "server/store/execution_store.h"
#include "server/store/project_store.h"

void store_test_make_dir(char ret_dir[64])
{
    snprintf(ret_dir, 64, "/tmp/pb-store-test-XXXXXX");
    assert_non_null(mkdtemp(ret_dir));
}

void store_test_remove_dir(const char *dir)
{
    struct pb_error err = {0};

    assert_ok(pb_fs_remove_tree(AT_FDCWD, dir, &err), &err);
}

static bool always_sqlite;

void store_test_use_sqlite(bool always)
{
    always_sqlite = always;
}

bool store_test_on_postgres(void)
{
    return !always_sqlite && getenv("POPPO_TEST_POSTGRES") != NULL;
}

/* One statement of the tests' own, outside of any schema. */
static void tell_postgres(const char *sql)
{
    const struct pb_database_options options = {.address = getenv("POPPO_TEST_POSTGRES")};
    struct pb_error err = {0};
    struct pb_database *database = pb_database_new(&options, &err);
    struct pb_db *db = database ? pb_db_open(database, PB_DB_WRITER, &err) : NULL;

    if (!db || pb_db_script(db, sql, &err) < 0)
        fail_msg("%s: %s", sql, err.message);
    pb_db_close(db);
    pb_database_free(database);
}

void store_place_make(struct store_place *place)
{
    static int made;
    char sql[64];

    *place = (struct store_place){0};
    store_test_make_dir(place->dir);
    snprintf(place->path, sizeof(place->path), "%s/poppo.db", place->dir);
    snprintf(place->database, sizeof(place->database), "%s", place->path);
    if (!store_test_on_postgres())
        return;
    snprintf(place->schema, sizeof(place->schema), "t%d", ++made);
    snprintf(sql, sizeof(sql), "CREATE SCHEMA %s", place->schema);
    tell_postgres(sql);
    snprintf(place->database, sizeof(place->database), "%s&options=-csearch_path%%3D%s",
             getenv("POPPO_TEST_POSTGRES"), place->schema);
}

void store_place_remove(const struct store_place *place)
{
    char sql[64];

    store_test_remove_dir(place->dir);
    if (!place->schema[0])
        return;
    snprintf(sql, sizeof(sql), "DROP SCHEMA %s CASCADE", place->schema);
    tell_postgres(sql);
}

static void open_store(struct store_test *t)
{
    t->store = pb_store_open(&(struct pb_store_options){.database = t->place.database,
                                                        .app_version = "test"},
                             &t->err);
    if (!t->store)
        fail_msg("%s", t->err.message);
}

int store_test_setup(void **state)
{
    struct store_test *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    store_place_make(&t->place);
    pb_arena_init(&t->arena, 64 << 20);
    open_store(t);
    *state = t;
    return 0;
}

int store_test_teardown(void **state)
{
    struct store_test *t = *state;

    pb_store_close(t->store);
    pb_arena_release(&t->arena);
    store_place_remove(&t->place);
    free(t);
    return 0;
}

void store_test_reopen(struct store_test *t)
{
    pb_store_close(t->store);
    open_store(t);
}

void store_test_write(struct store_test *t, pb_store_write_fn *fn, void *arg)
{
    assert_ok(pb_store_write(t->store, fn, arg, &t->err), &t->err);
}

struct pb_db *store_test_reader(struct store_test *t)
{
    struct pb_db *db = pb_store_reader(t->store, &t->err);

    if (!db)
        fail_msg("%s", t->err.message);
    return db;
}

struct pb_project store_test_project(const char *id)
{
    return (struct pb_project){
        .id = id,
        .name = id,
        .github_owner = "acme",
        .github_repo = id,
        .github_api_url = "https://api.github.com",
        .trigger_label = "poppo",
        .label_prefix = "poppo:",
        .poll_interval_ms = 60000,
        .driver = "claude",
        .language = "en",
        .wall_ms = 3600000,
        .silence_ms = 600000,
        .max_concurrent = 1,
        .allowed_tools = "[\"Edit\"]",
        .created_by = "alice",
        .created_at = 1000,
        .updated_at = 1000,
    };
}

static int insert_project(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_project_insert(db, arg, err);
}

void store_test_add_project(struct store_test *t, const char *id)
{
    struct pb_project project = store_test_project(id);

    store_test_write(t, insert_project, &project);
}

static int insert_execution(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct pb_execution *execution = arg;

    return pb_execution_insert(db, execution, &execution->number, err);
}

const char *store_test_add_execution(struct store_test *t, const char *project_id,
                                     int64_t work_item_id, int64_t created_at)
{
    char id[PB_ULID_TEXT];
    struct pb_execution execution = {
        .id = id,
        .project_id = project_id,
        .work_item_id = work_item_id,
        .issue_number = 12,
        .title = "Mend the roof",
        .trigger = PB_TRIGGER_LABEL,
        .requested_by = "bob",
        .dedupe_key = id,
        .prompt = "please",
        .driver = "claude",
        .usage = {.cost_micro_usd = -1},
        .created_at = created_at,
        .updated_at = created_at,
    };

    pb_ulid(id);
    store_test_write(t, insert_execution, &execution);
    return pb_arena_text(&t->arena, id);
}

struct pb_execution *store_test_load(struct store_test *t, const char *id)
{
    struct pb_execution *execution = NULL;

    assert_ok(pb_execution_load(store_test_reader(t), &t->arena, id, &execution, &t->err), &t->err);
    return execution;
}

struct set_status {
    struct store_test *t;
    const char *id;
    enum pb_execution_status status;
};

static int set_status(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct set_status *wish = arg;
    struct pb_execution *execution;
    enum pb_execution_status from;

    if (pb_execution_load(db, &wish->t->arena, wish->id, &execution, err) < 0)
        return -1;
    from = execution->status;
    execution->status = wish->status;
    return pb_execution_save(db, execution, from, err);
}

void store_test_set_status(struct store_test *t, const char *id, enum pb_execution_status status)
{
    struct set_status wish = {t, id, status};

    store_test_write(t, set_status, &wish);
}
