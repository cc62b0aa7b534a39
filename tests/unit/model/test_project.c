#include <string.h>

#include "model/project.h"
#include "model/work_item.h"
#include "pb_test.h"

static const struct pb_project_rules RULES = {.min_poll_interval_ms = 5000};

static struct pb_project good(void)
{
    return (struct pb_project){
        .id = "site",
        .name = "社内サイト",
        .github_owner = "acme",
        .github_repo = "site.example_1",
        .github_api_url = "https://api.github.com",
        .trigger_label = "poppo",
        .label_prefix = "poppo:",
        .poll_interval_ms = 60000,
        .driver = "claude",
        .language = "ja",
        .wall_ms = 3600000,
        .silence_ms = 600000,
        .max_concurrent = 2,
        .queue_weight = 10,
        .retry_limit = -1,
    };
}

static char long_text[70000];

/* One change to a good project, and the one finding it must give ("" = none). */
static const struct {
    const char *field, *reason;
    size_t offset;
    const char *text;
} TEXTS[] = {
#define BAD(field, reason, member, text)                         \
    {                                                            \
        field, reason, offsetof(struct pb_project, member), text \
    }
#define FINE(member, text)                                \
    {                                                     \
        "", "", offsetof(struct pb_project, member), text \
    }
    BAD("id", "required", id, NULL),
    BAD("id", "required", id, ""),
    BAD("id", "format", id, "Site"),
    BAD("id", "format", id, "-site"),
    BAD("id", "format", id, "si_te"),
    BAD("id", "format", id, "../x"),
    BAD("name", "required", name, " \t"),
    BAD("name", "characters", name, "a\nb"),
    BAD("name", "characters", name, "\xff"),
    BAD("github_owner", "required", github_owner, NULL),
    BAD("github_owner", "format", github_owner, "-acme"),
    BAD("github_owner", "format", github_owner, "ac/me"),
    BAD("github_owner", "format", github_owner, "abcdefghijabcdefghijabcdefghijabcdefghij"),
    FINE(github_owner, "octo-cat_acme"),
    BAD("github_repo", "required", github_repo, ""),
    BAD("github_repo", "format", github_repo, ".."),
    BAD("github_repo", "format", github_repo, "a b"),
    BAD("github_repo", "format", github_repo, "site.git"),
    FINE(github_repo, ".github"),
    BAD("github_api_url", "required", github_api_url, NULL),
    BAD("github_api_url", "format", github_api_url, "ftp://x"),
    BAD("github_api_url", "format", github_api_url, "https://"),
    BAD("github_api_url", "format", github_api_url, "https://me:pw@host/"),
    BAD("github_api_url", "format", github_api_url, "https://host?x=1"),
    BAD("github_api_url", "format", github_api_url, "https://host/#x"),
    BAD("github_api_url", "format", github_api_url, "https://host:0/"),
    BAD("github_api_url", "format", github_api_url, "https://host:99999/"),
    BAD("github_api_url", "format", github_api_url, "https://ho st/"),
    BAD("github_api_url", "format", github_api_url, "https://host/\nx"),
    FINE(github_api_url, "http://127.0.0.1:8080/api/v3"),
    FINE(github_api_url, "https://[::1]:8443/api"),
    BAD("github_git_url", "format", github_git_url, "git@github.com:acme/site"),
    BAD("anthropic_base_url", "format", anthropic_base_url, "api.anthropic.com"),
    BAD("trigger_label", "required", trigger_label, ""),
    BAD("trigger_label", "characters", trigger_label, "a,b"),
    BAD("trigger_label", "duplicate", trigger_label, "poppo:go"),
    BAD("trigger_label", "too_long", trigger_label,
        "123456789 123456789 123456789 123456789 123456789 1"),
    FINE(trigger_label, "手伝って 🤖"),
    BAD("label_prefix", "required", label_prefix, NULL),
    BAD("driver", "choice", driver, "codex"),
    BAD("driver", "choice", driver, NULL),
    BAD("model", "characters", model, "claude; rm"),
    BAD("model", "characters", model, ""),
    BAD("model", "characters", model, "--help"),
    FINE(model, "claude-sonnet-4-5-20250929"),
    FINE(model, "opus[1m]"),
    BAD("permission_mode", "choice", permission_mode, "yolo"),
    FINE(permission_mode, "acceptEdits"),
    BAD("allowed_tools", "format", allowed_tools, "Edit"),
    BAD("allowed_tools", "format", allowed_tools, "{}"),
    BAD("allowed_tools", "format", allowed_tools, "[1]"),
    BAD("allowed_tools", "format", allowed_tools, "[\"\"]"),
    BAD("allowed_tools", "format", allowed_tools, "[\"--dangerously-skip-permissions\"]"),
    BAD("disallowed_tools", "characters", disallowed_tools, "[\"a\\nb\"]"),
    FINE(allowed_tools, "[\"Bash(git *)\",\"Edit\"]"),
    FINE(allowed_tools, "[]"),
    BAD("language", "choice", language, "fr"),
    BAD("instructions", "characters", instructions, "a\x01"),
    BAD("instructions", "too_long", instructions, long_text),
    FINE(instructions, "1.\n\t二"),
    BAD("working_directory", "format", working_directory, "relative"),
    BAD("working_directory", "format", working_directory, "/a/../b"),
    FINE(working_directory, "/srv/site"),
    BAD("active_hours", "format", active_hours, "office hours"),
    FINE(active_hours, "mon-fri 09:00-18:00"),
    BAD("time_zone", "format", time_zone, "../etc/passwd"),
    FINE(time_zone, "Asia/Tokyo"),
};

