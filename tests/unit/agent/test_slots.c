#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/project_dirs.h"
#include "agent/slots.h"
#include "base/buf.h"
#include "base/fs.h"
#include "pb_test.h"

static char folder[64];
static char path[100];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/poppo-slots-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/slots.json", folder);
    return 0;
}

static int tear_down(void **state)
{
    struct pb_error err = {0};

    (void)state;
    assert_ok(pb_fs_remove_tree(AT_FDCWD, folder, &err), &err);
    return 0;
}

static void write_table(const char *text)
{
    struct pb_error err = {0};

    assert_ok(pb_fs_write(AT_FDCWD, path, text, strlen(text), 0600, &err), &err);
}

static void expect_file(const char *text)
{
    struct pb_error err = {0};
    struct pb_buf found;

    pb_buf_init(&found, 1 << 20);
    assert_ok(pb_fs_read(AT_FDCWD, path, &found, &err), &err);
    assert_string_equal(pb_buf_string(&found), text);
    pb_buf_release(&found);
}

static struct pb_slots *open_slots(void)
{
    struct pb_error err = {0};
    struct pb_slots *slots = pb_slots_open(path, 0, &err);

    if (!slots)
        fail_msg("%s", err.message);
    return slots;
}

static unsigned take(struct pb_slots *slots, const char *project)
{
    struct pb_error err = {0};
    unsigned slot = 0;

    assert_ok(pb_slots_take(slots, project, &slot, &err), &err);
    return slot;
}

TEST(the_lowest_free_slot_is_given_and_kept)
{
    struct pb_slots *slots = open_slots();

    assert_int_equal(pb_slots_free_count(slots), PB_SLOT_MAX);
    assert_int_equal(pb_slots_find(slots, "a"), 0);
    assert_int_equal(take(slots, "a"), 1);
    assert_int_equal(take(slots, "b"), 2);
    assert_int_equal(take(slots, "a"), 1);
    assert_int_equal(pb_slots_find(slots, "b"), 2);
    assert_int_equal(pb_slots_free_count(slots), PB_SLOT_MAX - 2);
    pb_slots_close(slots);
}

TEST(slots_outlive_the_process_in_a_file_of_its_owner_alone)
{
    struct pb_slots *slots = open_slots();
    struct stat info;

    (void)take(slots, "a");
    (void)take(slots, "b");
    pb_slots_close(slots);
    expect_file("{\"a\":1,\"b\":2}");
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    slots = open_slots();
    assert_int_equal(take(slots, "c"), 3);
    assert_int_equal(take(slots, "b"), 2);
    pb_slots_close(slots);
}

TEST(many_get_theirs_at_once_and_as_many_as_there_are)
{
    static char names[PB_SLOT_MAX + 2][16];
    const char *list[PB_SLOT_MAX + 2];
    const char *const three[] = {"c", "../x", "a"};
    struct pb_slots *slots = open_slots();
    struct pb_error err = {0};

    (void)take(slots, "a");
    assert_ok(pb_slots_take_all(slots, three, 3, &err), &err);
    expect_file("{\"a\":1,\"c\":2}");
    for (size_t i = 0; i < PB_SLOT_MAX + 2; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "p%zu", i);
        list[i] = names[i];
    }
    assert_ok(pb_slots_take_all(slots, list, PB_SLOT_MAX + 2, &err), &err);
    assert_int_equal(pb_slots_free_count(slots), 0);
    assert_int_equal(pb_slots_find(slots, "p0"), 3);
    assert_int_equal(pb_slots_find(slots, "a"), 1);
    pb_slots_close(slots);
    slots = open_slots();
    assert_int_equal(pb_slots_free_count(slots), 0);
    pb_slots_close(slots);
}

TEST(a_slot_given_back_is_the_next_one_s)
{
    struct pb_slots *slots = open_slots();
    struct pb_error err = {0};

    (void)take(slots, "a");
    (void)take(slots, "b");
    assert_ok(pb_slots_give_back(slots, "a", &err), &err);
    assert_int_equal(pb_slots_find(slots, "a"), 0);
    expect_file("{\"b\":2}");
    assert_ok(pb_slots_give_back(slots, "a", &err), &err); /* nothing to give back is fine */
    assert_int_equal(take(slots, "c"), 1);
    pb_slots_close(slots);
}

