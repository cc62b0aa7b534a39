#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "pb_test.h"
#include "server/services/auth.h"
#include "server/services/janitor.h"
#include "server/services/platform.h"
#include "server/services/vault.h"
#include "server/store/identity_store.h"
#include "server/store/store.h"

#define START  ((int64_t)1790000000000)
#define MINUTE ((int64_t)60 * 1000)
#define DAY    (24 * 60 * MINUTE)

static const struct pb_client_info CLIENT = {"192.0.2.1", "a browser", "01REQUEST"};

/* A platform with its first administrator, alice, at START. */
struct world {
    char dir[64];
    struct pb_platform platform;
    struct pb_arena arena;
    struct pb_signed_in in;
    struct pb_error err;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    char path[96];
    const char *token;

    pb_clock_set_for_test(START);
    pb_arena_init(&w->arena, 4 << 20);
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/poppo-auth-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(path, sizeof(path), "%s/db", w->dir);
    w->platform.store =
        pb_store_open(&(struct pb_store_options){.database = path, .app_version = "test"}, &w->err);
    (void)snprintf(path, sizeof(path), "%s/key", w->dir);
    w->platform.vault = pb_vault_open(w->platform.store, path, &w->err);
    w->platform.auth = pb_auth_open(&w->platform, &w->err);
    assert_non_null(w->platform.auth);
    assert_ok(pb_auth_setup_token(w->platform.auth, &w->arena, &token, &w->err), &w->err);
    assert_ok(pb_auth_setup(w->platform.auth, token, "alice", "correct horse", "en", &CLIENT,
                            &w->arena, &w->in, &w->err),
              &w->err);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    pb_auth_close(w->platform.auth);
    pb_vault_close(w->platform.vault);
    pb_store_close(w->platform.store);
    pb_arena_release(&w->arena);
    assert_int_equal(pb_fs_remove_tree(AT_FDCWD, w->dir, &w->err), 0);
    free(w);
    pb_clock_set_for_test(0);
    return 0;
}

static void is_refused(struct world *w, int r, const char *reason)
{
    assert_int_equal(r, -1);
    assert_int_equal(w->err.code, PB_ERROR_UNAUTHENTICATED);
    assert_string_equal(w->err.reason, reason);
}

static int who(struct world *w, const char *token)
{
    struct pb_principal principal;
    int r = pb_auth_principal(w->platform.auth, token, &w->arena, &principal, &w->err);

    if (r == 0)
        assert_string_equal(principal.username, "alice");
    return r;
}

static int refresh(struct world *w, const char *token, struct pb_signed_in *ret)
{
    return pb_auth_refresh(w->platform.auth, token, &CLIENT, &w->arena, ret, &w->err);
}

static void an_access_token_lives_ten_minutes(void **state)
{
    struct world *w = *state;

    assert_ok(who(w, w->in.access_token), &w->err);
    pb_clock_set_for_test(START + 10 * MINUTE - 1000);
    assert_ok(who(w, w->in.access_token), &w->err);
    pb_clock_set_for_test(START + 10 * MINUTE);
    is_refused(w, who(w, w->in.access_token), "token_expired");
}

/* Asked twice, because the second answer comes from memory. */
static void a_known_token_ends_with_its_session_and_its_time(void **state)
{
    struct world *w = *state;
    enum pb_role role = PB_ROLE_VIEWER;
    struct pb_signed_in other;

    assert_false(pb_auth_recall_role(w->platform.auth, w->in.access_token, &role));
    for (int i = 0; i < 2; i++)
        assert_ok(who(w, w->in.access_token), &w->err);
    assert_true(pb_auth_recall_role(w->platform.auth, w->in.access_token, &role));
    assert_int_equal(role, PB_ROLE_ADMIN);
    assert_false(pb_auth_recall_role(w->platform.auth, "x", &role));
    assert_false(pb_auth_recall_role(w->platform.auth, "", &role));
    pb_clock_set_for_test(START + 10 * MINUTE);
    assert_false(pb_auth_recall_role(w->platform.auth, w->in.access_token, &role));
    is_refused(w, who(w, w->in.access_token), "token_expired");

    assert_ok(refresh(w, w->in.refresh_token, &other), &w->err);
    for (int i = 0; i < 2; i++)
        assert_ok(who(w, other.access_token), &w->err);
    assert_ok(pb_auth_logout(w->platform.auth, other.refresh_token, &w->err), &w->err);
    assert_false(pb_auth_recall_role(w->platform.auth, other.access_token, &role));
    is_refused(w, who(w, other.access_token), "session_ended");
}

