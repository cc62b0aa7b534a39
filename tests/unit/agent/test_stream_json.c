#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/stream_json.h"
#include "base/fs.h"
#include "base/text.h"
#include "pb_test.h"

static struct pb_buf seen; /* "c words\n" per line */

static void on_line(void *arg, char stream, const char *text, size_t len)
{
    (void)arg;
    assert_null(memchr(text, '\n', len));
    assert_true(pb_utf8_valid(text, len));
    pb_buf_char(&seen, stream);
    pb_buf_char(&seen, ' ');
    pb_buf_bytes(&seen, text, len);
    pb_buf_char(&seen, '\n');
}

static struct pb_stream_json *read_text(const char *text, size_t len, size_t step)
{
    struct pb_stream_json *stream = pb_stream_json_new();

    assert_non_null(stream);
    pb_buf_clear(&seen);
    for (size_t i = 0; i < len; i += step)
        pb_stream_json_feed(stream, text + i, len - i < step ? len - i : step, on_line, NULL);
    pb_stream_json_end(stream, on_line, NULL);
    return stream;
}

static struct pb_stream_json *read_file(const char *name, size_t step)
{
    struct pb_error err = {0};
    struct pb_stream_json *stream;
    struct pb_buf path, data;

    pb_buf_init(&path, 4096);
    pb_buf_init(&data, 1 << 20);
    pb_buf_format(&path, "%s/stream-json/%s", TEST_DATA, name);
    assert_int_equal(pb_fs_read(AT_FDCWD, pb_buf_string(&path), &data, &err), 0);
    stream = read_text(data.data, data.len, step);
    pb_buf_release(&path);
    pb_buf_release(&data);
    return stream;
}

static void assert_shown(const char *line)
{
    if (!strstr(pb_buf_string(&seen), line))
        fail_msg("'%s' is not in:\n%s", line, pb_buf_string(&seen));
}

TEST(a_whole_run_reads_like_a_log)
{
    struct pb_stream_json *stream = read_file("e2e.330.out", 4096);
    const struct pb_stream_facts *facts = pb_stream_json_facts(stream);

    assert_string_equal(
        pb_buf_string(&seen),
        "s claude 2.1.330, model claude-opus-5-5, session 5725905b-a9f1-49df-b301-569b79cf931c, "
        "permissions acceptEdits\n"
        "c I will look at the repository first.\n"
        "t Bash: git status --short --branch && ls\n"
        "r ## poppo/issue-1\n"
        "c Now I make the change.\n"
        "t Write: FIX.md\n"
        "r File created successfully at: /srv/poppo/wsgit/FIX.md (file state is current in your "
        "context — no need to Read it back)\n"
        "t Bash: git add FIX.md && git -c user.name=poppo -c user.email=poppo@example.invalid "
        "commit -q -m 'Fix the issue' && git log --oneline -1\n"
        "r a2a038d Fix the issue\n"
        "c I fixed the issue: added FIX.md and committed it.\n"
        "s finished: 4 turns, 0.4 s, session so far $0.0240\n");
    assert_true(facts->has_result && !facts->is_error);
    assert_string_equal(facts->subtype, "success");
    assert_string_equal(facts->session_id, "5725905b-a9f1-49df-b301-569b79cf931c");
    assert_string_equal(facts->result, "I fixed the issue: added FIX.md and committed it.");
    assert_int_equal(facts->total_cost_micro_usd, 24068);
    assert_int_equal(facts->num_turns, 4);
    pb_stream_json_free(stream);
}

TEST(lines_do_not_depend_on_the_cuts)
{
    static const char *const FILES[] = {"unicode.330.out", "bash-default.330.out",
                                        "maxturns.330.out", "bad_json.330.err"};

    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        char *whole;
        pb_stream_json_free(read_file(FILES[i], 1 << 20));
        whole = pb_buf_take(&seen, NULL);
        for (size_t step = 1; step < 200; step += 13) {
            pb_stream_json_free(read_file(FILES[i], step));
            assert_string_equal(pb_buf_string(&seen), whole);
        }
        free(whole);
    }
}

