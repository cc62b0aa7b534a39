#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "server/store/db_private.h"
#include "server/store/identity_store.h"
#include "store_test.h"

/* --- writing and reading -------------------------------------------------------------------------- */

struct put {
    const char *key;
    const char *value;
    bool fail;
};

static int put(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct put *wish = arg;

    if (pb_setting_put(db, wish->key, wish->value, 1, err) < 0)
        return -1;
    return wish->fail ? pb_fail(err, PB_ERROR_CONFLICT, "on purpose") : 0;
}

static const char *get(struct store_test *t, const char *key)
{
    const char *value = NULL;

    assert_ok(pb_setting_get(store_test_reader(t), &t->arena, key, &value, &t->err), &t->err);
    return value;
}

TEST(what_was_written_is_read_by_the_next_reader)
{
    struct store_test *t = *state;

    store_test_write(t, put, &(struct put){"a", "1", false});
    assert_string_equal(get(t, "a"), "1");
    store_test_write(t, put, &(struct put){"a", "2", false});
    assert_string_equal(get(t, "a"), "2");
    store_test_reopen(t);
    assert_string_equal(get(t, "a"), "2");
}

TEST(a_failed_function_leaves_nothing_and_says_why)
{
    struct store_test *t = *state;

    assert_refused(pb_store_write(t->store, put, &(struct put){"a", "1", true}, &t->err), &t->err,
                   PB_ERROR_CONFLICT);
    assert_string_equal(t->err.message, "on purpose");
    assert_null(get(t, "a"));
}

/* Goes on after a statement that failed, and says that all is well. */
static int put_twice_carelessly(struct pb_db *db, void *arg, struct pb_error *err)
{
    static const char SQL[] = "INSERT INTO settings (key, value, updated_at) VALUES (?1, 'x', 1)";

    (void)arg;
    if (pb_db_run(db, SQL, PB_VALUES(T("a")), NULL, err) < 0)
        return -1;
    (void)!pb_db_run(db, SQL, PB_VALUES(T("a")), NULL, err);
    (void)!pb_db_run(db, SQL, PB_VALUES(T("b")), NULL, err);
    return 0;
}

TEST(after_a_failed_statement_the_function_has_failed)
{
    struct store_test *t = *state;

    assert_refused(pb_store_write(t->store, put_twice_carelessly, NULL, &t->err), &t->err,
                   PB_ERROR_CONFLICT);
    assert_string_equal(t->err.reason, "unique");
    assert_null(get(t, "a"));
    assert_null(get(t, "b"));
    store_test_write(t, put, &(struct put){"a", "1", false});
}

TEST(text_that_is_not_utf8_is_refused)
{
    struct store_test *t = *state;

    assert_refused(pb_store_write(t->store, put, &(struct put){"a", "caf\xe9", false}, &t->err),
                   &t->err, PB_ERROR_INVALID);
    assert_string_equal(t->err.reason, "not_utf8");
    store_test_write(t, put, &(struct put){"a", "café", false});
    assert_string_equal(get(t, "a"), "café");
}

TEST(readers_cannot_write)
{
    struct store_test *t = *state;

    assert_refused(pb_setting_put(store_test_reader(t), "a", "1", 1, &t->err), &t->err,
                   PB_ERROR_UNAVAILABLE);
}

TEST(the_files_are_for_their_owner_alone)
{
    struct store_test *t = *state;
    struct stat stat_;
    char path[128];

    SQLITE_ONLY();
    store_test_write(t, put, &(struct put){"a", "1", false});
    for (int i = 0; i < 3; i++) {
        static const char *const SUFFIXES[] = {"", "-wal", "-shm"};

        snprintf(path, sizeof(path), "%s%s", t->place.path, SUFFIXES[i]);
        assert_int_equal(stat(path, &stat_), 0);
        assert_int_equal(stat_.st_mode & 0777, 0600);
    }
}

static int write_again(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct store_test *t = arg;

    (void)db;
    return pb_store_write(t->store, put, &(struct put){"a", "1", false}, err);
}

