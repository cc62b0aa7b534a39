/* Decoders take any bytes, and what they accept has one spelling. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_base64(const char *text, size_t len)
{
    struct pb_buf plain;
    struct pb_buf back;

    pb_buf_init(&plain, len + 1);
    pb_buf_init(&back, 2 * len + 8);
    if (pb_buf_unbase64(&plain, text, len)) {
        pb_buf_base64url(&back, plain.data, plain.len);
        while (len > 0 && text[len - 1] == '=')
            len--;
        check(back.len == len);
        for (size_t i = 0; i < len; i++) {
            char c = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];

            check(back.data[i] == c);
        }
    } else {
        check(plain.len == 0);
    }
    pb_buf_release(&plain);
    pb_buf_release(&back);
}

static void check_utf8(const char *text, size_t len)
{
    size_t at = 0;
    size_t step = 1;

    while (at < len && step > 0) {
        step = pb_utf8_char(text + at, len - at);
        check(step <= 4 && step <= len - at);
        at += step;
    }
    check(pb_utf8_valid(text, len) == (at == len));
    for (size_t max = 0; max <= len && max < 64; max++) {
        size_t cut = pb_utf8_cut(text, len, max);

        check(cut <= max && max - cut < 4);
        if (at == len)
            check(pb_utf8_valid(text, cut));
    }
}

static void check_numbers_times_and_ids(const char *text)
{
    char printed[PB_CLOCK_TEXT];
    uint64_t u;
    int64_t i;
    int64_t ms;
    int64_t again;

    if (pb_parse_u64(text, UINT64_MAX, &u) && u <= INT64_MAX)
        check(pb_parse_i64(text, 0, INT64_MAX, &i) && (uint64_t)i == u);
    /* An offset can lead out of the years that four digits can print. */
    if (pb_clock_parse(text, &ms) && ms >= -62167219200000 && ms <= 253402300799999) {
        pb_clock_format(ms, printed);
        check(pb_clock_parse(printed, &again) && again == ms);
    }
    check(!(pb_ulid_valid(text) && pb_uuid_valid(text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    check_base64(text, size);
    check_utf8(text, size);
    check_numbers_times_and_ids(text);
    free(text);
    return 0;
}
