/* Work items, people, nodes, the outbox and the cache: one story each. */
#include <stdbool.h>
#include <string.h>

#include "model/limits.h"
#include "server/store/cluster_store.h"
#include "server/store/github_cache.h"
#include "server/store/identity_store.h"
#include "server/store/outbox_store.h"
#include "server/store/work_item_store.h"
#include "store_test.h"

/* --- work items ----------------------------------------------------------------------------------------- */

static int put_item(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct pb_work_item *item = arg;

    return pb_work_item_put(db, item, &item->id, err);
}

static int save_item(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_work_item_save(db, arg, err);
}

static struct pb_work_item make_issue(void)
{
    return (struct pb_work_item){.project_id = "site",
                                 .kind = PB_WORK_ITEM_ISSUE,
                                 .number = 12,
                                 .item = "issue-12",
                                 .title = "Roof",
                                 .url = "https://x/12",
                                 .author = "bob",
                                 .created_at = 1,
                                 .updated_at = 1};
}

static struct pb_work_item *find_item(struct store_test *t, int64_t number)
{
    struct pb_work_item *item = NULL;

    assert_ok(pb_work_item_find(store_test_reader(t), &t->arena, "site", number, &item, &t->err),
              &t->err);
    return item;
}

struct note {
    int64_t id;
    const char *session_id;
    const char *branch;
};

static int note_item(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct note *note = arg;

    return pb_work_item_note(db, note->id, note->session_id, note->branch, 77, err);
}

TEST(what_an_attempt_leaves_takes_nothing_away)
{
    struct store_test *t = *state;
    struct pb_work_item issue = make_issue(), *found;

    store_test_add_project(t, "site");
    store_test_write(t, put_item, &issue);
    store_test_write(t, note_item, &(struct note){issue.id, "s-1", NULL});
    store_test_write(t, note_item, &(struct note){issue.id, NULL, "poppo/x"});
    found = find_item(t, 12);
    assert_string_equal(found->session_id, "s-1");
    assert_string_equal(found->branch, "poppo/x");
    assert_string_equal(found->title, "Roof");
    assert_int_equal(found->updated_at, 77);
    assert_refused(pb_store_write(t->store, note_item, &(struct note){12345, "s", NULL}, &t->err),
                   &t->err, PB_ERROR_NOT_FOUND);
    assert_string_equal(t->err.reason, "work_item_not_found");
}

TEST(an_issue_is_one_work_item_and_keeps_what_it_has)
{
    struct store_test *t = *state;
    struct pb_work_item issue = make_issue(), *found;
    int64_t id;

    store_test_add_project(t, "site");
    store_test_write(t, put_item, &issue);
    id = issue.id;
    found = find_item(t, 12);
    found->session_id = "s-1";
    found->pr_number = 40;
    found->comment_id = 99;
    store_test_write(t, save_item, found);

    issue.title = "Roof and wall";
    issue.url = NULL;
    store_test_write(t, put_item, &issue);
    assert_int_equal(issue.id, id);
    found = find_item(t, 40); /* by its pull request */
    assert_int_equal(found->id, id);
    assert_string_equal(found->title, "Roof and wall");
    assert_string_equal(found->url, "https://x/12");
    assert_string_equal(found->session_id, "s-1");
    assert_int_equal(found->comment_id, 99);
    assert_null(find_item(t, 13));
    found->id = 12345;
    assert_refused(pb_store_write(t->store, save_item, found, &t->err), &t->err,
                   PB_ERROR_NOT_FOUND);
}

struct task {
    struct store_test *t;
    int64_t id;
};

static int put_task(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct task *task = arg;

    return pb_work_item_put_task(db, "site", "by hand", "alice", 5, &task->id, err);
}

TEST(tasks_count_up_and_lists_page)
{
    struct store_test *t = *state;
    struct pb_page page = {.limit = 2};
    struct pb_work_item_list list;
    struct task task = {t, 0};
    size_t total = 0;

    store_test_add_project(t, "site");
    for (int i = 0; i < 5; i++)
        store_test_write(t, put_task, &task);
    do {
        assert_ok(pb_work_item_list(store_test_reader(t), &t->arena, "site", &page, &list, &t->err),
                  &t->err);
        if (total == 0)
            assert_string_equal(list.items[0].item, "task-5");
        total += list.count;
        page.cursor = list.next_cursor;
    } while (list.next_cursor);
    assert_int_equal(total, 5);
}

/* --- people ------------------------------------------------------------------------------------------------ */