/* --- generations ---------------------------------------------------------------------------------- */

TEST(a_statement_tells_what_it_changes)
{
    static const struct {
        const char *sql;
        unsigned parts;
    } CASES[] = {
        {"SELECT * FROM executions", 0},
        {"SAVEPOINT part", 0},
        {"WITH RECURSIVE r (id) AS (SELECT 1) SELECT id FROM r", 0},
        {"INSERT INTO executions (id) VALUES (?1)", PB_STORE_HISTORY},
        {"UPDATE attempts SET status = ?2", PB_STORE_HISTORY},
        {"DELETE FROM projects", PB_STORE_HISTORY},
        {"DELETE FROM sessions WHERE id = ?1", PB_STORE_PEOPLE},
        {"UPDATE users SET role = ?1", PB_STORE_PEOPLE},
        {"UPDATE settings SET value = ?1", 0},
        {"INSERT INTO execution_counts (project_id) VALUES (?1)", 0},
        {"WITH a AS (DELETE FROM settings RETURNING key) SELECT key FROM a", PB_STORE_ALL},
        {"REPLACE INTO settings VALUES (1)", PB_STORE_ALL},
        {"UPDATE \"users\" SET role = ?1", PB_STORE_ALL},
        {"DROP TABLE x", PB_STORE_ALL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++)
        assert_int_equal(pb_sql_parts(CASES[i].sql), CASES[i].parts);
}

static int touch_users(struct pb_db *db, void *arg, struct pb_error *err)
{
    (void)arg;
    return pb_db_run(db, "UPDATE users SET role = role", PB_NO_VALUES, NULL, err);
}

TEST(who_changes_something_finds_another_generation)
{
    struct store_test *t = *state;
    uint64_t people, history;

    if (store_test_on_postgres()) { /* other servers change it, too */
        assert_int_equal(pb_store_generation(t->store, PB_STORE_ALL), 0);
        return;
    }
    people = pb_store_generation(t->store, PB_STORE_PEOPLE);
    history = pb_store_generation(t->store, PB_STORE_HISTORY);
    assert_true(people > 0 && history > 0);
    store_test_write(t, put, &(struct put){"a", "1", false});
    assert_int_equal(pb_store_generation(t->store, PB_STORE_ALL), people + history - 1);
    store_test_write(t, touch_users, NULL);
    assert_true(pb_store_generation(t->store, PB_STORE_PEOPLE) > people);
    assert_int_equal(pb_store_generation(t->store, PB_STORE_HISTORY), history);
    store_test_add_project(t, "site");
    assert_true(pb_store_generation(t->store, PB_STORE_HISTORY) > history);
}

TEST(a_write_function_cannot_wait_for_another_one)
{
    struct store_test *t = *state;

    assert_refused(pb_store_write(t->store, write_again, t, &t->err), &t->err, PB_ERROR_INTERNAL);
}

/* --- groups --------------------------------------------------------------------------------------- */

/* Holds the writer inside a function until the test opens the gate. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool entered, open;
    int done, failed;
};

static struct gate make_gate(void)
{
    return (struct gate){PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false, 0, 0};
}

static int hold(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct gate *gate = arg;

    (void)db;
    (void)err;
    pthread_mutex_lock(&gate->lock);
    gate->entered = true;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
    return 0;
}

static void count_done(struct gate *gate, const struct pb_error *err)
{
    pthread_mutex_lock(&gate->lock);
    gate->done++;
    gate->failed += err != NULL;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static void on_held(void *arg, const struct pb_error *err)
{
    count_done(arg, err);
}

static void wait_entered(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (!gate->entered)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void open_gate(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static void wait_done(struct gate *gate, int count)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->done < count)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

struct numbered {
    struct gate *gate;
    int number;
    bool fail;
};

static int put_number(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct numbered *wish = arg;
    char key[16];

    snprintf(key, sizeof(key), "n%d", wish->number);
    if (pb_setting_put(db, key, "x", 1, err) < 0)
        return -1;
    return wish->fail ? pb_fail(err, PB_ERROR_CONFLICT, "on purpose") : 0;
}

static void on_number(void *arg, const struct pb_error *err)
{
    count_done(((struct numbered *)arg)->gate, err);
}

TEST(what_waits_together_is_committed_together_and_fails_alone)
{
    enum { WISHES = 100 };
    struct store_test *t = *state;
    struct gate gate = make_gate();
    struct numbered wishes[WISHES];
    struct pb_store_stats before, after;

    pb_store_stats(t->store, &before);
    assert_ok(pb_store_submit(t->store, hold, on_held, &gate, &t->err), &t->err);
    wait_entered(&gate);
    for (int i = 0; i < WISHES; i++) {
        wishes[i] = (struct numbered){&gate, i, i % 10 == 3};
        assert_ok(pb_store_submit(t->store, put_number, on_number, &wishes[i], &t->err), &t->err);
    }
    open_gate(&gate);
    wait_done(&gate, WISHES + 1);
    pb_store_stats(t->store, &after);

    assert_int_equal(gate.failed, 10);
    assert_true(after.writes - before.writes == WISHES + 1);
    assert_true(after.groups - before.groups < WISHES / 2);
    for (int i = 0; i < WISHES; i++) {
        char key[16];

        snprintf(key, sizeof(key), "n%d", i);
        if (i % 10 == 3)
            assert_null(get(t, key));
        else
            assert_non_null(get(t, key));
    }
}

static const struct pb_error MISSED = {.code = PB_ERROR_CONFLICT,
                                       .reason = "missed",
                                       .message = "there is no such row"};

/* Changes something, then a row that is not there, and says that all is well. */
static int miss_a_row(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct numbered *wish = arg;
    struct numbered first = {wish->gate, wish->number, false};

    if (put_number(db, &first, err) < 0)
        return -1;
    return pb_db_run_one(db, "UPDATE settings SET value = 'y' WHERE key = ?1",
                         PB_VALUES(T(wish->fail ? "nothing" : "n7")), &MISSED, err);
}

TEST(a_row_that_must_be_there_and_is_not_fails_its_function_alone)
{
    struct store_test *t = *state;
    struct gate gate = make_gate();
    struct numbered hit = {&gate, 7, false}, miss = {&gate, 8, true}, other = {&gate, 9, false};

    /* as a whole change, in which COMMIT is sent along */
    assert_refused(pb_store_write(t->store, miss_a_row, &miss, &t->err), &t->err,
                   PB_ERROR_CONFLICT);
    assert_string_equal(t->err.reason, "missed");
    assert_null(get(t, "n8"));

    /* as a part of one */
    assert_ok(pb_store_submit(t->store, hold, on_held, &gate, &t->err), &t->err);
    wait_entered(&gate);
    assert_ok(pb_store_submit(t->store, miss_a_row, on_number, &hit, &t->err), &t->err);
    assert_ok(pb_store_submit(t->store, miss_a_row, on_number, &miss, &t->err), &t->err);
    assert_ok(pb_store_submit(t->store, put_number, on_number, &other, &t->err), &t->err);
    open_gate(&gate);
    wait_done(&gate, 4);
    assert_int_equal(gate.failed, 1);
    assert_string_equal(get(t, "n7"), "y");
    assert_null(get(t, "n8"));
    assert_non_null(get(t, "n9"));
}

TEST(a_full_queue_is_said_at_once)
{
    enum { MAX = 8 };
    struct gate gate = make_gate();
    struct numbered wish = {&gate, 1, false};
    struct pb_error err = {0};
    struct store_place place;
    struct pb_store *store;

    store_place_make(&place);
    store = pb_store_open(&(struct pb_store_options){.database = place.database, .queue_max = MAX},
                          &err);
    assert_non_null(store);
    assert_ok(pb_store_submit(store, hold, on_held, &gate, &err), &err);
    wait_entered(&gate);
    for (int i = 0; i < MAX; i++)
        assert_ok(pb_store_submit(store, put_number, on_number, &wish, &err), &err);
    assert_refused(pb_store_submit(store, put_number, on_number, &wish, &err), &err,
                   PB_ERROR_UNAVAILABLE);
    assert_string_equal(err.reason, "busy");
    open_gate(&gate);
    wait_done(&gate, MAX + 1);
    pb_store_close(store);
    store_place_remove(&place);
}

/* --- readers on many threads ------------------------------------------------------------------------ */

static void *read_in_thread(void *arg)
{
    struct store_test *t = arg;
    struct pb_error err = {0};
    struct pb_db *db = pb_store_reader(t->store, &err);
    struct pb_arena arena;
    const char *value = NULL;
    bool ok;

    pb_arena_init(&arena, 1 << 20);
    ok = db && db == pb_store_reader(t->store, &err) &&
         pb_setting_get(db, &arena, "a", &value, &err) == 0 && value;
    pb_arena_release(&arena);
    return ok ? t : NULL;
}

TEST(every_thread_has_its_own_reader_which_ends_with_it)
{
    struct store_test *t = *state;

    store_test_write(t, put, &(struct put){"a", "1", false});
    for (int round = 0; round < 3; round++) {
        pthread_t threads[4];
        void *result;

        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, read_in_thread, t), 0);
        for (int i = 0; i < 4; i++) {
            pthread_join(threads[i], &result);
            assert_ptr_equal(result, t);
        }
    }
}

