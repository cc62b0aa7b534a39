#include "server/services/github_summary.h"

#include <stdbool.h>
#include <string.h>

#include "base/text.h"

#define DRESS "#*_->+ \t" /* what Markdown puts around a word */

/* How that paragraph begins, longer words first. */
static const char *const CHECKED[] = {"What was checked", "Checked",  "確認したこと",
                                      "確認した内容",     "確認事項", "確認結果",
                                      "確認内容",         "確認"};

/* Behind "Checked:", "**確認：**" or a heading of that word; NULL when the line is none of these. */
static const char *skip_checked(const char *line)
{
    const char *word = line + strspn(line, DRESS);

    for (size_t i = 0; i < sizeof(CHECKED) / sizeof(CHECKED[0]); i++) {
        const char *at = word + strlen(CHECKED[i]);

        if (!pb_text_starts(word, CHECKED[i]))
            continue;
        at += strspn(at, "*_ \t");
        if (*at == '\n' || !*at)
            return at;
        if (*at == ':')
            at++;
        else if (pb_text_starts(at, "："))
            at += strlen("：");
        else
            continue;
        return at + strspn(at, "*_ \t");
    }
    return NULL;
}

static struct pb_github_part trim(const char *text, size_t len)
{
    while (len && strchr(" \t\n", *text)) {
        text++;
        len--;
    }
    while (len && strchr(" \t\n", text[len - 1]))
        len--;
    return (struct pb_github_part){text, len};
}

static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return *line ? line + 1 : line;
}

struct pb_github_summary pb_github_summary_split(const char *text)
{
    const char *begin = NULL;
    const char *rest = NULL;

    for (const char *line = text; *line; line = next_line(line)) {
        const char *behind = skip_checked(line);

        if (behind) {
            begin = line;
            rest = behind;
        }
    }
    if (!begin)
        return (struct pb_github_summary){.done = trim(text, strlen(text))};
    return (struct pb_github_summary){.done = trim(text, (size_t)(begin - text)),
                                      .checked = trim(rest, strlen(rest))};
}

/* Behind "## ", "- ", "> - ". */
static const char *skip_signs(const char *line)
{
    size_t signs;

    for (;;) {
        line += strspn(line, " \t");
        signs = strspn(line, "#>*+-");
        if (!signs || line[signs] != ' ')
            return line;
        line += signs;
    }
}

struct pb_github_part pb_github_summary_line(const char *text)
{
    struct pb_github_part heading = {"", 0};

    for (const char *line = text; *line; line = next_line(line)) {
        const char *word = skip_signs(line);
        struct pb_github_part part = trim(word, strcspn(word, "\n"));

        if (part.len && *line != '#')
            return part;
        if (!heading.len)
            heading = part;
    }
    return heading;
}
