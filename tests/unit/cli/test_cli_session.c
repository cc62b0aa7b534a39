#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "cli/cli_session.h"
#include "pb_test.h"

static char folder[] = "/tmp/poppo-cli-XXXXXX";
static char file[256];

static const struct pb_cli_session ONE = {
    .url = "http://127.0.0.1:3000",
    .username = "管理者",
    .cookie = "__Host-poppo-01234567=abc.def",
    .access_token = "token",
    .access_until_ms = 1795316767037,
};

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(file, sizeof(file), "%s/config/poppo-builder/cli.json", folder);
    return 0;
}

static int before_each(void **state)
{
    char config[128];

    (void)state;
    (void)snprintf(config, sizeof(config), "%s/config", folder);
    return setenv("XDG_CONFIG_HOME", config, 1);
}

static int tear_down(void **state)
{
    struct pb_error err;

    (void)state;
    return pb_fs_remove_tree(AT_FDCWD, folder, &err);
}

TEST(what_was_saved_is_loaded)
{
    struct pb_cli_session session;
    struct pb_error err = {0};
    struct pb_arena arena;

    pb_arena_init(&arena, 1 << 20);
    assert_ok(pb_cli_session_save(&ONE, &err), &err);
    assert_ok(pb_cli_session_load(&arena, &session, &err), &err);
    assert_string_equal(session.url, ONE.url);
    assert_string_equal(session.username, ONE.username);
    assert_string_equal(session.cookie, ONE.cookie);
    assert_string_equal(session.access_token, ONE.access_token);
    assert_int_equal(session.access_until_ms, ONE.access_until_ms);
    pb_arena_release(&arena);
}

TEST(the_file_is_for_its_owner_alone)
{
    struct pb_error err = {0};
    struct stat st;

    assert_ok(pb_cli_session_save(&ONE, &err), &err);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

TEST(a_file_others_can_read_is_refused)
{
    struct pb_cli_session session;
    struct pb_error err = {0};
    struct pb_arena arena;

    pb_arena_init(&arena, 1 << 20);
    assert_ok(pb_cli_session_save(&ONE, &err), &err);
    assert_int_equal(chmod(file, 0640), 0);
    assert_refused(pb_cli_session_load(&arena, &session, &err), &err, PB_ERROR_DENIED);
    assert_string_equal(err.reason, "session_file_open");
    assert_int_equal(chmod(file, 0600), 0);
    pb_arena_release(&arena);
}

TEST(without_a_file_nobody_is_signed_in)
{
    struct pb_cli_session session;
    struct pb_error err = {0};
    struct pb_arena arena;

    pb_arena_init(&arena, 1 << 20);
    assert_ok(pb_cli_session_save(&ONE, &err), &err);
    assert_ok(pb_cli_session_forget(&err), &err);
    assert_ok(pb_cli_session_forget(&err), &err); /* twice is fine */
    assert_refused(pb_cli_session_load(&arena, &session, &err), &err, PB_ERROR_UNAUTHENTICATED);
    assert_string_equal(err.reason, "not_signed_in");
    pb_arena_release(&arena);
}

TEST(a_damaged_file_is_refused)
{
    static const char *const DAMAGED[] = {"",   "{",           "[]",
                                          "{}", "{\"url\":1}", "{\"url\":\"http://x\"}"};
    struct pb_cli_session session;
    struct pb_error err = {0};
    struct pb_arena arena;

    pb_arena_init(&arena, 1 << 20);
    assert_ok(pb_cli_session_save(&ONE, &err), &err);
    for (size_t i = 0; i < COUNT(DAMAGED); i++) {
        assert_ok(pb_fs_write(AT_FDCWD, file, DAMAGED[i], strlen(DAMAGED[i]), 0600, &err), &err);
        assert_int_equal(pb_cli_session_load(&arena, &session, &err), -1);
    }
    pb_arena_release(&arena);
}

TEST(the_lock_is_held_until_it_is_closed)
{
    struct pb_error err = {0};
    char path[256];
    int lock;
    int second;

    lock = pb_cli_session_lock(&err);
    assert_true(lock >= 0);
    (void)snprintf(path, sizeof(path), "%s/config/poppo-builder/cli.lock", folder);
    assert_refused(pb_fs_lock(path, &err), &err, PB_ERROR_CONFLICT);
    pb_close(&lock);
    second = pb_cli_session_lock(&err);
    assert_true(second >= 0);
    pb_close(&second);
}

TEST(without_a_home_there_is_no_place_to_keep_it)
{
    struct pb_error err = {0};

    assert_int_equal(unsetenv("XDG_CONFIG_HOME"), 0);
    assert_int_equal(unsetenv("HOME"), 0);
    assert_refused(pb_cli_session_save(&ONE, &err), &err, PB_ERROR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_saved_is_loaded, before_each),
        cmocka_unit_test_setup(the_file_is_for_its_owner_alone, before_each),
        cmocka_unit_test_setup(a_file_others_can_read_is_refused, before_each),
        cmocka_unit_test_setup(without_a_file_nobody_is_signed_in, before_each),
        cmocka_unit_test_setup(a_damaged_file_is_refused, before_each),
        cmocka_unit_test_setup(the_lock_is_held_until_it_is_closed, before_each),
        cmocka_unit_test_setup(without_a_home_there_is_no_place_to_keep_it, before_each),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
