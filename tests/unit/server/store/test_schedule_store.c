#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "model/limits.h"
#include "server/store/db_private.h"
#include "server/store/project_store.h"
#include "server/store/schedule_store.h"
#include "store_test.h"

static int insert(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_schedule_insert(db, arg, err);
}

static int save(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_schedule_save(db, arg, err);
}

static int observe(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_schedule_observe(db, arg, err);
}

static int drop(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_schedule_remove(db, arg, err);
}

static int remove_project(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_project_remove(db, arg, err);
}

static struct pb_schedule nightly(const char *id, const char *name)
{
    return (struct pb_schedule){
        .id = id,
        .project_id = "site",
        .name = name,
        .cron = "@daily",
        .time_zone = "Asia/Tokyo",
        .enabled = true,
        .jitter_ms = 60000,
        .missed = PB_MISSED_SKIP,
        .overlap = PB_OVERLAP_CANCEL_PREVIOUS,
        .title = "T",
        .prompt = "please",
        .priority = 1,
        .due_at = 100,
        .next_at = 150,
        .created_by = "amy",
        .created_at = 1,
        .updated_at = 1,
    };
}

static struct pb_schedule *load(struct store_test *t, const char *id)
{
    struct pb_schedule *found = NULL;

    assert_ok(pb_schedule_load(store_test_reader(t), &t->arena, id, &found, &t->err), &t->err);
    return found;
}

TEST(what_is_inserted_comes_back_whole)
{
    struct store_test *t = *state;
    struct pb_schedule made = nightly("s1", "nightly");
    const struct pb_schedule *found;

    store_test_add_project(t, "site");
    store_test_write(t, insert, &made);
    found = load(t, "s1");
    assert_string_equal(found->name, "nightly");
    assert_string_equal(found->time_zone, "Asia/Tokyo");
    assert_int_equal(found->version, 1);
    assert_int_equal(found->missed, PB_MISSED_SKIP);
    assert_int_equal(found->overlap, PB_OVERLAP_CANCEL_PREVIOUS);
    assert_int_equal(found->last_result, PB_SCHEDULE_NONE);
    assert_int_equal(found->issue_number, 0);
    assert_int_equal(found->next_at, 150);
    assert_true(found->enabled);
}

TEST(names_are_unique_in_a_project_and_there_are_not_too_many)
{
    struct store_test *t = *state;
    struct pb_schedule made;
    char id[16];

    store_test_add_project(t, "site");
    for (int i = 0; i < PB_LIMIT_SCHEDULES_PER_PROJECT; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        made = nightly(id, id);
        store_test_write(t, insert, &made);
    }
    made = nightly("s-x", "s7");
    assert_refused(pb_store_write(t->store, insert, &made, &t->err), &t->err, PB_ERROR_CONFLICT);
    assert_string_equal(t->err.field, "name");
    made = nightly("s-x", "another");
    assert_refused(pb_store_write(t->store, insert, &made, &t->err), &t->err, PB_ERROR_LIMITED);
    made = nightly("s-y", "another");
    made.project_id = "nowhere";
    assert_refused(pb_store_write(t->store, insert, &made, &t->err), &t->err, PB_ERROR_CONFLICT);
}

TEST(people_change_versions_and_what_happens_does_not)
{
    struct store_test *t = *state;
    struct pb_schedule made = nightly("s1", "nightly"), seen;
    char id[] = "s1";

    store_test_add_project(t, "site");
    store_test_write(t, insert, &made);
    seen = *load(t, "s1");
    seen.last_result = PB_SCHEDULE_RETRYING;
    seen.last_detail = "GitHub did not answer";
    seen.next_at = 777;
    seen.name = "not written";
    store_test_write(t, observe, &seen);
    assert_int_equal(load(t, "s1")->version, 1);
    assert_string_equal(load(t, "s1")->name, "nightly");
    assert_string_equal(load(t, "s1")->last_detail, "GitHub did not answer");

    made = *load(t, "s1");
    made.cron = "@weekly";
    made.next_at = made.due_at = 0;
    store_test_write(t, save, &made);
    assert_int_equal(load(t, "s1")->version, 2);
    assert_int_equal(load(t, "s1")->next_at, 0);
    assert_refused(pb_store_write(t->store, save, &made, &t->err), &t->err, PB_ERROR_PRECONDITION);
    store_test_write(t, drop, id);
    assert_refused(pb_store_write(t->store, drop, id, &t->err), &t->err, PB_ERROR_NOT_FOUND);
    assert_refused(pb_store_write(t->store, observe, &seen, &t->err), &t->err, PB_ERROR_NOT_FOUND);
}

TEST(the_first_due_comes_first_and_none_outlives_its_project)
{
    struct store_test *t = *state;
    struct pb_schedule late = nightly("s1", "a"), soon = nightly("s2", "b"),
                       off = nightly("s3", "c");
    struct pb_schedule_list list;
    char id[] = "site";
    int64_t at;

    store_test_add_project(t, "site");
    soon.next_at = 20;
    off.next_at = off.due_at = 0;
    store_test_write(t, insert, &late);
    store_test_write(t, insert, &soon);
    store_test_write(t, insert, &off);
    assert_ok(pb_schedule_next_at(store_test_reader(t), &at, &t->err), &t->err);
    assert_int_equal(at, 20);
    assert_ok(pb_schedule_due(store_test_reader(t), &t->arena, 149, 10, &list, &t->err), &t->err);
    assert_int_equal(list.count, 1);
    assert_ok(pb_schedule_due(store_test_reader(t), &t->arena, 150, 10, &list, &t->err), &t->err);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].id, "s2");
    assert_ok(pb_schedule_list(store_test_reader(t), &t->arena, "site", &list, &t->err), &t->err);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[2].name, "c");
    store_test_write(t, remove_project, id);
    assert_ok(pb_schedule_next_at(store_test_reader(t), &at, &t->err), &t->err);
    assert_int_equal(at, 0);
}

#define WITH_STORE(test) \
    cmocka_unit_test_setup_teardown(test, store_test_setup, store_test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(what_is_inserted_comes_back_whole),
        WITH_STORE(names_are_unique_in_a_project_and_there_are_not_too_many),
        WITH_STORE(people_change_versions_and_what_happens_does_not),
        WITH_STORE(the_first_due_comes_first_and_none_outlives_its_project),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
