#include <string.h>

#include "server/store/db_private.h"
#include "server/store/execution_store.h"
#include "server/store/project_store.h"
#include "store_test.h"

static int insert(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_project_insert(db, arg, err);
}

static int save(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_project_save(db, arg, err);
}

static int observe(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_project_observe(db, arg, err);
}

struct id {
    const char *text;
};

static int remove_project(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_project_remove(db, ((struct id *)arg)->text, err);
}

static struct pb_project *load(struct store_test *t, const char *id)
{
    struct pb_project *project = NULL;

    assert_ok(pb_project_load(store_test_reader(t), &t->arena, id, &project, &t->err), &t->err);
    return project;
}

/* --- projects ---------------------------------------------------------------------------------------- */

TEST(a_project_comes_back_as_it_was_stored)
{
    struct store_test *t = *state;
    struct pb_project in = store_test_project("site"), *out;

    in.instructions = "日本語で、\n簡潔に。";
    in.max_budget_micro_usd = 5000000;
    in.allow_workflow_files = true;
    in.agent_state = PB_AGENT_BACKING_OFF;
    in.health = PB_HEALTH_FAILING;
    store_test_write(t, insert, &in);
    out = load(t, "site");
    assert_string_equal(out->instructions, in.instructions);
    assert_string_equal(out->allowed_tools, "[\"Edit\"]");
    assert_int_equal(out->max_budget_micro_usd, 5000000);
    assert_true(out->allow_workflow_files);
    assert_int_equal(out->status, PB_PROJECT_ACTIVE);
    assert_int_equal(out->agent_state, PB_AGENT_BACKING_OFF);
    assert_int_equal(out->health, PB_HEALTH_FAILING);
    assert_null(out->model);
    assert_int_equal(out->version, 1);
    assert_string_equal(out->created_by, "alice");
}

TEST(ids_and_repositories_belong_to_one_project)
{
    struct store_test *t = *state;
    struct pb_project other = store_test_project("site");

    store_test_add_project(t, "site");
    other.github_repo = "other";
    assert_refused(pb_store_write(t->store, insert, &other, &t->err), &t->err, PB_ERROR_CONFLICT);
    assert_string_equal(t->err.reason, "project_exists");
    assert_string_equal(t->err.field, "id");

    other.id = "site-2";
    other.github_owner = "ACME";
    other.github_repo = "Site";
    assert_refused(pb_store_write(t->store, insert, &other, &t->err), &t->err, PB_ERROR_CONFLICT);
    assert_string_equal(t->err.reason, "repository_taken");
    assert_string_equal(t->err.field, "github_repo");
    assert_non_null(strstr(t->err.message, "'site'"));

    other.github_api_url = "https://ghe.example.com/api/v3"; /* another GitHub */
    store_test_write(t, insert, &other);
}

TEST(a_deleted_project_frees_its_repository)
{
    struct store_test *t = *state;
    struct pb_project again = store_test_project("site-2");
    struct pb_project_list list;
    struct pb_project *old;

    store_test_add_project(t, "site");
    old = load(t, "site");
    old->status = PB_PROJECT_DELETED;
    store_test_write(t, save, old);
    again.github_repo = "site";
    store_test_write(t, insert, &again);
    assert_ok(pb_project_list(store_test_reader(t), &t->arena, &(struct pb_project_filter){0},
                              &list, &t->err),
              &t->err);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].id, "site-2");

    old = load(t, "site"); /* and cannot come back while it is taken */
    old->status = PB_PROJECT_ACTIVE;
    assert_refused(pb_store_write(t->store, save, old, &t->err), &t->err, PB_ERROR_CONFLICT);
}

TEST(two_people_cannot_overwrite_each_other)
{
    struct store_test *t = *state;
    struct pb_project *mine, *theirs;

    store_test_add_project(t, "site");
    mine = load(t, "site");
    theirs = load(t, "site");
    mine->name = "Mine";
    store_test_write(t, save, mine);
    theirs->name = "Theirs";
    assert_refused(pb_store_write(t->store, save, theirs, &t->err), &t->err, PB_ERROR_PRECONDITION);
    assert_string_equal(t->err.reason, "changed_meanwhile");
    assert_string_equal(load(t, "site")->name, "Mine");
    assert_int_equal(load(t, "site")->version, 2);
}

