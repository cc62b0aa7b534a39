#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "server/store/db_private.h"
#include "server/store/execution_store.h"
#include "server/store/outbox_store.h"
#include "server/store/project_store.h"
#include "server/store/work_item_store.h"
#include "store_test.h"

/* --- helpers --------------------------------------------------------------------------------------- */

struct insert {
    struct pb_execution execution;
    int64_t number;
};

static int insert(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct insert *wish = arg;

    return pb_execution_insert(db, &wish->execution, &wish->number, err);
}

static struct insert make_insert(char id[PB_ULID_TEXT], const char *key)
{
    pb_ulid(id);
    return (struct insert){.execution = {.id = id,
                                         .project_id = "site",
                                         .title = "T",
                                         .dedupe_key = key,
                                         .driver = "noop",
                                         .usage = {.cost_micro_usd = -1},
                                         .created_at = 5,
                                         .updated_at = 5}};
}

struct claim {
    struct store_test *t;
    const char *id;
    const char *node;
    const char *token;
    struct pb_execution *claimed;
};

static int claim(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct claim *wish = arg;

    const struct pb_claim made = {.execution_id = wish->id,
                                  .node_id = wish->node,
                                  .token = wish->token,
                                  .now_ms = 50,
                                  .lease_until_ms = 99};

    return pb_execution_claim(db, &wish->t->arena, &made, &wish->claimed, err);
}

static struct pb_execution *claimed(struct store_test *t, const char *id)
{
    struct claim wish = {t, id, "node-1", NULL, NULL};

    store_test_write(t, claim, &wish);
    return wish.claimed;
}

static struct pb_attempt *attempt(struct store_test *t, const char *id, int64_t number)
{
    struct pb_attempt *found = NULL;

    assert_ok(pb_attempt_load(store_test_reader(t), &t->arena, id, number, &found, &t->err),
              &t->err);
    return found;
}

static int64_t counted(struct store_test *t, enum pb_execution_status status)
{
    struct pb_execution_counts counts;

    assert_ok(pb_project_counts(store_test_reader(t), "site", &counts, &t->err), &t->err);
    return counts.by_status[status];
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
                                .url = "https://github.com/acme/site/issues/1",
                                .created_at = 1,
                                .updated_at = 1};

    store_test_write(t, put_issue, &item);
    return item.id;
}

/* --- enqueueing ------------------------------------------------------------------------------------ */

TEST(what_is_inserted_comes_back_whole)
{
    struct store_test *t = *state;
    struct pb_execution *execution;
    const char *id;

    store_test_add_project(t, "site");
    id = store_test_add_execution(t, "site", issue(t, 12), 1234);
    execution = store_test_load(t, id);
    assert_string_equal(execution->id, id);
    assert_int_equal(execution->number, 1);
    assert_int_equal(execution->version, 1);
    assert_int_equal(execution->status, PB_EXECUTION_QUEUED);
    assert_int_equal(execution->trigger, PB_TRIGGER_LABEL);
    assert_int_equal(execution->issue_number, 12);
    assert_string_equal(execution->prompt, "please");
    assert_string_equal(execution->item, "issue-12");
    assert_string_equal(execution->project_name, "site");
    assert_string_equal(execution->github_owner, "acme");
    assert_int_equal(execution->usage.cost_micro_usd, -1);
    assert_int_equal(execution->started_at, 0);
    assert_null(execution->reason);
    assert_int_equal(store_test_load(t, store_test_add_execution(t, "site", 0, 1235))->number, 2);
    assert_int_equal(counted(t, PB_EXECUTION_QUEUED), 2);
}

TEST(a_trigger_starts_one_execution_only)
{
    struct store_test *t = *state;
    char first[PB_ULID_TEXT], second[PB_ULID_TEXT];
    struct insert wish = make_insert(first, "label:issue-1:77"),
                  again = make_insert(second, "label:issue-1:77");
    const char *found = NULL;

    store_test_add_project(t, "site");
    store_test_write(t, insert, &wish);
    assert_refused(pb_store_write(t->store, insert, &again, &t->err), &t->err, PB_ERROR_CONFLICT);
    assert_string_equal(t->err.reason, "duplicate");
    assert_ok(pb_execution_find_key(store_test_reader(t), &t->arena, "site", "label:issue-1:77",
                                    &found, &t->err),
              &t->err);
    assert_string_equal(found, first);
    assert_int_equal(counted(t, PB_EXECUTION_QUEUED), 1);
    assert_ok(pb_execution_find_key(store_test_reader(t), &t->arena, "site", "other", &found,
                                    &t->err),
              &t->err);
    assert_null(found);
}

