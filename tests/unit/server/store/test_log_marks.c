/* Marks: the places of a log worth jumping to, the same before and after it is sealed. And the text alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log_test.h"
#include "server/store/log_marks_private.h"

#define TIME "1700000000000 "

static const char LINES[] =
    TIME "s queued by ada\n" TIME "c I will look.\n" TIME "t Bash: make\n" TIME "r cc -c a.c\n" TIME
         "r cc -c b.c\n" TIME "c It builds.\n" TIME "c Now the tests.\n" TIME
         "t Bash: make test\n" TIME "w not permitted: Bash\n" TIME "g Tests\n" TIME
         "o ::group::unit\n" TIME "o ok\n" TIME "o ::endgroup::\n" TIME "g \n" TIME "x it failed\n";
enum { COUNT_LINES = 15 };
static const char MARKS[] =
    "0 step queued by ada|2 tool |5 words |7 tool |8 warning not permitted: Bash|"
    "9 group Tests|10 group unit|12 end |13 end |14 error it failed|";

struct told {
    char text[4000];
    size_t count, limit;
    uint64_t upto;
};

static const char *word_of(enum pb_log_mark_kind kind)
{
    switch (kind) {
#define X(name, letter, word) \
    case PB_LOG_MARK_##name:  \
        return word;
        PB_LOG_MARKS(X)
#undef X
    }
    return "?";
}

static int on_mark(void *arg, const struct pb_log_mark *mark)
{
    struct told *told = arg;
    size_t len = strlen(told->text);

    told->count++;
    snprintf(told->text + len, sizeof(told->text) - len, "%llu %s %.*s|",
             (unsigned long long)mark->line, word_of(mark->kind), (int)mark->title_len,
             mark->title);
    return told->count == told->limit;
}

static struct told marks_from(struct logs_test *t, uint64_t from, size_t limit)
{
    struct told told = {.limit = limit};
    struct pb_log_info info;

    assert_ok(pb_log_marks(t->logs, t->id, from, on_mark, &told, &told.upto, &info, &t->err),
              &t->err);
    return told;
}

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

static void seal(struct logs_test *t)
{
    assert_ok(pb_log_set_complete(t->logs, t->id, true, &t->err), &t->err);
    wait_until_sealed(t, t->id);
}

TEST(marks_are_the_same_before_and_after_sealing)
{
    struct logs_test *t = *state;
    struct told told;

    for (int round = 0; round < 2; round++) {
        told = marks_from(t, 0, 0);
        assert_string_equal(told.text, MARKS);
        assert_int_equal(told.upto, COUNT_LINES);
        told = marks_from(t, 9, 0);
        assert_string_equal(told.text, strstr(MARKS, "9 group"));
        told = marks_from(t, 0, 3);
        assert_int_equal(told.count, 3);
        assert_int_equal(told.upto, 6);
        told = marks_from(t, COUNT_LINES, 0);
        assert_string_equal(told.text, "");
        if (round == 0)
            seal(t);
    }
}

TEST(marks_of_a_log_that_goes_on_are_those_of_both_parts)
{
    struct logs_test *t = *state;
    char expected[4000];

    seal(t);
    assert_ok(append_text(t, t->id, 1, COUNT_LINES, 2, TIME "o more\n" TIME "s ended\n"), &t->err);
    snprintf(expected, sizeof(expected), "%s16 step ended|", MARKS);
    assert_string_equal(marks_from(t, 0, 0).text, expected);
    assert_string_equal(marks_from(t, 14, 0).text, "14 error it failed|16 step ended|");
    seal(t);
    assert_string_equal(marks_from(t, 0, 0).text, expected);
    assert_string_equal(marks_from(t, 16, 0).text, "16 step ended|");
}

TEST(marks_are_found_again_when_the_kept_ones_are_damaged)
{
    struct logs_test *t = *state;
    struct pb_buf zst;
    char path[160];

    seal(t);
    path_of(t, t->id, ".zst", path);
    read_file(path, &zst);
    for (size_t at = zst.len - 100; at < zst.len; at++) {
        zst.data[at] ^= 1;
        write_file(path, zst.data, zst.len);
        assert_string_equal(marks_from(t, 0, 0).text, MARKS);
        zst.data[at] ^= 1;
    }
    pb_buf_release(&zst);
}

TEST(a_long_title_is_cut_between_characters)
{
    struct logs_test *t = *state;
    char line[400] = TIME "s ";
    struct told told;

    for (int i = 0; i < 60; i++)
        strncat(line, "\xe6\x97\xa5", 4);
    strncat(line, "\n", 2);
    assert_ok(append_text(t, t->id, 1, COUNT_LINES, 1, line), &t->err);
    told = marks_from(t, COUNT_LINES, 0);
    assert_int_equal(strlen(told.text), strlen("15 step |") + PB_LOG_TITLE);
}

TEST(more_marks_than_are_kept_do_no_harm)
{
    struct logs_test *t = *state;
    struct pb_log_packed_marks marks;
    struct told told = {.limit = 1};
    int r;

    (void)t;
    pb_log_marks_init(&marks);
    for (uint64_t i = 0; i < PB_LIMIT_LOG_MARKS + 5u; i++)
        (void)pb_log_marks_pack(&marks,
                                &(struct pb_log_mark){i * 1000, PB_LOG_MARK_STEP, "title", 5});
    assert_int_equal(marks.count, PB_LIMIT_LOG_MARKS);
    assert_false(pb_buf_failed(&marks.packed));
    assert_true(pb_log_marks_unpack(marks.packed.data, marks.packed.len, on_mark, &told, &r));
    assert_string_equal(told.text, "0 step title|");
    pb_log_marks_release(&marks);
}

/* --- the text alone -------------------------------------------------------------------------------- */

