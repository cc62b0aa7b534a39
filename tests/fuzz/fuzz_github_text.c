/* Text of strangers: whatever comes in, what goes out is readable, hides nothing and stays the same when cleaned again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "server/services/github_quiet.h"
#include "server/services/github_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
    if (!condition)
        abort();
}

static void check_clean(const char *text, size_t len)
{
    struct pb_buf once;
    struct pb_buf twice;

    pb_buf_init(&once, len * 4 + 256);
    pb_buf_init(&twice, len * 4 + 256);
    pb_github_text_clean(&once, text, len, SIZE_MAX);
    must(!pb_buf_failed(&once));
    must(pb_utf8_valid(pb_buf_string(&once), once.len));
    must(strlen(pb_buf_string(&once)) == once.len);
    must(!strstr(pb_buf_string(&once), "<!--"));
    pb_github_text_clean(&twice, pb_buf_string(&once), once.len, SIZE_MAX);
    must(once.len == twice.len &&
         memcmp(pb_buf_string(&once), pb_buf_string(&twice), once.len) == 0);
    pb_buf_release(&once);
    pb_buf_release(&twice);
}

static void check_others(const char *text, size_t len)
{
    struct pb_buf buf;

    pb_buf_init(&buf, len * 16 + 1024);
    pb_github_text_line(&buf, text, 50);
    must(!strchr(pb_buf_string(&buf), '\n'));
    must(pb_utf8_valid(pb_buf_string(&buf), buf.len));
    pb_buf_clear(&buf);
    pb_github_quiet(&buf, text, 200);
    must(!pb_buf_failed(&buf) && pb_utf8_valid(pb_buf_string(&buf), buf.len));
    pb_buf_clear(&buf);
    pb_github_text_mend_json(&buf, text, len);
    must(!pb_buf_failed(&buf) && pb_utf8_valid(pb_buf_string(&buf), buf.len));
    pb_buf_release(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    check_clean(text, size);
    check_others(text, strlen(text));
    free(text);
    return 0;
}