struct put_key {
    const char *key;
};

static int take_key(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct put_key *wish = arg;

    return pb_execution_take_key(db, "site", wish->key, "01J00000000000000000000000", 1, err);
}

TEST(a_trigger_that_answered_is_not_taken_again)
{
    struct store_test *t = *state;
    char id[PB_ULID_TEXT];
    struct insert wish = make_insert(id, "comment:5");

    store_test_add_project(t, "site");
    store_test_write(t, take_key, &(struct put_key){"comment:5"});
    assert_refused(pb_store_write(t->store, take_key, &(struct put_key){"comment:5"}, &t->err),
                   &t->err, PB_ERROR_CONFLICT);
    assert_refused(pb_store_write(t->store, insert, &wish, &t->err), &t->err, PB_ERROR_CONFLICT);
    assert_string_equal(t->err.reason, "duplicate");
}

TEST(an_execution_of_no_project_is_refused)
{
    struct store_test *t = *state;
    char id[PB_ULID_TEXT];
    struct insert wish = make_insert(id, "k");

    assert_refused(pb_store_write(t->store, insert, &wish, &t->err), &t->err, PB_ERROR_CONFLICT);
}

TEST(one_that_does_not_exist_is_not_found)
{
    struct store_test *t = *state;
    struct pb_execution *execution = NULL;

    assert_refused(pb_execution_load(store_test_reader(t), &t->arena, "nope", &execution, &t->err),
                   &t->err, PB_ERROR_NOT_FOUND);
    assert_string_equal(t->err.reason, "execution_not_found");
}

/* --- changing -------------------------------------------------------------------------------------- */

struct save {
    struct pb_execution *execution;
    enum pb_execution_status from;
};

static int save(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct save *wish = arg;

    return pb_execution_save(db, wish->execution, wish->from, err);
}

TEST(a_save_needs_the_version_and_the_status_it_was_made_from)
{
    struct store_test *t = *state;
    struct pb_execution *mine, *theirs;
    const char *id;

    store_test_add_project(t, "site");
    id = store_test_add_execution(t, "site", 0, 1);
    mine = store_test_load(t, id);
    theirs = store_test_load(t, id);
    mine->status = PB_EXECUTION_CANCELLED;
    mine->completed_at = 77;
    mine->reason_kind = "cancelled";
    mine->usage.cost_micro_usd = 1500;
    store_test_write(t, save, &(struct save){mine, PB_EXECUTION_QUEUED});
    theirs->status = PB_EXECUTION_ASSIGNED;
    assert_refused(pb_store_write(t->store, save, &(struct save){theirs, PB_EXECUTION_QUEUED},
                                  &t->err),
                   &t->err, PB_ERROR_CONFLICT);
    assert_string_equal(t->err.reason, "changed_meanwhile");
    theirs->version = 2;
    assert_refused(pb_store_write(t->store, save, &(struct save){theirs, PB_EXECUTION_QUEUED},
                                  &t->err),
                   &t->err, PB_ERROR_CONFLICT);

    mine = store_test_load(t, id);
    assert_int_equal(mine->version, 2);
    assert_int_equal(mine->status, PB_EXECUTION_CANCELLED);
    assert_int_equal(mine->completed_at, 77);
    assert_int_equal(mine->usage.cost_micro_usd, 1500);
    assert_string_equal(mine->prompt, "please"); /* untouched */
    assert_int_equal(counted(t, PB_EXECUTION_QUEUED), 0);
    assert_int_equal(counted(t, PB_EXECUTION_CANCELLED), 1);
}

static int narrow_changes(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct pb_execution_usage usage = {3, 10, 20, 30, 40, 5000};
    const char *id = *(const char **)arg;

    if (pb_execution_set_usage(db, id, &usage, 9, err) < 0)
        return -1;
    return pb_execution_set_prompt(db, id, "and then", err);
}

