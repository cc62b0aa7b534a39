#include "cli/cli_log.h"

#include <string.h>

#include "base/clock.h"
#include "cli/cli_text.h"

enum { TIME_DIGITS_MAX = 15 };

/* stream, how it looks on a terminal */
static const struct {
    char stream;
    const char *sgr;
} LOOKS[] = {
    {'e', "33"}, /* stderr */
    {'t', "36"}, /* a tool is called */
    {'r', "2"},  /* what the tool gave */
    {'s', "2"},  /* ours */
    {'w', "33"}, /* warning */
    {'x', "31"}, /* error */
    {'g', "1"},  /* a group begins */
};

struct parts {
    int64_t at;
    char stream;
    const char *text;
    size_t len;
};

static bool split(const char *line, size_t len, struct parts *ret_parts)
{
    int64_t at = 0;
    size_t i = 0;

    for (; i < len && i < TIME_DIGITS_MAX && line[i] >= '0' && line[i] <= '9'; i++)
        at = at * 10 + (line[i] - '0');
    if (i == 0 || i + 2 >= len || line[i] != ' ' || line[i + 2] != ' ')
        return false;
    *ret_parts = (struct parts){at, line[i + 1], line + i + 3, len - i - 3};
    return true;
}

static const char *look_of(char stream)
{
    for (size_t i = 0; i < sizeof(LOOKS) / sizeof(LOOKS[0]); i++)
        if (LOOKS[i].stream == stream)
            return LOOKS[i].sgr;
    return NULL;
}

void pb_cli_put_log_line(struct pb_buf *buf, const char *line, size_t len,
                         const struct pb_cli_log_style *style)
{
    struct parts parts = {.stream = 'o', .text = line, .len = len};
    bool known = split(line, len, &parts);
    const char *look = style->colours ? look_of(parts.stream) : NULL;
    char time[PB_CLOCK_TEXT];

    if (style->times && known) {
        pb_clock_format(parts.at, time);
        pb_buf_format(buf, "%.8s ", time + 11);
    }
    if (look)
        pb_buf_format(buf, "\x1b[%sm", look);
    pb_cli_put_clean(buf, parts.text, parts.len, style->colours);
    if (style->colours && (look || memchr(parts.text, '\x1b', parts.len)))
        pb_buf_text(buf, "\x1b[0m");
    pb_buf_char(buf, '\n');
}
