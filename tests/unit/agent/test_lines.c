#include <string.h>

#include "agent/lines.h"
#include "pb_test.h"

static void collect(void *arg, const char *text, size_t len)
{
    struct pb_buf *seen = arg;

    pb_buf_char(seen, '[');
    pb_buf_bytes(seen, text, len);
    pb_buf_char(seen, ']');
}

/* The lines of a text, fed `step` bytes at a time. */
static void expect(const char *text, size_t max, const char *expected)
{
    for (size_t step = 1; step <= strlen(text) + 1; step++) {
        struct pb_lines lines;
        struct pb_buf seen;

        pb_lines_init(&lines, max);
        pb_buf_init(&seen, 4096);
        for (size_t at = 0; at < strlen(text); at += step)
            pb_lines_feed(&lines, text + at, strlen(text) - at < step ? strlen(text) - at : step,
                          collect, &seen);
        pb_lines_finish(&lines, collect, &seen);
        assert_string_equal(pb_buf_string(&seen), expected);
        pb_buf_release(&seen);
        pb_lines_release(&lines);
    }
}

TEST(lines_come_whole_however_the_bytes_were_cut)
{
    expect("one\ntwo\n", 100, "[one][two]");
    expect("one\r\n\r\ntwo", 100, "[one][][two]");
    expect("", 100, "");
    expect("\n\n", 100, "[][]");
}

TEST(a_line_that_is_too_long_comes_once_and_cut)
{
    expect("12345678\nnext\n", 5, "[12345][next]");
    expect("12345\nnext", 5, "[12345][next]");
    expect("123456", 5, "[12345]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_whole_however_the_bytes_were_cut),
        cmocka_unit_test(a_line_that_is_too_long_comes_once_and_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
