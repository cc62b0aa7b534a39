/* What only PostgreSQL can do to us: break in the middle, answer late or never, lie, have several of us. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "pg_proxy.h"
#include "server/store/db_private.h"
#include "server/store/identity_store.h"
#include "store_test.h"

enum { REPLY_MS = 500 };

struct world {
    struct store_place place;
    char through[512]; /* the same database by way of the proxy */
    struct pg_proxy *proxy;
    struct pb_store *store; /* through the proxy */
    struct pb_arena arena;
    struct pb_error err;
};

/* --- the world ------------------------------------------------------------------------------------- */

static void server_dir(char ret_dir[108])
{
    const char *host = strstr(getenv("POPPO_TEST_POSTGRES"), "host=") + strlen("host=");

    snprintf(ret_dir, 108, "%.*s", (int)strcspn(host, "&"), host);
}

/* The same database, looked for in these folders. */
static void address_through(const struct store_place *place, const char *dirs, char ret[512])
{
    snprintf(ret, 512, "postgresql://poppo@/poppo?host=%s&port=5432&options=-csearch_path%%3D%s",
             dirs, place->schema);
}

static struct pb_store *open_store(const char *database, struct pb_error *err)
{
    return pb_store_open(&(struct pb_store_options){.database = database,
                                                    .reply_ms = REPLY_MS,
                                                    .app_version = "test"},
                         err);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    char dir[108];

    assert_non_null(w);
    store_place_make(&w->place);
    server_dir(dir);
    w->proxy = pg_proxy_start(w->place.dir, dir);
    address_through(&w->place, w->place.dir, w->through);
    pb_arena_init(&w->arena, 16 << 20);
    w->store = open_store(w->through, &w->err);
    if (!w->store)
        fail_msg("%s", w->err.message);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    pg_proxy_set(w->proxy, PROXY_PASS);
    pb_store_close(w->store);
    pg_proxy_stop(w->proxy);
    store_place_remove(&w->place);
    pb_arena_release(&w->arena);
    free(w);
    return 0;
}

struct put {
    const char *key, *value;
};

static int put(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct put *wish = arg;

    return pb_setting_put(db, wish->key, wish->value, 1, err);
}

static int try_put(struct world *w, const char *key)
{
    return pb_store_write(w->store, put, &(struct put){key, "1"}, &w->err);
}

/* Reads past the proxy: what is really there. */
static bool is_there(struct world *w, const char *key)
{
    const struct pb_database_options options = {.address = w->place.database};
    struct pb_database *database = pb_database_new(&options, &w->err);
    struct pb_db *db = pb_db_open(database, PB_DB_READER, &w->err);
    const char *value = NULL;

    if (!db)
        fail_msg("%s", w->err.message);
    assert_ok(pb_setting_get(db, &w->arena, key, &value, &w->err), &w->err);
    pb_db_close(db);
    pb_database_free(database);
    return value != NULL;
}

static int try_read(struct world *w)
{
    struct pb_db *db = pb_store_reader(w->store, &w->err);
    const char *value;

    return db ? pb_setting_get(db, &w->arena, "any", &value, &w->err) : -1;
}

/* Runs SQL past the proxy; the first number of its answer. */
static int64_t tell(struct world *w, const char *sql)
{
    const struct pb_database_options options = {.address = w->place.database};
    struct pb_database *database = pb_database_new(&options, &w->err);
    struct pb_db *db = pb_db_open(database, PB_DB_WRITER, &w->err);
    int64_t number = 0;

    if (!db || pb_db_number(db, sql, PB_NO_VALUES, &number, &w->err) < 0)
        fail_msg("%s: %s", sql, w->err.message);
    pb_db_close(db);
    pb_database_free(database);
    return number;
}

/* Until both work again. */
static void assert_recovers(struct world *w)
{
    int64_t until = pb_clock_steady_ms() + 10000;

    while (try_put(w, "recovered") < 0 || try_read(w) < 0) {
        if (pb_clock_steady_ms() > until)
            fail_msg("it does not recover: %s", w->err.message);
    }
}

/* --- commits nobody answered --------------------------------------------------------------------------- */

TEST(a_commit_whose_answer_was_lost_counts_as_committed)
{
    struct world *w = *state;

    assert_ok(try_put(w, "first"), &w->err);
    for (int i = 0; i < 5; i++) {
        pg_proxy_set(w->proxy, PROXY_DROP_ANSWER);
        assert_ok(try_put(w, "second"), &w->err);
        assert_int_equal(pg_proxy_get(w->proxy), PROXY_PASS); /* it did happen */
    }
    assert_true(is_there(w, "second"));
}

