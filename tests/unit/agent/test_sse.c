#include <stdlib.h>
#include <string.h>

#include "agent/sse.h"
#include "pb_test.h"

static struct pb_buf seen;

static void on_event(void *arg, const char *event, const char *data, size_t len)
{
    (void)arg;
    pb_buf_format(&seen, "[%s|%.*s]", event, (int)len, data);
}

static bool wants(const char *event)
{
    return strcmp(event, "skip") != 0;
}

static void feed(struct pb_sse *sse, const char *text, size_t len, size_t step)
{
    pb_buf_clear(&seen);
    pb_sse_init(sse, on_event, NULL);
    sse->wants = wants;
    for (size_t i = 0; i < len; i += step)
        pb_sse_feed(sse, text + i, len - i < step ? len - i : step);
    pb_sse_release(sse);
}

static void assert_events(const char *text, const char *expected)
{
    struct pb_sse sse;

    for (size_t step = 1; step <= strlen(text); step++) {
        feed(&sse, text, strlen(text), step);
        assert_string_equal(pb_buf_string(&seen), expected);
    }
}

TEST(events_are_the_same_however_they_are_cut)
{
    assert_events("event: a\ndata: {\"x\": 1}\n\nevent:b\ndata:2\n\n", "[a|{\"x\": 1}][b|2]");
    assert_events("data: one\ndata: two\n\n", "[message|one\ntwo]");
    assert_events("event: a\r\ndata: x\r\n\r\ndata: y\r\r", "[a|x][message|y]");
    assert_events(": comment\nid: 7\nretry: 10\ndata\ndata: z\n\n", "[message|\nz]");
    assert_events("data:  two spaces\n\n", "[message| two spaces]");
    assert_events("data: 日本語\n\n", "[message|日本語]");
}

TEST(an_event_without_its_blank_line_or_data_is_none)
{
    assert_events("event: a\ndata: x\n", "");
    assert_events("event: a\n\n", "");
    assert_events("\n\n\n", "");
}

TEST(unwanted_events_are_passed_over)
{
    assert_events("event: skip\ndata: big\ndata: bigger\n\nevent: a\ndata: x\n\n", "[a|x]");
}

TEST(too_much_data_loses_its_event_and_no_other)
{
    size_t len = PB_SSE_DATA_MAX + 100;
    char *text = malloc(len + 64);
    struct pb_sse sse;

    assert_non_null(text);
    memcpy(text, "data: ", 6);
    memset(text + 6, 'x', len);
    memcpy(text + 6 + len, "\n\ndata: y\n\n", 12);
    feed(&sse, text, 6 + len + 11, 5000);
    assert_string_equal(pb_buf_string(&seen), "[message|y]");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_the_same_however_they_are_cut),
        cmocka_unit_test(an_event_without_its_blank_line_or_data_is_none),
        cmocka_unit_test(unwanted_events_are_passed_over),
        cmocka_unit_test(too_much_data_loses_its_event_and_no_other),
    };
    int failed;

    pb_buf_init(&seen, 1 << 20);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pb_buf_release(&seen);
    return failed;
}