TEST(each_field_has_its_sentence)
{
    memset(long_text, 'x', sizeof(long_text) - 1);
    for (size_t i = 0; i < COUNT(TEXTS); i++) {
        struct pb_project project = good();
        struct pb_error findings[4] = {{0}};
        size_t expected = TEXTS[i].field[0] ? 1 : 0, count;

        memcpy((char *)&project + TEXTS[i].offset, &TEXTS[i].text, sizeof(TEXTS[i].text));
        count = pb_project_check(&project, &RULES, findings, COUNT(findings));
        if (count != expected)
            fail_msg("row %zu (%s): %zu findings: %s %s", i, TEXTS[i].field, count,
                     findings[0].field, findings[0].message);
        if (expected == 0)
            continue;
        assert_string_equal(findings[0].field, TEXTS[i].field);
        assert_string_equal(findings[0].reason, TEXTS[i].reason);
        assert_int_equal(findings[0].code, PB_ERROR_INVALID);
        assert_true(strlen(findings[0].message) > 10);
    }
}

static const struct {
    const char *field; /* "" = fine */
    size_t offset;
    int64_t value;
} NUMBERS[] = {
#define NUMBER(field, member, value)                      \
    {                                                     \
        field, offsetof(struct pb_project, member), value \
    }
    NUMBER("", poll_interval_ms, 5000),
    NUMBER("poll_interval_seconds", poll_interval_ms, 4999),
    NUMBER("poll_interval_seconds", poll_interval_ms, INT64_MAX),
    NUMBER("timeout_seconds", wall_ms, INT64_MAX),
    NUMBER("", silence_ms, 5000),
    NUMBER("silence_timeout_seconds", silence_ms, 4000),
    NUMBER("silence_timeout_seconds", silence_ms, 3600001),
    NUMBER("max_concurrent", max_concurrent, 0),
    NUMBER("max_concurrent", max_concurrent, 101),
    NUMBER("queue_weight", queue_weight, 0),
    NUMBER("queue_weight", queue_weight, 101),
    NUMBER("", retry_limit, 0),
    NUMBER("retry_limit", retry_limit, 21),
    NUMBER("max_turns", max_turns, -1),
    NUMBER("", max_turns, 0),
    NUMBER("max_budget_usd", max_budget_micro_usd, -1),
    NUMBER("max_budget_usd", max_budget_micro_usd, INT64_MAX),
    NUMBER("", max_budget_micro_usd, 250000),
};

TEST(numbers_have_their_ranges)
{
    for (size_t i = 0; i < COUNT(NUMBERS); i++) {
        struct pb_project project = good();
        struct pb_error findings[4] = {{0}};
        size_t count;

        memcpy((char *)&project + NUMBERS[i].offset, &NUMBERS[i].value, sizeof(int64_t));
        count = pb_project_check(&project, &RULES, findings, COUNT(findings));
        assert_int_equal(count, NUMBERS[i].field[0] ? 1 : 0);
        assert_string_equal(findings[0].field, NUMBERS[i].field);
        if (count > 0)
            assert_string_equal(findings[0].reason, "range");
    }
}

TEST(all_findings_come_at_once_and_no_more_than_asked_for)
{
    struct pb_project nothing = {0};
    struct pb_error findings[3] = {{0}};
    size_t count = pb_project_check(&nothing, &RULES, findings, 2);

    assert_true(count > 8);
    assert_string_equal(findings[0].field, "id");
    assert_string_equal(findings[1].field, "name");
    assert_string_equal(findings[2].field, "");
}

TEST(the_driver_command_needs_a_command)
{
    struct pb_project project = good();
    struct pb_error finding = {0};

    project.driver = "command";
    assert_int_equal(pb_project_check(&project, &RULES, &finding, 1), 1);
    assert_string_equal(finding.field, "command");
    project.command = "[]";
    assert_int_equal(pb_project_check(&project, &RULES, &finding, 1), 1);
    project.command = "[\"/bin/sh\",\"-c\",\"make\\ntest\"]";
    assert_int_equal(pb_project_check(&project, &RULES, &finding, 1), 0);
}

TEST(short_poll_intervals_are_for_tests_only)
{
    const struct pb_project_rules quick = {.min_poll_interval_ms = 200};
    struct pb_project project = good();
    struct pb_error finding = {0};

    project.poll_interval_ms = 200;
    assert_int_equal(pb_project_check(&project, &quick, &finding, 1), 0);
    project.poll_interval_ms = 199;
    assert_int_equal(pb_project_check(&project, &quick, &finding, 1), 1);
    assert_string_equal(finding.message, "at least 200 ms");
}

TEST(a_slug_is_made_of_any_repository)
{
    static const struct {
        const char *repo, *id;
    } ROWS[] = {
        {"Poppo.Builder_2", "poppo-builder-2"},
        {"--x--", "x"},
        {"...", "project"},
        {"日本", "project"},
        {"", "project"},
        {NULL, "project"},
        {"a..b", "a-b"},
    };
    char id[PB_LIMIT_PROJECT_ID + 1], repo[101];

    for (size_t i = 0; i < COUNT(ROWS); i++) {
        pb_project_id_suggest(ROWS[i].repo, id);
        assert_string_equal(id, ROWS[i].id);
        assert_true(pb_project_id_valid(id));
    }
    memset(repo, 'a', 100);
    repo[100] = '\0';
    pb_project_id_suggest(repo, id);
    assert_int_equal(strlen(id), PB_LIMIT_PROJECT_ID);
    assert_true(pb_project_id_valid(id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_field_has_its_sentence),
        cmocka_unit_test(numbers_have_their_ranges),
        cmocka_unit_test(all_findings_come_at_once_and_no_more_than_asked_for),
        cmocka_unit_test(the_driver_command_needs_a_command),
        cmocka_unit_test(short_poll_intervals_are_for_tests_only),
        cmocka_unit_test(a_slug_is_made_of_any_repository),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
