#include "server/services/github_quiet.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"
#include "server/services/github_text.h"

#define ZERO_WIDTH "\xe2\x80\x8b"
#define REDACTED   "[redacted]"
#define REDIRECT   "redirect.github.com"
#define LIST_SIGNS "-*+0123456789.)"

enum {
    CLOSING_REACH = 400, /* bytes behind "fixes" in which a reference makes it a closing word */
    ENTITY_NAME = 32,
    PATH_PART = 100,
    TOKEN_LEAST = 16,
    FENCE_LEAST = 3,
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_letter(c) || is_digit(c);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Behind `word` (lower case) when the text begins with it in any case, else NULL. A backslash before a sign
 * is not seen by readers. */
static const char *skip(const char *at, const char *word)
{
    for (; *word; word++, at++) {
        if (*at == '\\' && !is_word(*word))
            at++;
        if (lower(*at) != *word)
            return NULL;
    }
    return at;
}

/* --- references to issues ----------------------------------------------------------------------------- */

/* "/issues/12", "/pull/12". */
static bool is_issue_path(const char *at)
{
    static const char *const KINDS[] = {"/issues/", "/pull/", "/pulls/", "/discussions/"};

    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        const char *end = skip(at, KINDS[i]);

        if (end && is_digit(*end))
            return true;
    }
    return false;
}

/* Behind "/name"; NULL when there is none. */
static const char *skip_path_part(const char *at)
{
    size_t len = 0;

    at = skip(at, "/");
    while (at && at[len] && at[len] != '/' && !is_space(at[len]) && len < PATH_PART)
        len++;
    return len ? at + len : NULL;
}

/* Bytes of GitHub's name at the start of "github.com/owner/repo/issues/12", else 0. */
static size_t referring_host(char before, const char *at)
{
    static const char *const HOSTS[] = {"github.com", "www.github.com", REDIRECT};

    if (is_word(before) || before == '.' || before == '-')
        return 0;
    for (size_t i = 0; i < sizeof(HOSTS) / sizeof(HOSTS[0]); i++) {
        const char *host = skip(at, HOSTS[i]);
        const char *path = host ? skip_path_part(host) : NULL;

        path = path ? skip_path_part(path) : NULL;
        if (path && is_issue_path(path))
            return (size_t)(host - at);
    }
    return 0;
}

/* "closes …/issues/12" on a server of one's own, whose name we do not know: the word is broken, the link
 * stays. All other references are no references any more. */
static bool is_closing(char before, const char *at)
{
    static const char *const WORDS[] = {"close", "closes",  "closed",   "fix",     "fixes",
                                        "fixed", "resolve", "resolves", "resolved"};

    for (size_t i = 0; !is_word(before) && i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        const char *end = skip(at, WORDS[i]);

        if (!end || is_word(*end))
            continue;
        for (size_t far = 0; far < CLOSING_REACH && end[far]; far++)
            if (is_issue_path(end + far))
                return true;
    }
    return false;
}

/* --- what does something ------------------------------------------------------------------------------ */

