#include <string.h>

#include "model/env_var.h"
#include "model/limits.h"
#include "model/node.h"
#include "model/user.h"
#include "pb_test.h"

TEST(roles_may_what_is_written)
{
    static const struct {
        enum pb_role role;
        const char *may; /* PUBLIC READ RUN MANAGE ADMINISTER */
    } ROWS[] = {{PB_ROLE_VIEWER, "11000"}, {PB_ROLE_USER, "11110"}, {PB_ROLE_ADMIN, "11111"}};

    assert_int_equal(PB_PERMIT_COUNT, 5);
    assert_int_equal(COUNT(ROWS), PB_ROLE_COUNT);
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        for (int permission = 0; permission < PB_PERMIT_COUNT; permission++)
            assert_int_equal(pb_role_may(ROWS[i].role, (enum pb_permission)permission),
                             ROWS[i].may[permission] == '1');
    }
}

static void refused_username(const char *name, const char *reason)
{
    struct pb_error err = {0};

    assert_refused(pb_username_check(name, &err), &err, PB_ERROR_INVALID);
    assert_string_equal(err.field, "username");
    assert_string_equal(err.reason, reason);
}

TEST(user_names)
{
    static const char *const GOOD[] = {"a", "Alice", "bob.smith-2_x", "0",
                                       "abcdefghijabcdefghijabcdefghij12"};
    struct pb_error err = {0};

    for (size_t i = 0; i < COUNT(GOOD); i++)
        assert_ok(pb_username_check(GOOD[i], &err), &err);
    refused_username(NULL, "required");
    refused_username("", "required");
    refused_username("-a", "characters");
    refused_username(".a", "characters");
    refused_username("a b", "characters");
    refused_username("アリス", "characters");
    refused_username("abcdefghijabcdefghijabcdefghij123", "too_long");
}

static void refused_password(const char *password, const char *reason)
{
    struct pb_error err = {0};

    assert_refused(pb_password_check(password, &err), &err, PB_ERROR_INVALID);
    assert_string_equal(err.field, "password");
    assert_string_equal(err.reason, reason);
}

TEST(passwords_are_counted_in_characters)
{
    char text[700] = "";
    struct pb_error err = {0};

    refused_password(NULL, "required");
    refused_password("", "required");
    refused_password("1234567", "too_short");
    refused_password("あいうえおかき", "too_short"); /* 21 bytes, 7 characters */
    assert_ok(pb_password_check("あいうえおかきく", &err), &err);
    refused_password("1234567\n8", "characters");
    refused_password("1234567\xff", "characters");
    for (int i = 0; i < 200; i++)
        memcpy(text + 3 * i, "あ", 4);
    assert_ok(pb_password_check(text, &err), &err);
    memcpy(text + 600, "x", 2);
    refused_password(text, "too_long");
}

TEST(variables_of_the_platform_cannot_be_set)
{
    static const struct {
        const char *key, *reason; /* "" = fine */
    } ROWS[] = {
        {"NODE_ENV", ""},
        {"_x9", ""},
        {"GITHUB_TOKEN", ""},
        {"PATH", ""},
        {"", "required"},
        {"9A", "characters"},
        {"A-B", "characters"},
        {"A=B", "characters"},
        {"HOME", "reserved"},
        {"ANTHROPIC_API_KEY", "reserved"},
        {"ANTHROPIC_BASE_URL", "reserved"},
        {"POPPO_X", "reserved"},
        {"GIT_CONFIG_COUNT", "reserved"},
        {"LD_PRELOAD", "reserved"},
    };
    static char value[PB_LIMIT_ENV_VALUE + 2];
    struct pb_error err;

    for (size_t i = 0; i < COUNT(ROWS); i++) {
        err = (struct pb_error){0};
        assert_int_equal(pb_env_var_check(ROWS[i].key, "v", &err), ROWS[i].reason[0] ? -1 : 0);
        assert_string_equal(err.reason, ROWS[i].reason);
    }
    assert_refused(pb_env_var_check("A", NULL, &err), &err, PB_ERROR_INVALID);
    assert_ok(pb_env_var_check("A", "", &err), &err);
    memset(value, 'x', sizeof(value) - 1);
    assert_refused(pb_env_var_check("A", value, &err), &err, PB_ERROR_INVALID);
    assert_string_equal(err.reason, "too_long");
    assert_non_null(strstr(err.message, "'A'"));
    value[PB_LIMIT_ENV_VALUE] = '\0';
    assert_ok(pb_env_var_check("A", value, &err), &err);
}

TEST(nodes_have_host_names)
{
    assert_true(pb_node_name_valid("local"));
    assert_true(pb_node_name_valid("build-1.example"));
    assert_false(pb_node_name_valid(NULL));
    assert_false(pb_node_name_valid(""));
    assert_false(pb_node_name_valid("-x"));
    assert_false(pb_node_name_valid("A"));
    assert_false(pb_node_name_valid("a/b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roles_may_what_is_written),
        cmocka_unit_test(user_names),
        cmocka_unit_test(passwords_are_counted_in_characters),
        cmocka_unit_test(variables_of_the_platform_cannot_be_set),
        cmocka_unit_test(nodes_have_host_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
