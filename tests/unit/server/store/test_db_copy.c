/* From one engine to the other and back: the same rows, the same numbering; and what is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/db_copy.h"
#include "server/store/db_private.h"
#include "server/store/execution_store.h"
#include "server/store/identity_store.h"
#include "server/store/project_store.h"
#include "store_test.h"

struct two {
    struct store_test *here; /* the installation that is moved, on SQLite */
    struct store_place there, back;
    struct pb_error err;
};

/* --- an installation --------------------------------------------------------------------------------- */

static int fill_small_tables(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct pb_user user = {.password_hash = "x", .language = "ärger", .created_at = 5};
    const struct pb_audit audit = {.at = 1, .actor = "user:a", .action = "b"};
    int64_t id = 0;

    (void)arg;
    for (int i = 0; i < 3; i++) {
        char name[16];

        snprintf(name, sizeof(name), "user%d", i);
        user.username = name;
        if (pb_user_insert(db, &user, &id, err) < 0 || pb_audit_append(db, &audit, err) < 0)
            return -1;
    }
    if (pb_db_run(db, "DELETE FROM users WHERE id = ?1", PB_VALUES(I(id)), NULL, err) < 0)
        return -1;
    if (pb_db_run(db, "INSERT INTO log_states VALUES ('x', 1, 20, 0, 7, 1, ?1)",
                  PB_VALUES(pb_value_bytes("", 0)), NULL, err) < 0 ||
        pb_db_run(db, "INSERT INTO log_chunks VALUES ('x', 4294967295, 0, 0, 0, 1, 20, ?1)",
                  PB_VALUES(pb_value_bytes("\0\xff", 2)), NULL, err) < 0)
        return -1;
    return pb_db_run(db,
                     "INSERT INTO secrets (scope, project_id, name, version, kek_id, wrapped_dek, "
                     "sealed, created_at) VALUES ('project', 'p', 'n', 1, 'k', ?1, ?2, 9)",
                     PB_VALUES(pb_value_bytes("\0\1\xff\\'", 5), pb_value_bytes("", 0)), NULL, err);
}

static void fill(struct store_test *t)
{
    static const char *const NAMES[] = {"Zeta", "alpha", "ärger", "a-b", "日本"};

    for (size_t i = 0; i < COUNT(NAMES); i++) {
        char id[16];

        snprintf(id, sizeof(id), "p%zu", i);
        store_test_add_project(t, id);
    }
    for (int i = 0; i < 250; i++) /* some pages, and a part of one */
        (void)store_test_add_execution(t, i % 3 ? "p1" : "p2", 0, 1000 + i);
    for (int i = 0; i < 200; i++)
        (void)store_test_add_execution(t, "p3", 0, 5000);
    store_test_write(t, fill_small_tables, NULL);
}

static int setup(void **state)
{
    struct two *two = calloc(1, sizeof(*two));
    void *here;

    assert_non_null(two);
    store_test_use_sqlite(true);
    assert_int_equal(store_test_setup(&here), 0);
    store_place_make(&two->back);
    store_test_use_sqlite(false);
    two->here = here;
    store_place_make(&two->there);
    fill(two->here);
    *state = two;
    return 0;
}

static int teardown(void **state)
{
    struct two *two = *state;
    void *here = two->here;

    store_place_remove(&two->there);
    store_test_use_sqlite(true);
    store_place_remove(&two->back);
    store_test_teardown(&here);
    store_test_use_sqlite(false);
    free(two);
    return 0;
}

static void note_rows(void *arg, const char *table, int64_t rows)
{
    int64_t *total = arg;

    assert_true(rows >= 0 && table[0]);
    *total += rows;
}

static int64_t copy(struct two *two, const char *from, const char *to)
{
    int64_t rows = 0;

    assert_ok(pb_db_copy(&(struct pb_db_copy){.from = from,
                                              .to = to,
                                              .app_version = "test",
                                              .on_table = note_rows,
                                              .arg = &rows},
                         &two->err),
              &two->err);
    return rows;
}

static int try_copy(struct two *two, const char *from, const char *to)
{
    return pb_db_copy(&(struct pb_db_copy){.from = from, .to = to, .app_version = "test"},
                      &two->err);
}

/* --- moving --------------------------------------------------------------------------------------------- */

static int insert_user(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct pb_user user = {.username = "new", .password_hash = "x", .created_at = 5};

    return pb_user_insert(db, &user, arg, err);
}

TEST(an_installation_moves_and_comes_back)
{
    struct two *two = *state;
    int64_t there, back, id = 0;
    struct pb_execution_list list;
    struct pb_execution_filter filter = {.project_id = "p3"};
    struct pb_store *store;
    struct pb_db *db;

    pb_store_close(two->here->store);
    two->here->store = NULL;
    there = copy(two, two->here->place.database, two->there.database);
    back = copy(two, two->there.database, two->back.database);
    assert_true(there > 900);
    assert_int_equal(there, back);

    store = pb_store_open(&(struct pb_store_options){.database = two->back.database}, &two->err);
    assert_non_null(store);
    db = pb_store_reader(store, &two->err);
    assert_ok(pb_execution_list(db, &two->here->arena, &filter, &list, &two->err), &two->err);
    assert_true(list.count > 0);
    assert_ok(pb_store_write(store, insert_user, &id, &two->err), &two->err);
    assert_int_equal(id, 4); /* 3 was given before, and deleted */
    pb_store_close(store);
}

