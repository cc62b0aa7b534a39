#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "pb_test.h"

enum { THREADS = 4, EACH = 5000 };

TEST(a_ulid_starts_with_its_time)
{
    char text[PB_ULID_TEXT];

    pb_clock_set_for_test(4102444800000); /* after every other time in this program */
    pb_ulid(text);
    pb_clock_set_for_test(0);
    assert_int_equal(strlen(text), 26);
    assert_true(pb_ulid_valid(text));
    assert_memory_equal(text, "03QCPC7P00", 10);
}

TEST(ulids_grow_even_when_the_clock_stands_or_steps_back)
{
    char before[PB_ULID_TEXT];
    char text[PB_ULID_TEXT];
    int64_t now = pb_clock_wall_ms();

    pb_clock_set_for_test(now);
    pb_ulid(before);
    for (int i = 0; i < 10000; i++) {
        if (i == 5000)
            pb_clock_set_for_test(now - 1000);
        pb_ulid(text);
        assert_true(strcmp(before, text) < 0);
        memcpy(before, text, sizeof(before));
    }
    pb_clock_set_for_test(0);
}

static void *make_many(void *arg)
{
    char(*names)[PB_ULID_TEXT] = arg;

    for (int i = 0; i < EACH; i++)
        pb_ulid(names[i]);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

TEST(no_two_threads_get_the_same)
{
    static char names[THREADS * EACH][PB_ULID_TEXT];
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_many, names[i * EACH]), 0);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    qsort(names, THREADS * EACH, sizeof(names[0]), compare);
    for (int i = 1; i < THREADS * EACH; i++)
        assert_true(strcmp(names[i - 1], names[i]) < 0);
}

TEST(a_ulid_is_26_digits_of_crockford)
{
    assert_true(pb_ulid_valid("01ARZ3NDEKTSV4RRFFQ69G5FAV"));
    assert_true(pb_ulid_valid("7ZZZZZZZZZZZZZZZZZZZZZZZZZ"));
    assert_false(pb_ulid_valid("8ZZZZZZZZZZZZZZZZZZZZZZZZZ"));
    assert_false(pb_ulid_valid("01arz3ndektsv4rrffq69g5fav"));
    assert_false(pb_ulid_valid("01ARZ3NDEKTSV4RRFFQ69G5FAI"));
    assert_false(pb_ulid_valid("01ARZ3NDEKTSV4RRFFQ69G5FA"));
    assert_false(pb_ulid_valid("01ARZ3NDEKTSV4RRFFQ69G5FAVV"));
    assert_false(pb_ulid_valid("../../../../../../../../etc"));
    assert_false(pb_ulid_valid(""));
    assert_false(pb_ulid_valid(NULL));
}

TEST(what_is_no_uuid_is_refused)
{
    assert_true(pb_uuid_valid("00000000-0000-4000-8000-00000000000F"));
    assert_false(pb_uuid_valid("00000000-0000-4000-8000-00000000000"));
    assert_false(pb_uuid_valid("00000000-0000-4000-8000-0000000000000"));
    assert_false(pb_uuid_valid("00000000-0000-4000-8000-00000000000g"));
    assert_false(pb_uuid_valid("00000000x0000-4000-8000-000000000000"));
    assert_false(pb_uuid_valid(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ulids_grow_even_when_the_clock_stands_or_steps_back),
        cmocka_unit_test(no_two_threads_get_the_same),
        cmocka_unit_test(a_ulid_starts_with_its_time),
        cmocka_unit_test(a_ulid_is_26_digits_of_crockford),
        cmocka_unit_test(what_is_no_uuid_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