static void what_is_remembered_of_a_token_goes_with_it(void **state)
{
    struct world *w = *state;
    enum pb_role role;

    assert_ok(who(w, w->in.access_token), &w->err);
    pb_clock_set_for_test(START + 10 * MINUTE - 1000);
    pb_auth_tidy(w->platform.auth);
    assert_true(pb_auth_recall_role(w->platform.auth, w->in.access_token, &role));
    pb_clock_set_for_test(START + 10 * MINUTE);
    pb_auth_tidy(w->platform.auth);
    pb_clock_set_for_test(START);
    assert_false(pb_auth_recall_role(w->platform.auth, w->in.access_token, &role));
}

static int demote(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct world *w = arg;
    struct pb_user *user;

    if (pb_user_load(db, &w->arena, w->in.principal.user_id, &user, err) < 0)
        return -1;
    user->role = PB_ROLE_VIEWER;
    return pb_user_save(db, user, err);
}

static void another_role_counts_from_the_next_request_on(void **state)
{
    struct world *w = *state;
    struct pb_principal principal;
    enum pb_role role;

    for (int i = 0; i < 2; i++)
        assert_ok(who(w, w->in.access_token), &w->err);
    assert_ok(pb_store_write(w->platform.store, demote, w, &w->err), &w->err);
    assert_false(pb_auth_recall_role(w->platform.auth, w->in.access_token, &role));
    assert_ok(pb_auth_principal(w->platform.auth, w->in.access_token, &w->arena, &principal,
                                &w->err),
              &w->err);
    assert_int_equal(principal.role, PB_ROLE_VIEWER);
}

static void more_tokens_than_are_remembered_are_all_good(void **state)
{
    struct world *w = *state;
    struct pb_signed_in sessions[20];

    for (size_t i = 0; i < COUNT(sessions); i++)
        assert_ok(pb_auth_login(w->platform.auth, "alice", "correct horse", &CLIENT, &w->arena,
                                &sessions[i], &w->err),
                  &w->err);
    for (size_t i = 0; i < 3 * COUNT(sessions); i++)
        assert_ok(who(w, sessions[i % COUNT(sessions)].access_token), &w->err);
}

static void *ask_again_and_again(void *arg)
{
    struct world *w = arg;
    struct pb_arena arena;
    struct pb_error err;

    for (int i = 0; i < 300; i++) {
        struct pb_principal principal;
        enum pb_role role;

        pb_arena_init(&arena, 1 << 20);
        assert_ok(pb_auth_principal(w->platform.auth, w->in.access_token, &arena, &principal, &err),
                  &err);
        assert_string_equal(principal.username, "alice");
        (void)pb_auth_recall_role(w->platform.auth, w->in.access_token, &role);
        pb_arena_release(&arena);
    }
    return NULL;
}

static void many_threads_know_a_token_while_people_come_and_go(void **state)
{
    struct world *w = *state;
    struct pb_signed_in other;
    pthread_t threads[3];

    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_again_and_again, w), 0);
    for (int i = 0; i < 3; i++) {
        assert_ok(pb_auth_login(w->platform.auth, "alice", "correct horse", &CLIENT, &w->arena,
                                &other, &w->err),
                  &w->err);
        assert_ok(pb_auth_logout(w->platform.auth, other.refresh_token, &w->err), &w->err);
    }
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void a_session_lives_as_long_as_it_is_used(void **state)
{
    struct world *w = *state;
    struct pb_signed_in next = w->in;

    for (int day = 20; day <= 100; day += 20) {
        pb_clock_set_for_test(START + day * DAY);
        assert_ok(refresh(w, next.refresh_token, &next), &w->err);
    }
    pb_clock_set_for_test(START + 130 * DAY);
    is_refused(w, refresh(w, next.refresh_token, &next), "session_ended");
}

static void the_token_before_is_good_for_ten_seconds_and_then_a_theft(void **state)
{
    struct world *w = *state;
    struct pb_signed_in next, tab;

    assert_ok(refresh(w, w->in.refresh_token, &next), &w->err);
    assert_non_null(next.refresh_token);
    pb_clock_set_for_test(START + 9999);
    assert_ok(refresh(w, w->in.refresh_token, &tab), &w->err);
    assert_null(tab.refresh_token);
    assert_non_null(tab.access_token);
    pb_clock_set_for_test(START + 10000);
    is_refused(w, refresh(w, w->in.refresh_token, &tab), "session_reused");
    is_refused(w, refresh(w, next.refresh_token, &tab), "session_ended");
    is_refused(w, who(w, next.access_token), "session_ended");
}

