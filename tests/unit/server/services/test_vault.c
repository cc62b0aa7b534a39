#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "pb_test.h"
#include "server/services/vault.h"
#include "server/store/identity_store.h"
#include "server/store/project_store.h"
#include "server/store/store.h"

struct world {
    char dir[64];
    char key[96];
    struct pb_store *store;
    struct pb_vault *vault;
    struct pb_error err;
};

static void open_store(struct world *w)
{
    char path[96];

    (void)snprintf(path, sizeof(path), "%s/db", w->dir);
    w->store =
        pb_store_open(&(struct pb_store_options){.database = path, .app_version = "test"}, &w->err);
    if (!w->store)
        fail_msg("%s", w->err.message);
}

static void open_vault(struct world *w)
{
    w->vault = pb_vault_open(w->store, w->key, &w->err);
    if (!w->vault)
        fail_msg("%s", w->err.message);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/poppo-vault-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->key, sizeof(w->key), "%s/keys/master.key", w->dir);
    open_store(w);
    open_vault(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    pb_vault_close(w->vault);
    pb_store_close(w->store);
    assert_int_equal(pb_fs_remove_tree(AT_FDCWD, w->dir, &w->err), 0);
    free(w);
    return 0;
}

struct put {
    struct world *w;
    const char *project;
    const char *plain;
};

static int put(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct put *put = arg;

    return pb_vault_put(put->w->vault, db, put->project, "github_token", put->plain, "alice", err);
}

static void store_secret(struct world *w, const char *project, const char *plain)
{
    assert_ok(pb_store_write(w->store, put, &(struct put){w, project, plain}, &w->err), &w->err);
}

static void is_revealed(struct world *w, const char *project, const char *expected)
{
    char *plain = NULL;

    assert_ok(pb_vault_reveal(w->vault, project, "github_token", "test", "check", &plain, &w->err),
              &w->err);
    assert_string_equal(plain, expected);
    pb_wipe_free(plain);
}

static int64_t audited(struct world *w)
{
    struct pb_page page = {.limit = 100};
    struct pb_audit_list list;
    struct pb_arena arena;
    int64_t count = 0;

    pb_arena_init(&arena, 1 << 20);
    assert_ok(pb_audit_list(pb_store_reader(w->store, &w->err), &arena, NULL, &page, &list,
                            &w->err),
              &w->err);
    for (size_t i = 0; i < list.count; i++)
        count += strcmp(list.items[i].action, "secret.reveal") == 0;
    pb_arena_release(&arena);
    return count;
}

static void in_world(void **state, void (*test)(struct world *w))
{
    test(*state);
}

static void newest(struct world *w)
{
    store_secret(w, "a", "first");
    store_secret(w, "a", "second");
    store_secret(w, "b", "");
    is_revealed(w, "a", "second");
    is_revealed(w, "b", "");
}

static void the_newest_version_is_revealed_also_an_empty_one(void **state)
{
    in_world(state, newest);
}

static void missing(struct world *w)
{
    char *plain = NULL;

    assert_refused(pb_vault_reveal(w->vault, "a", "github_token", "t", "p", &plain, &w->err),
                   &w->err, PB_ERROR_NOT_FOUND);
    assert_string_equal(w->err.reason, "secret_missing");
    assert_null(plain);
}

static void what_was_never_put_is_missing(void **state)
{
    in_world(state, missing);
}

static int move_row(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct pb_secret *secret = arg;

    secret->project_id = "thief";
    return pb_secret_insert(db, secret, err);
}

/* Who can write the database cannot make one project's secret another's. */
static void bound(struct world *w)
{
    struct pb_secret *secret;
    struct pb_arena arena;
    char *plain = NULL;

    store_secret(w, "owner", "mine");
    pb_arena_init(&arena, 1 << 20);
    assert_ok(pb_secret_load(pb_store_reader(w->store, &w->err), &arena, "project", "owner",
                             "github_token", &secret, &w->err),
              &w->err);
    assert_ok(pb_store_write(w->store, move_row, secret, &w->err), &w->err);
    pb_arena_release(&arena);
    assert_refused(pb_vault_reveal(w->vault, "thief", "github_token", "t", "p", &plain, &w->err),
                   &w->err, PB_ERROR_DENIED);
}

static void a_row_moved_to_another_project_does_not_open(void **state)
{
    in_world(state, bound);
}

