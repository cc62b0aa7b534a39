#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "pb_test.h"

TEST(a_failure_is_minus_one_with_code_and_sentence)
{
    struct pb_error err = {.reason = "old", .field = "old"};

    assert_int_equal(pb_fail(&err, PB_ERROR_CONFLICT, "already %s", "done"), -1);
    assert_int_equal(err.code, PB_ERROR_CONFLICT);
    assert_string_equal(err.message, "already done");
    assert_string_equal(err.reason, "");
    assert_string_equal(err.field, "");
}

TEST(a_field_at_fault_is_invalid_and_named)
{
    struct pb_error err;

    assert_int_equal(pb_fail_field(&err, "name", "too long"), -1);
    assert_int_equal(err.code, PB_ERROR_INVALID);
    assert_string_equal(err.field, "name");
}

TEST(the_reason_is_the_finer_name_or_the_codes_name)
{
    struct pb_error err;

    (void)pb_fail_reason(&err, PB_ERROR_DENIED, "github_token_invalid", "refused");
    assert_string_equal(pb_error_reason(&err), "github_token_invalid");
    (void)pb_fail(&err, PB_ERROR_DENIED, "refused");
    assert_string_equal(pb_error_reason(&err), "denied");
}

TEST(context_goes_in_front_and_keeps_code_reason_and_field)
{
    struct pb_error err;

    (void)pb_fail_reason(&err, PB_ERROR_NOT_FOUND, "gone", "no such execution");
    assert_int_equal(pb_fail_in(&err, "cancel %s", "01J"), -1);
    assert_string_equal(err.message, "cancel 01J: no such execution");
    assert_int_equal(err.code, PB_ERROR_NOT_FOUND);
    assert_string_equal(err.reason, "gone");
}

TEST(an_error_may_be_told_in_terms_of_itself)
{
    struct pb_error err;

    (void)pb_fail_reason(&err, PB_ERROR_DENIED, "why", "first");
    (void)pb_fail_reason(&err, PB_ERROR_INTERNAL, err.reason, "then %s", err.message);
    assert_string_equal(err.message, "then first");
    assert_string_equal(err.reason, "why");
    (void)pb_fail_in(&err, "%s", err.message);
    assert_string_equal(err.message, "then first: then first");
}

TEST(a_sentence_too_long_is_cut_and_ends)
{
    struct pb_error err;
    char text[2000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    (void)pb_fail(&err, PB_ERROR_INVALID, "%s", text);
    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
    (void)pb_fail_in(&err, "%s", text);
    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
    (void)pb_fail_field(&err, text, "no");
    assert_int_equal(strlen(err.field), sizeof(err.field) - 1);
}

TEST(the_kernels_refusals_get_a_code)
{
    static const struct {
        int number;
        enum pb_error_code code;
        const char *reason;
    } CASES[] = {
        {ENOENT, PB_ERROR_NOT_FOUND, "not_found"},   {ENOSPC, PB_ERROR_UNAVAILABLE, "disk_full"},
        {EDQUOT, PB_ERROR_UNAVAILABLE, "disk_full"}, {EACCES, PB_ERROR_DENIED, "denied"},
        {EPERM, PB_ERROR_DENIED, "denied"},          {EIO, PB_ERROR_INTERNAL, "internal"},
    };
    struct pb_error err;

    for (size_t i = 0; i < COUNT(CASES); i++) {
        errno = CASES[i].number;
        assert_int_equal(pb_fail_errno(&err, "open %s", "x"), -1);
        assert_int_equal(err.code, CASES[i].code);
        assert_string_equal(pb_error_reason(&err), CASES[i].reason);
        assert_non_null(strstr(err.message, strerror(CASES[i].number)));
        assert_int_equal(strncmp(err.message, "open x: ", 8), 0);
    }
}

TEST(every_code_has_a_status_and_a_name)
{
    assert_int_equal(pb_error_http_status(PB_OK), 200);
    assert_int_equal(pb_error_http_status(PB_ERROR_INVALID), 400);
    assert_int_equal(pb_error_http_status(PB_ERROR_TIMEOUT), 504);
    for (int code = PB_ERROR_INVALID; code <= PB_ERROR_TIMEOUT; code++) {
        assert_in_range(pb_error_http_status((enum pb_error_code)code), 400, 599);
        assert_true(pb_error_name((enum pb_error_code)code)[0] != '\0');
    }
    assert_int_equal(pb_error_http_status((enum pb_error_code)99), 500);
    assert_string_equal(pb_error_name((enum pb_error_code)99), "internal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_is_minus_one_with_code_and_sentence),
        cmocka_unit_test(a_field_at_fault_is_invalid_and_named),
        cmocka_unit_test(the_reason_is_the_finer_name_or_the_codes_name),
        cmocka_unit_test(context_goes_in_front_and_keeps_code_reason_and_field),
        cmocka_unit_test(an_error_may_be_told_in_terms_of_itself),
        cmocka_unit_test(a_sentence_too_long_is_cut_and_ends),
        cmocka_unit_test(the_kernels_refusals_get_a_code),
        cmocka_unit_test(every_code_has_a_status_and_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
