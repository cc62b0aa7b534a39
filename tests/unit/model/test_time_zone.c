#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "zone_file.h"

TEST(offsets_are_those_of_the_c_library)
{
    static const char *const ZONES[] = {"UTC",
                                        "Asia/Tokyo",
                                        "Europe/Berlin",
                                        "America/New_York",
                                        "Asia/Kolkata",
                                        "Australia/Lord_Howe",
                                        "America/Sao_Paulo",
                                        "Africa/Casablanca",
                                        "Europe/Dublin",
                                        "Pacific/Apia",
                                        "America/Nuuk",
                                        "Asia/Tehran",
                                        "Pacific/Auckland",
                                        "Antarctica/Troll",
                                        "America/Havana",
                                        "Asia/Gaza"};

    for (size_t z = 0; z < COUNT(ZONES); z++) {
        struct pb_time_zone *zone = zone_load(ZONES[z]);
        uint64_t seed = 42 + z;

        setenv("TZ", ZONES[z], 1);
        tzset();
        for (int i = 0; i < 20000; i++) {
            struct pb_zone_span span;
            struct tm local;
            time_t at;

            seed = seed * 6364136223846793005U + 1442695040888963407U;
            at = (time_t)(seed >> 16) % INT64_C(7000000000) - INT64_C(2500000000); /* 1890–2112 */
            localtime_r(&at, &local);
            pb_time_zone_span(zone, at, &span);
            if (span.offset != local.tm_gmtoff)
                fail_msg("%s at %lld: %lld, not %ld", ZONES[z], (long long)at,
                         (long long)span.offset, local.tm_gmtoff);
            assert_true(span.from <= at && at < span.until);
        }
        pb_time_zone_free(zone);
    }
    unsetenv("TZ");
}

TEST(spans_follow_each_other_without_a_gap)
{
    struct pb_time_zone *zone = zone_load("Europe/Berlin");
    int64_t at = INT64_C(1700000000);

    for (int i = 0; i < 400; i++) { /* two hundred years, mostly by the rule */
        struct pb_zone_span span, next;

        pb_time_zone_span(zone, at, &span);
        pb_time_zone_span(zone, span.until, &next);
        assert_int_equal(next.from, span.until);
        assert_int_equal(next.offset - span.offset, span.offset == 3600 ? 3600 : -3600);
        pb_time_zone_span(zone, span.until - 1, &next);
        assert_int_equal(next.from, span.from);
        at = span.until;
    }
    pb_time_zone_free(zone);
}

TEST(a_zone_without_summer_time_has_one_span_for_ever)
{
    struct pb_time_zone *tokyo = zone_load("Asia/Tokyo");
    struct pb_zone_span span;

    pb_time_zone_span(tokyo, INT64_C(4000000000), &span);
    assert_int_equal(span.offset, 9 * 3600);
    assert_true(span.until == INT64_MAX);
    pb_time_zone_span(pb_time_zone_utc(), -5, &span);
    assert_true(span.offset == 0 && span.from == INT64_MIN && span.until == INT64_MAX);
    pb_time_zone_free(tokyo);
}

TEST(a_file_that_is_cut_or_bent_is_refused_and_never_read_beyond)
{
    static unsigned char whole[64 << 10];
    size_t len = zone_bytes("Europe/Berlin", whole, sizeof(whole));
    uint64_t seed = 7;
    struct pb_error err = {0};

    for (size_t cut = 0; cut < len; cut++) {
        unsigned char *exact = malloc(cut + 1); /* the sanitizer watches its end */

        assert_non_null(exact);
        memcpy(exact, whole, cut);
        assert_null(pb_time_zone_new(exact, cut, &err));
        free(exact);
    }
    for (int i = 0; i < 3000; i++) {
        unsigned char *bent = malloc(len);
        struct pb_time_zone *zone;
        struct pb_zone_span span;

        assert_non_null(bent);
        memcpy(bent, whole, len);
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        bent[(seed >> 33) % len] ^= (unsigned char)(1U << (seed >> 60) % 8);
        zone = pb_time_zone_new(bent, len, &err);
        if (zone)
            pb_time_zone_span(zone, INT64_C(1900000000), &span);
        pb_time_zone_free(zone);
        free(bent);
    }
}

TEST(names_cannot_leave_the_database)
{
    static const char *const GOOD[] = {"UTC", "Asia/Tokyo", "America/Argentina/Buenos_Aires",
                                       "Etc/GMT+9", "EST5EDT"};
    static const char *const BAD[] = {"",     "/etc/passwd", "../x", "Asia//Tokyo", "Asia/",
                                      "a\nb", "a b",         ".",    "-x",          NULL};

    for (size_t i = 0; i < COUNT(GOOD); i++)
        assert_true(pb_time_zone_name_valid(GOOD[i]));
    for (size_t i = 0; i < COUNT(BAD); i++)
        assert_false(pb_time_zone_name_valid(BAD[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_are_those_of_the_c_library),
        cmocka_unit_test(spans_follow_each_other_without_a_gap),
        cmocka_unit_test(a_zone_without_summer_time_has_one_span_for_ever),
        cmocka_unit_test(a_file_that_is_cut_or_bent_is_refused_and_never_read_beyond),
        cmocka_unit_test(names_cannot_leave_the_database),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