TEST(narrow_changes_do_not_disturb_a_save_in_between)
{
    struct store_test *t = *state;
    const char *id, *missing = "nope";
    struct pb_execution *execution;

    store_test_add_project(t, "site");
    id = store_test_add_execution(t, "site", 0, 1);
    store_test_write(t, narrow_changes, &id);
    execution = store_test_load(t, id);
    assert_int_equal(execution->version, 1);
    assert_int_equal(execution->usage.cache_write_tokens, 40);
    assert_int_equal(execution->usage.cost_micro_usd, 5000);
    assert_string_equal(execution->prompt, "and then");
    assert_refused(pb_store_write(t->store, narrow_changes, &missing, &t->err), &t->err,
                   PB_ERROR_NOT_FOUND);
}

/* --- claims, fences, attempts ------------------------------------------------------------------------ */

TEST(a_claim_raises_the_fence_and_only_one_wins)
{
    struct store_test *t = *state;
    struct pb_execution *execution;
    struct claim second;
    const char *id;

    store_test_add_project(t, "site");
    id = store_test_add_execution(t, "site", 0, 1);
    execution = claimed(t, id);
    assert_int_equal(execution->status, PB_EXECUTION_ASSIGNED);
    assert_int_equal(execution->fence, 1);
    assert_int_equal(execution->version, store_test_load(t, id)->version);
    assert_string_equal(execution->prompt, "please");
    assert_int_equal(attempt(t, id, 1)->fence, 1);
    assert_int_equal(attempt(t, id, 1)->status, PB_ATTEMPT_ASSIGNED);
    assert_int_equal(attempt(t, id, 1)->exit_code, -1);

    second = (struct claim){t, id, "node-2", "token-2", NULL};
    assert_refused(pb_store_write(t->store, claim, &second, &t->err), &t->err, PB_ERROR_CONFLICT);
    assert_string_equal(t->err.reason, "changed_meanwhile");

    store_test_set_status(t, id, PB_EXECUTION_QUEUED);
    assert_int_equal(claimed(t, id)->fence, 2);
    assert_int_equal(attempt(t, id, 2)->fence, 2);
}

static int save_attempt(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_attempt_save(db, arg, err);
}

static void work_from_to(struct store_test *t, const char *id, int64_t number, int64_t from,
                         int64_t to)
{
    struct pb_attempt *one = attempt(t, id, number);

    one->started_at = from;
    one->ended_at = to;
    one->status = to ? PB_ATTEMPT_ENDED : PB_ATTEMPT_RUNNING;
    store_test_write(t, save_attempt, one);
}

TEST(an_execution_and_its_attempt_are_read_together_or_named_apart)
{
    struct store_test *t = *state;
    struct pb_db *db;
    struct pb_execution *execution = NULL;
    struct pb_attempt *one = NULL;
    const char *id;

    store_test_add_project(t, "site");
    id = store_test_add_execution(t, "site", issue(t, 12), 1);
    (void)claimed(t, id);
    work_from_to(t, id, 1, 50, 80);
    db = store_test_reader(t);
    assert_ok(pb_attempt_load_both(db, &t->arena, id, 1, &execution, &one, &t->err), &t->err);
    assert_string_equal(execution->id, id);
    assert_string_equal(execution->prompt, "please");
    assert_string_equal(execution->item, "issue-12");
    assert_int_equal(execution->active_ms, 30);
    assert_string_equal(one->execution_id, id);
    assert_int_equal(one->started_at, 50);
    assert_int_equal(one->fence, execution->fence);
    assert_int_equal(one->exit_code, -1);
    assert_refused(pb_attempt_load_both(db, &t->arena, id, 2, &execution, &one, &t->err), &t->err,
                   PB_ERROR_NOT_FOUND);
    assert_string_equal(t->err.reason, "attempt_not_found");
    assert_refused(pb_attempt_load_both(db, &t->arena, "nothing", 1, &execution, &one, &t->err),
                   &t->err, PB_ERROR_NOT_FOUND);
    assert_string_equal(t->err.reason, "execution_not_found");
}

