/*
 * A store of its own for each test, and rows to begin with: in a file, or, with POPPO_TEST_POSTGRES in the
 * environment, in a schema of its own on that PostgreSQL. The tests are the same.
 */
#ifndef PB_STORE_TEST_H
#define PB_STORE_TEST_H

#include <stdbool.h>

#include "base/arena.h"
#include "model/execution.h"
#include "model/project.h"
#include "pb_test.h"
#include "server/store/store.h"

/* An empty place for a database. */
struct store_place {
    char dir[64];
    char path[96]; /* of the file, on SQLite */
    char schema[32];
    char database[512]; /* for pb_store_open() and pb_database_new() */
};
void store_place_make(struct store_place *place);
void store_place_remove(const struct store_place *place);
bool store_test_on_postgres(void);
/* For the places made from now on, whatever the environment says. */
void store_test_use_sqlite(bool always);
/* The rest of the test is about SQLite's file. */
#define SQLITE_ONLY()                 \
    do {                              \
        if (store_test_on_postgres()) \
            return;                   \
    } while (0)

struct store_test {
    struct store_place place;
    struct pb_store *store;
    struct pb_arena arena;
    struct pb_error err;
};

/* For cmocka_unit_test_setup_teardown(); *state is a struct store_test. */
int store_test_setup(void **state);
int store_test_teardown(void **state);
/* Closes and opens again. */
void store_test_reopen(struct store_test *t);

/* A folder of its own for tests without a store. */
void store_test_make_dir(char ret_dir[64]);
void store_test_remove_dir(const char *dir);

/* Runs a write function and fails the test if it fails. */
void store_test_write(struct store_test *t, pb_store_write_fn *fn, void *arg);
struct pb_db *store_test_reader(struct store_test *t);

/* A valid project of this id and repository "acme/<id>"; texts are literals or `id`. */
struct pb_project store_test_project(const char *id);
/* Stores it. */
void store_test_add_project(struct store_test *t, const char *id);
/* Stores a queued execution and returns its id, in the arena. `work_item_id` may be 0. */
const char *store_test_add_execution(struct store_test *t, const char *project_id,
                                     int64_t work_item_id, int64_t created_at);
struct pb_execution *store_test_load(struct store_test *t, const char *id);
/* Load, set the status, save. */
void store_test_set_status(struct store_test *t, const char *id, enum pb_execution_status status);

#endif
