#include <stdio.h>
#include <string.h>

#include "pb_test.h"
#include "server/api/body.h"

static const struct pb_body_member MEMBERS[] = {
    {"name", PB_BODY_TEXT, true, false, 2, 4, NULL},
    {"language", PB_BODY_WORD, false, false, 0, 0, "ja|en"},
    {"count", PB_BODY_INTEGER, false, false, 1, 9, NULL},
    {"price", PB_BODY_NUMBER, false, true, 0, 100, NULL},
    {"open", PB_BODY_BOOLEAN, false, false, 0, 0, NULL},
    {"words", PB_BODY_TEXTS, false, false, 3, 2, NULL},
    {"items", PB_BODY_OBJECTS, false, false, 0, 2, NULL},
    {NULL, PB_BODY_TEXT, false, false, 0, 0, NULL},
};

static void collect(void *arg, const struct pb_error *err)
{
    char *found = arg;
    size_t len = strlen(found);

    (void)snprintf(found + len, 512 - len, "%s%s:%s", len ? " " : "", err->field,
                   pb_error_reason(err));
    assert_true(err->message[0] != '\0');
}

TEST(what_the_table_does_not_allow_is_named)
{
    static const struct {
        const char *body, *found;
    } CASES[] = {
        {"{\"name\":\"ab\"}", ""},
        {"{\"name\":\"abcd\",\"language\":\"ja\",\"count\":9,\"price\":null,\"open\":true,"
         "\"words\":[\"a\"],"
         "\"items\":[{}]}",
         ""},
        {"{}", "name:required"},
        {"{\"name\":null}", "name:invalid"},
        {"{\"name\":7}", "name:invalid"},
        {"{\"name\":\"a\"}", "name:invalid"},
        {"{\"name\":\"abcde\"}", "name:invalid"},
        {"{\"name\":\"日本語\"}", ""},
        {"{\"name\":\"ab\",\"language\":\"j\"}", "language:invalid"},
        {"{\"name\":\"ab\",\"language\":\"ja|en\"}", "language:invalid"},
        {"{\"name\":\"ab\",\"language\":\"\"}", "language:invalid"},
        {"{\"name\":\"ab\",\"count\":0}", "count:invalid"},
        {"{\"name\":\"ab\",\"count\":10}", "count:invalid"},
        {"{\"name\":\"ab\",\"count\":1.5}", "count:invalid"},
        {"{\"name\":\"ab\",\"count\":\"1\"}", "count:invalid"},
        {"{\"name\":\"ab\",\"price\":1.5}", ""},
        {"{\"name\":\"ab\",\"price\":101}", "price:invalid"},
        {"{\"name\":\"ab\",\"price\":\"1\"}", "price:invalid"},
        {"{\"name\":\"ab\",\"open\":1}", "open:invalid"},
        {"{\"name\":\"ab\",\"words\":\"a\"}", "words:invalid"},
        {"{\"name\":\"ab\",\"words\":[\"abcd\"]}", "words:invalid"},
        {"{\"name\":\"ab\",\"words\":[1]}", "words:invalid"},
        {"{\"name\":\"ab\",\"words\":[\"a\",\"b\",\"c\"]}", "words:invalid"},
        {"{\"name\":\"ab\",\"items\":[1]}", "items:invalid"},
        {"{\"nam\":\"ab\",\"x\":1}", "nam:unknown_member x:unknown_member name:required"},
    };

    for (size_t i = 0; i < COUNT(CASES); i++) {
        char found[512] = "";
        struct pb_error err;
        struct pb_json *body = pb_json_parse(CASES[i].body, strlen(CASES[i].body), &err);

        assert_non_null(body);
        pb_body_check(body, MEMBERS, collect, found);
        if (strcmp(found, CASES[i].found) != 0)
            fail_msg("%s: '%s', not '%s'", CASES[i].body, found, CASES[i].found);
        pb_json_free(body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_the_table_does_not_allow_is_named)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
