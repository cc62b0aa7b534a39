#include <stdio.h>

#include "cli/cli_api.h"
#include "pb_test.h"

static int read_url(const char *text, bool plain, char *ret_url, size_t size, struct pb_error *err)
{
    struct pb_buf url;
    int r;

    pb_buf_init(&url, 1024);
    r = pb_cli_url_read(text, plain, &url, err);
    (void)snprintf(ret_url, size, "%s", pb_buf_string(&url));
    pb_buf_release(&url);
    return r;
}

TEST(an_address_is_kept_without_its_last_slash)
{
    static const char *const GOOD[][2] = {
        {"http://127.0.0.1:3000", "http://127.0.0.1:3000"},
        {"http://localhost:3000//", "http://localhost:3000"},
        {"https://poppo.example.com/", "https://poppo.example.com"},
        {"http://[::1]:3000", "http://[::1]:3000"},
    };
    struct pb_error err = {0};
    char url[128];

    for (size_t i = 0; i < COUNT(GOOD); i++) {
        assert_ok(read_url(GOOD[i][0], false, url, sizeof(url), &err), &err);
        assert_string_equal(url, GOOD[i][1]);
    }
}

TEST(what_is_no_address_is_refused)
{
    static const char *const WRONG[] = {
        "",
        "127.0.0.1:3000",
        "ftp://x",
        "http://",
        "https:///",
        "http://a/b",
        "http://u:p@host",
        "http://a b",
        "http://a?x",
        "http://a#x",
        "http://:80",
        "http://a\nHost:b",
        "http://\xe3\x81\x82",
    };
    struct pb_error err = {0};
    char url[128];

    for (size_t i = 0; i < COUNT(WRONG); i++)
        assert_refused(read_url(WRONG[i], true, url, sizeof(url), &err), &err, PB_ERROR_INVALID);
}

TEST(a_password_does_not_go_to_another_machine_over_http)
{
    static const char *const OPEN[] = {"http://example.com", "http://10.0.0.5:3000",
                                       "http://localhost.evil.example",
                                       "http://127.0.0.1.evil.example"};
    struct pb_error err = {0};
    char url[128];

    for (size_t i = 0; i < COUNT(OPEN); i++) {
        assert_refused(read_url(OPEN[i], false, url, sizeof(url), &err), &err, PB_ERROR_DENIED);
        assert_string_equal(err.reason, "plain_http");
        assert_ok(read_url(OPEN[i], true, url, sizeof(url), &err), &err);
    }
}

TEST(text_goes_into_addresses_encoded)
{
    struct pb_buf buf;

    pb_buf_init(&buf, 1024);
    pb_cli_put_encoded(&buf, "a-Z_0.~/?#& %日");
    assert_string_equal(pb_buf_string(&buf), "a-Z_0.~%2f%3f%23%26%20%25%e6%97%a5");
    pb_buf_release(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_kept_without_its_last_slash),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_password_does_not_go_to_another_machine_over_http),
        cmocka_unit_test(text_goes_into_addresses_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
