#include <string.h>

#include "model/queue_limit.h"
#include "pb_test.h"

struct limit_test {
    struct pb_arena arena;
    struct pb_error err;
    struct pb_queue_tally *tally;
};

static struct pb_queue_limit items[] = {
    {PB_QUEUE_LIMIT_USER, "", "*", 3},       {PB_QUEUE_LIMIT_USER, "", "Root", 1},
    {PB_QUEUE_LIMIT_USER, "shop", "*", 2},   {PB_QUEUE_LIMIT_LABEL, "", "deploy", 1},
    {PB_QUEUE_LIMIT_LABEL, "shop", "db", 1}, {PB_QUEUE_LIMIT_NODE, "", "small", 2},
};
static const struct pb_queue_limits LIMITS = {items, COUNT(items)};

static int limit_setup(void **state)
{
    static struct limit_test t;

    memset(&t, 0, sizeof(t));
    pb_arena_init(&t.arena, 1 << 20);
    t.tally = pb_queue_tally_new(&t.arena, &LIMITS);
    *state = &t;
    return t.tally ? 0 : -1;
}

static int limit_teardown(void **state)
{
    pb_arena_release(&((struct limit_test *)*state)->arena);
    return 0;
}

static void work(struct limit_test *t, const char *project, const char *who, const char *labels,
                 const char *node)
{
    assert_ok(pb_queue_tally_add(t->tally, &(struct pb_queue_load){project, who, labels, node},
                                 &t->err),
              &t->err);
}

static const char *meets(struct limit_test *t, const char *project, const char *who,
                         const char *labels, const char *node)
{
    const char *key = "?";

    assert_ok(pb_queue_tally_meets(t->tally, &(struct pb_queue_load){project, who, labels, node},
                                   &key, &t->err),
              &t->err);
    return key ? key : "none";
}

TEST(each_person_has_their_own_count_over_all_and_in_a_project)
{
    struct limit_test *t = *state;

    assert_string_equal(meets(t, "shop", "amy", NULL, NULL), "none");
    work(t, "shop", "amy", NULL, NULL);
    work(t, "shop", "Amy", NULL, NULL); /* GitHub's names differ in case only for people */
    assert_string_equal(meets(t, "shop", "amy", NULL, NULL), "user/shop/amy");
    assert_string_equal(meets(t, "blog", "amy", NULL, NULL), "none");
    assert_string_equal(meets(t, "shop", "bob", NULL, NULL), "none");
    work(t, "blog", "amy", NULL, NULL);
    assert_string_equal(meets(t, "blog", "amy", NULL, NULL), "user//amy");
    assert_string_equal(meets(t, "shop", NULL, NULL, NULL), "none");
}

TEST(a_limit_of_ones_own_takes_the_place_of_everybodys)
{
    struct limit_test *t = *state;

    work(t, "blog", "root", NULL, NULL);
    assert_string_equal(meets(t, "blog", "ROOT", NULL, NULL), "user//root");
    assert_int_equal(pb_queue_tally_room(t->tally, "user//root"), 0);
    assert_int_equal(pb_queue_tally_room(t->tally, "user//amy"), 3); /* never counted */
    assert_int_equal(pb_queue_tally_room(t->tally, "user/blog/amy"), INT64_MAX);
    assert_int_equal(pb_queue_tally_room(t->tally, "nonsense"), INT64_MAX);
}

TEST(labels_and_nodes_count_too)
{
    struct limit_test *t = *state;

    work(t, "shop", "amy", "[\"db\",\"ui\"]", "small");
    assert_string_equal(meets(t, "shop", "bob", "[\"ui\",\"DB\"]", NULL), "label/shop/db");
    assert_string_equal(meets(t, "blog", "bob", "[\"db\"]", NULL), "none");
    work(t, "blog", "bob", "[\"deploy\"]", "small");
    assert_string_equal(meets(t, "shop", "cat", "[\"deploy\"]", NULL), "label//deploy");
    assert_string_equal(meets(t, "shop", "cat", NULL, "small"), "node//small");
    assert_string_equal(meets(t, "shop", "cat", "[]", "big"), "none");
    assert_string_equal(meets(t, "shop", "cat", "not json", NULL), "none");
}

TEST(a_key_says_what_kind_it_is)
{
    enum pb_queue_limit_kind kind;

    assert_true(pb_queue_limit_kind_of("label/shop/db", &kind));
    assert_int_equal(kind, PB_QUEUE_LIMIT_LABEL);
    assert_true(pb_queue_limit_kind_of("node//x", &kind));
    assert_int_equal(kind, PB_QUEUE_LIMIT_NODE);
    assert_false(pb_queue_limit_kind_of("users//x", &kind));
    assert_false(pb_queue_limit_kind_of("", &kind));
}

TEST(limits_that_mean_nothing_are_refused)
{
    static const struct pb_queue_limit BAD[] = {
        {PB_QUEUE_LIMIT_USER, "", "", 1},         {PB_QUEUE_LIMIT_LABEL, "", "*", 1},
        {PB_QUEUE_LIMIT_USER, "No Slug", "a", 1}, {PB_QUEUE_LIMIT_NODE, "shop", "local", 1},
        {PB_QUEUE_LIMIT_USER, "", "a", -1},       {PB_QUEUE_LIMIT_USER, "", "a", 10001},
    };
    struct pb_error err;

    for (size_t i = 0; i < COUNT(BAD); i++)
        assert_refused(pb_queue_limit_check(&BAD[i], &err), &err, PB_ERROR_INVALID);
    for (size_t i = 0; i < COUNT(items); i++)
        assert_ok(pb_queue_limit_check(&items[i], &err), &err);
}

#define WITH_TALLY(test) cmocka_unit_test_setup_teardown(test, limit_setup, limit_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TALLY(each_person_has_their_own_count_over_all_and_in_a_project),
        WITH_TALLY(a_limit_of_ones_own_takes_the_place_of_everybodys),
        WITH_TALLY(labels_and_nodes_count_too),
        cmocka_unit_test(a_key_says_what_kind_it_is),
        cmocka_unit_test(limits_that_mean_nothing_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