TEST(working_time_is_that_of_the_attempts_and_not_the_waiting_between_them)
{
    struct store_test *t = *state;
    const char *id;

    store_test_add_project(t, "site");
    id = store_test_add_execution(t, "site", 0, 1);
    assert_int_equal(store_test_load(t, id)->active_ms, 0);
    assert_int_equal(store_test_load(t, id)->active_since, 0);
    claimed(t, id); /* assigned, not begun */
    assert_int_equal(store_test_load(t, id)->active_since, 0);

    work_from_to(t, id, 1, 1000, 0);
    assert_int_equal(store_test_load(t, id)->active_ms, 0);
    assert_int_equal(store_test_load(t, id)->active_since, 1000);
    work_from_to(t, id, 1, 1000, 4000);
    store_test_set_status(t, id, PB_EXECUTION_WAITING_INPUT);
    assert_int_equal(store_test_load(t, id)->active_ms, 3000);
    assert_int_equal(store_test_load(t, id)->active_since, 0);

    store_test_set_status(t, id, PB_EXECUTION_QUEUED);
    claimed(t, id);
    work_from_to(t, id, 2, 90000, 0);
    assert_int_equal(store_test_load(t, id)->active_ms, 3000);
    assert_int_equal(store_test_load(t, id)->active_since, 90000);
    work_from_to(t, id, 2, 90000, 90500);
    assert_int_equal(store_test_load(t, id)->active_ms, 3500);
}

TEST(a_claim_that_is_repeated_with_its_token_is_the_same_claim)
{
    struct store_test *t = *state;
    struct claim first, again;
    bool is_claimed;
    const char *id;

    store_test_add_project(t, "site");
    id = store_test_add_execution(t, "site", 0, 1);
    first = (struct claim){t, id, "node-1", "token-1", NULL};
    assert_ok(pb_execution_is_claimed(store_test_reader(t), "token-1", &is_claimed, &t->err),
              &t->err);
    assert_false(is_claimed);
    store_test_write(t, claim, &first);
    assert_ok(pb_execution_is_claimed(store_test_reader(t), "token-1", &is_claimed, &t->err),
              &t->err);
    assert_true(is_claimed);
    again = first;
    store_test_write(t, claim, &again);
    assert_int_equal(again.claimed->fence, 1);
    assert_int_equal(again.claimed->version, first.claimed->version);
    store_test_set_status(t, id, PB_EXECUTION_QUEUED); /* lost: the old token is worth nothing */
    store_test_write(t, claim, &(struct claim){t, id, "node-1", "token-2", NULL});
    assert_refused(pb_store_write(t->store, claim, &first, &t->err), &t->err, PB_ERROR_CONFLICT);
}

TEST(an_attempt_with_an_old_fence_cannot_speak)
{
    struct store_test *t = *state;
    struct pb_attempt *mine;
    struct pb_attempt_list live = {0};
    struct pb_execution_usage sum;
    const char *id;

    store_test_add_project(t, "site");
    id = store_test_add_execution(t, "site", 0, 1);
    claimed(t, id);
    mine = attempt(t, id, 1);
    mine->fence = 0;
    assert_refused(pb_store_write(t->store, save_attempt, mine, &t->err), &t->err,
                   PB_ERROR_CONFLICT);
    assert_string_equal(t->err.reason, "stale_fence");
    mine->fence = 1;
    mine->status = PB_ATTEMPT_ENDED;
    mine->outcome = "failed";
    mine->exit_code = 0;
    mine->usage = (struct pb_execution_usage){1, 2, 3, 4, 5, 6};
    store_test_write(t, save_attempt, mine);
    assert_int_equal(attempt(t, id, 1)->exit_code, 0);

    store_test_set_status(t, id, PB_EXECUTION_QUEUED);
    claimed(t, id);
    assert_ok(pb_attempt_live(store_test_reader(t), &t->arena, "site", "node-1", &live, &t->err),
              &t->err);
    assert_int_equal(live.count, 1);
    assert_int_equal(live.items[0].number, 2);
    assert_ok(pb_attempt_live(store_test_reader(t), &t->arena, NULL, "node-2", &live, &t->err),
              &t->err);
    assert_int_equal(live.count, 0);
    assert_ok(pb_attempt_usage_sum(store_test_reader(t), id, &sum, &t->err), &t->err);
    assert_int_equal(sum.cost_micro_usd, 6); /* unknown in the second one */
    assert_int_equal(sum.calls, 1);
}

