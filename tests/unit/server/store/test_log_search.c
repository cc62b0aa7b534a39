/* Search: in what is sealed and in what is not, text and expressions, and the ones that would take for ever. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "log_test.h"
#include "model/limits.h"

enum { HITS_MAX = 40000 };

struct found {
    size_t count, limit;
    uint64_t lines[HITS_MAX];
    uint64_t next;
    size_t at, match_len; /* of the last hit */
    char text[400];
};

static struct found found;

static int on_hit(void *arg, const struct pb_log_hit *hit)
{
    (void)arg;
    assert_true(found.count < HITS_MAX);
    found.lines[found.count++] = hit->line;
    found.at = hit->at;
    found.match_len = hit->match_len;
    snprintf(found.text, sizeof(found.text), "%.*s", (int)hit->len, hit->text);
    return found.count == found.limit;
}

static int search(struct logs_test *t, struct pb_log_query query, size_t limit)
{
    struct pb_log_info info;

    found = (struct found){.limit = limit};
    return pb_log_search(t->logs, t->id, &query, on_hit, NULL, &found.next, &info, &t->err);
}

static size_t hits(struct logs_test *t, struct pb_log_query query)
{
    assert_ok(search(t, query, 0), &t->err);
    return found.count;
}

static const char LINES[] = "1700000000000 s queued by Ada\n"
                            "1700000000001 o FAILED: Test_One\n"
                            "1700000000002 e failed: 1700000000002\n"
                            "1700000000003 c \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e \xc3\x84pfel\n"
                            "1700000000004 o a.b a+b (x) [y]\n"
                            "1700000000005 o \n"
                            "1700000000006 x  failed  twice failed\n";
enum { COUNT_LINES = 7 };

static int setup(void **state)
{
    struct logs_test *t;

    if (log_test_setup(state) < 0)
        return -1;
    t = *state;
    pb_log_store_close(t->logs);
    open_sealing(t);
    assert_ok(append_text(t, t->id, 1, 0, COUNT_LINES, LINES), &t->err);
    return 0;
}

TEST(text_is_found_as_it_is_or_without_the_case_of_letters)
{
    static const struct {
        const char *text;
        bool is_exact;
        uint64_t lines[4]; /* plus one; 0 ends */
    } CASES[] = {
        {"failed", false, {2, 3, 7}}, {"failed", true, {3, 7}},
        {"FAILED: ", true, {2}},      {"\xe6\x9c\xac\xe8\xaa\x9e", false, {4}},
        {"\xc3\xa4PFEL", false, {0}}, /* other letters than ASCII are what they are */
        {"\xc3\x84PFEL", false, {4}}, {"a.b", false, {5}},
        {"a+b (x) [y]", true, {5}},   {"1700000000002", false, {3}}, /* times are not text */
        {" o ", false, {0}},          {"queued", false, {1}},
        {"twice failed", true, {7}},  {"nothing", false, {0}},
    };
    struct logs_test *t = *state;

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT(CASES); i++) {
            size_t count = 0;

            while (CASES[i].lines[count])
                count++;
            assert_int_equal(hits(t, (struct pb_log_query){.text = CASES[i].text,
                                                           .is_exact = CASES[i].is_exact}),
                             count);
            for (size_t k = 0; k < count; k++)
                assert_int_equal(found.lines[k] + 1, CASES[i].lines[k]);
            assert_int_equal(found.next, COUNT_LINES);
        }
        assert_ok(pb_log_set_complete(t->logs, t->id, true, &t->err), &t->err);
        wait_until_sealed(t, t->id);
    }
}

TEST(a_hit_says_where_in_the_text_it_is)
{
    struct logs_test *t = *state;

    assert_int_equal(hits(t, (struct pb_log_query){.text = "test_one"}), 1);
    assert_int_equal(found.at, 8);
    assert_int_equal(found.match_len, 8);
    assert_string_equal(found.text, "1700000000001 o FAILED: Test_One");
    assert_int_equal(
        hits(t, (struct pb_log_query){.text = "[A-Z]\\w+$", .is_regex = true, .is_exact = true}),
        2);
}

TEST(expressions_match_within_one_line)
{
    static const struct {
        const char *text;
        bool is_exact;
        size_t count;
    } CASES[] = {
        {"^failed", false, 2},      {"^failed", true, 1},
        {"failed$", false, 1},      {"^$", false, 1},
        {"Ada\\s", false, 0},       {"\\d{13}", false, 1},
        {"^.{3} .pfel$", true, 1},  {"\xc3\xa4pfel", false, 1},
        {"failed|queued", true, 3}, {"(?s)Ada.*FAILED", false, 0},
        {"x*", false, 7},           {"(?=f)", false, 4},
    };
    struct logs_test *t = *state;

    for (size_t i = 0; i < COUNT(CASES); i++)
        if (hits(t, (struct pb_log_query){.text = CASES[i].text,
                                          .is_regex = true,
                                          .is_exact = CASES[i].is_exact}) != CASES[i].count)
            fail_msg("%s: %zu hits", CASES[i].text, found.count);
}

