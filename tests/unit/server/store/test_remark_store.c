#include "server/store/remark_store.h"
#include "server/store/work_item_store.h"
#include "store_test.h"

static int put_issue(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_work_item_put(db,
                            &(struct pb_work_item){.project_id = "site",
                                                   .kind = PB_WORK_ITEM_ISSUE,
                                                   .number = 12,
                                                   .item = "issue-12",
                                                   .title = "Roof",
                                                   .created_at = 1,
                                                   .updated_at = 1},
                            arg, err);
}

static int add(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_remark_add(db, arg, err);
}

static void say(struct store_test *t, const char *execution_id, const char *question,
                const char *text)
{
    struct pb_remark remark = {.execution_id = execution_id,
                               .question = question,
                               .text = text,
                               .said_by = "alice",
                               .url = "https://x/12#c",
                               .said_at = 7};

    store_test_write(t, add, &remark);
}

TEST(what_was_said_about_a_work_item_is_read_newest_first)
{
    struct store_test *t = *state;
    struct pb_remark_list list;
    const char *first, *second;
    int64_t item;

    store_test_add_project(t, "site");
    store_test_write(t, put_issue, &item);
    first = store_test_add_execution(t, "site", item, 10);
    second = store_test_add_execution(t, "site", item, 20);
    say(t, store_test_add_execution(t, "site", 0, 30), NULL, "of something else");
    say(t, second, NULL, "once more");
    say(t, first, "Which blue?", "Navy");
    say(t, first, "Sure?", "Yes");
    assert_ok(pb_remark_list(store_test_reader(t), &t->arena, item, 10, &list, &t->err), &t->err);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0].execution_id, second);
    assert_null(list.items[0].question);
    assert_string_equal(list.items[0].text, "once more");
    assert_string_equal(list.items[1].text, "Yes");
    assert_int_equal(list.items[1].number, 2);
    assert_string_equal(list.items[2].question, "Which blue?");
    assert_int_equal(list.items[2].number, 1);
    assert_string_equal(list.items[2].said_by, "alice");
    assert_string_equal(list.items[2].url, "https://x/12#c");
    assert_int_equal(list.items[2].said_at, 7);
    assert_ok(pb_remark_list(store_test_reader(t), &t->arena, item, 1, &list, &t->err), &t->err);
    assert_int_equal(list.count, 1);
}

TEST(what_was_said_to_one_execution_comes_in_pages)
{
    struct store_test *t = *state;
    struct pb_remark_list list;
    const char *id, *other;
    int64_t item;

    store_test_add_project(t, "site");
    store_test_write(t, put_issue, &item);
    id = store_test_add_execution(t, "site", item, 10);
    other = store_test_add_execution(t, "site", item, 20);
    say(t, id, NULL, "one");
    say(t, other, NULL, "to the other");
    say(t, id, "Which blue?", "two");
    say(t, id, "Sure?", "three");
    assert_ok(pb_remark_page(store_test_reader(t), &t->arena, id, &(struct pb_page){.limit = 2},
                             &list, &t->err),
              &t->err);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].text, "three");
    assert_string_equal(list.items[1].question, "Which blue?");
    assert_non_null(list.next_cursor);
    assert_ok(pb_remark_page(store_test_reader(t), &t->arena, id,
                             &(struct pb_page){.limit = 2, .cursor = list.next_cursor}, &list,
                             &t->err),
              &t->err);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].text, "one");
    assert_null(list.next_cursor);
    assert_refused(pb_remark_page(store_test_reader(t), &t->arena, id,
                                  &(struct pb_page){.limit = 2, .cursor = "no cursor"}, &list,
                                  &t->err),
                   &t->err, PB_ERROR_INVALID);
}

TEST(an_execution_that_is_not_there_hears_nothing)
{
    struct store_test *t = *state;

    assert_refused(pb_store_write(t->store, add,
                                  &(struct pb_remark){.execution_id = "no",
                                                      .text = "x",
                                                      .said_by = "alice",
                                                      .said_at = 1},
                                  &t->err),
                   &t->err, PB_ERROR_CONFLICT);
}

#define WITH_STORE(test) \
    cmocka_unit_test_setup_teardown(test, store_test_setup, store_test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(what_was_said_about_a_work_item_is_read_newest_first),
        WITH_STORE(what_was_said_to_one_execution_comes_in_pages),
        WITH_STORE(an_execution_that_is_not_there_hears_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
