#include <string.h>

#include "base/arena.h"
#include "pb_test.h"

TEST(memory_is_zeroed_aligned_and_separate)
{
    struct pb_arena arena;
    unsigned char *before = NULL;

    pb_arena_init(&arena, 1 << 20);
    for (size_t size = 1; size < 3000; size += 37) {
        unsigned char *memory = pb_arena_alloc(&arena, size);

        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(memory[i], 0);
        memset(memory, 0xff, size);
        if (before)
            assert_int_equal(before[0], 0xff);
        before = memory;
    }
    pb_arena_release(&arena);
}

TEST(past_the_limit_there_is_nothing_and_the_rest_still_works)
{
    struct pb_arena arena;

    pb_arena_init(&arena, 1000);
    assert_non_null(pb_arena_alloc(&arena, 900));
    assert_null(pb_arena_alloc(&arena, 200));
    assert_null(pb_arena_alloc(&arena, SIZE_MAX));
    assert_null(pb_arena_alloc(&arena, SIZE_MAX - 8));
    assert_non_null(pb_arena_alloc(&arena, 16));
    assert_true(arena.used <= 1000);
    pb_arena_release(&arena);
}

TEST(after_release_the_whole_limit_is_there_again)
{
    struct pb_arena arena;

    pb_arena_init(&arena, 4096);
    for (int i = 0; i < 100; i++) {
        assert_non_null(pb_arena_alloc(&arena, 4000));
        assert_null(pb_arena_alloc(&arena, 4000));
        pb_arena_release(&arena);
    }
    pb_arena_release(&arena);
    assert_int_equal(arena.used, 0);
}

TEST(large_pieces_do_not_waste_the_block_in_use)
{
    struct pb_arena arena;
    struct pb_arena_block *block;

    pb_arena_init(&arena, 1 << 20);
    assert_non_null(pb_arena_alloc(&arena, 16));
    block = arena.newest;
    assert_non_null(pb_arena_alloc(&arena, 100000));
    assert_ptr_equal(arena.newest, block);
    pb_arena_release(&arena);
}

TEST(texts_are_copied_whole)
{
    struct pb_arena arena;
    char source[] = "ab\0cd";
    char *copy;

    pb_arena_init(&arena, 1 << 16);
    assert_string_equal(pb_arena_text(&arena, "hello"), "hello");
    assert_null(pb_arena_text(&arena, NULL));
    copy = pb_arena_bytes(&arena, source, 5);
    source[0] = 'x';
    assert_memory_equal(copy, "ab\0cd\0", 6);
    assert_string_equal(pb_arena_bytes(&arena, NULL, 0), "");
    assert_string_equal(pb_arena_format(&arena, "%d-%s", 7, "x"), "7-x");
    pb_arena_release(&arena);
}

TEST(a_format_that_does_not_fit_is_nothing)
{
    struct pb_arena arena;

    pb_arena_init(&arena, 32);
    assert_null(pb_arena_format(&arena, "%100d", 1));
    assert_null(pb_arena_text(&arena, "0123456789012345678901234567890123456789"));
    pb_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_separate),
        cmocka_unit_test(past_the_limit_there_is_nothing_and_the_rest_still_works),
        cmocka_unit_test(after_release_the_whole_limit_is_there_again),
        cmocka_unit_test(large_pieces_do_not_waste_the_block_in_use),
        cmocka_unit_test(texts_are_copied_whole),
        cmocka_unit_test(a_format_that_does_not_fit_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