static int put_user(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct pb_user *user = arg;

    return pb_user_insert(db, user, &user->id, err);
}

static int save_user(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_user_save(db, arg, err);
}

static int64_t admins(struct store_test *t)
{
    int64_t count = -1;

    assert_ok(pb_user_count_admins(store_test_reader(t), &count, &t->err), &t->err);
    return count;
}

TEST(user_names_are_one_whatever_their_case)
{
    struct store_test *t = *state;
    struct pb_user alice = {.username = "Alice",
                            .password_hash = "h",
                            .role = PB_ROLE_ADMIN,
                            .language = "ja",
                            .created_at = 1};
    struct pb_user *found = NULL;

    assert_int_equal(admins(t), 0);
    store_test_write(t, put_user, &alice);
    assert_int_equal(admins(t), 1);
    alice.username = "aLICE";
    assert_refused(pb_store_write(t->store, put_user, &alice, &t->err), &t->err, PB_ERROR_CONFLICT);
    assert_string_equal(t->err.reason, "username_taken");
    assert_ok(pb_user_find(store_test_reader(t), &t->arena, "ALICE", &found, &t->err), &t->err);
    assert_string_equal(found->username, "Alice");
    assert_int_equal(found->role, PB_ROLE_ADMIN);
    found->disabled = true;
    store_test_write(t, save_user, found);
    assert_int_equal(admins(t), 0);
    assert_ok(pb_user_find(store_test_reader(t), &t->arena, "bob", &found, &t->err), &t->err);
    assert_null(found);
}

static int put_session(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_session_insert(db, arg, err);
}

struct rotation {
    const char *old, *new;
};

static int rotate(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct rotation *rotation = arg;

    return pb_session_rotate(db, "s1", rotation->old, rotation->new, 50, 900, err);
}

static int revoke_all(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_session_revoke_all(db, *(int64_t *)arg, "s2", 60, err);
}

static int purge_sessions(struct pb_db *db, void *arg, struct pb_error *err)
{
    int64_t removed;

    return pb_session_purge(db, *(int64_t *)arg, 100, &removed, err);
}

static struct pb_session *session(struct store_test *t, const char *id)
{
    struct pb_session *found = NULL;

    assert_ok(pb_session_find(store_test_reader(t), &t->arena, id, &found, &t->err), &t->err);
    return found;
}

TEST(a_refresh_token_turns_once)
{
    struct store_test *t = *state;
    struct pb_user user = {.username = "alice", .password_hash = "h", .created_at = 1};
    struct pb_session s = {.id = "s1", .refresh_hash = "a", .created_at = 1, .expires_at = 100};
    int64_t before = 70;

    store_test_write(t, put_user, &user);
    s.user_id = user.id;
    store_test_write(t, put_session, &s);
    s.id = "s2";
    store_test_write(t, put_session, &s);
    store_test_write(t, rotate, &(struct rotation){"a", "b"});
    assert_string_equal(session(t, "s1")->refresh_hash, "b");
    assert_string_equal(session(t, "s1")->previous_hash, "a");
    assert_int_equal(session(t, "s1")->expires_at, 900);
    assert_refused(pb_store_write(t->store, rotate, &(struct rotation){"a", "c"}, &t->err), &t->err,
                   PB_ERROR_CONFLICT);
    assert_string_equal(t->err.reason, "refresh_reused");

    store_test_write(t, revoke_all, &user.id);
    assert_int_equal(session(t, "s1")->revoked_at, 60);
    assert_int_equal(session(t, "s2")->revoked_at, 0);
    assert_refused(pb_store_write(t->store, rotate, &(struct rotation){"b", "c"}, &t->err), &t->err,
                   PB_ERROR_CONFLICT);
    store_test_write(t, purge_sessions, &before);
    assert_null(session(t, "s1"));
    assert_non_null(session(t, "s2"));
}

TEST(a_user_has_a_limited_number_of_sessions)
{
    struct store_test *t = *state;
    struct pb_user user = {.username = "alice", .password_hash = "h", .created_at = 1};
    int64_t before = 0;

    store_test_write(t, put_user, &user);
    for (int i = 0; i < PB_LIMIT_SESSIONS_PER_USER + 2; i++) {
        struct pb_session s = {.id = pb_arena_format(&t->arena, "s%d", i),
                               .user_id = user.id,
                               .refresh_hash = "a",
                               .created_at = i,
                               .expires_at = 1000};

        store_test_write(t, put_session, &s);
    }
    store_test_write(t, purge_sessions, &before);
    assert_null(session(t, "s0"));
    assert_null(session(t, "s1"));
    assert_non_null(session(t, "s2"));
}

