#include "server/api/log_range.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Digits at *at, moved behind them; past the largest number it is the largest. */
static bool number_at(const char **at, int64_t *ret_value)
{
    int64_t value = 0;

    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        int digit = **at - '0';

        value = value > (INT64_MAX - digit) / 10 ? INT64_MAX : value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

/* "first-", "first-last" or "-length" and nothing behind it. -1 is what is not there. */
static bool parse(const char *header, int64_t *ret_first, int64_t *ret_last)
{
    static const char UNIT[] = "bytes=";
    const char *at = header + strlen(UNIT);
    bool has_first, has_last;

    if (strncasecmp(header, UNIT, strlen(UNIT)) != 0)
        return false;
    *ret_first = *ret_last = -1;
    has_first = number_at(&at, ret_first);
    if (*at++ != '-')
        return false;
    has_last = number_at(&at, ret_last);
    return *at == '\0' && (has_first || has_last) &&
           (!has_first || !has_last || *ret_first <= *ret_last);
}

enum pb_log_range_kind pb_log_range_of(const char *header, int64_t size, int64_t *ret_from,
                                       int64_t *ret_end)
{
    int64_t first, last;

    if (!header || !parse(header, &first, &last))
        return PB_LOG_RANGE_ALL;
    if (first < 0) { /* the last so many bytes */
        first = last == 0 ? size : last < size ? size - last : 0;
        last = -1;
    }
    if (first >= size)
        return PB_LOG_RANGE_NONE;
    *ret_from = first;
    *ret_end = last < 0 || last >= size ? size : last + 1;
    return PB_LOG_RANGE_PART;
}
