/* What root lets itself be asked, and by whom; and the folders it makes. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/boxd.h"
#include "agent/boxd_protocol.h"
#include "agent/project_dirs.h"
#include "agent/slots.h"
#include "base/fs.h"
#include "pb_test.h"

enum { BASE = 1900000000, NODE = 990 };

static const struct pb_boxd_options OPTIONS = {.uid_base = BASE, .node_uid = NODE};

static const struct {
    unsigned op;
    bool runner_may;
} OPS[] = {
#define X(op, number, word, fds_min, fds_max, runner_may) {number, runner_may},
    PB_BOXD_OPS(X)
#undef X
};

TEST(the_node_may_ask_for_everything_and_a_runner_for_its_own_slot_only)
{
    struct pb_error err;

    for (size_t i = 0; i < COUNT(OPS); i++) {
        assert_ok(pb_boxd_check_peer(&OPTIONS, NODE, OPS[i].op, 7, &err), &err);
        assert_ok(pb_boxd_check_peer(&OPTIONS, 0, OPS[i].op, 7, &err), &err);
        if (OPS[i].runner_may)
            assert_ok(pb_boxd_check_peer(&OPTIONS, BASE + 14, OPS[i].op, 7, &err), &err);
        else
            assert_refused(pb_boxd_check_peer(&OPTIONS, BASE + 14, OPS[i].op, 7, &err), &err,
                           PB_ERROR_DENIED);
        assert_refused(pb_boxd_check_peer(&OPTIONS, BASE + 15, OPS[i].op, 7, &err), &err,
                       PB_ERROR_DENIED); /* T */
        assert_refused(pb_boxd_check_peer(&OPTIONS, BASE + 16, OPS[i].op, 7, &err), &err,
                       PB_ERROR_DENIED);
        assert_refused(pb_boxd_check_peer(&OPTIONS, 1000, OPS[i].op, 7, &err), &err,
                       PB_ERROR_DENIED);
        assert_refused(pb_boxd_check_peer(&OPTIONS, NODE, OPS[i].op, 0, &err), &err,
                       PB_ERROR_INVALID);
        assert_refused(pb_boxd_check_peer(&OPTIONS, NODE, OPS[i].op, PB_SLOT_MAX + 1, &err), &err,
                       PB_ERROR_INVALID);
        assert_refused(pb_boxd_check_peer(&OPTIONS, NODE, OPS[i].op, UINT32_MAX, &err), &err,
                       PB_ERROR_INVALID);
    }
    assert_refused(pb_boxd_check_peer(&OPTIONS, NODE, 99, 7, &err), &err, PB_ERROR_INVALID);
}

TEST(a_user_namespace_without_our_ids_is_noticed_at_the_start)
{
    struct pb_error err;

    assert_ok(pb_boxd_check_uid_map("         0          0 4294967295\n", BASE, &err), &err);
    assert_ok(pb_boxd_check_uid_map("0 1000 1\n1900000000 100000 65536\n", BASE, &err), &err);
    assert_refused(pb_boxd_check_uid_map("         0     100000      65536\n", BASE, &err), &err,
                   PB_ERROR_INVALID);
    assert_non_null(strstr(err.message, "uid_base"));
    assert_refused(pb_boxd_check_uid_map("1900000000 100000 100\n", BASE, &err), &err,
                   PB_ERROR_INVALID);
    assert_refused(pb_boxd_check_uid_map("", BASE, &err), &err, PB_ERROR_INVALID);
}

static char dir[64];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/poppo-boxd-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return 0;
}

static int tear_down(void **state)
{
    struct pb_error err;

    (void)state;
    assert_ok(pb_fs_remove_tree(AT_FDCWD, dir, &err), &err);
    return 0;
}

static struct pb_project_place place_of(const char *project, unsigned slot)
{
    return (struct pb_project_place){.data_dir = dir,
                                     .project = project,
                                     .slot = slot,
                                     .as_root = geteuid() == 0,
                                     .uid_base = BASE,
                                     .port_base = 4001};
}

TEST(a_slot_decides_users_and_ports)
{
    struct pb_project_place place = place_of("p", 3);
    struct pb_project_dirs dirs;
    struct pb_error err;

    place.as_root = true;
    assert_ok(pb_project_dirs_name(&place, &dirs, &err), &err);
    assert_int_equal(dirs.runner_uid, BASE + 6);
    assert_int_equal(dirs.task_uid, BASE + 7);
    assert_int_equal(dirs.gid, BASE + 6);
    assert_int_equal(dirs.port, 4021);
    place.as_root = false;
    assert_ok(pb_project_dirs_name(&place, &dirs, &err), &err);
    assert_int_equal(dirs.runner_uid, geteuid());
    place.project = "../p";
    assert_refused(pb_project_dirs_name(&place, &dirs, &err), &err, PB_ERROR_INVALID);
    place = place_of("p", 0);
    assert_refused(pb_project_dirs_name(&place, &dirs, &err), &err, PB_ERROR_INVALID);
}

