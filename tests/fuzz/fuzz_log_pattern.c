/* What people search for, in lines of any bytes: it ends, and what is found is within the line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/log_pattern_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_log_pattern *pattern;
    size_t len, at, match_len;
    struct pb_error err;
    char *text, *subject;

    if (size < 2)
        return 0;
    len = data[1] < size - 2 ? data[1] : size - 2;
    text = malloc(len + 1);
    subject = malloc(size - 2 - len + 1);
    must(text && subject);
    memcpy(text, data + 2, len);
    text[len] = '\0';
    size -= 2 + len;
    memcpy(subject, data + 2 + len, size);
    pattern = pb_log_pattern_new(text, data[0] & 1, data[0] & 2, &err);
    if (pattern && pb_log_pattern_find(pattern, subject, size, 0, &at, &match_len, &err) > 0)
        must(at <= size && match_len <= size - at);
    pb_log_pattern_free(pattern);
    free(text);
    free(subject);
    return 0;
}
