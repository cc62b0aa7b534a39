#include "pb_test.h"
#include "server/middleware/cookie.h"

TEST(loopback_is_a_name_not_a_part_of_one)
{
    static const char *const YES[] = {"localhost",         "LOCALHOST:3000", "127.0.0.1",
                                      "127.0.0.1:80",      "[::1]",          "[::1]:3000",
                                      "app.localhost:3000"};
    static const char *const NO[] = {"localhost.evil.example",
                                     "127.0.0.1.evil.example",
                                     "127.0.0.2",
                                     "[::2]",
                                     "",
                                     "evil-localhost",
                                     ".localhost",
                                     "0.0.0.0"};

    for (size_t i = 0; i < COUNT(YES); i++)
        if (!pb_host_is_loopback(YES[i]))
            fail_msg("%s", YES[i]);
    for (size_t i = 0; i < COUNT(NO); i++)
        if (pb_host_is_loopback(NO[i]))
            fail_msg("%s", NO[i]);
    assert_false(pb_host_is_loopback(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(loopback_is_a_name_not_a_part_of_one)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
