#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "pb_test.h"
#include "server/api/reply_cache.h"

static struct pb_reply_cache *new_cache(void)
{
    struct pb_error err;
    struct pb_reply_cache *cache = pb_reply_cache_new(&err);

    assert_non_null(cache);
    return cache;
}

static void keep(struct pb_reply_cache *cache, const char *key, uint64_t generation,
                 const char *body)
{
    char etag[PB_ETAG_TEXT];

    pb_reply_etag(body, strlen(body), etag);
    pb_reply_cache_keep(cache, key, generation, body, strlen(body), etag);
}

static bool has(struct pb_reply_cache *cache, const char *key, uint64_t generation,
                const char *expected)
{
    char etag[PB_ETAG_TEXT], right[PB_ETAG_TEXT];
    struct pb_shared_bytes *body = pb_reply_cache_find(cache, key, generation, etag);

    if (!body)
        return false;
    assert_int_equal(body->len, strlen(expected));
    assert_memory_equal(body->data, expected, body->len);
    pb_reply_etag(expected, strlen(expected), right);
    assert_string_equal(etag, right);
    pb_shared_bytes_unref(body);
    return true;
}

TEST(a_reply_is_kept_when_it_is_asked_for_again)
{
    struct pb_reply_cache *cache = new_cache();

    assert_false(has(cache, "0 /api/executions?", 1, ""));
    keep(cache, "0 /api/executions?", 1, "first");
    assert_false(has(cache, "0 /api/executions?", 1, "first"));
    keep(cache, "0 /api/executions?", 1, "first");
    assert_true(has(cache, "0 /api/executions?", 1, "first"));
    assert_false(has(cache, "2 /api/executions?", 1, "first"));
    assert_false(has(cache, "0 /api/executions?limit=1", 1, "first"));
    pb_reply_cache_free(cache);
}

TEST(another_generation_is_another_reply)
{
    struct pb_reply_cache *cache = new_cache();

    keep(cache, "k", 1, "old");
    keep(cache, "k", 1, "old");
    assert_false(has(cache, "k", 2, "old"));
    keep(cache, "k", 2, "new");
    assert_true(has(cache, "k", 2, "new"));
    assert_false(has(cache, "k", 1, "old"));
    keep(cache, "k", 0, "unknown");
    assert_false(has(cache, "k", 0, "unknown"));
    assert_true(has(cache, "k", 2, "new"));
    pb_reply_cache_free(cache);
}

TEST(a_walk_through_many_pages_throws_nothing_out)
{
    struct pb_reply_cache *cache = new_cache();
    char key[32];

    keep(cache, "hot", 1, "hot");
    keep(cache, "hot", 1, "hot");
    for (int round = 0; round < 2; round++) {
        for (int page = 0; page < 10000; page++) {
            (void)snprintf(key, sizeof(key), "page %d", page);
            keep(cache, key, 1, key);
        }
    }
    assert_true(has(cache, "hot", 1, "hot"));
    pb_reply_cache_free(cache);
}

TEST(there_is_room_for_so_many_and_the_oldest_go)
{
    struct pb_reply_cache *cache = new_cache();
    char key[32];
    int kept = 0;

    for (int i = 0; i < 100; i++) {
        (void)snprintf(key, sizeof(key), "page %d", i);
        keep(cache, key, 1, key);
        keep(cache, key, 1, key);
        assert_true(has(cache, key, 1, key));
        assert_true(has(cache, "page 0", 1, "page 0")); /* which is used all the time */
    }
    for (int i = 0; i < 100; i++) {
        (void)snprintf(key, sizeof(key), "page %d", i);
        kept += has(cache, key, 1, key);
    }
    assert_int_equal(kept, 64);
    pb_reply_cache_free(cache);
}

TEST(what_is_large_is_not_kept)
{
    struct pb_reply_cache *cache = new_cache();
    static char body[(64 << 10) + 2];

    memset(body, 'x', sizeof(body) - 1);
    keep(cache, "k", 1, body);
    keep(cache, "k", 1, body);
    assert_false(has(cache, "k", 1, body));
    keep(cache, "k", 1, body + 1);
    keep(cache, "k", 1, body + 1);
    assert_true(has(cache, "k", 1, body + 1));
    pb_reply_cache_free(cache);
    pb_reply_cache_free(NULL);
}

TEST(any_other_byte_is_another_etag)
{
    char text[40] = "0123456789abcdefghijklmnopqrstuvwxyz", first[PB_ETAG_TEXT],
         other[PB_ETAG_TEXT];

    for (size_t len = 0; len < 36; len++) {
        pb_reply_etag(text, len, first);
        for (size_t i = 0; i < len; i++) {
            text[i] ^= 1;
            pb_reply_etag(text, len, other);
            assert_string_not_equal(first, other);
            text[i] ^= 1;
        }
        pb_reply_etag(text, len + 1, other);
        assert_string_not_equal(first, other);
    }
}

static void *ask(void *arg)
{
    struct pb_reply_cache *cache = arg;
    char key[16], body[16];

    for (int i = 0; i < 20000; i++) {
        (void)snprintf(key, sizeof(key), "%d", i % 90);
        (void)snprintf(body, sizeof(body), "body %d", i % 90);
        if (!has(cache, key, 1 + (uint64_t)i / 5000, body))
            keep(cache, key, 1 + (uint64_t)i / 5000, body);
    }
    return NULL;
}

TEST(threads_share_it)
{
    struct pb_reply_cache *cache = new_cache();
    pthread_t threads[4];

    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, cache), 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    pb_reply_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_kept_when_it_is_asked_for_again),
        cmocka_unit_test(another_generation_is_another_reply),
        cmocka_unit_test(a_walk_through_many_pages_throws_nothing_out),
        cmocka_unit_test(there_is_room_for_so_many_and_the_oldest_go),
        cmocka_unit_test(what_is_large_is_not_kept),
        cmocka_unit_test(any_other_byte_is_another_etag),
        cmocka_unit_test(threads_share_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
