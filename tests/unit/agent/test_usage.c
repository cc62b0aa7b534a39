#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/usage.h"
#include "base/clock.h"
#include "base/fs.h"
#include "pb_test.h"

static const char STREAM[] =
    "event: message_start\n"
    "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude-opus-5-5\","
    "\"content\":[],\"usage\":{\"input_tokens\":10,\"cache_creation_input_tokens\":30,"
    "\"cache_read_input_tokens\":5,\"cache_creation\":{\"ephemeral_5m_input_tokens\":20,"
    "\"ephemeral_1h_input_tokens\":10},\"output_tokens\":1}}}\n\n"
    "event: content_block_delta\ndata: not even JSON\n\n"
    "event: message_delta\n"
    "data: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":40}}\n\n"
    "event: message_delta\n"
    "data: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":100}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

static int64_t now_ms(void)
{
    int64_t ms = 0;

    assert_true(pb_clock_parse("2026-11-22T00:00:00Z", &ms));
    return ms;
}

static struct pb_usage_call read_answer(int status, bool is_sse, const char *text, size_t len,
                                        size_t step, bool cut)
{
    struct pb_usage_reader reader;
    struct pb_usage_call call;

    pb_usage_reader_init(&reader, status, is_sse);
    for (size_t i = 0; i < len; i += step)
        pb_usage_reader_feed(&reader, text + i, len - i < step ? len - i : step);
    pb_usage_reader_end(&reader, cut, now_ms());
    call = reader.call;
    pb_usage_reader_release(&reader);
    return call;
}

TEST(a_stream_counts_its_last_word_once)
{
    for (size_t step = 1; step < sizeof(STREAM); step++) {
        struct pb_usage_call call = read_answer(200, true, STREAM, sizeof(STREAM) - 1, step, false);
        assert_string_equal(call.model, "claude-opus-5-5");
        assert_int_equal(call.tokens.input, 10);
        assert_int_equal(call.tokens.output, 100);
        assert_int_equal(call.tokens.cache_read, 5);
        assert_int_equal(call.tokens.cache_write_5m, 20);
        assert_int_equal(call.tokens.cache_write_1h, 10);
        assert_true(call.complete && call.streamed && call.has_cost);
        assert_int_equal(call.cost_micro_usd, 10 * 4 + 100 * 20 + 1 + 20 * 5 + 10 * 8);
    }
}

TEST(a_cut_stream_counts_what_was_known)
{
    size_t upto = (size_t)(strstr(STREAM, "\"output_tokens\":100") - STREAM);
    struct pb_usage_call call = read_answer(200, true, STREAM, upto, 7, true);

    assert_int_equal(call.tokens.input, 10);
    assert_int_equal(call.tokens.output, 40);
    assert_false(call.complete);
    assert_true(call.has_cost);
    call = read_answer(200, true, STREAM, sizeof(STREAM) - 1 - 40, 7, false);
    assert_false(call.complete); /* an end without message_stop is none */
}

TEST(a_whole_reply_is_read_too)
{
    static const char REPLY[] =
        "{\"type\":\"message\",\"model\":\"claude-next-9\",\"usage\":{\"input_tokens\":3,"
        "\"output_tokens\":4,\"cache_creation_input_tokens\":7,\"cache_read_input_tokens\":null}}";
    struct pb_usage_call call = read_answer(200, false, REPLY, sizeof(REPLY) - 1, 9, false);

    assert_int_equal(call.tokens.cache_write_5m, 7);
    assert_true(call.complete && !call.streamed);
    assert_false(call.has_cost); /* a model nobody knows the price of */
}

TEST(an_error_costs_nothing)
{
    struct pb_usage_call call = read_answer(529, false, "{\"type\":\"error\"}", 16, 16, false);

    assert_true(call.complete && call.has_cost);
    assert_int_equal(call.cost_micro_usd, 0);
    call = read_answer(200, false, "<html>", 6, 6, false);
    assert_false(call.complete);
    assert_int_equal(call.tokens.input, 0);
}

TEST(lines_add_up_in_pieces)
{
    char folder[] = "/tmp/test-usage-XXXXXX";
    struct pb_usage_call call = read_answer(200, true, STREAM, sizeof(STREAM) - 1, 99, false);
    struct pb_usage usage = {0};
    struct pb_error err = {0};
    struct pb_buf buf;
    int64_t offset = 0;
    unsigned bad = 0;
    int dirfd;

    assert_non_null(mkdtemp(folder));
    dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(pb_usage_add_file(&usage, dirfd, "usage.jsonl", &offset, &bad, &err), 0);
    assert_int_equal(offset, 0);

    pb_buf_init(&buf, 1 << 16);
    pb_usage_write(&buf, &call);
    pb_buf_text(&buf, "garbage\n");
    call.has_cost = false;
    pb_usage_write(&buf, &call);
    assert_int_equal(pb_fs_write(dirfd, "usage.jsonl", buf.data, buf.len - 5, 0600, &err), 0);
    assert_int_equal(pb_usage_add_file(&usage, dirfd, "usage.jsonl", &offset, &bad, &err), 0);
    assert_int_equal(usage.calls, 1);
    assert_int_equal(bad, 1);
    assert_false(usage.cost_unknown);
    assert_int_equal(pb_fs_write(dirfd, "usage.jsonl", buf.data, buf.len, 0600, &err), 0);
    assert_int_equal(pb_usage_add_file(&usage, dirfd, "usage.jsonl", &offset, &bad, &err), 0);
    assert_int_equal(usage.calls, 2);
    assert_int_equal(bad, 0);
    assert_true(usage.cost_unknown);
    assert_int_equal(usage.output_tokens, 200);
    assert_int_equal(usage.cache_write_tokens, 60);
    assert_int_equal(usage.cost_micro_usd, call.cost_micro_usd);
    assert_int_equal(offset, buf.len);
    pb_buf_release(&buf);
    close(dirfd);
    assert_int_equal(pb_fs_remove_tree(AT_FDCWD, folder, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_counts_its_last_word_once),
        cmocka_unit_test(a_cut_stream_counts_what_was_known),
        cmocka_unit_test(a_whole_reply_is_read_too),
        cmocka_unit_test(an_error_costs_nothing),
        cmocka_unit_test(lines_add_up_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