/* --- lists ------------------------------------------------------------------------------------------- */

/* Walks all pages and returns how many rows there were; every row must be older than the one before. */
static size_t walk(struct store_test *t, struct pb_execution_filter filter)
{
    struct pb_execution_list list;
    char last[64] = "~", here[64];
    size_t total = 0;

    do {
        assert_ok(pb_execution_list(store_test_reader(t), &t->arena, &filter, &list, &t->err),
                  &t->err);
        for (size_t i = 0; i < list.count; i++) {
            snprintf(here, sizeof(here), "%09lld %s", (long long)list.items[i].created_at,
                     list.items[i].id);
            assert_true(strcmp(here, last) < 0);
            memcpy(last, here, sizeof(last));
        }
        total += list.count;
        assert_true(list.count > 0 || !list.next_cursor);
        filter.page.cursor = list.next_cursor;
    } while (list.next_cursor);
    return total;
}

TEST(pages_hold_every_row_once_also_with_equal_times)
{
    static const enum pb_execution_status OPEN[] = {PB_EXECUTION_QUEUED, PB_EXECUTION_RUNNING},
                                          RUNNING[] = {PB_EXECUTION_RUNNING};
    struct store_test *t = *state;

    store_test_add_project(t, "site");
    store_test_add_project(t, "shop");
    for (int i = 0; i < 40; i++) {
        const char *id = store_test_add_execution(t, i % 4 ? "site" : "shop", 0, 1000 + i / 20);

        if (i % 2)
            store_test_set_status(t, id, PB_EXECUTION_RUNNING);
    }
    for (size_t limit = 1; limit <= 41; limit += 4) {
        struct pb_execution_filter filter = {.page = {.limit = limit}};

        assert_int_equal(walk(t, filter), 40);
        filter.project_id = "site";
        assert_int_equal(walk(t, filter), 30);
        filter.statuses = RUNNING;
        filter.status_count = 1;
        assert_int_equal(walk(t, filter), 20);
        filter.statuses = OPEN;
        filter.status_count = 2;
        assert_int_equal(walk(t, filter), 30);
        filter.project_id = NULL;
        assert_int_equal(walk(t, filter), 40);
    }
}

TEST(a_list_can_be_searched_and_signs_mean_themselves)
{
    struct store_test *t = *state;
    char id[PB_ULID_TEXT];
    struct insert wish = make_insert(id, "k");

    store_test_add_project(t, "site");
    store_test_add_execution(t, "site", 0, 1);
    wish.execution.title = "100% of ROOF_1";
    wish.execution.issue_number = 7;
    store_test_write(t, insert, &wish);
    assert_int_equal(walk(t, (struct pb_execution_filter){.query = "roof"}), 2);
    assert_int_equal(walk(t, (struct pb_execution_filter){.query = "0% OF"}), 1);
    assert_int_equal(walk(t, (struct pb_execution_filter){.query = "f_1"}), 1);
    assert_int_equal(walk(t, (struct pb_execution_filter){.query = "e%r"}), 0);
    assert_int_equal(walk(t, (struct pb_execution_filter){.query = "#7"}), 1);
    assert_int_equal(walk(t, (struct pb_execution_filter){.query = "12"}), 1);
}

TEST(an_issue_has_its_number_in_every_project)
{
    struct store_test *t = *state;
    char ids[4][PB_ULID_TEXT];

    store_test_add_project(t, "site");
    store_test_add_project(t, "shop");
    for (int i = 0; i < 4; i++) {
        struct insert wish = make_insert(ids[i], ids[i]);

        wish.execution.project_id = i % 2 ? "shop" : "site";
        wish.execution.title = i < 2 ? "Fix #42" : "Fix 142 things";
        wish.execution.issue_number = i < 2 ? 7 : 42;
        store_test_write(t, insert, &wish);
    }
    assert_int_equal(walk(t, (struct pb_execution_filter){.query = "#42"}), 2);
    assert_int_equal(walk(t, (struct pb_execution_filter){.query = "#42", .project_id = "shop"}),
                     1);
    assert_int_equal(walk(t, (struct pb_execution_filter){.query = "42"}), 4);
    assert_int_equal(walk(t, (struct pb_execution_filter){.query = "#4"}), 0);
}

