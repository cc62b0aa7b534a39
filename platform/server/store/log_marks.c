#include <string.h>

#include "base/text.h"
#include "server/store/log_marks_private.h"
#include "server/store/log_store_private.h"

enum { STREAM_AT = 14 };

/* --- finding ------------------------------------------------------------------------------------- */

static bool begins(const char *text, size_t len, const char *word)
{
    return len >= strlen(word) && memcmp(text, word, strlen(word)) == 0;
}

static int tell(struct pb_log_marking *marking, uint64_t line, enum pb_log_mark_kind kind,
                const char *title, size_t len)
{
    struct pb_log_mark mark = {line, kind, title, pb_utf8_cut(title, len, PB_LOG_TITLE)};

    return marking->fn(marking->arg, &mark);
}

/* Output of a program: groups as GitHub's runners know them, else nothing. */
static int in_output(struct pb_log_marking *marking, uint64_t line, const char *text, size_t len)
{
    static const char GROUP[] = "::group::", END[] = "::endgroup::";

    if (begins(text, len, GROUP))
        return tell(marking, line, PB_LOG_MARK_GROUP, text + strlen(GROUP), len - strlen(GROUP));
    if (begins(text, len, END))
        return tell(marking, line, PB_LOG_MARK_END, "", 0);
    return 0;
}

static int in_line(struct pb_log_marking *marking, uint64_t line, char stream, const char *text,
                   size_t len)
{
    bool was_result = marking->in_result;

    marking->in_result = stream == 'r' || stream == 'o' || stream == 'e';
    switch (stream) {
    case 'o':
    case 'e':
        return in_output(marking, line, text, len);
    case 'g':
        return tell(marking, line, len > 0 ? PB_LOG_MARK_GROUP : PB_LOG_MARK_END, text, len);
    case 's':
        return tell(marking, line, PB_LOG_MARK_STEP, text, len);
    case 'w':
        return tell(marking, line, PB_LOG_MARK_WARNING, text, len);
    case 'x':
        return tell(marking, line, PB_LOG_MARK_ERROR, text, len);
    case 't':
        return tell(marking, line, PB_LOG_MARK_TOOL, "", 0);
    case 'c':
        return was_result ? tell(marking, line, PB_LOG_MARK_WORDS, "", 0) : 0;
    default:
        return 0;
    }
}

int pb_log_marks_find(struct pb_log_marking *marking, uint64_t line, const char *text, size_t len)
{
    const char *at = text, *end = text + len;

    for (; end - at >= PB_LOG_LINE_MIN; line++) {
        const char *body = at + PB_LOG_PREFIX;
        const char *line_end = memchr(body, '\n', (size_t)(end - body));
        int r;

        if (!line_end)
            break;
        r = in_line(marking, line, at[STREAM_AT], body, (size_t)(line_end - body));
        if (r != 0)
            return r;
        at = line_end + 1;
    }
    return 0;
}

/* --- keeping ------------------------------------------------------------------------------------- */

void pb_log_marks_init(struct pb_log_packed_marks *marks)
{
    *marks = (struct pb_log_packed_marks){.last = 0};
    pb_buf_init(&marks->packed, PB_LOG_MARKS_BYTES);
}

void pb_log_marks_release(struct pb_log_packed_marks *marks)
{
    pb_buf_release(&marks->packed);
}

int pb_log_marks_pack(void *arg, const struct pb_log_mark *mark)
{
    struct pb_log_packed_marks *marks = arg;
    uint64_t step = mark->line - marks->last;

    if (marks->count == PB_LIMIT_LOG_MARKS)
        return 0;
    for (; step >= 0x80; step >>= 7)
        pb_buf_char(&marks->packed, (char)(0x80 | (step & 0x7f)));
    pb_buf_char(&marks->packed, (char)step);
    pb_buf_char(&marks->packed, (char)mark->kind);
    pb_buf_char(&marks->packed, (char)mark->title_len);
    pb_buf_bytes(&marks->packed, mark->title, mark->title_len);
    marks->last = mark->line;
    marks->count++;
    return 0;
}

static bool unpack_step(const unsigned char **at, const unsigned char *end, uint64_t *line)
{
    uint64_t step = 0;

    for (int shift = 0; *at < end && shift < 63; shift += 7) {
        unsigned char byte = *(*at)++;

        step |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *line += step;
            return *line >= step && *line <= INT64_MAX;
        }
    }
    return false;
}

static bool is_kind(unsigned char letter)
{
#define X(name, known, word) \
    if (letter == (known))   \
        return true;
    PB_LOG_MARKS(X)
#undef X
    return false;
}

bool pb_log_marks_unpack(const char *packed, size_t len, pb_log_mark_fn *fn, void *arg, int *ret_r)
{
    const unsigned char *at = (const unsigned char *)packed, *end = at + len;
    struct pb_log_mark mark = {.line = 0};

    *ret_r = 0;
    while (at < end && *ret_r == 0) {
        if (!unpack_step(&at, end, &mark.line) || end - at < 2 || !is_kind(at[0]) ||
            at[1] > PB_LOG_TITLE || end - at - 2 < at[1])
            return false;
        mark.kind = (enum pb_log_mark_kind)at[0];
        mark.title_len = at[1];
        mark.title = (const char *)at + 2;
        at += 2 + mark.title_len;
        *ret_r = fn(arg, &mark);
    }
    return true;
}
