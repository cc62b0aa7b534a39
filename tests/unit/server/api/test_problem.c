#include <string.h>

#include "base/json.h"
#include "pb_test.h"
#include "server/api/problem.h"

TEST(an_error_becomes_a_problem_document)
{
    struct pb_buf buf;
    struct pb_error err, parse;
    struct pb_error fields[2];
    struct pb_json *root;

    (void)pb_fail_field(&fields[0], "name", "name is required");
    (void)pb_fail_field(&fields[1], "model", "model is odd");
    err = fields[0];
    pb_buf_init(&buf, 4096);
    pb_problem_write(&buf, &err, fields, 2, "01REQ");
    root = pb_json_parse(buf.data, buf.len, &parse);
    assert_non_null(root);
    assert_int_equal(pb_json_int(root, "status", 0), 400);
    assert_string_equal(pb_json_text(root, "code", ""), "invalid");
    assert_string_equal(pb_json_text(root, "detail", ""), "Name is required");
    assert_string_equal(pb_json_text(root, "field", ""), "name");
    assert_string_equal(pb_json_text(root, "request_id", ""), "01REQ");
    assert_int_equal(pb_json_count(pb_json_get(root, "errors")), 2);
    pb_json_free(root);
    pb_buf_release(&buf);
}

TEST(our_own_mistakes_tell_nothing_of_their_inside)
{
    struct pb_buf buf;
    struct pb_error err;

    (void)pb_fail(&err, PB_ERROR_INTERNAL, "no such table: secrets");
    pb_buf_init(&buf, 4096);
    pb_problem_write(&buf, &err, NULL, 0, "01REQ");
    assert_null(strstr(pb_buf_string(&buf), "secrets"));
    assert_non_null(strstr(pb_buf_string(&buf), "01REQ"));
    pb_buf_release(&buf);
}

TEST(every_code_has_a_title)
{
#define X(code, status, name) PB_ERROR_##code,
    static const enum pb_error_code CODES[] = {PB_ERROR_CODES(X)};
#undef X

    for (size_t i = 0; i < COUNT(CODES); i++) {
        struct pb_error err = {0};
        struct pb_buf buf;

        (void)pb_fail(&err, CODES[i], "x");
        pb_buf_init(&buf, 4096);
        pb_problem_write(&buf, &err, NULL, 0, "r");
        assert_false(pb_buf_failed(&buf));
        if (CODES[i] != PB_ERROR_INTERNAL)
            assert_null(strstr(pb_buf_string(&buf), "Something went wrong inside"));
        pb_buf_release(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_becomes_a_problem_document),
        cmocka_unit_test(our_own_mistakes_tell_nothing_of_their_inside),
        cmocka_unit_test(every_code_has_a_title),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