/* "&#64;", "&commat;", "&num;": Markdown makes the sign of them, and then it counts. */
static bool is_character_reference(const char *at)
{
    static const char *const HARMLESS[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&nbsp;"};
    size_t len = 1;

    for (size_t i = 0; i < sizeof(HARMLESS) / sizeof(HARMLESS[0]); i++)
        if (pb_text_starts(at, HARMLESS[i]))
            return false;
    while (is_word(at[len]) && len <= ENTITY_NAME)
        len++;
    return at[1] == '#' || (len > 1 && at[len] == ';');
}

/* Tags, comments, declarations; "<https://…>" is none, nor is "a < b". */
static bool is_tag(const char *at)
{
    if (skip(at, "<https://") || skip(at, "<http://"))
        return false;
    return is_letter(at[1]) || at[1] == '/' || at[1] == '!' || at[1] == '?';
}

static bool is_gh_number(char before, const char *at)
{
    const char *number = is_word(before) ? NULL : skip(at, "gh-");

    return number && is_digit(*number);
}

/* Whether a zero-width space must stand behind this character. */
static bool is_live(char before, bool is_line_start, const char *at)
{
    switch (*at) {
    case '&':
        return is_character_reference(at);
    case '@': /* not in mail@example.com */
        return !is_word(before) && (is_word(at[1]) || at[1] == '-');
    case '#':
        return is_digit(at[1]);
    case '<':
        return is_tag(at);
    case '!':
        return at[1] == '[';
    case '/': /* what bots listen to: "/merge" */
        return is_line_start && is_letter(at[1]);
    default:
        return is_gh_number(before, at) || is_closing(before, at);
    }
}

/* How the tokens of GitHub, Anthropic, Slack, AWS and ours begin. */
static const char *const TOKENS[] = {"ghp_",    "gho_", "ghu_", "ghs_",  "ghr_",  "github_pat_",
                                     "sk-ant-", "ppn_", "ppk_", "xoxb-", "xoxp-", "AKIA"};

/* Bytes of the token at the start, 0 if there is none. The last line of defence: known values are masked
 * where they are known, on the node. */
static size_t token_len(char before, const char *at)
{
    for (size_t i = 0; !is_word(before) && i < sizeof(TOKENS) / sizeof(TOKENS[0]); i++) {
        size_t prefix = strlen(TOKENS[i]);
        size_t len = prefix;

        if (strncmp(at, TOKENS[i], prefix) != 0)
            continue;
        while (is_word(at[len]) || at[len] == '_' || at[len] == '-')
            len++;
        return len - prefix >= TOKEN_LEAST ? len : 0;
    }
    return 0;
}

/* --- the walk ----------------------------------------------------------------------------------------- */

struct walk {
    struct pb_buf *buf;
    int64_t left; /* characters that may still be written */
    char before;  /* the last one, as it reads now */
    bool is_line_start;
};

static void put_instead(struct walk *walk, const char *text)
{
    pb_buf_text(walk->buf, text);
    walk->left -= (int64_t)strlen(text);
    walk->before = text[strlen(text) - 1];
    walk->is_line_start = false;
}

static void put_byte(struct walk *walk, const char *at)
{
    pb_buf_char(walk->buf, *at);
    walk->left -= ((unsigned char)*at & 0xc0) != 0x80;
    if (is_live(walk->before, walk->is_line_start, at)) {
        pb_buf_text(walk->buf, ZERO_WIDTH);
        walk->left--;
    }
    walk->before = *at;
    walk->is_line_start = *at == '\n' || (walk->is_line_start && is_space(*at));
}

/* One step: how many bytes of the text it took. */
static size_t put_next(struct walk *walk, const char *at)
{
    size_t len = token_len(walk->before, at);

    if (len) {
        put_instead(walk, REDACTED);
        return len;
    }
    len = referring_host(walk->before, at);
    if (len) {
        put_instead(walk, REDIRECT);
        return len;
    }
    put_byte(walk, at);
    return 1;
}

static void put_quiet(struct pb_buf *buf, const char *text, size_t max_chars)
{
    struct walk walk = {.buf = buf,
                        .left = (int64_t)max_chars,
                        .before = '\n',
                        .is_line_start = true};

    for (const char *at = text; *at;) {
        if (walk.left <= 0 && ((unsigned char)*at & 0xc0) != 0x80) {
            pb_buf_text(buf, PB_GITHUB_TEXT_CUT);
            return;
        }
        at += put_next(&walk, at);
    }
}

/* --- code blocks left open ---------------------------------------------------------------------------- */

/* A line's fence: "```" or "~~~", with what stands before it (quotes, list items). */
struct fence {
    const char *line;
    size_t indent;
    size_t len; /* 0 = none */
};

static struct fence read_fence(const char *line)
{
    struct fence fence = {.line = line};
    const char *at = line;

    at += strspn(at, " \t>" LIST_SIGNS);
    fence.indent = (size_t)(at - line);
    if (*at == '`' || *at == '~')
        while (at[fence.len] == *at)
            fence.len++;
    if (fence.len < FENCE_LEAST)
        fence.len = 0;
    return fence;
}

/* "```c" does, "```code``` and more" does not. */
static bool opens(const struct fence *fence)
{
    const char *rest = fence->line + fence->indent + fence->len;

    return fence->len && rest[strcspn(rest, "`\n")] != '`';
}

static bool ends(const struct fence *fence, const struct fence *open)
{
    const char *at = fence->line + fence->indent;
    const char *rest = at + fence->len;

    return *at == open->line[open->indent] && fence->len >= open->len &&
           rest[strspn(rest, " \t")] == '\n';
}

/* With the same indent, but no second list item. */
static void put_end(struct pb_buf *buf, const struct fence *open)
{
    pb_buf_char(buf, '\n');
    for (size_t i = 0; i < open->indent; i++)
        pb_buf_char(buf, strchr(LIST_SIGNS, open->line[i]) ? ' ' : open->line[i]);
    pb_buf_bytes(buf, open->line + open->indent, open->len);
}

static void close_fence(struct pb_buf *buf, size_t start)
{
    struct pb_buf text;
    struct fence open = {0};

    if (buf->failed)
        return;
    pb_buf_init(&text, buf->len - start + 1);
    pb_buf_text(&text, pb_buf_string(buf) + start);
    pb_buf_char(&text, '\n');
    buf->failed |= pb_buf_failed(&text);
    for (const char *line = pb_buf_string(&text); *line; line += strcspn(line, "\n") + 1) {
        struct fence fence = read_fence(line);

        if (!open.len && opens(&fence))
            open = fence;
        else if (open.len && fence.len && ends(&fence, &open))
            open.len = 0;
    }
    if (open.len)
        put_end(buf, &open);
    pb_buf_release(&text);
}

void pb_github_quiet(struct pb_buf *buf, const char *text, size_t max_chars)
{
    size_t start = buf->len;
    struct pb_buf clean;

    pb_buf_init(&clean, 4 * strlen(text) + 256);
    pb_github_text_clean(&clean, text, strlen(text), PB_GITHUB_TEXT_CHARS);
    buf->failed |= pb_buf_failed(&clean);
    put_quiet(buf, pb_buf_string(&clean), max_chars);
    close_fence(buf, start);
    pb_buf_release(&clean);
}

void pb_github_quiet_line(struct pb_buf *buf, const char *text, size_t max_chars)
{
    struct pb_buf line;

    pb_buf_init(&line, 4 * strlen(text) + 256);
    pb_github_text_line(&line, text, max_chars);
    buf->failed |= pb_buf_failed(&line);
    put_quiet(buf, pb_buf_string(&line), 2 * max_chars); /* room for what is added */
    pb_buf_release(&line);
}