static void expect_folder(const struct pb_project_dirs *dirs, const char *name, uid_t uid,
                          mode_t mode)
{
    char path[PB_PROJECT_PATH_TEXT];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s%s", dirs->root, name);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(st.st_mode & 07777, mode);
    assert_int_equal(st.st_uid, uid);
}

TEST(folders_get_their_owners_and_modes_and_making_them_again_changes_nothing)
{
    struct pb_project_place place = place_of("p", 3);
    struct pb_project_dirs dirs;
    struct pb_error err;

    assert_ok(pb_project_dirs_name(&place, &dirs, &err), &err);
    for (int round = 0; round < 2; round++) {
        assert_ok(pb_project_dirs_make(&dirs, &err), &err);
        expect_folder(&dirs, "", place.as_root ? 0 : geteuid(), 0750);
        expect_folder(&dirs, "/workspace", dirs.task_uid, 02770);
        expect_folder(&dirs, "/logs", dirs.runner_uid, 0700);
        expect_folder(&dirs, "/data", dirs.runner_uid, 0750);
        expect_folder(&dirs, "/data/home", dirs.task_uid, 0770);
        expect_folder(&dirs, "/data/attempts", dirs.runner_uid, 0750);
        expect_folder(&dirs, "/temp", dirs.task_uid, 03770);
    }
    assert_ok(pb_project_dirs_remove(&dirs, &err), &err);
    assert_int_equal(access(dirs.root, F_OK), -1);
    assert_ok(pb_project_dirs_remove(&dirs, &err), &err);
}

TEST(a_link_planted_in_place_of_a_folder_is_not_followed)
{
    struct pb_project_place place = place_of("p", 3);
    struct pb_project_dirs dirs;
    char target[80];
    struct pb_error err;
    struct stat before;
    struct stat after;

    (void)snprintf(target, sizeof(target), "%s/target", dir);
    assert_int_equal(mkdir(target, 0711), 0);
    assert_int_equal(stat(target, &before), 0);
    assert_ok(pb_project_dirs_name(&place, &dirs, &err), &err);
    assert_ok(pb_project_dirs_make(&dirs, &err), &err);
    assert_int_equal(rmdir(dirs.home), 0);
    assert_int_equal(symlink(target, dirs.home), 0);
    assert_int_equal(pb_project_dirs_make(&dirs, &err), -1);
    assert_int_equal(stat(target, &after), 0);
    assert_int_equal(after.st_uid, before.st_uid);
    assert_int_equal(after.st_mode, before.st_mode);
}

TEST(a_slot_is_kept_until_it_is_given_back)
{
    char path[96];
    struct pb_slots *slots;
    struct pb_error err;
    unsigned first;
    unsigned second;
    unsigned again;

    (void)snprintf(path, sizeof(path), "%s/slots.json", dir);
    slots = pb_slots_open(path, 0, &err);
    assert_non_null(slots);
    assert_ok(pb_slots_take(slots, "a", &first, &err), &err);
    assert_ok(pb_slots_take(slots, "b", &second, &err), &err);
    assert_int_equal(first, 1);
    assert_int_equal(second, 2);
    assert_ok(pb_slots_take(slots, "a", &again, &err), &err);
    assert_int_equal(again, first);
    pb_slots_close(slots);
    slots = pb_slots_open(path, 0, &err); /* as after a restart */
    assert_non_null(slots);
    assert_int_equal(pb_slots_find(slots, "b"), second);
    assert_ok(pb_slots_give_back(slots, "a", &err), &err);
    assert_int_equal(pb_slots_find(slots, "a"), 0);
    assert_ok(pb_slots_take(slots, "c", &again, &err), &err);
    assert_int_equal(again, first);
    pb_slots_close(slots);
}

TEST(a_damaged_slot_table_is_refused_instead_of_giving_a_slot_twice)
{
    static const char *const BAD[] = {"{\"a\":1,\"b\":1}", "{\"a\":0}", "{\"a\":99999}",
                                      "{\"../a\":1}",      "{",         "\"x\""};
    char path[96];

    (void)snprintf(path, sizeof(path), "%s/slots.json", dir);
    for (size_t i = 0; i < COUNT(BAD); i++) {
        struct pb_error err;

        assert_ok(pb_fs_write(AT_FDCWD, path, BAD[i], strlen(BAD[i]), 0600, &err), &err);
        assert_null(pb_slots_open(path, 0, &err));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_node_may_ask_for_everything_and_a_runner_for_its_own_slot_only),
        cmocka_unit_test(a_user_namespace_without_our_ids_is_noticed_at_the_start),
        cmocka_unit_test_setup_teardown(a_slot_decides_users_and_ports, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            folders_get_their_owners_and_modes_and_making_them_again_changes_nothing, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(a_link_planted_in_place_of_a_folder_is_not_followed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_slot_is_kept_until_it_is_given_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_damaged_slot_table_is_refused_instead_of_giving_a_slot_twice, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