TEST(what_is_observed_does_not_count_as_a_change_by_people)
{
    struct store_test *t = *state;
    struct pb_project *people, *seen;

    store_test_add_project(t, "site");
    people = load(t, "site");
    seen = load(t, "site");
    seen->health = PB_HEALTH_MISCONFIGURED;
    seen->health_reason = "{}";
    seen->agent_pid = 77;
    seen->default_branch = "trunk";
    seen->name = "not this";
    store_test_write(t, observe, seen);
    people->name = "New";
    store_test_write(t, save, people);
    people = load(t, "site");
    assert_string_equal(people->name, "New");
    assert_string_equal(people->default_branch, "trunk");
    assert_int_equal(people->health, PB_HEALTH_MISCONFIGURED);
    assert_int_equal(people->agent_pid, 77);
    seen->id = "nope";
    assert_refused(pb_store_write(t->store, observe, seen, &t->err), &t->err, PB_ERROR_NOT_FOUND);
}

/* Walks all pages; every project comes after the one before. */
static size_t walk(struct store_test *t, struct pb_project_filter filter)
{
    struct pb_project_list list;
    const char *last = "";
    size_t total = 0;

    do {
        assert_ok(pb_project_list(store_test_reader(t), &t->arena, &filter, &list, &t->err),
                  &t->err);
        for (size_t i = 0; i < list.count; i++) {
            char *here = pb_arena_format(&t->arena, "%s %s", list.items[i].name, list.items[i].id);

            assert_true(strcmp(here, last) > 0);
            last = here;
        }
        total += list.count;
        filter.page.cursor = list.next_cursor;
    } while (list.next_cursor);
    return total;
}

TEST(pages_of_some_statuses_hold_every_project_once)
{
    static const enum pb_project_status STATUSES[] = {PB_PROJECT_STOPPED, PB_PROJECT_ACTIVE,
                                                      PB_PROJECT_PAUSED};
    struct store_test *t = *state;

    for (int i = 0; i < 18; i++) {
        struct pb_project project = store_test_project(pb_arena_format(&t->arena, "p%02d", i));

        project.name = i % 2 ? "Odd" : "Even";
        project.status = STATUSES[i / 6];
        store_test_write(t, insert, &project);
    }
    for (size_t limit = 1; limit < 20; limit += 3) {
        for (size_t count = 0; count <= COUNT(STATUSES); count++) {
            struct pb_project_filter filter = {.page = {.limit = limit},
                                               .statuses = STATUSES,
                                               .status_count = count};

            assert_int_equal(walk(t, filter), count ? 6 * count : 18);
            filter.query = "odd acme";
            assert_int_equal(walk(t, filter), count ? 3 * count : 9);
        }
    }
}

TEST(a_page_of_projects_is_read_from_an_index)
{
    static const enum pb_project_status STATUSES[] = {PB_PROJECT_STOPPED, PB_PROJECT_ACTIVE};
    struct store_test *t = *state;
    struct pb_project_list list;
    struct pb_buf plan;
    char *rest, *line, *sql;

    for (int i = 0; i < 12; i++) {
        struct pb_project_filter filter = {
            .page = {.cursor = i & 1 ? "YQpi" : NULL}, /* "a\nb" */
            .query = i & 2 ? "word" : NULL,
            .statuses = STATUSES,
            .status_count = (size_t)i / 4,
        };

        assert_ok(pb_project_list(store_test_reader(t), &t->arena, &filter, &list, &t->err),
                  &t->err);
    }
    pb_buf_init(&plan, 1 << 20);
    assert_ok(pb_db_explain(store_test_reader(t), &plan, &t->err), &t->err);
    rest = sql = plan.data;
    while ((line = strsep(&rest, "\n"))) {
        if (strncmp(line, "== ", 3) == 0)
            sql = line;
        if (!strstr(sql, "IN (SELECT m.id") && strstr(line, "TEMP B-TREE"))
            fail_msg("%s: %s", line, sql);
        if (strncmp(line, "SCAN projects", 13) == 0 && !strstr(line, "USING"))
            fail_msg("%s: %s", line, sql);
    }
    pb_buf_release(&plan);
}