TEST(a_commit_that_never_arrived_counts_as_failed)
{
    struct world *w = *state;

    assert_ok(try_put(w, "first"), &w->err);
    for (int i = 0; i < 5; i++) {
        pg_proxy_set(w->proxy, PROXY_DROP_COMMIT);
        assert_refused(try_put(w, "second"), &w->err, PB_ERROR_UNAVAILABLE);
        assert_string_equal(w->err.reason, "database_down");
    }
    assert_false(is_there(w, "second"));
    assert_ok(try_put(w, "third"), &w->err);
    assert_true(is_there(w, "third"));
}

TEST(a_change_that_arrives_after_it_was_given_up_does_not_happen)
{
    struct world *w = *state;
    int64_t until = pb_clock_steady_ms() + 10000;

    assert_ok(try_put(w, "first"), &w->err);
    pg_proxy_set(w->proxy, PROXY_DELAY);
    assert_refused(try_put(w, "late"), &w->err, PB_ERROR_UNAVAILABLE);
    assert_string_equal(w->err.reason, "database_down");
    pg_proxy_set(w->proxy, PROXY_PASS); /* now the old connection delivers it, COMMIT and all */
    while (pg_proxy_open(w->proxy) > 1)
        assert_true(pb_clock_steady_ms() < until);
    assert_ok(try_put(w, "next"), &w->err);
    assert_false(is_there(w, "late"));
    assert_true(is_there(w, "next"));
}

struct writer {
    struct world *w;
    pthread_t thread;
    atomic_bool has_ended;
    int result;
    struct pb_error err;
};

static void *write_in_thread(void *arg)
{
    struct writer *writer = arg;

    writer->result =
        pb_store_write(writer->w->store, put, &(struct put){"waiting", "1"}, &writer->err);
    atomic_store(&writer->has_ended, true);
    return NULL;
}

/* The name of a standby that is not there: commits wait for it. */
static void set_standby(struct world *w, const char *name)
{
    const struct pb_database_options options = {.address = w->place.database};
    struct pb_database *database = pb_database_new(&options, &w->err);
    struct pb_db *db = pb_db_open(database, PB_DB_WRITER, &w->err);
    char sql[128];

    snprintf(sql, sizeof(sql), "ALTER SYSTEM SET synchronous_standby_names = '%s'", name);
    assert_non_null(db);
    assert_ok(pb_db_script(db, sql, &w->err), &w->err);
    assert_ok(pb_db_script(db, "SELECT pg_reload_conf()", &w->err), &w->err);
    pb_db_close(db);
    pb_database_free(database);
}

#define WAITS_FOR_STANDBY                                                     \
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND " \
    "application_name = 'poppo-platform'"

/* The server takes its new setting when it likes: until then commits do not wait. */
static void write_until_it_waits(struct writer *writer)
{
    int64_t until = pb_clock_steady_ms() + 20000;

    while (pb_clock_steady_ms() < until) {
        atomic_store(&writer->has_ended, false);
        assert_int_equal(pthread_create(&writer->thread, NULL, write_in_thread, writer), 0);
        while (!atomic_load(&writer->has_ended)) {
            if (tell(writer->w, WAITS_FOR_STANDBY) > 0)
                return;
        }
        pthread_join(writer->thread, NULL);
    }
    fail_msg("no commit waits");
}

TEST(a_cancelled_commit_is_not_believed)
{
    struct world *w = *state;
    struct writer writer = {.w = w};

    set_standby(w, "nobody");
    write_until_it_waits(&writer);
    tell(w, "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE "
            "wait_event = 'SyncRep' AND application_name = 'poppo-platform'");
    pthread_join(writer.thread, NULL);
    set_standby(w, "");
    assert_int_equal(writer.result, -1);
    assert_string_equal(writer.err.reason, "outcome_unknown");
    assert_true(is_there(w, "waiting")); /* which is why the server's word was no lie, here */
    assert_recovers(w);
}

TEST(a_commit_that_waits_for_a_standby_is_waited_for)
{
    struct world *w = *state;
    struct writer writer = {.w = w};

    set_standby(w, "nobody");
    write_until_it_waits(&writer);
    pg_proxy_set(w->proxy, PROXY_REFUSE); /* the connection breaks while it waits */
    set_standby(w, "");
    pg_proxy_set(w->proxy, PROXY_PASS);
    pthread_join(writer.thread, NULL);
    assert_int_equal(writer.result, 0);
    assert_true(is_there(w, "waiting"));
}