TEST(retries_denials_and_fallbacks_are_warnings)
{
    struct pb_stream_json *stream = read_file("e529-fallback.330.out", 100);

    assert_shown("w the API did not answer: overloaded (529); try 2 of 3 in 529 ms\n");
    assert_shown("w Switched to Haiku 5.5 due to high demand for Opus 5.5\n");
    assert_int_equal(pb_stream_json_facts(stream)->retries, 4);
    assert_int_equal(pb_stream_json_facts(stream)->api_status, 529);
    pb_stream_json_free(stream);

    stream = read_file("bash-default.330.out", 100);
    assert_shown("w not permitted: Bash: touch in '/srv/poppo/ws/BASHED' needs approval.");
    assert_shown("r failed: touch in");
    assert_int_equal(pb_stream_json_facts(stream)->denial_count, 1);
    assert_string_equal(pb_stream_json_facts(stream)->denials[0], "Bash");
    pb_stream_json_free(stream);

    stream = read_file("mcp-brokenserver.330.out", 100);
    assert_shown("w MCP server ");
    pb_stream_json_free(stream);
}

TEST(what_is_no_json_is_shown_as_text)
{
    static const char TEXT[] =
        "plain words\n{\"type\":\n[1]\n\n  \n{\"type\":\"unknown\"}\n\xff\xfe";
    struct pb_stream_json *stream = read_text(TEXT, sizeof(TEXT) - 1, 5);

    assert_string_equal(pb_buf_string(&seen),
                        "o plain words\no {\"type\":\no [1]\no \xef\xbf\xbd\xef\xbf\xbd\n");
    assert_int_equal(pb_stream_json_facts(stream)->bad_lines, 4);
    assert_int_equal(pb_stream_json_facts(stream)->lines, 1);
    assert_false(pb_stream_json_facts(stream)->has_result);
    pb_stream_json_free(stream);
}

TEST(what_javascript_may_write_is_understood)
{
    static const char TEXT[] =
        "{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"text\",\"text\":"
        "\"nul \\u0000 half \\ud83d pair \\ud83d\\ude00 back \\\\u0000 \\udc00\"}]}}\n";

    pb_stream_json_free(read_text(TEXT, sizeof(TEXT) - 1, 1000));
    assert_string_equal(pb_buf_string(&seen), "c nul \xef\xbf\xbd half \xef\xbf\xbd pair 😀 back "
                                              "\\u0000 \xef\xbf\xbd\n");
}

TEST(members_may_be_missing_or_of_any_type)
{
    static const char TEXT[] =
        "{}\n{\"type\":7}\n{\"type\":\"assistant\"}\n{\"type\":\"assistant\",\"message\":[]}\n"
        "{\"type\":\"user\",\"message\":{\"content\":\"text\"}}\n"
        "{\"type\":\"system\",\"subtype\":\"init\",\"mcp_servers\":{\"a\":1},\"session_id\":4}\n"
        "{\"type\":\"system\",\"subtype\":\"api_retry\",\"error_status\":\"x\"}\n"
        "{\"type\":\"rate_limit_event\",\"rate_limit_info\":[]}\n"
        "{\"type\":\"result\",\"errors\":[1],\"permission_denials\":[null,{}],\"result\":{}}\n";
    struct pb_stream_json *stream = read_text(TEXT, sizeof(TEXT) - 1, 1000);

    assert_null(pb_stream_json_facts(stream)->session_id);
    assert_true(pb_stream_json_facts(stream)->has_result);
    pb_stream_json_free(stream);
}

TEST(a_turn_after_the_result_takes_it_back)
{
    struct pb_stream_json *stream = read_file("stream-in.330.out", 1000);
    static const char MORE[] = "{\"type\":\"assistant\",\"message\":{\"content\":[]}}\n";

    assert_true(pb_stream_json_facts(stream)->has_result);
    assert_string_equal(pb_stream_json_facts(stream)->result, "Mock answer 2 to: second");
    pb_stream_json_feed(stream, MORE, sizeof(MORE) - 1, on_line, NULL);
    assert_false(pb_stream_json_facts(stream)->has_result);
    pb_stream_json_free(stream);
}

