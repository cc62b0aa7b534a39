#include <string.h>

#include "base/text.h"
#include "model/failure.h"
#include "pb_test.h"

static void expect_sentence(const char *text, const char *end)
{
    assert_non_null(text);
    assert_true(strlen(text) > 10);
    assert_true(pb_utf8_valid(text, strlen(text)));
    if (!pb_text_ends(text, end))
        fail_msg("not a whole sentence: %s", text);
}

TEST(every_kind_has_words_in_both_languages)
{
    for (int kind = 0; kind < PB_FAILURE_COUNT; kind++) {
        const struct pb_failure *failure = pb_failure((enum pb_failure_kind)kind);

        expect_sentence(failure->en, ".");
        expect_sentence(failure->next_en, ".");
        expect_sentence(failure->ja, "。");
        expect_sentence(failure->next_ja, "。");
        assert_ptr_equal(pb_failure_find(failure->name), failure);
        assert_ptr_equal(pb_failure_sentence(failure, "ja"), failure->ja);
        assert_ptr_equal(pb_failure_sentence(failure, "en"), failure->en);
        assert_ptr_equal(pb_failure_next(failure, NULL), failure->next_en);
        assert_string_equal(pb_names_get(&PB_FAILURE_NAMES, kind), failure->name);
    }
}

TEST(no_two_kinds_say_the_same)
{
    for (int a = 0; a < PB_FAILURE_COUNT; a++) {
        for (int b = 0; b < a; b++) {
            const struct pb_failure *left = pb_failure((enum pb_failure_kind)a),
                                    *right = pb_failure((enum pb_failure_kind)b);

            assert_string_not_equal(left->name, right->name);
            assert_string_not_equal(left->en, right->en);
            assert_string_not_equal(left->ja, right->ja);
        }
    }
}

TEST(an_unknown_kind_is_the_platforms_and_none_is_none)
{
    assert_ptr_equal(pb_failure_find("from_the_future"), pb_failure(PB_FAILURE_PLATFORM));
    assert_ptr_equal(pb_failure_find("disk_full"), pb_failure(PB_FAILURE_DISK));
    assert_int_equal(pb_failure_find("busy")->retry, PB_RETRY_LATER);
    assert_null(pb_failure_find(NULL));
    assert_int_equal(pb_failure(PB_FAILURE_RATE_LIMIT)->retry, PB_RETRY_QUOTA);
    assert_int_equal(pb_failure(PB_FAILURE_AUTH)->retry, PB_RETRY_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_words_in_both_languages),
        cmocka_unit_test(no_two_kinds_say_the_same),
        cmocka_unit_test(an_unknown_kind_is_the_platforms_and_none_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