TEST(the_log_of_the_database_is_checkpointed_and_does_not_grow)
{
    struct store_test *t = *state;
    struct pb_store_stats stats;
    static char value[20000];
    struct stat stat_;
    char path[128];

    SQLITE_ONLY();
    for (int i = 0; i < 1500; i++) {
        memset(value, 'a' + i % 26, sizeof(value) - 1);
        store_test_write(t, put, &(struct put){"a", value, false});
    }
    pb_store_stats(t->store, &stats);
    assert_true(stats.checkpoints > 0);
    snprintf(path, sizeof(path), "%s-wal", t->place.path);
    assert_int_equal(stat(path, &stat_), 0);
    assert_true(stat_.st_size < 12 << 20); /* 1500 × 5 pages would be 30 MB */
}

/* --- the end of the process, and of the disk --------------------------------------------------------- */

/* Writes one row after the other and tells each one that was acknowledged. Never returns. */
static void write_and_tell(const char *database, int out)
{
    struct pb_error err = {0};
    struct pb_store *store = pb_store_open(&(struct pb_store_options){.database = database}, &err);

    for (int i = 0; store; i++) {
        struct numbered wish = {NULL, i, false};

        if (pb_store_write(store, put_number, &wish, &err) < 0 ||
            write(out, &i, sizeof(i)) != sizeof(i))
            break;
    }
    _exit(1);
}