static void audits(struct world *w)
{
    char *plain = NULL;

    store_secret(w, "a", "x");
    is_revealed(w, "a", "x");
    is_revealed(w, "a", "x");
    assert_int_equal(audited(w), 1);
    assert_ok(pb_vault_reveal(w->vault, "a", "github_token", "test", "other", &plain, &w->err),
              &w->err);
    pb_wipe_free(plain);
    assert_int_equal(audited(w), 2);
    store_secret(w, "a", "y");
    is_revealed(w, "a", "y");
    assert_int_equal(audited(w), 3);
}

static void each_reveal_is_audited_the_same_one_once_an_hour(void **state)
{
    in_world(state, audits);
}

static void records(struct world *w)
{
    struct pb_buf text;
    char *plain = NULL;

    pb_buf_init(&text, 4096);
    assert_ok(pb_vault_seal_text(w->vault, "env/a/KEY", "välue", &text, &w->err), &w->err);
    assert_null(strstr(pb_buf_string(&text), "lue"));
    assert_ok(pb_vault_open_text(w->vault, "env/a/KEY", pb_buf_string(&text), &plain, &w->err),
              &w->err);
    assert_string_equal(plain, "välue");
    pb_wipe_free(plain);
    assert_refused(pb_vault_open_text(w->vault, "env/b/KEY", pb_buf_string(&text), &plain, &w->err),
                   &w->err, PB_ERROR_DENIED);
    for (size_t i = 0; i < text.len;
         i++) { /* no byte of it can be another, unless it means the same */
        char before = text.data[i];
        char *again = NULL;

        text.data[i] = before == 'A' ? 'B' : 'A';
        if (pb_vault_open_text(w->vault, "env/a/KEY", text.data, &again, &w->err) == 0)
            assert_string_equal(again, "välue");
        pb_wipe_free(again);
        text.data[i] = before;
    }
    assert_refused(pb_vault_open_text(w->vault, "env/a/KEY", "", &plain, &w->err), &w->err,
                   PB_ERROR_DENIED);
    pb_buf_release(&text);
}

static void records_are_bound_to_their_context(void **state)
{
    in_world(state, records);
}

static void reopens(struct world *w, int *ret_opened)
{
    pb_vault_close(w->vault);
    w->vault = pb_vault_open(w->store, w->key, &w->err);
    *ret_opened = w->vault != NULL;
}

static void key_file(struct world *w)
{
    struct stat info;
    int opened;

    assert_int_equal(stat(w->key, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    store_secret(w, "a", "x");
    reopens(w, &opened);
    assert_true(opened);
    is_revealed(w, "a", "x");
    assert_int_equal(chmod(w->key, 0640), 0);
    reopens(w, &opened);
    assert_false(opened);
    assert_non_null(strstr(w->err.message, "chmod 600"));
    assert_int_equal(chmod(w->key, 0600), 0);
    assert_int_equal(unlink(w->key), 0);
    reopens(w, &opened);
    assert_false(opened);
    assert_string_equal(w->err.reason, "key_file_missing");
    assert_int_equal(access(w->key, F_OK), -1);
}

static void the_key_file_is_private_and_never_made_anew_over_sealed_rows(void **state)
{
    in_world(state, key_file);
}

static void wrong_key(struct world *w)
{
    static const char OTHER[] =
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    char *plain = NULL;
    int opened;

    store_secret(w, "a", "x");
    assert_ok(pb_fs_write(AT_FDCWD, w->key, OTHER, sizeof(OTHER) - 1, 0600, &w->err), &w->err);
    reopens(w, &opened);
    assert_true(opened);
    assert_refused(pb_vault_reveal(w->vault, "a", "github_token", "t", "p", &plain, &w->err),
                   &w->err, PB_ERROR_DENIED);
    assert_string_equal(w->err.reason, "key_file_wrong");
    assert_ok(pb_fs_write(AT_FDCWD, w->key, "short\n", 6, 0600, &w->err), &w->err);
    reopens(w, &opened);
    assert_false(opened);
}

static void another_key_file_says_so(void **state)
{
    in_world(state, wrong_key);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(the_newest_version_is_revealed_also_an_empty_one),
        WORLD_TEST(what_was_never_put_is_missing),
        WORLD_TEST(a_row_moved_to_another_project_does_not_open),
        WORLD_TEST(each_reveal_is_audited_the_same_one_once_an_hour),
        WORLD_TEST(records_are_bound_to_their_context),
        WORLD_TEST(the_key_file_is_private_and_never_made_anew_over_sealed_rows),
        WORLD_TEST(another_key_file_says_so),
    };

    pb_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