/* Every page of a search, the empty ones, too. */
static size_t search(struct store_test *t, struct pb_execution_filter filter, size_t *ret_pages)
{
    struct pb_execution_list list;
    size_t found = 0;

    *ret_pages = 0;
    do {
        assert_ok(pb_execution_list(store_test_reader(t), &t->arena, &filter, &list, &t->err),
                  &t->err);
        found += list.count;
        ++*ret_pages;
        filter.page.cursor = list.next_cursor;
    } while (list.next_cursor);
    return found;
}

TEST(a_search_looks_at_so_many_rows_and_says_where_to_look_on)
{
    static const enum pb_execution_status OPEN[] = {PB_EXECUTION_QUEUED, PB_EXECUTION_RUNNING};
    struct store_test *t = *state;
    char ids[40][PB_ULID_TEXT];
    size_t pages;

    store_test_add_project(t, "site");
    for (int i = 0; i < 40; i++) {
        struct insert wish = make_insert(ids[i], ids[i]);

        wish.execution.title = i == 3 ? "ログイン画面の検索を直す" : i % 10 ? "plain" : "Tenth";
        wish.execution.created_at = 1000 + i / 3;
        store_test_write(t, insert, &wish);
        if (i % 2)
            store_test_set_status(t, ids[i], PB_EXECUTION_RUNNING);
    }
    for (int statuses = 0; statuses < 3; statuses++) {
        struct pb_execution_filter filter = {
            .page = {.limit = 2},
            .statuses = OPEN + (statuses == 1),
            .status_count = (size_t)statuses,
            .search_rows = 7,
        };

        filter.query = "検索"; /* two characters, of a row that is running */
        assert_int_equal(search(t, filter, &pages), 1);
        assert_in_range(pages, statuses == 1 ? 3 : 6, statuses == 1 ? 3 : 6);
        filter.query = "nowhere";
        assert_int_equal(search(t, filter, &pages), 0);
        filter.query = "plain";
        assert_int_equal(search(t, filter, &pages), statuses == 1 ? 19 : 35);
        filter.query = "tenth";
        assert_int_equal(search(t, filter, &pages), statuses == 1 ? 0 : 4);
        filter.search_rows = 1;
        assert_int_equal(search(t, filter, &pages), statuses == 1 ? 0 : 4);
        filter.search_rows = 40;
        filter.page.limit = 50;
        assert_int_equal(search(t, filter, &pages), statuses == 1 ? 0 : 4);
    }
}

TEST(a_made_up_cursor_is_refused)
{
    static const char *const BAD[] = {"x", "!!!", "", "AAAA", "Zm9vCmJhcg"};
    struct store_test *t = *state;
    struct pb_execution_list list;

    for (size_t i = 0; i < COUNT(BAD); i++) {
        struct pb_execution_filter filter = {.page = {.cursor = BAD[i]}};

        assert_refused(pb_execution_list(store_test_reader(t), &t->arena, &filter, &list, &t->err),
                       &t->err, PB_ERROR_INVALID);
        assert_string_equal(t->err.field, "cursor");
    }
}

/* --- plans -------------------------------------------------------------------------------------------------- */