TEST(the_text_alone_is_read_from_any_byte_in_pieces_of_any_size)
{
    struct logs_test *t = *state;
    struct pb_buf expected;

    assert_ok(append(t, t->id, 1, COUNT_LINES, 9000, NULL), &t->err);
    pb_buf_init(&expected, 4 << 20);
    for (const char *at = LINES; *at; at = strchr(at, '\n') + 1)
        pb_buf_bytes(&expected, at + PB_LOG_PREFIX,
                     (size_t)(strchr(at, '\n') + 1 - at) - PB_LOG_PREFIX);
    for (uint64_t i = 0; i < 9000; i++)
        pb_buf_format(&expected, "a1 line %llu\n", (unsigned long long)i + COUNT_LINES);

    for (int round = 0; round < 2; round++) {
        struct pb_log_reader *reader = pb_log_reader_open(t->logs, t->id, &t->err);

        assert_non_null(reader);
        assert_int_equal(pb_log_text_bytes(pb_log_reader_info(reader)), expected.len);
        for (size_t at = 0; at < expected.len + 5; at += expected.len / 50) {
            for (size_t max = 1; max < 200000; max = max * 7 + 1) {
                struct pb_buf piece;
                size_t left = at < expected.len ? expected.len - at : 0;

                pb_buf_init(&piece, max);
                assert_ok(pb_log_reader_text(reader, at, &piece, &t->err), &t->err);
                assert_int_equal(piece.len, left < max ? left : max);
                assert_memory_equal(pb_buf_string(&piece), expected.data + at, piece.len);
                pb_buf_release(&piece);
            }
        }
        pb_log_reader_close(reader);
        if (round == 0)
            seal(t);
    }
    pb_buf_release(&expected);
}

#define WITH_LINES(test) cmocka_unit_test_setup_teardown(test, setup, log_test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LINES(marks_are_the_same_before_and_after_sealing),
        WITH_LINES(marks_of_a_log_that_goes_on_are_those_of_both_parts),
        WITH_LINES(marks_are_found_again_when_the_kept_ones_are_damaged),
        WITH_LINES(a_long_title_is_cut_between_characters),
        WITH_LINES(more_marks_than_are_kept_do_no_harm),
        WITH_LINES(the_text_alone_is_read_from_any_byte_in_pieces_of_any_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