TEST(a_platform_goes_on_where_it_was_moved_to)
{
    struct two *two = *state;
    int64_t id = 0;
    struct pb_store *store;

    pb_store_close(two->here->store);
    two->here->store = NULL;
    (void)copy(two, two->here->place.database, two->there.database);
    store = pb_store_open(&(struct pb_store_options){.database = two->there.database}, &two->err);
    if (!store)
        fail_msg("%s", two->err.message);
    assert_ok(pb_store_write(store, insert_user, &id, &two->err), &two->err);
    assert_int_equal(id, 4);
    pb_store_close(store);
}

/* --- what is refused -------------------------------------------------------------------------------------- */

TEST(a_target_with_rows_is_refused_and_left_alone)
{
    struct two *two = *state;

    pb_store_close(two->here->store);
    two->here->store = NULL;
    (void)copy(two, two->here->place.database, two->there.database);
    assert_refused(try_copy(two, two->here->place.database, two->there.database), &two->err,
                   PB_ERROR_CONFLICT);
    assert_string_equal(two->err.reason, "target_not_empty");
    assert_refused(try_copy(two, two->there.database, two->there.database), &two->err,
                   PB_ERROR_INVALID);
}

TEST(a_database_in_use_is_neither_read_nor_written)
{
    struct two *two = *state;
    struct pb_store *store =
        pb_store_open(&(struct pb_store_options){.database = two->there.database,
                                                 .app_version = "test"},
                      &two->err);

    if (!store_test_on_postgres()) { /* of files, the lock on their folder says so */
        pb_store_close(store);
        return;
    }
    assert_non_null(store);
    assert_refused(try_copy(two, two->here->place.database, two->there.database), &two->err,
                   PB_ERROR_CONFLICT);
    assert_string_equal(two->err.reason, "database_in_use");
    assert_refused(try_copy(two, two->there.database, two->back.database), &two->err,
                   PB_ERROR_CONFLICT);
    assert_string_equal(two->err.reason, "database_in_use");
    pb_store_close(store);
    assert_int_equal(copy(two, two->there.database, two->back.database), 0);
}

TEST(a_source_without_an_installation_is_refused)
{
    struct two *two = *state;

    assert_refused(try_copy(two, "/nonexistent/poppo.db", two->there.database), &two->err,
                   PB_ERROR_NOT_FOUND);
    assert_string_equal(two->err.reason, "no_installation");
    assert_refused(try_copy(two, two->there.database, two->back.database), &two->err,
                   PB_ERROR_NOT_FOUND);
    assert_string_equal(two->err.reason, "no_installation");
}

static int break_rows(struct pb_db *db, void *arg, struct pb_error *err)
{
    (void)arg;
    return pb_db_run(db, "UPDATE settings SET value = CAST(?1 AS TEXT) WHERE key = 'broken'",
                     PB_VALUES(pb_value_bytes("caf\xe9", 4)), NULL, err);
}

static int put_broken(struct pb_db *db, void *arg, struct pb_error *err)
{
    (void)arg;
    return pb_setting_put(db, "broken", "x", 1, err);
}

TEST(a_copy_that_fails_leaves_nothing)
{
    struct two *two = *state;

    store_test_write(two->here, put_broken, NULL);
    store_test_write(two->here, break_rows, NULL); /* no text that another engine would take */
    pb_store_close(two->here->store);
    two->here->store = NULL;
    assert_refused(try_copy(two, two->here->place.database, two->there.database), &two->err,
                   PB_ERROR_INVALID);
    assert_non_null(strstr(two->err.message, "settings"));
    assert_int_equal(copy(two, two->there.database, two->back.database), 0); /* the schema alone */
}

/* --- nothing is forgotten ----------------------------------------------------------------------------------- */

TEST(every_table_is_copied)
{
    struct two *two = *state;
    struct pb_db *db = pb_store_reader(two->here->store, &two->err);
    struct pb_rows *rows = pb_db_query(db,
                                       "SELECT name FROM sqlite_master WHERE type = 'table' AND "
                                       "name NOT LIKE 'sqlite_%' AND name <> 'schema_history'",
                                       PB_NO_VALUES, &two->err);
    size_t tables = 0, copied = 0;

    assert_non_null(rows);
    while (pb_rows_next(rows, &two->err) > 0) {
        bool found = false;

        for (size_t i = 0; pb_db_copy_table(i); i++)
            found = found || strcmp(pb_db_copy_table(i), pb_rows_text(rows, 0)) == 0;
        if (!found)
            fail_msg("db copy forgets table %s", pb_rows_text(rows, 0));
        tables++;
    }
    pb_rows_end(rows);
    while (pb_db_copy_table(copied))
        copied++;
    assert_int_equal(tables, copied);
}

#define WITH_TWO(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TWO(an_installation_moves_and_comes_back),
        WITH_TWO(a_platform_goes_on_where_it_was_moved_to),
        WITH_TWO(a_target_with_rows_is_refused_and_left_alone),
        WITH_TWO(a_database_in_use_is_neither_read_nor_written),
        WITH_TWO(a_source_without_an_installation_is_refused),
        WITH_TWO(a_copy_that_fails_leaves_nothing),
        WITH_TWO(every_table_is_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
