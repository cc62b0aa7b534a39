#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "model/priority.h"
#include "server/store/db_private.h"
#include "server/store/execution_store.h"
#include "server/store/project_store.h"
#include "server/store/queue_store.h"
#include "server/store/work_item_store.h"
#include "store_test.h"

#define HOUR INT64_C(3600000)

/* --- helpers --------------------------------------------------------------------------------------- */

struct wish {
    struct pb_execution execution;
    int64_t number;
};

static int insert(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct wish *wish = arg;

    return pb_execution_insert(db, &wish->execution, &wish->number, err);
}

/* An execution that differs from the plain one as `set` says. */
static const char *add(struct store_test *t, struct pb_execution set)
{
    char id[PB_ULID_TEXT];
    struct wish wish = {.execution = set};

    pb_ulid(id);
    wish.execution.id = id;
    wish.execution.project_id = set.project_id ? set.project_id : "site";
    wish.execution.title = "T";
    wish.execution.dedupe_key = id;
    wish.execution.driver = "noop";
    wish.execution.usage.cost_micro_usd = -1;
    wish.execution.updated_at = set.created_at;
    store_test_write(t, insert, &wish);
    return pb_arena_text(&t->arena, id);
}

struct change {
    const char *id;
    int64_t now;
    int64_t available_at;
    int64_t priority;
    int64_t deadline_at;
};

static int write_change(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct change *change = arg;
    struct pb_execution *execution;
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, 1 << 20);
    r = pb_execution_load(db, &arena, change->id, &execution, err);
    if (r == 0) {
        execution->updated_at = change->now;
        execution->available_at = change->available_at;
        execution->priority = change->priority;
        execution->deadline_at = change->deadline_at;
        r = pb_execution_save(db, execution, execution->status, err);
    }
    pb_arena_release(&arena);
    return r;
}

static struct pb_queue_rows heads(struct store_test *t, const char *project_id, size_t limit)
{
    struct pb_queue_rows rows = {NULL, 0};

    assert_ok(pb_queue_heads(store_test_reader(t), &t->arena, project_id, limit, &rows, &t->err),
              &t->err);
    return rows;
}

