/* What is read can be written, and what was written reads back to the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

enum { OUT_MAX = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void read_and_write(const char *text, size_t len)
{
    struct pb_error err;
    struct pb_buf first;
    struct pb_buf second;
    struct pb_json *root = pb_json_parse(text, len, &err);
    struct pb_json *again;

    if (!root)
        return;
    pb_buf_init(&first, OUT_MAX);
    pb_buf_init(&second, OUT_MAX);
    pb_json_dump(&first, root);
    check(!pb_buf_failed(&first));
    again = pb_json_parse(pb_buf_string(&first), first.len, &err);
    check(again != NULL);
    pb_json_dump(&second, again);
    check(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    for (const char *name = pb_json_next_name(root, NULL); name;
         name = pb_json_next_name(root, name))
        check(pb_json_get(root, name) != NULL);
    pb_json_free(again);
    pb_json_free(root);
    pb_buf_release(&first);
    pb_buf_release(&second);
}

/* Any bytes become a string; only NUL, which our reader refuses, keeps it from being read. */
static void write_and_read(const char *text, size_t len)
{
    struct pb_error err;
    struct pb_buf quoted;
    struct pb_json *root;

    pb_buf_init(&quoted, OUT_MAX);
    pb_buf_json_string(&quoted, text, len);
    check(!pb_buf_failed(&quoted));
    root = pb_json_parse(pb_buf_string(&quoted), quoted.len, &err);
    check((root != NULL) == (len == 0 || memchr(text, '\0', len) == NULL));
    pb_json_free(root);
    pb_buf_release(&quoted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_and_write((const char *)data, size);
    write_and_read((const char *)data, size);
    return 0;
}