/* --- connections that break, or hang ------------------------------------------------------------------- */

TEST(a_reader_does_not_notice_that_its_connection_was_ended)
{
    struct world *w = *state;

    for (int i = 0; i < 3; i++) {
        assert_ok(try_read(w), &w->err);
        tell(w, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
                "application_name = 'poppo-platform' AND pid <> pg_backend_pid()");
    }
    assert_ok(try_read(w), &w->err);
    assert_recovers(w);
}

static int end_own_connection(struct pb_db *db, struct pb_error *err)
{
    int64_t number;

    return pb_db_number(db, "SELECT pg_terminate_backend(pg_backend_pid())::int", PB_NO_VALUES,
                        &number, err);
}

/* Ignores what its statements say, and says that all is well. */
static int careless(struct pb_db *db, void *arg, struct pb_error *err)
{
    (void)arg;
    if (pb_setting_put(db, "before", "1", 1, err) < 0)
        return -1;
    (void)!end_own_connection(db, err);
    (void)!pb_setting_put(db, "after", "1", 1, err);
    return 0;
}

TEST(nothing_of_a_change_is_left_when_its_connection_breaks)
{
    struct world *w = *state;

    assert_refused(pb_store_write(w->store, careless, NULL, &w->err), &w->err,
                   PB_ERROR_UNAVAILABLE);
    assert_false(is_there(w, "before"));
    assert_false(is_there(w, "after"));
    assert_ok(try_put(w, "next"), &w->err);
}

TEST(a_network_that_swallows_everything_fails_soon_and_only_once)
{
    struct world *w = *state;
    int64_t began, first, second;

    assert_ok(try_put(w, "first"), &w->err);
    assert_ok(try_read(w), &w->err);
    pg_proxy_set(w->proxy, PROXY_SWALLOW);
    began = pb_clock_steady_ms();
    assert_refused(try_read(w), &w->err, PB_ERROR_UNAVAILABLE);
    assert_string_equal(w->err.reason, "database_down");
    first = pb_clock_steady_ms() - began;
    assert_true(first < 8 * REPLY_MS);
    assert_refused(try_put(w, "second"), &w->err, PB_ERROR_UNAVAILABLE); /* tries to connect */
    began = pb_clock_steady_ms();
    assert_refused(try_read(w), &w->err, PB_ERROR_UNAVAILABLE); /* is told at once */
    second = pb_clock_steady_ms() - began;
    assert_true(second < REPLY_MS / 2);
    pg_proxy_set(w->proxy, PROXY_PASS);
    assert_recovers(w);
    assert_false(is_there(w, "second"));
}

TEST(a_database_that_refuses_is_told_at_once_and_used_when_it_is_back)
{
    struct world *w = *state;
    int before;

    assert_ok(try_put(w, "first"), &w->err);
    pg_proxy_set(w->proxy, PROXY_REFUSE);
    assert_refused(try_put(w, "second"), &w->err, PB_ERROR_UNAVAILABLE);
    before = pg_proxy_accepted(w->proxy);
    for (int i = 0; i < 20; i++) {
        assert_refused(try_put(w, "second"), &w->err, PB_ERROR_UNAVAILABLE);
        assert_refused(try_read(w), &w->err, PB_ERROR_UNAVAILABLE);
    }
    assert_true(pg_proxy_accepted(w->proxy) - before < 10); /* not one attempt per call */
    pg_proxy_set(w->proxy, PROXY_PASS);
    assert_recovers(w);
}

/* --- which server ---------------------------------------------------------------------------------------- */

TEST(a_host_that_swallows_packets_costs_nothing_when_another_answers)
{
    struct world *w = *state;
    char dir[108], both[512], dirs[200];
    struct pb_store *store;
    int64_t began = pb_clock_steady_ms();

    pg_proxy_set(w->proxy, PROXY_SWALLOW);
    server_dir(dir);
    snprintf(dirs, sizeof(dirs), "%s,%s", w->place.dir, dir);
    address_through(&w->place, dirs, both);
    store = open_store(both, &w->err);
    if (!store)
        fail_msg("%s", w->err.message);
    assert_true(pb_clock_steady_ms() - began < 2000);
    assert_ok(pb_store_write(store, put, &(struct put){"a", "1"}, &w->err), &w->err);
    pb_store_close(store);
}

