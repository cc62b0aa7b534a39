/* What is thrown away and what stays, and that a second look finds nothing to do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "server/services/history_prune.h"
#include "server/services/log_prune.h"
#include "server/services/platform.h"
#include "server/store/execution_store.h"
#include "server/store/log_store.h"
#include "server/store/project_store.h"
#include "store_test.h"

enum { RUNS = 6, LINES = 40, LINE = 100 };

struct world {
    struct store_test *store;
    struct pb_platform platform;
    char logs[64];
    const char *runs[RUNS]; /* oldest first */
    struct pb_error err;
};

/* As its end leaves it: what the log had is in the row. */
static int write_end(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct pb_execution *execution = arg;

    return pb_execution_save(db, execution, PB_EXECUTION_QUEUED, err);
}

static void fill_log(struct world *w, const char *id)
{
    static const char TEXT[] = "1700000000000 o ";
    char lines[LINES * LINE + 1];

    memset(lines, 'x', sizeof(lines));
    for (int i = 0; i < LINES; i++) {
        memcpy(lines + i * LINE, TEXT, strlen(TEXT));
        lines[i * LINE + LINE - 1] = '\n';
    }
    assert_ok(pb_log_append_wait(w->platform.log_store,
                                 &(struct pb_log_chunk){id, 1, 0, LINES, lines, LINES * LINE}, NULL,
                                 &w->err),
              &w->err);
}

static void add_run(struct world *w, int i)
{
    struct pb_execution *execution;

    w->runs[i] = store_test_add_execution(w->store, "app", 0, 1000 + i);
    fill_log(w, w->runs[i]);
    execution = store_test_load(w->store, w->runs[i]);
    execution->logs = "segment:x";
    execution->log_lines = LINES;
    execution->log_bytes = LINES * LINE;
    execution->status = i == 1 ? PB_EXECUTION_RUNNING : PB_EXECUTION_SUCCEEDED; /* one goes on */
    execution->completed_at = i == 1 ? 0 : 2000 + i;
    store_test_write(w->store, write_end, execution);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    void *store;

    assert_int_equal(store_test_setup(&store), 0);
    w->store = store;
    w->platform.store = w->store->store;
    store_test_make_dir(w->logs);
    w->platform.log_store =
        pb_log_store_open(&(struct pb_log_store_options){.dir = w->logs, .gather_ms = 1}, &w->err);
    assert_non_null(w->platform.log_store);
    store_test_add_project(w->store, "app");
    for (int i = 0; i < RUNS; i++)
        add_run(w, i);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    void *store = w->store;

    pb_log_store_close(w->platform.log_store);
    store_test_remove_dir(w->logs);
    free(w);
    return store_test_teardown(&store);
}

/* "K": it has its log, "-": neither lines nor a row that says so. */
static void expect_logs(struct world *w, const char *kept)
{
    for (int i = 0; i < RUNS; i++) {
        struct pb_execution *execution = store_test_load(w->store, w->runs[i]);
        struct pb_log_info info;

        assert_ok(pb_log_stat(w->platform.log_store, w->runs[i], &info, &w->err), &w->err);
        assert_int_equal(info.lines, kept[i] == 'K' ? LINES : 0);
        assert_int_equal(execution->logs != NULL, kept[i] == 'K');
        assert_int_equal(execution->log_lines, kept[i] == 'K' ? LINES : 0);
    }
}

static const atomic_bool NEVER, AT_ONCE = true;

static int64_t prune_large(struct world *w, int64_t keep_bytes)
{
    int64_t removed = -1;

    assert_ok(pb_log_prune_large(&w->platform, keep_bytes, &NEVER, &removed, &w->err), &w->err);
    return removed;
}

static int64_t prune_old(struct world *w, int64_t before_ms, const atomic_bool *stop)
{
    int64_t removed = -1;

    assert_ok(pb_log_prune_old(&w->platform, before_ms, stop, &removed, &w->err), &w->err);
    return removed;
}

static int64_t prune_history(struct world *w, int64_t before_ms, int64_t keep,
                             const atomic_bool *stop)
{
    int64_t removed = -1;

    w->platform.settings.execution_keep = keep;
    assert_ok(pb_history_prune(&w->platform, before_ms, stop, &removed, &w->err), &w->err);
    return removed;
}

TEST(of_too_many_logs_the_oldest_go_and_what_runs_keeps_its_own)
{
    struct world *w = *state;

    assert_int_equal(prune_large(w, 100 * LINES * LINE), 0);
    expect_logs(w, "KKKKKK");
    assert_int_equal(prune_large(w, 3 * LINES * LINE), 2);
    expect_logs(w, "-K-KKK");
    assert_int_equal(prune_large(w, 3 * LINES * LINE), 0);
    assert_int_equal(prune_large(w, 0), 3);
    expect_logs(w, "-K----");
}