static void expect_heads(struct store_test *t, const char *const *ids, size_t count)
{
    struct pb_queue_rows rows = heads(t, "site", 100);

    assert_int_equal(rows.count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(rows.items[i].execution_id, ids[i]);
}

#define EXPECT_HEADS(t, ...)                            \
    expect_heads(t, (const char *const[]){__VA_ARGS__}, \
                 sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static const char *reason_of(struct store_test *t, const char *id)
{
    const char *reason = store_test_load(t, id)->queued_reason;

    return reason ? reason : "ready";
}

static int put_issue(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct pb_work_item *item = arg;

    return pb_work_item_put(db, item, &item->id, err);
}

static int64_t issue(struct store_test *t, int64_t number)
{
    struct pb_work_item item = {.project_id = "site",
                                .kind = PB_WORK_ITEM_ISSUE,
                                .number = number,
                                .item = pb_arena_format(&t->arena, "issue-%d", (int)number),
                                .title = "Roof",
                                .created_at = 1,
                                .updated_at = 1};

    store_test_write(t, put_issue, &item);
    return item.id;
}

/* --- order ------------------------------------------------------------------------------------------ */

TEST(places_come_from_age_priority_and_deadline)
{
    struct store_test *t = *state;
    const char *old, *young, *low, *high, *hurried;

    store_test_add_project(t, "site");
    young = add(t, (struct pb_execution){.created_at = 100 * HOUR + 2});
    old = add(t, (struct pb_execution){.created_at = 100 * HOUR});
    low = add(t, (struct pb_execution){.created_at = 99 * HOUR, .priority = PB_PRIORITY_LOW});
    high = add(t, (struct pb_execution){.created_at = 101 * HOUR, .priority = PB_PRIORITY_HIGH});
    hurried = add(t, (struct pb_execution){.created_at = 100 * HOUR, .deadline_at = 102 * HOUR});
    EXPECT_HEADS(t, hurried, high, old, young, low);
    assert_int_equal(heads(t, "site", 2).count, 2);

    store_test_write(t, write_change,
                     &(struct change){.id = low, .now = 102 * HOUR, .priority = PB_PRIORITY_HIGH});
    EXPECT_HEADS(t, hurried, low, high, old, young);
    assert_int_equal(store_test_load(t, low)->place, 95 * HOUR);
}

TEST(who_is_ahead_is_counted_as_far_as_anybody_cares)
{
    struct store_test *t = *state;
    const struct pb_execution *last;
    int64_t ahead = -1;

    store_test_add_project(t, "site");
    for (int i = 0; i < 20; i++)
        add(t, (struct pb_execution){.created_at = 10 + i});
    last = store_test_load(t, add(t, (struct pb_execution){.created_at = 50}));
    assert_ok(pb_queue_ahead(store_test_reader(t), last, 1000, &ahead, &t->err), &t->err);
    assert_int_equal(ahead, 20);
    assert_ok(pb_queue_ahead(store_test_reader(t), last, 7, &ahead, &t->err), &t->err);
    assert_int_equal(ahead, 7);
}

/* --- projects ---------------------------------------------------------------------------------------- */

TEST(only_projects_with_something_ready_are_read)
{
    struct store_test *t = *state;
    struct pb_queue_projects found;
    struct pb_queue_project *one = NULL;
    char id[24];

    for (int i = 0; i < 12; i++) {
        snprintf(id, sizeof(id), "p-%02d", i);
        store_test_add_project(t, id);
        for (int n = 0; n < i % 3; n++)
            add(t, (struct pb_execution){.project_id = id, .created_at = 10 + n});
    }
    store_test_set_status(t, heads(t, "p-01", 1).items[0].execution_id, PB_EXECUTION_RUNNING);
    store_test_set_status(t, heads(t, "p-02", 1).items[0].execution_id, PB_EXECUTION_RUNNING);
    assert_ok(pb_queue_projects(store_test_reader(t), &t->arena, "", 100, &found, &t->err),
              &t->err);
    assert_int_equal(found.count, 7); /* 2, and all of 4 5 7 8 10 11 */
    assert_string_equal(found.items[0].id, "p-02");
    assert_int_equal(found.items[0].active, 1);
    assert_int_equal(found.items[0].queued, 1);
    assert_int_equal(found.items[0].status, PB_PROJECT_ACTIVE);
    assert_ok(pb_queue_projects(store_test_reader(t), &t->arena, "p-05", 2, &found, &t->err),
              &t->err);
    assert_int_equal(found.count, 2);
    assert_string_equal(found.items[0].id, "p-07");
    assert_string_equal(found.items[1].id, "p-08");
    assert_ok(pb_queue_project(store_test_reader(t), &t->arena, "p-01", &one, &t->err), &t->err);
    assert_int_equal(one->active, 1);
    assert_int_equal(one->queued, 0);
    assert_refused(pb_queue_project(store_test_reader(t), &t->arena, "p-99", &one, &t->err),
                   &t->err, PB_ERROR_NOT_FOUND);
}

/* --- what is not ready --------------------------------------------------------------------------------- */

TEST(a_work_item_has_one_execution_at_a_time)
{
    static const enum pb_execution_status BUSY[] = {
        PB_EXECUTION_ASSIGNED,         PB_EXECUTION_PREPARING,     PB_EXECUTION_RUNNING,
        PB_EXECUTION_CANCELLING,       PB_EXECUTION_WAITING_INPUT, PB_EXECUTION_WAITING_QUOTA,
        PB_EXECUTION_WAITING_APPROVAL, PB_EXECUTION_QUEUED};
    struct store_test *t = *state;
    const char *first, *second, *third;
    int64_t item;

    store_test_add_project(t, "site");
    item = issue(t, 1);
    first = add(t, (struct pb_execution){.created_at = 10, .work_item_id = item});
    third = add(t, (struct pb_execution){.created_at = 30, .work_item_id = item});
    second = add(t, (struct pb_execution){.created_at = 20,
                                          .work_item_id = item,
                                          .priority = PB_PRIORITY_CRITICAL});
    for (size_t i = 0; i < COUNT(BUSY); i++) {
        store_test_set_status(t, first, BUSY[i]);
        assert_int_equal(heads(t, "site", 9).count, BUSY[i] == PB_EXECUTION_QUEUED ? 1 : 0);
        assert_string_equal(reason_of(t, second), "work_item_busy");
        assert_string_equal(reason_of(t, third), "work_item_busy");
    }
    store_test_set_status(t, first, PB_EXECUTION_FAILED);
    EXPECT_HEADS(t, second);
    store_test_set_status(t, second, PB_EXECUTION_CANCELLED);
    EXPECT_HEADS(t, third);
    add(t, (struct pb_execution){.created_at = 40, .work_item_id = issue(t, 2)});
    assert_int_equal(heads(t, "site", 9).count, 2);
}

static int release_due(struct pb_db *db, void *arg, struct pb_error *err)
{
    int64_t *now = arg;

    return pb_queue_release_due(db, *now, 10, now, err);
}

TEST(what_waits_for_a_time_is_ready_then)
{
    struct store_test *t = *state;
    struct pb_execution_list due = {0};
    const char *id, *other;
    int64_t at = -1, now;

    store_test_add_project(t, "site");
    assert_ok(pb_execution_next_due(store_test_reader(t), &at, &t->err), &t->err);
    assert_int_equal(at, 0);
    id = add(t, (struct pb_execution){.created_at = 10});
    other = add(t, (struct pb_execution){.created_at = 11});
    store_test_write(t, write_change, &(struct change){.id = id, .now = 20, .available_at = 500});
    assert_string_equal(reason_of(t, id), "not_yet");
    EXPECT_HEADS(t, other);
    assert_ok(pb_execution_next_due(store_test_reader(t), &at, &t->err), &t->err);
    assert_int_equal(at, 500);
    now = 499;
    store_test_write(t, release_due, &now);
    assert_int_equal(now, 0);
    now = 500;
    store_test_write(t, release_due, &now);
    assert_int_equal(now, 1);
    EXPECT_HEADS(t, id, other);
    assert_ok(pb_execution_next_due(store_test_reader(t), &at, &t->err), &t->err);
    assert_int_equal(at, 0);

    store_test_write(t, write_change, &(struct change){.id = id, .now = 20, .available_at = 19});
    assert_string_equal(reason_of(t, id), "ready"); /* past already */
    store_test_set_status(t, id, PB_EXECUTION_WAITING_QUOTA);
    store_test_write(t, write_change, &(struct change){.id = id, .now = 30, .available_at = 600});
    assert_ok(pb_execution_due(store_test_reader(t), &t->arena, 599, 10, &due, &t->err), &t->err);
    assert_int_equal(due.count, 0);
    assert_ok(pb_execution_due(store_test_reader(t), &t->arena, 600, 10, &due, &t->err), &t->err);
    assert_int_equal(due.count, 1);
    store_test_set_status(t, id, PB_EXECUTION_RUNNING);
    assert_ok(pb_execution_next_due(store_test_reader(t), &at, &t->err), &t->err);
    assert_int_equal(at, 0); /* nothing that runs waits for a time */
}

TEST(a_time_that_comes_while_the_issue_is_busy_is_forgotten)
{
    struct store_test *t = *state;
    const char *first, *second;
    int64_t item, at = -1, now = 700;

    store_test_add_project(t, "site");
    item = issue(t, 1);
    first = add(t, (struct pb_execution){.created_at = 10, .work_item_id = item});
    second = add(t, (struct pb_execution){.created_at = 20, .work_item_id = item});
    store_test_write(t, write_change,
                     &(struct change){.id = second, .now = 30, .available_at = 600});
    assert_string_equal(reason_of(t, second), "work_item_busy");
    store_test_write(t, release_due, &now);
    assert_ok(pb_execution_next_due(store_test_reader(t), &at, &t->err), &t->err);
    assert_int_equal(at, 0);
    assert_string_equal(reason_of(t, second), "work_item_busy");
    store_test_set_status(t, first, PB_EXECUTION_SUCCEEDED);
    EXPECT_HEADS(t, second);
}

struct hold {
    const char *id;
    const char *key; /* NULL = release */
};

static int write_hold(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct hold *hold = arg;

    return hold->key ? pb_queue_hold(db, hold->id, "user_full", hold->key, err)
                     : pb_queue_release(db, hold->id, err);
}

static struct pb_execution_agenda agenda(struct store_test *t)
{
    struct pb_execution_agenda found = {-1, false, false};

    assert_ok(pb_execution_agenda(store_test_reader(t), &found, &t->err), &t->err);
    return found;
}

TEST(an_agenda_says_what_there_is_to_do)
{
    struct store_test *t = *state;
    const char *id, *other;

    store_test_add_project(t, "site");
    assert_int_equal(agenda(t).next_due, 0);
    id = add(t, (struct pb_execution){.created_at = 10});
    other = add(t, (struct pb_execution){.created_at = 11});
    assert_false(agenda(t).is_cancelling || agenda(t).is_held);
    store_test_write(t, write_change, &(struct change){.id = id, .now = 20, .available_at = 500});
    assert_int_equal(agenda(t).next_due, 500);
    store_test_write(t, write_hold, &(struct hold){other, "user//bob"});
    assert_true(agenda(t).is_held);
    store_test_set_status(t, other, PB_EXECUTION_CANCELLING);
    assert_true(agenda(t).is_cancelling);
    assert_false(agenda(t).is_held);
}

TEST(what_a_limit_holds_is_out_of_the_way_until_it_is_released)
{
    struct store_test *t = *state;
    const char *first, *second, *third;
    struct pb_queue_held held;
    struct pb_queue_rows rows;

    store_test_add_project(t, "site");
    first = add(t, (struct pb_execution){.created_at = 10});
    second = add(t, (struct pb_execution){.created_at = 20});
    third = add(t, (struct pb_execution){.created_at = 30});
    store_test_write(t, write_hold, &(struct hold){second, "user//bob"});
    store_test_write(t, write_hold, &(struct hold){first, "user//bob"});
    store_test_write(t, write_hold, &(struct hold){third, "user//amy"});
    assert_int_equal(heads(t, "site", 9).count, 0);
    assert_ok(pb_queue_held(store_test_reader(t), &t->arena, &held, &t->err), &t->err);
    assert_int_equal(held.count, 2);
    assert_string_equal(held.items[0], "site user//amy");
    assert_string_equal(held.items[1], "site user//bob");
    assert_ok(pb_queue_held_by(store_test_reader(t), &t->arena, "site user//bob", 9, &rows,
                               &t->err),
              &t->err);
    assert_int_equal(rows.count, 2);
    assert_string_equal(rows.items[0].execution_id, first);
    assert_string_equal(rows.items[0].project_id, "site");

    store_test_write(t, write_hold, &(struct hold){first, NULL});
    EXPECT_HEADS(t, first);
    store_test_set_status(t, second, PB_EXECUTION_CANCELLED);
    assert_null(store_test_load(t, second)->held_by);
    store_test_write(t, write_hold, &(struct hold){second, "user//bob"}); /* too late */
    assert_int_equal(heads(t, "site", 9).count, 1);
    store_test_write(t, write_change, &(struct change){.id = third, .now = 40, .priority = 1});
    assert_string_equal(reason_of(t, third), "user_full"); /* urgency is no way around a limit */
}

/* --- limits ----------------------------------------------------------------------------------------------- */

static int replace_limits(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_queue_limit_replace(db, arg, err);
}

TEST(limits_are_replaced_as_a_whole)
{
    struct store_test *t = *state;
    struct pb_queue_limit some[] = {{PB_QUEUE_LIMIT_USER, "", "*", 2},
                                    {PB_QUEUE_LIMIT_LABEL, "site", "db", 1},
                                    {PB_QUEUE_LIMIT_NODE, "", "local", 0}};
    struct pb_queue_limit twice[] = {some[0], some[0]};
    struct pb_queue_limits found;

    store_test_write(t, replace_limits, &(struct pb_queue_limits){some, COUNT(some)});
    assert_refused(pb_store_write(t->store, replace_limits, &(struct pb_queue_limits){twice, 2},
                                  &t->err),
                   &t->err, PB_ERROR_CONFLICT);
    assert_ok(pb_queue_limit_list(store_test_reader(t), &t->arena, &found, &t->err), &t->err);
    assert_int_equal(found.count, 3);
    assert_int_equal(found.items[0].kind, PB_QUEUE_LIMIT_LABEL);
    assert_string_equal(found.items[0].project_id, "site");
    assert_int_equal(found.items[1].kind, PB_QUEUE_LIMIT_NODE);
    assert_int_equal(found.items[2].max, 2);
    store_test_write(t, replace_limits, &(struct pb_queue_limits){NULL, 0});
    assert_ok(pb_queue_limit_list(store_test_reader(t), &t->arena, &found, &t->err), &t->err);
    assert_int_equal(found.count, 0);
}

TEST(what_works_counts_with_its_person_labels_and_node)
{
    struct store_test *t = *state;
    struct pb_queue_loads found;
    const char *id;

    store_test_add_project(t, "site");
    add(t, (struct pb_execution){.created_at = 1});
    id =
        add(t, (struct pb_execution){.created_at = 2, .requested_by = "bob", .labels = "[\"db\"]"});
    store_test_set_status(t, id, PB_EXECUTION_RUNNING);
    assert_ok(pb_queue_active(store_test_reader(t), &t->arena, &found, &t->err), &t->err);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.items[0].requested_by, "bob");
    assert_string_equal(found.items[0].labels, "[\"db\"]");
    assert_null(found.items[0].node);
}

/* --- plans ------------------------------------------------------------------------------------------------- */

TEST(no_query_of_the_queue_reads_more_than_it_gives)
{
    struct store_test *t = *state;
    struct pb_db *db = store_test_reader(t);
    struct pb_execution execution = {.id = "x", .project_id = "site", .place = 1};
    struct pb_queue_projects projects;
    struct pb_queue_rows rows;
    struct pb_queue_loads loads;
    struct pb_queue_held held;
    struct pb_buf plan;
    int64_t number;

    assert_ok(pb_queue_projects(db, &t->arena, "", 10, &projects, &t->err), &t->err);
    assert_ok(pb_queue_heads(db, &t->arena, "site", 10, &rows, &t->err), &t->err);
    assert_ok(pb_queue_held_by(db, &t->arena, "user//bob", 10, &rows, &t->err), &t->err);
    assert_ok(pb_queue_held(db, &t->arena, &held, &t->err), &t->err);
    assert_ok(pb_queue_ahead(db, &execution, 10, &number, &t->err), &t->err);
    assert_ok(pb_queue_active(db, &t->arena, &loads, &t->err), &t->err);
    assert_ok(pb_execution_next_due(db, &number, &t->err), &t->err);

    pb_buf_init(&plan, 1 << 20);
    assert_ok(pb_db_explain(db, &plan, &t->err), &t->err);
    if (!strstr(pb_buf_string(&plan), "executions_ready"))
        fail_msg("%s", pb_buf_string(&plan));
    for (char *line = strtok(plan.data, "\n"), *sql = line; line; line = strtok(NULL, "\n")) {
        static const char *const FINE[] = {"SCAN ready",       "SCAN r", "SCAN f",
                                           "SCAN held",        "SCAN h", "SCAN before",
                                           "SCAN CONSTANT ROW"};
        bool fine = (strncmp(line, "SCAN ", 5) != 0 || strstr(line, "USING COVERING INDEX")) &&
                    !strstr(line, "Seq Scan on ");

        if (strncmp(line, "== ", 3) == 0)
            sql = line;
        for (size_t i = 0; i < COUNT(FINE); i++)
            fine = fine || strcmp(line, FINE[i]) == 0;
        if (!fine || (strstr(line, "TEMP B-TREE") && strstr(sql, "ORDER BY e.place")))
            fail_msg("%s: %s", line, sql);
    }
    pb_buf_release(&plan);
}

#define WITH_STORE(test) \
    cmocka_unit_test_setup_teardown(test, store_test_setup, store_test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(places_come_from_age_priority_and_deadline),
        WITH_STORE(who_is_ahead_is_counted_as_far_as_anybody_cares),
        WITH_STORE(only_projects_with_something_ready_are_read),
        WITH_STORE(a_work_item_has_one_execution_at_a_time),
        WITH_STORE(what_waits_for_a_time_is_ready_then),
        WITH_STORE(a_time_that_comes_while_the_issue_is_busy_is_forgotten),
        WITH_STORE(an_agenda_says_what_there_is_to_do),
        WITH_STORE(what_a_limit_holds_is_out_of_the_way_until_it_is_released),
        WITH_STORE(limits_are_replaced_as_a_whole),
        WITH_STORE(what_works_counts_with_its_person_labels_and_node),
        WITH_STORE(no_query_of_the_queue_reads_more_than_it_gives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