static int put_audit(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_audit_append(db, arg, err);
}

TEST(the_audit_trail_is_read_newest_first)
{
    struct store_test *t = *state;
    struct pb_audit entry = {.actor = "user:alice", .action = "project.create"};
    struct pb_page page = {.limit = 2};
    struct pb_audit_list list;

    for (int i = 1; i <= 5; i++) {
        entry.at = i;
        entry.object = i % 2 ? "project:site" : "project:shop";
        store_test_write(t, put_audit, &entry);
    }
    assert_ok(pb_audit_list(store_test_reader(t), &t->arena, NULL, &page, &list, &t->err), &t->err);
    assert_int_equal(list.items[0].at, 5);
    page.cursor = list.next_cursor;
    assert_ok(pb_audit_list(store_test_reader(t), &t->arena, NULL, &page, &list, &t->err), &t->err);
    assert_int_equal(list.items[0].at, 3);
    page = (struct pb_page){0};
    assert_ok(pb_audit_list(store_test_reader(t), &t->arena, "project:shop", &page, &list, &t->err),
              &t->err);
    assert_int_equal(list.count, 2);
    assert_null(list.next_cursor);
}

/* --- nodes --------------------------------------------------------------------------------------------------- */

struct enrol {
    struct store_test *t;
    const char *name, *key;
    const char *id;
};

static int enrol(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct enrol *wish = arg;

    return pb_node_put(db, &wish->t->arena, wish->name, wish->key, 5, &wish->id, err);
}

static int save_node(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_node_save(db, arg, err);
}

static int all_offline(struct pb_db *db, void *arg, struct pb_error *err)
{
    (void)arg;
    return pb_node_all_offline(db, err);
}

TEST(a_node_is_known_by_its_key_and_may_get_a_new_one)
{
    struct store_test *t = *state;
    struct enrol first = {t, "local", "k1", NULL}, second = {t, "local", "k2", NULL};
    struct pb_node *node = NULL;

    store_test_write(t, enrol, &first);
    store_test_write(t, enrol, &second);
    assert_string_equal(first.id, second.id);
    assert_ok(pb_node_find(store_test_reader(t), &t->arena, "k1", &node, &t->err), &t->err);
    assert_null(node);
    assert_ok(pb_node_find(store_test_reader(t), &t->arena, "k2", &node, &t->err), &t->err);
    node->status = PB_NODE_ONLINE;
    node->boot_id = "b";
    store_test_write(t, save_node, node);
    assert_ok(pb_node_load(store_test_reader(t), &t->arena, node->id, &node, &t->err), &t->err);
    assert_int_equal(node->status, PB_NODE_ONLINE);
    assert_string_equal(node->boot_id, "b");
    store_test_write(t, all_offline, NULL);
    assert_ok(pb_node_load(store_test_reader(t), &t->arena, node->id, &node, &t->err), &t->err);
    assert_int_equal(node->status, PB_NODE_OFFLINE);
}

/* --- the outbox ------------------------------------------------------------------------------------------------ */

struct effect {
    int64_t item;
    const char *execution;
    int64_t now;
};

static int put_effect(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct effect *effect = arg;

    return pb_outbox_put(db, "site", effect->item, effect->execution, "sync_issue", NULL,
                         effect->now, err);
}

struct finish {
    int64_t id, revision, next_at;
    bool more;
};

static int done(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct finish *finish = arg;

    return pb_outbox_done(db, finish->id, finish->revision, 500, &finish->more, err);
}

static int retry(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct finish *finish = arg;

    return pb_outbox_retry(db, finish->id, finish->revision, finish->next_at, "502", err);
}

static int give_up(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct finish *finish = arg;

    return pb_outbox_give_up(db, finish->id, finish->revision, 600, "404", err);
}

static struct pb_outbox_list due(struct store_test *t, int64_t now)
{
    struct pb_outbox_list list = {0};

    assert_ok(pb_outbox_due(store_test_reader(t), &t->arena, now, 10, &list, &t->err), &t->err);
    return list;
}

static int64_t next_at(struct store_test *t)
{
    int64_t at = -1;

    assert_ok(pb_outbox_next_at(store_test_reader(t), &at, &t->err), &t->err);
    return at;
}

