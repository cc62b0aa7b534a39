/* History that goes: what leaves with an execution, what stays, and that lists and counts stay right. */
#include <stdio.h>
#include <string.h>

#include "server/store/db_private.h"
#include "server/store/execution_store.h"
#include "server/store/history_store.h"
#include "server/store/identity_store.h"
#include "server/store/log_holding.h"
#include "server/store/project_store.h"
#include "store_test.h"

enum { RUNS = 12 };

static int write_end(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct pb_execution *execution = arg;

    return pb_execution_save(db, execution, PB_EXECUTION_QUEUED, err);
}

/* One that was made at `at` and ended right after. */
static const char *add_ended(struct store_test *t, const char *project, int64_t at)
{
    const char *id = store_test_add_execution(t, project, 0, at);
    struct pb_execution *execution = store_test_load(t, id);

    execution->status = PB_EXECUTION_SUCCEEDED;
    execution->completed_at = at + 1;
    execution->logs = "segment:x";
    store_test_write(t, write_end, execution);
    return id;
}

static int remove_one(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_history_remove(db, arg, err);
}

static void remove_id(struct store_test *t, const char *id)
{
    char text[64];

    snprintf(text, sizeof(text), "%s", id);
    store_test_write(t, remove_one, text);
}

static int run_sql(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_db_run(db, arg, PB_NO_VALUES, NULL, err);
}

static void sql(struct store_test *t, const char *text)
{
    char copy[400];

    snprintf(copy, sizeof(copy), "%s", text);
    store_test_write(t, run_sql, copy);
}

static int64_t number(struct store_test *t, const char *text)
{
    int64_t found = -1;

    assert_ok(pb_db_number(store_test_reader(t), text, PB_NO_VALUES, &found, &t->err), &t->err);
    return found;
}

static struct pb_old_executions old(struct store_test *t, const struct pb_history_wish *wish)
{
    struct pb_old_executions list;

    assert_ok(pb_history_old(store_test_reader(t), &t->arena, wish, &list, &t->err), &t->err);
    return list;
}

TEST(the_oldest_come_first_and_a_projects_newest_may_not_go)
{
    struct store_test *t = *state;
    const char *runs[RUNS];
    struct pb_old_executions list;
    struct pb_history_wish wish = {.before_ms = 1010, .keep = 5, .id = "", .limit = 6};
    size_t seen = 0;

    store_test_add_project(t, "site");
    store_test_add_project(t, "idle");
    for (int i = 0; i < RUNS; i++)
        runs[i] = add_ended(t, "site", 1000 + i);
    (void)add_ended(t, "idle", 1);
    (void)store_test_add_execution(t, "idle", 0, 0); /* waits still */
    do {
        list = old(t, &wish);
        for (size_t i = 0; i < list.count; i++) {
            const struct pb_old_execution *item = &list.items[i];

            if (seen == 0) { /* the second last of its project */
                assert_string_equal(item->project_id, "idle");
                assert_false(item->may_go);
            } else {
                assert_string_equal(item->id, runs[seen - 1]);
                assert_int_equal(item->may_go, seen <= RUNS - 5);
            }
            seen++;
            wish.id = item->id;
            wish.completed_at = item->completed_at;
        }
    } while (list.count == 6);
    assert_int_equal(seen, 1 + 9); /* ended before 1010 */
}

TEST(what_is_the_executions_goes_with_it_and_its_trigger_stays_known)
{
    struct store_test *t = *state;
    struct pb_execution_counts counts;
    const char *first, *last, *known = NULL, *newer;
    char text[200];

    store_test_add_project(t, "site");
    first = add_ended(t, "site", 1000);
    last = add_ended(t, "site", 1001);
    snprintf(text, sizeof(text),
             "INSERT INTO attempts (execution_id, number, fence, node_id, status, assigned_at) "
             "VALUES ('%s', 1, 1, 'n', 'ended', 1)",
             first);
    sql(t, text);
    snprintf(text, sizeof(text),
             "INSERT INTO remarks (execution_id, number, text, said_by, said_at) "
             "VALUES ('%s', 1, 'x', 'bob', 1)",
             first);
    sql(t, text);
    remove_id(t, first);
    remove_id(t, first); /* a second time changes nothing */
    assert_int_equal(number(t, "SELECT count(*) FROM attempts"), 0);
    assert_int_equal(number(t, "SELECT count(*) FROM remarks"), 0);
    assert_int_equal(number(t, "SELECT count(*) FROM executions"), 1);
    assert_ok(pb_project_counts(store_test_reader(t), "site", &counts, &t->err), &t->err);
    assert_int_equal(counts.by_status[PB_EXECUTION_SUCCEEDED], 1);
    assert_ok(pb_execution_find_key(store_test_reader(t), &t->arena, "site", first, &known,
                                    &t->err),
              &t->err);
    assert_string_equal(known, first); /* the key of these is their id */
    newer = store_test_add_execution(t, "site", 0, 2000);
    assert_int_equal(store_test_load(t, newer)->number, 3);
    assert_int_equal(store_test_load(t, last)->number, 2);
    remove_id(t, newer); /* has not ended */
    assert_int_equal(number(t, "SELECT count(*) FROM executions"), 2);
    assert_ok(pb_project_counts(store_test_reader(t), "site", &counts, &t->err), &t->err);
    assert_int_equal(counts.by_status[PB_EXECUTION_QUEUED], 1);
}