TEST(old_logs_go_and_what_runs_keeps_its_own)
{
    struct world *w = *state;

    assert_int_equal(prune_old(w, 2004, &AT_ONCE), 0);
    assert_int_equal(prune_old(w, 2000, &NEVER), 0);
    expect_logs(w, "KKKKKK");
    assert_int_equal(prune_old(w, 2004, &NEVER), 3);
    expect_logs(w, "-K--KK");
    assert_int_equal(prune_old(w, 2004, &NEVER), 0);
}

/* "K": it is there, "-": neither it nor its log. */
static void expect_runs(struct world *w, const char *kept)
{
    struct pb_db *db = pb_store_reader(w->platform.store, &w->err);

    for (int i = 0; i < RUNS; i++) {
        struct pb_execution *found;
        struct pb_log_info info;
        int r = pb_execution_load(db, &w->store->arena, w->runs[i], &found, &w->err);

        assert_int_equal(r, kept[i] == 'K' ? 0 : -1);
        assert_ok(pb_log_stat(w->platform.log_store, w->runs[i], &info, &w->err), &w->err);
        assert_int_equal(info.lines, kept[i] == 'K' ? LINES : 0);
    }
}

TEST(old_executions_go_with_their_logs_but_not_the_newest_ones)
{
    struct world *w = *state;
    struct pb_execution_counts counts;

    assert_int_equal(prune_history(w, 9999, 1, &AT_ONCE), 0);
    assert_int_equal(prune_history(w, 2000, 1, &NEVER), 0);
    expect_runs(w, "KKKKKK");
    assert_int_equal(prune_history(w, 2003, 1, &NEVER), 2);
    expect_runs(w, "-K-KKK");
    assert_int_equal(prune_history(w, 9999, 2, &NEVER), 1);
    expect_runs(w, "-K--KK");
    assert_int_equal(prune_history(w, 9999, 1, &NEVER), 1);
    assert_int_equal(prune_history(w, 9999, 0, &NEVER), 0); /* the last one has the number */
    expect_runs(w, "-K---K");
    assert_ok(pb_project_counts(pb_store_reader(w->platform.store, &w->err), "app", &counts,
                                &w->err),
              &w->err);
    assert_int_equal(counts.by_status[PB_EXECUTION_SUCCEEDED], 1);
    assert_int_equal(counts.by_status[PB_EXECUTION_RUNNING], 1);
}

/* A folder in the place of one of its files. */
static void make_unremovable(struct world *w, const char *id)
{
    char address[PB_LOG_ADDRESS], path[200];

    assert_ok(pb_log_address(id, address, &w->err), &w->err); /* "segment:<month>/<id>.log" */
    (void)snprintf(path, sizeof(path), "%s/%.7s/%s.zst", w->logs, address + strlen("segment:"), id);
    assert_int_equal(mkdir(path, 0700), 0);
}

TEST(a_log_that_cannot_be_removed_keeps_no_other_from_going)
{
    struct world *w = *state;
    struct pb_db *db = pb_store_reader(w->platform.store, &w->err);
    struct pb_execution *found;

    make_unremovable(w, w->runs[0]);
    assert_int_equal(prune_old(w, 2004, &NEVER), 2);
    assert_non_null(store_test_load(w->store, w->runs[0])->logs);
    assert_null(store_test_load(w->store, w->runs[3])->logs);
    assert_int_equal(prune_history(w, 9999, 1, &NEVER), 3);
    assert_non_null(store_test_load(w->store, w->runs[0])->logs);
    assert_int_equal(pb_execution_load(db, &w->store->arena, w->runs[2], &found, &w->err), -1);
}

TEST(more_than_a_step_goes_in_one_round_while_others_write)
{
    enum { MANY = 130 };
    struct world *w = *state;
    struct pb_store_stats before, after;
    const char *id = NULL;

    for (int i = 0; i < MANY; i++) {
        struct pb_execution *execution;

        id = store_test_add_execution(w->store, "app", 0, 100);
        execution = store_test_load(w->store, id);
        execution->status = PB_EXECUTION_FAILED;
        execution->completed_at = 100 + i / 10; /* many end at once */
        store_test_write(w->store, write_end, execution);
    }
    pb_store_stats(w->platform.store, &before);
    assert_int_equal(prune_history(w, 1000, 1, &NEVER), MANY - 1);
    pb_store_stats(w->platform.store, &after);
    assert_int_equal(after.writes - before.writes, 3); /* 50 and 50 and 29 */
    assert_int_equal(store_test_load(w->store, id)->status, PB_EXECUTION_FAILED);
    expect_runs(w, "KKKKKK");
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(of_too_many_logs_the_oldest_go_and_what_runs_keeps_its_own),
        WITH_WORLD(old_logs_go_and_what_runs_keeps_its_own),
        WITH_WORLD(old_executions_go_with_their_logs_but_not_the_newest_ones),
        WITH_WORLD(a_log_that_cannot_be_removed_keeps_no_other_from_going),
        WITH_WORLD(more_than_a_step_goes_in_one_round_while_others_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