TEST(a_slot_whose_port_another_program_uses_is_passed_over)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pb_error err = {0};
    struct pb_slots *slots;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(taken, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(taken, 1), 0);
    assert_int_equal(getsockname(taken, (struct sockaddr *)&address, &len), 0);
    slots = pb_slots_open(path, ntohs(address.sin_port), &err);
    assert_non_null(slots);
    assert_true(take(slots, "a") > PB_SLOT_MIN);
    pb_close(&taken);
    assert_int_equal(take(slots, "b"), PB_SLOT_MIN);
    pb_slots_close(slots);
}

TEST(every_project_with_a_slot_is_listed)
{
    struct pb_slots *slots = open_slots();
    struct pb_error err = {0};

    assert_int_equal(pb_slots_next(slots, 0), 0);
    (void)take(slots, "a");
    (void)take(slots, "b");
    (void)take(slots, "c");
    assert_ok(pb_slots_give_back(slots, "b", &err), &err);
    assert_int_equal(pb_slots_next(slots, 0), 1);
    assert_int_equal(pb_slots_next(slots, 1), 3);
    assert_int_equal(pb_slots_next(slots, 3), 0);
    assert_string_equal(pb_slots_project(slots, 3), "c");
    pb_slots_close(slots);
}

TEST(what_cannot_be_written_down_is_not_given)
{
    struct pb_slots *slots = open_slots();
    struct pb_error err = {0};
    unsigned slot = 77;

    (void)take(slots, "a");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(pb_slots_take(slots, "b", &slot, &err), -1);
    assert_int_equal(slot, 77);
    assert_int_equal(pb_slots_find(slots, "b"), 0);
    assert_int_equal(pb_slots_give_back(slots, "a", &err), -1);
    assert_int_equal(pb_slots_find(slots, "a"), 1); /* still its own: its data may be there */
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(take(slots, "b"), 2);
    pb_slots_close(slots);
}

TEST(a_full_node_says_so)
{
    struct pb_slots *slots;
    struct pb_error err = {0};
    struct pb_buf text;
    unsigned slot;

    pb_buf_init(&text, 1 << 20);
    for (int i = PB_SLOT_MIN; i <= PB_SLOT_MAX; i++)
        pb_buf_format(&text, "%c\"project-%d\":%d", i == PB_SLOT_MIN ? '{' : ',', i, i);
    pb_buf_text(&text, "}");
    write_table(pb_buf_string(&text));
    slots = open_slots();
    assert_int_equal(pb_slots_free_count(slots), 0);
    assert_int_equal(take(slots, "project-2876"), 2876);
    assert_refused(pb_slots_take(slots, "one-more", &slot, &err), &err, PB_ERROR_LIMITED);
    assert_string_equal(pb_error_reason(&err), "no_slot");
    assert_ok(pb_slots_give_back(slots, "project-1234", &err), &err);
    assert_int_equal(take(slots, "one-more"), 1234);
    pb_slots_close(slots);
    pb_buf_release(&text);
}

/* A wrong table would give one project the users of another: better none at all, and people look. */
TEST(a_table_that_is_none_is_refused_and_left_alone)
{
    static const char *const TABLES[] = {"",
                                         "{",
                                         "[]",
                                         "\"a\"",
                                         "{\"a\":0}",
                                         "{\"a\":-1}",
                                         "{\"a\":2877}",
                                         "{\"a\":\"1\"}",
                                         "{\"a\":1,\"b\":1}",
                                         "{\"../a\":1}",
                                         "{\"\":1}",
                                         "{\"A b\":1}"};

    for (size_t i = 0; i < COUNT(TABLES); i++) {
        struct pb_error err = {0};

        write_table(TABLES[i]);
        if (pb_slots_open(path, 0, &err))
            fail_msg("taken: %s", TABLES[i]);
        assert_non_null(strstr(err.message, path));
        expect_file(TABLES[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_FOLDER(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        WITH_FOLDER(the_lowest_free_slot_is_given_and_kept),
        WITH_FOLDER(slots_outlive_the_process_in_a_file_of_its_owner_alone),
        WITH_FOLDER(many_get_theirs_at_once_and_as_many_as_there_are),
        WITH_FOLDER(a_slot_given_back_is_the_next_one_s),
        WITH_FOLDER(a_slot_whose_port_another_program_uses_is_passed_over),
        WITH_FOLDER(every_project_with_a_slot_is_listed),
        WITH_FOLDER(what_cannot_be_written_down_is_not_given),
        WITH_FOLDER(a_full_node_says_so),
        WITH_FOLDER(a_table_that_is_none_is_refused_and_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