TEST(a_primary_of_the_past_is_refused)
{
    struct world *w = *state;

    pg_proxy_set(w->proxy, PROXY_FUTURE);
    tell(w, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
            "application_name = 'poppo-platform' AND pid <> pg_backend_pid()");
    assert_recovers(w); /* over a new connection, to a later timeline */
    pg_proxy_set(w->proxy, PROXY_PASS);
    tell(w, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
            "application_name = 'poppo-platform' AND pid <> pg_backend_pid()");
    assert_refused(try_put(w, "b"), &w->err, PB_ERROR_UNAVAILABLE);
    assert_refused(try_put(w, "b"), &w->err, PB_ERROR_UNAVAILABLE);
    assert_string_equal(w->err.reason, "database_down");
    assert_false(is_there(w, "b"));
}

TEST(no_message_holds_the_password)
{
    static const char *const ADDRESSES[] = {
        "postgresql://poppo:hunter22@/nothing?host=/nonexistent",
        "postgresql://poppo:hunter22@127.0.0.1:1/nothing",
        "postgresql://poppo:hunter22@host:notaport/nothing",
        "postgresql://poppo@/nothing?password=hunter22&unknown=1",
        "postgresql://poppo:hunter22@[::1/nothing",
    };

    for (size_t i = 0; i < COUNT(ADDRESSES); i++) {
        struct pb_error err = {0};

        assert_null(open_store(ADDRESSES[i], &err));
        assert_true(err.message[0] != '\0');
        assert_null(strstr(err.message, "hunter22"));
    }
}

/* --- several servers --------------------------------------------------------------------------------------- */

enum { SERVERS = 3, ADDITIONS = 100 };

static int add_one(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct pb_arena *arena = arg;
    const char *value = NULL;
    char text[24];
    int64_t now = 0;

    if (pb_setting_get(db, arena, "sum", &value, err) < 0)
        return -1;
    if (value && !pb_parse_i64(value, 0, INT64_MAX, &now))
        return pb_fail(err, PB_ERROR_INTERNAL, "'%s'", value);
    snprintf(text, sizeof(text), "%lld", (long long)now + 1);
    return pb_setting_put(db, "sum", text, 1, err);
}

static void *open_and_add(void *arg)
{
    struct writer *writer = arg;
    struct pb_store *store = open_store(writer->w->place.database, &writer->err);
    struct pb_arena arena;

    pb_arena_init(&arena, 1 << 20);
    writer->result = store ? 0 : -1;
    for (int i = 0; writer->result == 0 && i < ADDITIONS; i++)
        writer->result = pb_store_write(store, add_one, &arena, &writer->err);
    pb_store_close(store);
    pb_arena_release(&arena);
    return NULL;
}

TEST(servers_that_start_and_write_at_once_do_not_meet)
{
    struct world w = {0};
    struct writer writers[SERVERS];
    struct pb_arena arena;

    store_place_make(&w.place);
    pb_arena_init(&arena, 1 << 20);
    for (int i = 0; i < SERVERS; i++) {
        writers[i] = (struct writer){.w = &w};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, open_and_add, &writers[i]), 0);
    }
    for (int i = 0; i < SERVERS; i++) {
        pthread_join(writers[i].thread, NULL);
        if (writers[i].result < 0)
            fail_msg("%s", writers[i].err.message);
    }
    assert_int_equal(tell(&w, "SELECT value::bigint FROM settings WHERE key = 'sum'"),
                     SERVERS * ADDITIONS);
    assert_int_equal(tell(&w, "SELECT count(*) FROM store_writers"), SERVERS);
    pb_arena_release(&arena);
    store_place_remove(&w.place);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(a_commit_whose_answer_was_lost_counts_as_committed),
        WITH_WORLD(a_commit_that_never_arrived_counts_as_failed),
        WITH_WORLD(a_change_that_arrives_after_it_was_given_up_does_not_happen),
        WITH_WORLD(a_cancelled_commit_is_not_believed),
        WITH_WORLD(a_commit_that_waits_for_a_standby_is_waited_for),
        WITH_WORLD(a_reader_does_not_notice_that_its_connection_was_ended),
        WITH_WORLD(nothing_of_a_change_is_left_when_its_connection_breaks),
        WITH_WORLD(a_network_that_swallows_everything_fails_soon_and_only_once),
        WITH_WORLD(a_database_that_refuses_is_told_at_once_and_used_when_it_is_back),
        WITH_WORLD(a_host_that_swallows_packets_costs_nothing_when_another_answers),
        WITH_WORLD(a_primary_of_the_past_is_refused),
        cmocka_unit_test(no_message_holds_the_password),
        cmocka_unit_test(servers_that_start_and_write_at_once_do_not_meet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