TEST(what_was_acknowledged_survives_kill_9)
{
    struct store_place place;
    char key[16];
    struct pb_error err = {0};
    struct pb_store *store;
    struct pb_arena arena;
    int pipes[2], last = -1, number;
    pid_t child;

    store_place_make(&place);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    child = fork();
    if (child == 0)
        write_and_tell(place.database, pipes[1]);
    close(pipes[1]);
    while (last < 200 && read(pipes[0], &number, sizeof(number)) == sizeof(number))
        last = number;
    kill(child, SIGKILL);
    while (read(pipes[0], &number, sizeof(number)) == sizeof(number))
        last = number;
    close(pipes[0]);
    waitpid(child, NULL, 0);
    assert_true(last >= 200);

    store = pb_store_open(&(struct pb_store_options){.database = place.database}, &err);
    assert_non_null(store);
    pb_arena_init(&arena, 1 << 20);
    for (int i = 0; i <= last; i++) {
        const char *value = NULL;

        snprintf(key, sizeof(key), "n%d", i);
        assert_ok(pb_setting_get(pb_store_reader(store, &err), &arena, key, &value, &err), &err);
        assert_non_null(value);
    }
    pb_arena_release(&arena);
    pb_store_close(store);
    store_place_remove(&place);
}

/* SQLite writes through this; while `disk_is_full` nothing fits. */
static bool disk_is_full;