TEST(no_hot_query_reads_a_whole_table)
{
    static const enum pb_execution_status MANY[] = {PB_EXECUTION_QUEUED, PB_EXECUTION_FAILED};
    struct store_test *t = *state;
    struct pb_db *db = store_test_reader(t);
    struct pb_execution_filter filter = {0};
    struct pb_execution_list list;
    struct pb_execution *one = NULL;
    struct pb_execution_counts counts;
    struct pb_execution_stats stats;
    struct pb_attempt_list attempts;
    struct pb_outbox_list outbox;
    struct pb_work_item *item;
    char *rest, *line, *sql;
    struct pb_buf plan;
    const char *found;
    int64_t at;

    for (int i = 0; i < 36; i++) {
        static const char *const QUERIES[] = {NULL, "#42", "word"};

        filter.project_id = i & 1 ? "site" : NULL;
        filter.statuses = MANY;
        filter.status_count = (size_t)(i / 4 % 3);
        filter.query = QUERIES[i / 12];
        filter.page.cursor = i & 2 ? "MTAwMAow" : NULL; /* "1000\n0" */
        assert_ok(pb_execution_list(db, &t->arena, &filter, &list, &t->err), &t->err);
    }
    assert_int_equal(pb_execution_load(db, &t->arena, "x", &one, &t->err), -1);
    assert_ok(pb_execution_find_key(db, &t->arena, "site", "k", &found, &t->err), &t->err);
    assert_ok(pb_execution_newest_of(db, &t->arena, 1, &one, &t->err), &t->err);
    assert_ok(pb_execution_last_of(db, &t->arena, "site", &one, &t->err), &t->err);
    assert_ok(pb_execution_due(db, &t->arena, 1, 10, &list, &t->err), &t->err);
    assert_ok(pb_execution_next_due(db, &at, &t->err), &t->err);
    assert_ok(pb_execution_stats_since(db, 1, &stats, &t->err), &t->err);
    assert_ok(pb_project_counts(db, "site", &counts, &t->err), &t->err);
    assert_ok(pb_project_open_counts(db, &counts, &t->err), &t->err);
    assert_ok(pb_attempt_live(db, &t->arena, NULL, "node", &attempts, &t->err), &t->err);
    assert_ok(pb_outbox_due(db, &t->arena, 1, 10, &outbox, &t->err), &t->err);
    assert_ok(pb_outbox_next_at(db, &at, &t->err), &t->err);
    assert_ok(pb_work_item_find(db, &t->arena, "site", 1, &item, &t->err), &t->err);

    pb_buf_init(&plan, 1 << 20);
    assert_ok(pb_db_explain(db, &plan, &t->err), &t->err);
    rest = sql = plan.data;
    while ((line = strsep(&rest, "\n"))) {
        static const char *const FINE[] = {"SCAN m", "SCAN s", "SCAN CONSTANT ROW"};
        bool fine = (strncmp(line, "SCAN ", 5) != 0 || strstr(line, "USING")) &&
                    !strstr(line, "Seq Scan on ");

        if (strncmp(line, "== ", 3) == 0)
            sql = line;
        for (size_t i = 0; i < COUNT(FINE); i++)
            fine = fine || strcmp(line, FINE[i]) == 0;
        if (!fine ||
            (strstr(line, "TEMP B-TREE") && strstr(sql, "SELECT e.id, e.project_id, e.wor")))
            fail_msg("%s: %s", line, sql);
    }
    pb_buf_release(&plan);
}

#define WITH_STORE(test) \
    cmocka_unit_test_setup_teardown(test, store_test_setup, store_test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(what_is_inserted_comes_back_whole),
        WITH_STORE(a_trigger_starts_one_execution_only),
        WITH_STORE(a_trigger_that_answered_is_not_taken_again),
        WITH_STORE(an_execution_of_no_project_is_refused),
        WITH_STORE(one_that_does_not_exist_is_not_found),
        WITH_STORE(a_save_needs_the_version_and_the_status_it_was_made_from),
        WITH_STORE(narrow_changes_do_not_disturb_a_save_in_between),
        WITH_STORE(a_claim_raises_the_fence_and_only_one_wins),
        WITH_STORE(an_execution_and_its_attempt_are_read_together_or_named_apart),
        WITH_STORE(working_time_is_that_of_the_attempts_and_not_the_waiting_between_them),
        WITH_STORE(an_attempt_with_an_old_fence_cannot_speak),
        WITH_STORE(pages_hold_every_row_once_also_with_equal_times),
        WITH_STORE(a_list_can_be_searched_and_signs_mean_themselves),
        WITH_STORE(an_issue_has_its_number_in_every_project),
        WITH_STORE(a_search_looks_at_so_many_rows_and_says_where_to_look_on),
        WITH_STORE(a_made_up_cursor_is_refused),
        WITH_STORE(a_claim_that_is_repeated_with_its_token_is_the_same_claim),
        WITH_STORE(no_hot_query_reads_a_whole_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