/* {"type":"assistant", … "text":"<len times x>"} */
static char *long_line(size_t len, size_t *ret_len)
{
    static const char HEAD[] =
        "{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"";
    static const char TAIL[] = "\"}]}}\n";
    char *line = malloc(len + sizeof(HEAD) + sizeof(TAIL));

    assert_non_null(line);
    memcpy(line, HEAD, sizeof(HEAD) - 1);
    memset(line + sizeof(HEAD) - 1, 'x', len);
    memcpy(line + sizeof(HEAD) - 1 + len, TAIL, sizeof(TAIL));
    *ret_len = sizeof(HEAD) - 1 + len + sizeof(TAIL) - 1;
    return line;
}

TEST(lines_of_megabytes_are_read_and_longer_ones_dropped)
{
    size_t len;
    char *line = long_line(4 << 20, &len);
    struct pb_stream_json *stream = read_text(line, len, 65536);

    assert_int_equal(seen.len, (4 << 20) + 3);
    pb_stream_json_free(stream);
    free(line);

    line = long_line(PB_STREAM_LINE_MAX, &len);
    stream = read_text(line, len, 65536);
    assert_string_equal(pb_buf_string(&seen), "w a line of more than 16 MiB is not shown\n");
    assert_int_equal(pb_stream_json_facts(stream)->lost_lines, 1);
    pb_stream_json_feed(stream, "next\n", 5, on_line, NULL);
    assert_shown("o next\n");
    pb_stream_json_free(stream);
    free(line);
}

TEST(a_tool_s_result_is_shown_by_its_first_lines)
{
    struct pb_buf text;
    size_t lines = 0;

    pb_buf_init(&text, 1 << 20);
    pb_buf_text(&text, "{\"type\":\"user\",\"message\":{\"content\":[{\"type\":\"tool_result\","
                       "\"content\":\"");
    for (int i = 0; i < 500; i++)
        pb_buf_format(&text, "line %d\\n", i);
    pb_buf_text(&text, "\"}]}}\n");
    pb_stream_json_free(read_text(text.data, text.len, 777));
    for (const char *at = seen.data; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 21);
    assert_shown("r line 19\nr … (500 lines, 4389 bytes in all)\n");
    pb_buf_release(&text);
}

/* A mask further on must still find a secret: nothing cuts a word in two. */
TEST(a_long_argument_is_cut_between_words)
{
    struct pb_buf text;
    char secret[2001];

    memset(secret, 's', sizeof(secret) - 1);
    secret[sizeof(secret) - 1] = '\0';
    pb_buf_init(&text, 1 << 20);
    pb_buf_format(&text,
                  "{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"tool_use\","
                  "\"name\":\"Bash\",\"input\":{\"command\":\"curl -H %s %s\\nmore\"}}]}}\n",
                  secret, secret);
    pb_stream_json_free(read_text(text.data, text.len, 777));
    assert_int_equal(seen.len, strlen("t Bash: curl -H  …\n") + sizeof(secret) - 1);
    pb_buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_run_reads_like_a_log),
        cmocka_unit_test(lines_do_not_depend_on_the_cuts),
        cmocka_unit_test(retries_denials_and_fallbacks_are_warnings),
        cmocka_unit_test(what_is_no_json_is_shown_as_text),
        cmocka_unit_test(what_javascript_may_write_is_understood),
        cmocka_unit_test(members_may_be_missing_or_of_any_type),
        cmocka_unit_test(a_turn_after_the_result_takes_it_back),
        cmocka_unit_test(lines_of_megabytes_are_read_and_longer_ones_dropped),
        cmocka_unit_test(a_tool_s_result_is_shown_by_its_first_lines),
        cmocka_unit_test(a_long_argument_is_cut_between_words),
    };
    int failed;

    pb_buf_init(&seen, 64 << 20);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pb_buf_release(&seen);
    return failed;
}