TEST(what_is_no_expression_is_refused_with_the_reason)
{
    static const char *const BAD[] = {"(", "[a", "a{2,1}", "\\C", "*", "(?<n>a)(?<n>b)", "\\"};
    char nested[200], longer[PB_LIMIT_LOG_QUERY + 2];
    struct logs_test *t = *state;

    for (size_t i = 0; i < COUNT(BAD); i++) {
        assert_refused(search(t, (struct pb_log_query){.text = BAD[i], .is_regex = true}, 0),
                       &t->err, PB_ERROR_INVALID);
        assert_string_equal(t->err.field, "q");
    }
    memset(nested, '(', 60);
    memset(nested + 60, ')', 60);
    nested[120] = '\0';
    assert_refused(search(t, (struct pb_log_query){.text = nested, .is_regex = true}, 0), &t->err,
                   PB_ERROR_INVALID);
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    assert_refused(search(t, (struct pb_log_query){.text = longer}, 0), &t->err, PB_ERROR_INVALID);
    assert_refused(search(t, (struct pb_log_query){.text = ""}, 0), &t->err, PB_ERROR_INVALID);
    assert_refused(search(t, (struct pb_log_query){.text = "a\nb"}, 0), &t->err, PB_ERROR_INVALID);
}

TEST(an_expression_that_would_take_for_ever_is_given_up)
{
    struct logs_test *t = *state;
    char line[3000];

    memset(line, 'a', sizeof(line));
    memcpy(line, "1700000000000 o ", 16);
    memcpy(line + sizeof(line) - 3, "!\n", 3);
    assert_ok(append_text(t, t->id, 1, COUNT_LINES, 1, line), &t->err);
    assert_refused(search(t, (struct pb_log_query){.text = "^(a+)+$", .is_regex = true}, 0),
                   &t->err, PB_ERROR_UNPROCESSABLE);
    assert_string_equal(t->err.reason, "regex_too_costly");
    assert_int_equal(hits(t, (struct pb_log_query){.text = "a!$", .is_regex = true}), 1);
}

TEST(a_search_goes_on_where_it_stopped)
{
    struct logs_test *t = *state;
    uint64_t from = COUNT_LINES;
    size_t all = 0;

    for (uint64_t at = COUNT_LINES; at < COUNT_LINES + 30000; at += 10000)
        assert_ok(append(t, t->id, 1, at, 10000, NULL), &t->err);
    for (int round = 0; round < 2; round++) {
        struct pb_log_info info;

        all = hits(t, (struct pb_log_query){.text = "line 1"});
        assert_true(all > 10000);
        from = 0;
        for (size_t seen = 0; seen < all; seen += found.count) {
            assert_ok(search(t, (struct pb_log_query){.text = "line 1", .from = from}, 700),
                      &t->err);
            assert_true(found.count == 700 || seen + found.count == all);
            assert_true(found.lines[0] >= from);
            from = found.next;
        }
        assert_ok(pb_log_stat(t->logs, t->id, &info, &t->err), &t->err);
        assert_int_equal(hits(t, (struct pb_log_query){.text = "line 1", .from = info.lines}), 0);
        assert_int_equal(hits(t, (struct pb_log_query){.text = "line", .from = UINT64_MAX}), 0);
        if (round == 0) {
            assert_ok(pb_log_set_complete(t->logs, t->id, true, &t->err), &t->err);
            wait_until_sealed(t, t->id);
        }
    }
}

TEST(a_search_ends_when_its_time_is_over)
{
    struct logs_test *t = *state;

    assert_ok(search(t, (struct pb_log_query){.text = "failed", .until_ms = 1}, 0), &t->err);
    assert_int_equal(found.count, 0);
    assert_int_equal(found.next, 0);
    assert_ok(search(t,
                     (struct pb_log_query){.text = "failed",
                                           .until_ms = pb_clock_steady_ms() + 60 * 1000},
                     0),
              &t->err);
    assert_int_equal(found.next, COUNT_LINES);
}

#define WITH_LINES(test) cmocka_unit_test_setup_teardown(test, setup, log_test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LINES(text_is_found_as_it_is_or_without_the_case_of_letters),
        WITH_LINES(a_hit_says_where_in_the_text_it_is),
        WITH_LINES(expressions_match_within_one_line),
        WITH_LINES(what_is_no_expression_is_refused_with_the_reason),
        WITH_LINES(an_expression_that_would_take_for_ever_is_given_up),
        WITH_LINES(a_search_goes_on_where_it_stopped),
        WITH_LINES(a_search_ends_when_its_time_is_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