TEST(a_list_that_is_being_read_goes_on_while_rows_go)
{
    struct store_test *t = *state;
    struct pb_execution_filter filter = {.project_id = "site", .page = {.limit = 4}};
    struct pb_execution_list list;
    const char *runs[RUNS];

    store_test_add_project(t, "site");
    for (int i = 0; i < RUNS; i++)
        runs[i] = add_ended(t, "site", 1000 + i);
    assert_ok(pb_execution_list(store_test_reader(t), &t->arena, &filter, &list, &t->err), &t->err);
    assert_string_equal(list.items[3].id, runs[8]);
    for (int i = 0; i < 9; i++) /* the page's own last row, too, and all but one behind it */
        if (i != 5)
            remove_id(t, runs[i]);
    filter.page.cursor = list.next_cursor;
    assert_ok(pb_execution_list(store_test_reader(t), &t->arena, &filter, &list, &t->err), &t->err);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].id, runs[5]);
    assert_null(list.next_cursor);
}

struct purge {
    int64_t before_ms, removed;
};

static int purge_audit(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct purge *purge = arg;

    return pb_audit_purge(db, purge->before_ms, 3, &purge->removed, err);
}

static int add_audit(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_audit_append(
        db, &(struct pb_audit){.at = *(int64_t *)arg, .actor = "user:a", .action = "b"}, err);
}

TEST(the_audit_goes_from_its_beginning_some_rows_at_a_time)
{
    struct store_test *t = *state;
    struct purge purge = {.before_ms = 105};

    for (int64_t at = 100; at < 110; at++)
        store_test_write(t, add_audit, &at);
    store_test_write(t, purge_audit, &purge);
    assert_int_equal(purge.removed, 3);
    store_test_write(t, purge_audit, &purge);
    assert_int_equal(purge.removed, 2);
    store_test_write(t, purge_audit, &purge);
    assert_int_equal(purge.removed, 0);
    assert_int_equal(number(t, "SELECT min(at) FROM audit_log"), 105);
}

TEST(looking_for_what_is_old_reads_nothing_else)
{
    struct store_test *t = *state;
    struct pb_db *db = store_test_reader(t);
    struct pb_log_holdings holdings;
    struct pb_buf plan;
    char *rest, *line;

    SQLITE_ONLY();
    (void)old(t, &(struct pb_history_wish){.before_ms = 5, .keep = 5, .id = "", .limit = 5});
    assert_ok(pb_log_holdings_old(db, &t->arena, 5, NULL, 5, &holdings, &t->err), &t->err);
    pb_buf_init(&plan, 1 << 20);
    assert_ok(pb_db_explain(db, &plan, &t->err), &t->err);
    assert_non_null(strstr(pb_buf_string(&plan), "INDEX executions_with_log"));
    assert_non_null(strstr(pb_buf_string(&plan), "INDEX executions_completed"));
    rest = plan.data;
    while ((line = strsep(&rest, "\n")))
        if (strncmp(line, "SCAN ", 5) == 0)
            fail_msg("%s", line);
    pb_buf_release(&plan);
}

#define WITH_STORE(test) \
    cmocka_unit_test_setup_teardown(test, store_test_setup, store_test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(the_oldest_come_first_and_a_projects_newest_may_not_go),
        WITH_STORE(what_is_the_executions_goes_with_it_and_its_trigger_stays_known),
        WITH_STORE(a_list_that_is_being_read_goes_on_while_rows_go),
        WITH_STORE(the_audit_goes_from_its_beginning_some_rows_at_a_time),
        WITH_STORE(looking_for_what_is_old_reads_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