static ssize_t write_unless_full(int fd, const void *data, size_t len, off_t offset)
{
    if (disk_is_full) {
        errno = ENOSPC;
        return -1;
    }
    return pwrite(fd, data, len, offset);
}

static void let_disk_be_full(bool full)
{
    static const char *const CALLS[] = {"pwrite", "pwrite64"};
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

    for (size_t i = 0; i < COUNT(CALLS); i++)
        assert_int_equal(vfs->xSetSystemCall(vfs, CALLS[i], (sqlite3_syscall_ptr)write_unless_full),
                         SQLITE_OK);
    disk_is_full = full;
}

TEST(a_full_disk_fails_the_whole_group_and_harms_nothing)
{
    enum { WISHES = 5 };
    struct store_test *t = *state;
    struct gate gate = make_gate();
    struct numbered wishes[WISHES];

    SQLITE_ONLY();
    store_test_write(t, put, &(struct put){"before", "1", false});
    assert_ok(pb_store_submit(t->store, hold, on_held, &gate, &t->err), &t->err);
    wait_entered(&gate);
    for (int i = 0; i < WISHES; i++) {
        wishes[i] = (struct numbered){&gate, i, false};
        assert_ok(pb_store_submit(t->store, put_number, on_number, &wishes[i], &t->err), &t->err);
    }
    let_disk_be_full(true);
    open_gate(&gate);
    wait_done(&gate, WISHES + 1);
    /* What held the gate wrote nothing: when it took long it was a group of its own. */
    assert_true(gate.failed >= WISHES);
    assert_refused(pb_store_write(t->store, put, &(struct put){"during", "1", false}, &t->err),
                   &t->err, PB_ERROR_UNAVAILABLE);
    assert_string_equal(t->err.reason, "disk_full");
    assert_null(get(t, "n0"));

    let_disk_be_full(false);
    store_test_write(t, put, &(struct put){"after", "1", false});
    for (int round = 0; round < 2; round++) {
        assert_non_null(get(t, "before"));
        assert_non_null(get(t, "after"));
        assert_null(get(t, "during"));
        for (int i = 0; i < WISHES; i++) {
            char key[16];

            snprintf(key, sizeof(key), "n%d", i);
            assert_null(get(t, key));
        }
        store_test_reopen(t);
    }
}

TEST(a_file_that_is_no_database_is_refused)
{
    char dir[64], path[96];
    struct pb_error err = {0};
    FILE *file;

    (void)state;
    store_test_make_dir(dir);
    snprintf(path, sizeof(path), "%s/db", dir);
    file = fopen(path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("not a database\n", file);
    fclose(file);
    assert_null(pb_store_open(&(struct pb_store_options){.database = path}, &err));
    assert_int_equal(err.code, PB_ERROR_INTERNAL);
    assert_string_equal(err.reason, "store_corrupt");
    store_test_remove_dir(dir);
}

static int64_t root_page(struct store_test *t, const char *table)
{
    struct pb_db *db = store_test_reader(t);
    int64_t page = 0;

    assert_ok(pb_db_number(db, "SELECT rootpage FROM sqlite_master WHERE name = ?1",
                           PB_VALUES(T(table)), &page, &t->err),
              &t->err);
    assert_true(page > 1);
    return page;
}

TEST(a_table_that_is_damaged_is_found_at_the_start)
{
    struct store_test *t = *state;
    static const char ZEROS[4096];
    int64_t page;
    int fd;

    SQLITE_ONLY();
    page = root_page(t, "projects");
    pb_store_close(t->store);
    t->store = NULL;
    fd = open(t->place.path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, ZEROS, sizeof(ZEROS), (page - 1) * (off_t)sizeof(ZEROS)),
                     sizeof(ZEROS));
    close(fd);
    assert_null(pb_store_open(&(struct pb_store_options){.database = t->place.database}, &t->err));
    assert_string_equal(t->err.reason, "store_corrupt");
    assert_non_null(strstr(t->err.message, t->place.path));
    assert_non_null(strstr(t->err.message, "restore a backup"));
}

