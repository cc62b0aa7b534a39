#include <string.h>

#include "cli/cli_table.h"
#include "pb_test.h"

static const struct pb_cli_column COLUMNS[] = {{"NAME", false, false},
                                               {"N", true, false},
                                               {"TITLE", false, true},
                                               {"END", false, false}};

static void assert_table(size_t width, const char *const (*rows)[4], size_t count,
                         const char *expected)
{
    struct pb_error err = {0};
    struct pb_cli_table *table;
    struct pb_arena arena;
    struct pb_buf text;

    pb_arena_init(&arena, 1 << 20);
    pb_buf_init(&text, 1 << 20);
    table = pb_cli_table_new(&arena, COLUMNS, COUNT(COLUMNS));
    assert_non_null(table);
    for (size_t i = 0; i < count; i++)
        assert_ok(pb_cli_table_add(table, rows[i], &err), &err);
    pb_cli_table_write(table, width, &text);
    assert_string_equal(pb_buf_string(&text), expected);
    pb_buf_release(&text);
    pb_arena_release(&arena);
}

TEST(columns_are_as_wide_as_their_widest_cell)
{
    static const char *const ROWS[][4] = {{"a", "1", "日本語", "x"},
                                          {"longer", "100", "short", "y"}};

    assert_table(0, ROWS, 2,
                 "NAME      N  TITLE   END\n"
                 "a         1  日本語  x\n"
                 "longer  100  short   y\n");
}

TEST(the_giving_column_is_cut_to_fit)
{
    static const char *const ROWS[][4] = {{"a", "1", "a title that is rather long", "x"}};

    assert_table(28, ROWS, 1,
                 "NAME  N  TITLE           END\n"
                 "a     1  a title that …  x\n");
    assert_table(5, ROWS, 1, /* never narrower than can be read */
                 "NAME  N  TITLE       END\n"
                 "a     1  a title t…  x\n");
}

TEST(a_cut_between_full_width_characters_keeps_the_columns_behind_it)
{
    static const char *const ROWS[][4] = {{"a", "1", "日本語の題名です。", "x"},
                                          {"b", "2", "日本語 の題名です。", "y"}};

    assert_table(28, ROWS, 2,
                 "NAME  N  TITLE           END\n"
                 "a     1  日本語の題名…   x\n"
                 "b     2  日本語 の題名…  y\n");
}

TEST(no_row_is_a_header_alone)
{
    assert_table(80, NULL, 0, "NAME  N  TITLE  END\n");
}

TEST(missing_cells_are_empty_and_no_line_ends_in_blanks)
{
    static const char *const ROWS[][4] = {{"a", NULL, NULL, NULL}};

    assert_table(0, ROWS, 1, "NAME  N  TITLE  END\na\n");
}

TEST(cells_cannot_break_the_table)
{
    static const char *const ROWS[][4] = {{"a\nb", "1", "\x1b[2Jt", "x"}};

    assert_table(0, ROWS, 1, "NAME  N  TITLE  END\nab    1  t      x\n");
}

TEST(a_full_arena_is_an_error)
{
    static const char *const CELLS[] = {"a", "b", "c", "d"};
    struct pb_error err = {0};
    struct pb_cli_table *table;
    struct pb_arena arena;
    int r = 0;

    pb_arena_init(&arena, 16 << 10);
    table = pb_cli_table_new(&arena, COLUMNS, COUNT(COLUMNS));
    assert_non_null(table);
    for (size_t i = 0; r == 0 && i < 10000; i++)
        r = pb_cli_table_add(table, CELLS, &err);
    assert_int_equal(r, -1);
    assert_int_equal(err.code, PB_ERROR_LIMITED);
    pb_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(the_giving_column_is_cut_to_fit),
        cmocka_unit_test(a_cut_between_full_width_characters_keeps_the_columns_behind_it),
        cmocka_unit_test(no_row_is_a_header_alone),
        cmocka_unit_test(missing_cells_are_empty_and_no_line_ends_in_blanks),
        cmocka_unit_test(cells_cannot_break_the_table),
        cmocka_unit_test(a_full_arena_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