TEST(an_effect_is_one_row_and_the_newest_wins)
{
    struct store_test *t = *state;
    struct pb_work_item issue = make_issue();
    struct pb_outbox_list list;
    struct finish finish;

    store_test_add_project(t, "site");
    store_test_write(t, put_item, &issue);
    store_test_write(t, put_effect, &(struct effect){issue.id, "e1", 10});
    store_test_write(t, put_effect, &(struct effect){issue.id, "e2", 20});
    assert_int_equal(due(t, 19).count, 0);
    list = due(t, 20);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].execution_id, "e2");
    finish = (struct finish){list.items[0].id, list.items[0].revision, 0, false};

    store_test_write(t, put_effect, &(struct effect){issue.id, "e3", 30}); /* while it works */
    store_test_write(t, done, &finish);
    assert_true(finish.more);
    list = due(t, 30);
    assert_string_equal(list.items[0].execution_id, "e3");
    finish.revision = list.items[0].revision;
    finish.next_at = 99;
    store_test_write(t, retry, &finish);
    assert_int_equal(due(t, 98).count, 0);
    assert_int_equal(next_at(t), 99);
    list = due(t, 99);
    assert_int_equal(list.items[0].attempts, 1);
    assert_string_equal(list.items[0].last_error, "502");
    store_test_write(t, done, &finish);
    assert_false(finish.more);
    assert_int_equal(next_at(t), 0);

    store_test_write(t, put_effect, &(struct effect){issue.id, "e4", 100}); /* a new row */
    list = due(t, 100);
    assert_int_equal(list.items[0].revision, 1);
    assert_true(list.items[0].id != finish.id);
    finish = (struct finish){list.items[0].id, 7, 0, false};
    store_test_write(t, give_up, &finish); /* not this revision */
    assert_int_equal(due(t, 100).count, 1);
    finish.revision = 1;
    store_test_write(t, give_up, &finish);
    assert_int_equal(due(t, 100).count, 0);
}

/* --- the cache --------------------------------------------------------------------------------------------------- */

static int put_cached(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_github_cache_put(db, "site", "/issues", "token-1", arg, err);
}

static int put_limit(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_github_limit_put(db, arg, err);
}

TEST(answers_are_cached_for_one_token_only)
{
    struct store_test *t = *state;
    struct pb_github_entry entry = {.etag = "\"1\"", .body = "[\0]", .body_len = 3, .seen_at = 5};
    struct pb_github_entry *found = NULL;
    struct pb_github_limit limit;

    store_test_add_project(t, "site");
    store_test_write(t, put_cached, &entry);
    entry.etag = "\"2\"";
    entry.link = "<next>";
    store_test_write(t, put_cached, &entry);
    assert_ok(pb_github_cache_get(store_test_reader(t), &t->arena, "site", "/issues", "token-1",
                                  &found, &t->err),
              &t->err);
    assert_string_equal(found->etag, "\"2\"");
    assert_string_equal(found->link, "<next>");
    assert_int_equal(found->body_len, 3);
    assert_memory_equal(found->body, "[\0]", 3);
    assert_ok(pb_github_cache_get(store_test_reader(t), &t->arena, "site", "/issues", "token-2",
                                  &found, &t->err),
              &t->err);
    assert_null(found);
    entry.body_len = PB_LIMIT_GITHUB_CACHE_BODY + 1;
    assert_refused(pb_store_write(t->store, put_cached, &entry, &t->err), &t->err,
                   PB_ERROR_TOO_LARGE);

    assert_ok(pb_github_limit_get(store_test_reader(t), "token-1", &limit, &t->err), &t->err);
    assert_int_equal(limit.remaining, -1);
    store_test_write(t, put_limit, &(struct pb_github_limit){"token-1", 0, 77, 88});
    assert_ok(pb_github_limit_get(store_test_reader(t), "token-1", &limit, &t->err), &t->err);
    assert_true(limit.remaining == 0 && limit.reset_at == 77 && limit.retry_at == 88);
}

#define WITH_STORE(test) \
    cmocka_unit_test_setup_teardown(test, store_test_setup, store_test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(an_issue_is_one_work_item_and_keeps_what_it_has),
        WITH_STORE(what_an_attempt_leaves_takes_nothing_away),
        WITH_STORE(tasks_count_up_and_lists_page),
        WITH_STORE(user_names_are_one_whatever_their_case),
        WITH_STORE(a_refresh_token_turns_once),
        WITH_STORE(a_user_has_a_limited_number_of_sessions),
        WITH_STORE(the_audit_trail_is_read_newest_first),
        WITH_STORE(a_node_is_known_by_its_key_and_may_get_a_new_one),
        WITH_STORE(an_effect_is_one_row_and_the_newest_wins),
        WITH_STORE(answers_are_cached_for_one_token_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