TEST(lists_page_by_name_and_can_be_searched)
{
    struct store_test *t = *state;
    struct pb_project_filter filter = {.page = {.limit = 3}};
    static const enum pb_project_status STOPPED[] = {PB_PROJECT_STOPPED};
    struct pb_project_list list;
    char last[64] = "";
    size_t total = 0;

    for (int i = 0; i < 10; i++) {
        struct pb_project project = store_test_project(pb_arena_format(&t->arena, "p%d", i));

        project.name = i < 6 ? "Same name" : project.id;
        project.status = i == 3 ? PB_PROJECT_STOPPED : PB_PROJECT_ACTIVE;
        store_test_write(t, insert, &project);
    }
    do {
        assert_ok(pb_project_list(store_test_reader(t), &t->arena, &filter, &list, &t->err),
                  &t->err);
        for (size_t i = 0; i < list.count; i++) {
            char *here = pb_arena_format(&t->arena, "%s %s", list.items[i].name, list.items[i].id);

            assert_true(strcmp(here, last) > 0);
            memcpy(last, here, strlen(here) + 1);
        }
        total += list.count;
        filter.page.cursor = list.next_cursor;
    } while (list.next_cursor);
    assert_int_equal(total, 10);

    filter = (struct pb_project_filter){.query = "SAME"};
    assert_ok(pb_project_list(store_test_reader(t), &t->arena, &filter, &list, &t->err), &t->err);
    assert_int_equal(list.count, 6);
    filter = (struct pb_project_filter){.query = "acme/p7"};
    assert_ok(pb_project_list(store_test_reader(t), &t->arena, &filter, &list, &t->err), &t->err);
    assert_int_equal(list.count, 1);
    filter = (struct pb_project_filter){.statuses = STOPPED, .status_count = 1};
    assert_ok(pb_project_list(store_test_reader(t), &t->arena, &filter, &list, &t->err), &t->err);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].id, "p3");
}

TEST(removing_a_project_takes_everything_of_it_along)
{
    struct store_test *t = *state;
    struct pb_execution_counts counts;
    struct pb_execution *gone = NULL;
    struct pb_project *project = NULL;
    const char *id;

    store_test_add_project(t, "site");
    store_test_add_project(t, "shop");
    id = store_test_add_execution(t, "site", 0, 1);
    store_test_add_execution(t, "shop", 0, 1);
    store_test_write(t, remove_project, &(struct id){"site"});
    store_test_write(t, remove_project, &(struct id){"site"});
    assert_refused(pb_project_load(store_test_reader(t), &t->arena, "site", &project, &t->err),
                   &t->err, PB_ERROR_NOT_FOUND);
    assert_refused(pb_execution_load(store_test_reader(t), &t->arena, id, &gone, &t->err), &t->err,
                   PB_ERROR_NOT_FOUND);
    assert_ok(pb_project_open_counts(store_test_reader(t), &counts, &t->err), &t->err);
    assert_int_equal(counts.by_status[PB_EXECUTION_QUEUED], 1);
    store_test_add_project(t, "site"); /* the id is free again */
    assert_ok(pb_project_counts(store_test_reader(t), "site", &counts, &t->err), &t->err);
    assert_int_equal(counts.by_status[PB_EXECUTION_QUEUED], 0);
}

/* --- environment variables ------------------------------------------------------------------------------ */

struct env {
    const struct pb_env_var *vars;
    size_t count;
};

static int replace_env(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct env *env = arg;

    return pb_env_var_replace(db, "site", env->vars, env->count, err);
}

TEST(variables_are_replaced_all_or_not_at_all)
{
    static const struct pb_env_var TWO[] = {{.key = "B", .value = "2"},
                                            {.key = "A", .value = "", .encrypted = true}};
    static const struct pb_env_var TWICE[] = {{.key = "C", .value = "1"},
                                              {.key = "C", .value = "2"}};
    struct store_test *t = *state;
    struct pb_env_var_list list;

    store_test_add_project(t, "site");
    store_test_write(t, replace_env, &(struct env){TWO, 2});
    assert_refused(pb_store_write(t->store, replace_env, &(struct env){TWICE, 2}, &t->err), &t->err,
                   PB_ERROR_CONFLICT);
    assert_ok(pb_env_var_list(store_test_reader(t), &t->arena, "site", &list, &t->err), &t->err);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].key, "A");
    assert_string_equal(list.items[0].value, "");
    assert_true(list.items[0].encrypted);
    assert_string_equal(list.items[1].value, "2");
}