static void sessions_do_not_end_each_other(void **state)
{
    struct world *w = *state;
    struct pb_signed_in other;

    assert_ok(pb_auth_login(w->platform.auth, "ALICE", "correct horse", &CLIENT, &w->arena, &other,
                            &w->err),
              &w->err);
    assert_ok(pb_auth_logout(w->platform.auth, other.refresh_token, &w->err), &w->err);
    is_refused(w, who(w, other.access_token), "session_ended");
    assert_ok(who(w, w->in.access_token), &w->err);
    assert_ok(pb_auth_logout(w->platform.auth, "nonsense", &w->err), &w->err);
}

static int disable(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct pb_arena *arena = arg;
    struct pb_user *user = NULL;

    if (pb_user_find(db, arena, "alice", &user, err) < 0)
        return -1;
    user->disabled = true;
    return pb_user_save(db, user, err);
}

static void a_disabled_account_is_out_at_once(void **state)
{
    struct world *w = *state;
    struct pb_signed_in in;

    assert_ok(pb_store_write(w->platform.store, disable, &w->arena, &w->err), &w->err);
    is_refused(w, who(w, w->in.access_token), "session_ended");
    is_refused(w, refresh(w, w->in.refresh_token, &in), "session_ended");
    is_refused(w,
               pb_auth_login(w->platform.auth, "alice", "correct horse", &CLIENT, &w->arena, &in,
                             &w->err),
               "login_failed");
}

static void tokens_are_good_after_a_restart(void **state)
{
    struct world *w = *state;

    pb_auth_close(w->platform.auth);
    w->platform.auth = pb_auth_open(&w->platform, &w->err);
    assert_non_null(w->platform.auth);
    assert_ok(who(w, w->in.access_token), &w->err);
}

static void a_ticket_is_good_once(void **state)
{
    struct world *w = *state;
    struct pb_principal found;
    const char *ticket = NULL;

    assert_ok(pb_auth_ticket_new(w->platform.auth, &w->in.principal, &w->arena, &ticket, &w->err),
              &w->err);
    assert_ok(pb_auth_ticket_use(w->platform.auth, ticket, &w->arena, &found, &w->err), &w->err);
    assert_string_equal(found.username, "alice");
    is_refused(w, pb_auth_ticket_use(w->platform.auth, ticket, &w->arena, &found, &w->err),
               "ticket_invalid");
}

static void the_janitor_forgets_sessions_a_week_after_their_end(void **state)
{
    struct world *w = *state;
    struct pb_db *db = pb_store_reader(w->platform.store, &w->err);
    struct pb_session *session = NULL;

    pb_clock_set_for_test(START + 36 * DAY);
    assert_ok(pb_janitor_tidy(&w->platform, &w->err), &w->err);
    assert_ok(pb_session_find(db, &w->arena, w->in.principal.session_id, &session, &w->err),
              &w->err);
    assert_non_null(session);
    pb_clock_set_for_test(START + 38 * DAY);
    assert_ok(pb_janitor_tidy(&w->platform, &w->err), &w->err);
    assert_ok(pb_session_find(db, &w->arena, w->in.principal.session_id, &session, &w->err),
              &w->err);
    assert_null(session);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(an_access_token_lives_ten_minutes),
        WORLD_TEST(a_known_token_ends_with_its_session_and_its_time),
        WORLD_TEST(what_is_remembered_of_a_token_goes_with_it),
        WORLD_TEST(another_role_counts_from_the_next_request_on),
        WORLD_TEST(more_tokens_than_are_remembered_are_all_good),
        WORLD_TEST(many_threads_know_a_token_while_people_come_and_go),
        WORLD_TEST(a_session_lives_as_long_as_it_is_used),
        WORLD_TEST(the_token_before_is_good_for_ten_seconds_and_then_a_theft),
        WORLD_TEST(sessions_do_not_end_each_other),
        WORLD_TEST(a_disabled_account_is_out_at_once),
        WORLD_TEST(tokens_are_good_after_a_restart),
        WORLD_TEST(a_ticket_is_good_once),
        WORLD_TEST(the_janitor_forgets_sessions_a_week_after_their_end),
    };

    pb_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
