#include "cli/cli_prose.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli_text.h"

enum { LINE_MAX_BYTES = 1 << 20 };

static const char QUESTION[] = "```poppo-question";

struct prose {
    struct pb_buf *buf;
    const char *name;
    bool is_named;
    bool owes_blank; /* between two paragraphs, not at the ends */
    bool in_code;
    bool in_question;
    bool in_comment;
};

static void put_line(struct prose *prose, const char *line, size_t len)
{
    if (!prose->is_named)
        pb_buf_format(prose->buf, "\n%s:\n", prose->name);
    else if (prose->owes_blank)
        pb_buf_char(prose->buf, '\n');
    prose->is_named = true;
    prose->owes_blank = false;
    pb_buf_text(prose->buf, "  ");
    pb_cli_put_clean(prose->buf, line, len, false);
    pb_buf_char(prose->buf, '\n');
}

/* The line without its comments; true when there were any. */
static bool take_comments(struct prose *prose, const char *line, size_t len,
                          struct pb_buf *ret_left)
{
    const char *end = line + len;
    bool any = prose->in_comment;

    while (line < end) {
        const char *mark = prose->in_comment ? "-->" : "<!--";
        const char *at = memmem(line, (size_t)(end - line), mark, strlen(mark));

        if (!prose->in_comment)
            pb_buf_bytes(ret_left, line, (size_t)((at ? at : end) - line));
        if (!at)
            break;
        any = true;
        prose->in_comment = !prose->in_comment;
        line = at + strlen(mark);
    }
    return any;
}

static bool is_blank(const char *line, size_t len)
{
    return strspn(line, " \t\r") >= len;
}

static void put_text_line(struct prose *prose, const char *line, size_t len)
{
    struct pb_buf left;
    bool had_comments;

    pb_buf_init(&left, LINE_MAX_BYTES);
    had_comments = take_comments(prose, line, len, &left);
    if (!is_blank(pb_buf_string(&left), left.len))
        put_line(prose, pb_buf_string(&left), left.len);
    else if (!had_comments)
        prose->owes_blank = true;
    pb_buf_release(&left);
}

static void put_any_line(struct prose *prose, const char *line, size_t len)
{
    bool is_fence =
        !prose->in_comment && (pb_text_starts(line, "```") || pb_text_starts(line, "~~~"));

    if (prose->in_question) {
        prose->in_question = !is_fence;
    } else if (is_fence && !prose->in_code && pb_text_starts(line, QUESTION)) {
        prose->in_question = true;
    } else if (is_fence || prose->in_code) {
        prose->in_code = prose->in_code != is_fence;
        put_line(prose, line, len);
    } else {
        put_text_line(prose, line, len);
    }
}

void pb_cli_put_prose(struct pb_buf *buf, const char *name, const char *text)
{
    struct prose prose = {.buf = buf, .name = name};

    while (text && *text) {
        size_t len = strcspn(text, "\n");

        put_any_line(&prose, text, len);
        text += len + (text[len] ? 1 : 0);
    }
}
