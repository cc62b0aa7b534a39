#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "net/address_private.h"
#include "pb_test.h"

TEST(host_and_port_are_told_apart)
{
    static const struct {
        const char *text;
        int otherwise;
        const char *host; /* NULL = refused */
        uint16_t port;
    } rows[] = {
        {"127.0.0.1:3000", -1, "127.0.0.1", 3000},
        {"[::1]:0", -1, "::1", 0},
        {"[::1]", 80, "::1", 80},
        {"a.example", 443, "a.example", 443},
        {"a.example:8443", 443, "a.example", 8443},
        {"a.example", -1, NULL, 0},
        {"a.example:", 80, NULL, 0},
        {"a.example:65536", 80, NULL, 0},
        {"a.example:-1", 80, NULL, 0},
        {"a.example:1:2", 80, NULL, 0},
        {"[::1", 80, NULL, 0},
        {"[::1]x", 80, NULL, 0},
        {"[]:1", 80, NULL, 0},
        {":1", 80, NULL, 0},
        {"", 80, NULL, 0},
    };
    struct pb_error err = {0};
    char host[PB_HOST_TEXT];
    uint16_t port;

    for (size_t i = 0; i < COUNT(rows); i++) {
        int r = pb_address_split(rows[i].text, strlen(rows[i].text), rows[i].otherwise, host, &port,
                                 &err);

        if ((r == 0) != (rows[i].host != NULL))
            fail_msg("'%s' gives %d", rows[i].text, r);
        if (r < 0)
            continue;
        assert_string_equal(host, rows[i].host);
        assert_int_equal(port, rows[i].port);
    }
}

TEST(a_host_that_is_too_long_is_refused)
{
    struct pb_error err = {0};
    char host[PB_HOST_TEXT], text[400];
    uint16_t port;

    memset(text, 'a', sizeof(text));
    assert_refused(pb_address_split(text, 256, 80, host, &port, &err), &err, PB_ERROR_INVALID);
    assert_refused(pb_address_split(text, 400, 80, host, &port, &err), &err, PB_ERROR_INVALID);
    assert_ok(pb_address_split(text, 255, 80, host, &port, &err), &err);
}

TEST(addresses_are_shown_as_people_write_them)
{
    static const struct {
        const char *host;
        const char *shown;
    } rows[] = {{"127.0.0.1", "127.0.0.1"},
                {"localhost", "127.0.0.1"},
                {"::1", "::1"},
                {"::ffff:192.0.2.1", "192.0.2.1"}};
    struct sockaddr_storage address;
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct pb_error err = {0};
    char text[64];
    socklen_t len;

    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_ok(pb_address_numeric(rows[i].host, 1, &address, &len, &err), &err);
        pb_address_text(&address, text, sizeof(text));
        assert_string_equal(text, rows[i].shown);
    }
    assert_refused(pb_address_numeric("a.example", 1, &address, &len, &err), &err,
                   PB_ERROR_INVALID);
    memset(&address, 0, sizeof(address));
    memcpy(&address, &local, sizeof(local));
    pb_address_text(&address, text, sizeof(text));
    assert_string_equal(text, "local");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_and_port_are_told_apart),
        cmocka_unit_test(a_host_that_is_too_long_is_refused),
        cmocka_unit_test(addresses_are_shown_as_people_write_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