/* --- what took long ------------------------------------------------------------------------------- */

#define COUNT_LONG                                                                         \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) SELECT " \
    "count(*) FROM n"

struct slow {
    char sql[200];
    int64_t took_ms;
    unsigned told;
};

static void on_slow(void *arg, const char *sql, int64_t took_ms)
{
    struct slow *slow = arg;

    if (strcmp(sql, COUNT_LONG) != 0)
        return;
    snprintf(slow->sql, sizeof(slow->sql), "%s", sql);
    slow->took_ms = took_ms;
    slow->told++;
}

/* Counts in a store of its own and says what was told of it. */
static struct slow count_within(int64_t slow_ms)
{
    struct store_place place;
    struct slow slow = {.told = 0};
    struct pb_error err = {0};
    struct pb_store *store;
    int64_t number = 0;

    store_place_make(&place);
    store = pb_store_open(&(struct pb_store_options){.database = place.database,
                                                     .slow_ms = slow_ms,
                                                     .on_slow = on_slow,
                                                     .arg = &slow},
                          &err);
    assert_non_null(store);
    assert_ok(pb_db_number(pb_store_reader(store, &err), COUNT_LONG, PB_VALUES(I(300000)), &number,
                           &err),
              &err);
    assert_int_equal(number, 300000);
    pb_store_close(store);
    store_place_remove(&place);
    return slow;
}

TEST(a_statement_that_took_long_is_told_without_its_values)
{
    struct slow slow = count_within(1);

    (void)state;
    assert_int_equal(slow.told, 1);
    assert_string_equal(slow.sql, COUNT_LONG);
    assert_true(slow.took_ms >= 1);
    assert_int_equal(count_within(3600 * 1000).told, 0);
    assert_int_equal(count_within(0).told, 0);
}

static int look_at_request(struct pb_db *db, void *arg, struct pb_error *err)
{
    const char *request = pb_log_request_id();

    (void)db;
    (void)err;
    snprintf(arg, 64, "%s", request ? request : "none");
    return 0;
}

TEST(what_is_written_for_a_request_is_said_in_its_name)
{
    struct store_test *t = *state;
    char seen[64];

    pb_log_request("r-1");
    store_test_write(t, look_at_request, seen);
    assert_string_equal(seen, "r-1");
    pb_log_request(NULL);
    store_test_write(t, look_at_request, seen);
    assert_string_equal(seen, "none");
}

#define WITH_STORE(test) \
    cmocka_unit_test_setup_teardown(test, store_test_setup, store_test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(what_was_written_is_read_by_the_next_reader),
        WITH_STORE(a_failed_function_leaves_nothing_and_says_why),
        WITH_STORE(after_a_failed_statement_the_function_has_failed),
        WITH_STORE(a_row_that_must_be_there_and_is_not_fails_its_function_alone),
        WITH_STORE(text_that_is_not_utf8_is_refused),
        WITH_STORE(readers_cannot_write),
        WITH_STORE(the_files_are_for_their_owner_alone),
        WITH_STORE(a_statement_tells_what_it_changes),
        WITH_STORE(who_changes_something_finds_another_generation),
        WITH_STORE(a_write_function_cannot_wait_for_another_one),
        WITH_STORE(what_waits_together_is_committed_together_and_fails_alone),
        cmocka_unit_test(a_full_queue_is_said_at_once),
        WITH_STORE(every_thread_has_its_own_reader_which_ends_with_it),
        WITH_STORE(the_log_of_the_database_is_checkpointed_and_does_not_grow),
        cmocka_unit_test(what_was_acknowledged_survives_kill_9),
        WITH_STORE(a_full_disk_fails_the_whole_group_and_harms_nothing),
        cmocka_unit_test(a_file_that_is_no_database_is_refused),
        WITH_STORE(a_table_that_is_damaged_is_found_at_the_start),
        cmocka_unit_test(a_statement_that_took_long_is_told_without_its_values),
        WITH_STORE(what_is_written_for_a_request_is_said_in_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