/* --- secrets ----------------------------------------------------------------------------------------------- */

struct seal {
    const char *name;
    const char *bytes;
    size_t len;
    int64_t version;
};

static int put_secret(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct seal *seal = arg;
    struct pb_secret secret = {.scope = "project",
                               .project_id = "site",
                               .name = seal->name,
                               .kek_id = "k1",
                               .wrapped_dek = "\0wrapped",
                               .wrapped_dek_len = 8,
                               .sealed = seal->bytes,
                               .sealed_len = seal->len,
                               .created_by = "alice",
                               .created_at = 5};

    if (pb_secret_next_version(db, "project", "site", seal->name, &secret.version, err) < 0)
        return -1;
    seal->version = secret.version;
    return pb_secret_insert(db, &secret, err);
}

static int prune(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_secret_prune(db, "project", "site", "github_token", *(int64_t *)arg, err);
}

TEST(the_newest_version_of_a_secret_is_the_one_in_use)
{
    struct store_test *t = *state;
    struct seal one = {"github_token", "a\0b", 3, 0}, two = {"github_token", "\xff\0\1\2", 4, 0};
    struct pb_secret_list list;
    struct pb_secret *secret;
    int64_t keep;
    bool any = true;

    store_test_add_project(t, "site");
    assert_ok(pb_secret_any(store_test_reader(t), &any, &t->err), &t->err);
    assert_false(any);
    store_test_write(t, put_secret, &one);
    store_test_write(t, put_secret, &two);
    assert_int_equal(one.version, 1);
    assert_int_equal(two.version, 2);
    assert_ok(pb_secret_load(store_test_reader(t), &t->arena, "project", "site", "github_token",
                             &secret, &t->err),
              &t->err);
    assert_int_equal(secret->version, 2);
    assert_int_equal(secret->sealed_len, 4);
    assert_memory_equal(secret->sealed, "\xff\0\1\2", 4);
    assert_memory_equal(secret->wrapped_dek, "\0wrapped", 8);
    assert_ok(pb_secret_list(store_test_reader(t), &t->arena, "project", "site", &list, &t->err),
              &t->err);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].version, 2);
    assert_null(list.items[0].sealed);
    assert_ok(pb_secret_any(store_test_reader(t), &any, &t->err), &t->err);
    assert_true(any);

    keep = 1;
    store_test_write(t, prune, &keep);
    assert_ok(pb_secret_load(store_test_reader(t), &t->arena, "project", "site", "github_token",
                             &secret, &t->err),
              &t->err);
    keep = 0;
    store_test_write(t, prune, &keep);
    assert_refused(pb_secret_load(store_test_reader(t), &t->arena, "project", "site",
                                  "github_token", &secret, &t->err),
                   &t->err, PB_ERROR_NOT_FOUND);
    assert_string_equal(t->err.reason, "secret_not_found");
}

TEST(secrets_go_with_their_project)
{
    struct store_test *t = *state;
    struct seal seal = {"github_token", "x", 1, 0};
    bool any = true;

    store_test_add_project(t, "site");
    store_test_write(t, put_secret, &seal);
    store_test_write(t, remove_project, &(struct id){"site"});
    assert_ok(pb_secret_any(store_test_reader(t), &any, &t->err), &t->err);
    assert_false(any);
}

#define WITH_STORE(test) \
    cmocka_unit_test_setup_teardown(test, store_test_setup, store_test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(a_project_comes_back_as_it_was_stored),
        WITH_STORE(ids_and_repositories_belong_to_one_project),
        WITH_STORE(a_deleted_project_frees_its_repository),
        WITH_STORE(two_people_cannot_overwrite_each_other),
        WITH_STORE(what_is_observed_does_not_count_as_a_change_by_people),
        WITH_STORE(pages_of_some_statuses_hold_every_project_once),
        WITH_STORE(a_page_of_projects_is_read_from_an_index),
        WITH_STORE(lists_page_by_name_and_can_be_searched),
        WITH_STORE(removing_a_project_takes_everything_of_it_along),
        WITH_STORE(variables_are_replaced_all_or_not_at_all),
        WITH_STORE(the_newest_version_of_a_secret_is_the_one_in_use),
        WITH_STORE(secrets_go_with_their_project),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
