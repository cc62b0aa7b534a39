/*
 * What every unit test starts from: cmocka, and words for "this works" and
 * "this is refused" that show the error's sentence when they are wrong.
 * A test is named by a sentence that stays true.
 */
#ifndef PB_TEST_H
#define PB_TEST_H

/* cmocka.h wants these four before it */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/error.h"

#define TEST(name)   static void name(void **state __attribute__((unused)))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define assert_ok(call, err)                           \
    do {                                               \
        if ((call) < 0)                                \
            fail_msg("%s: %s", #call, (err)->message); \
    } while (0)

#define assert_refused(call, err, expected)                                              \
    do {                                                                                 \
        (err)->code = PB_OK;                                                             \
        (err)->message[0] = '\0';                                                        \
        assert_int_equal((call), -1);                                                    \
        if ((err)->code != (expected))                                                   \
            fail_msg("%s: %s, not %s: %s", #call, pb_error_name((err)->code), #expected, \
                     (err)->message);                                                    \
        assert_true((err)->message[0] != '\0');                                          \
    } while (0)

#endif
