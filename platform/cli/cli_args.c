#include "cli/cli_args.h"

#include <string.h>

#include "base/text.h"
#include "cli/cli_text.h"
#include "cli/cli_words.h"

static const struct {
    const char *name;
    char letter;
    const char *value;
} OPTIONS[] = {
#define X(option, name, letter, value) {name, letter, value},
    PB_CLI_OPTIONS(X)
#undef X
};

static const struct {
    const char *en;
    const char *ja;
} HELP[PB_CLI_OPTION_COUNT] = {
    [PB_CLI_URL] = {"address of the platform (http://127.0.0.1:3000)",
                    "プラットフォームのアドレス (http://127.0.0.1:3000)"},
    [PB_CLI_USERNAME] = {"user name; asked for when it is not given",
                         "ユーザー名（省略すると入力を求めます）"},
    [PB_CLI_ALLOW_PLAIN_HTTP] = {"send the password over HTTP to another machine",
                                 "別のマシンへ HTTP のままパスワードを送ることを許可します"},
    [PB_CLI_PROJECT] = {"only this project", "このプロジェクトだけを表示します"},
    [PB_CLI_STATUS] = {"only these statuses, separated by commas",
                       "この状態のものだけを表示します（カンマ区切り）"},
    [PB_CLI_LIMIT] = {"at most so many rows, up to 200 (50)", "表示する最大件数 (50、最大 200)"},
    [PB_CLI_FOLLOW] = {"go on as lines come, until the run ends",
                       "終わるまで、新しい行を表示し続けます"},
    [PB_CLI_TAIL] = {"only the last lines", "末尾のこの行数だけを表示します"},
    [PB_CLI_TIMES] = {"begin each line with its time (UTC)", "各行の先頭に時刻 (UTC) を付けます"},
    [PB_CLI_SEARCH] = {"only lines with this text, by number",
                       "この文字列を含む行だけを、行番号を付けて表示します"},
    [PB_CLI_REGEX] = {"--search is a regular expression", "--search を正規表現として扱います"},
    [PB_CLI_CASE] = {"upper and lower case differ in --search",
                     "--search で大文字と小文字を区別します"},
    [PB_CLI_PRIORITY] = {"critical, high, normal or low", "critical・high・normal・low のいずれか"},
    [PB_CLI_DEADLINE] = {"by when it should be done: 2026-12-01T18:00:00Z; or none",
                         "いつまでに終えるか。例: 2026-12-01T18:00:00+09:00。none で取り消し"},
    [PB_CLI_NOW] = {"do not wait for the next try", "次の再試行を待たずに始めます"},
    [PB_CLI_JSON] = {"print what the API said", "API の応答をそのまま表示します"},
    [PB_CLI_HELP] = {"this help", "このヘルプ"},
};

static int usage(struct pb_error *err, const char *en, const char *ja, const char *what)
{
    return pb_fail_reason(err, PB_ERROR_INVALID, "usage", "%s '%s'", pb_say(en, ja), what);
}

static int unknown(struct pb_error *err, const char *word)
{
    return usage(err, "there is no such option here:", "このオプションは使えません:", word);
}

/* By "name" of `len` bytes, or by letter (name NULL). */
static int find(const char *name, size_t len, char letter)
{
    for (int i = 0; i < PB_CLI_OPTION_COUNT; i++) {
        if (name && strlen(OPTIONS[i].name) == len && memcmp(OPTIONS[i].name, name, len) == 0)
            return i;
        if (!name && letter && OPTIONS[i].letter == letter)
            return i;
    }
    return -1;
}

struct cursor {
    const char *const *argv;
    size_t count;
    size_t at;
    unsigned allowed;
    struct pb_cli_args *args;
};

/* `attached`: the value that stands in the same word; NULL = none. */
static int take(struct cursor *in, int option, const char *attached, struct pb_error *err)
{
    const char *word = in->argv[in->at];
    const char *value = attached;

    if (option < 0 || !(in->allowed & 1U << option))
        return unknown(err, word);
    if (!OPTIONS[option].value) {
        if (attached)
            return usage(err, "this option takes no value:", "値を取らないオプションです:", word);
        value = "";
    } else if (!value) {
        if (in->at + 1 >= in->count)
            return usage(err, "a value is missing after", "値がありません:", word);
        value = in->argv[++in->at];
    }
    in->args->values[option] = value;
    return 0;
}

static int take_long(struct cursor *in, struct pb_error *err)
{
    const char *name = in->argv[in->at] + 2;
    size_t len = strcspn(name, "=");

    return take(in, find(name, len, 0), name[len] == '=' ? name + len + 1 : NULL, err);
}

static int take_letter(struct cursor *in, struct pb_error *err)
{
    const char *word = in->argv[in->at];

    return take(in, find(NULL, 0, word[1]), word[2] ? word + 2 : NULL, err);
}

static int take_word(struct cursor *in, struct pb_error *err)
{
    if (in->args->word_count >= PB_CLI_WORDS_MAX)
        return usage(err, "too many words, at", "引数が多すぎます:", in->argv[in->at]);
    in->args->words[in->args->word_count++] = in->argv[in->at];
    return 0;
}

int pb_cli_args_read(const char *const *argv, size_t count, unsigned allowed,
                     struct pb_cli_args *ret_args, struct pb_error *err)
{
    struct pb_cli_args args = {0};
    struct cursor in = {argv, count, 0, allowed | PB_CLI_BIT(HELP), &args};
    bool options = true;
    int r = 0;

    for (; r == 0 && in.at < count; in.at++) {
        const char *word = argv[in.at];

        if (!options || word[0] != '-' || !word[1])
            r = take_word(&in, err);
        else if (pb_text_equal(word, "--"))
            options = false;
        else
            r = word[1] == '-' ? take_long(&in, err) : take_letter(&in, err);
    }
    if (r == 0)
        *ret_args = args;
    return r;
}

bool pb_cli_args_has(const struct pb_cli_args *args, enum pb_cli_option option)
{
    return args->values[option] != NULL;
}

int pb_cli_args_number(const struct pb_cli_args *args, enum pb_cli_option option, uint64_t max,
                       uint64_t otherwise, uint64_t *ret_value, struct pb_error *err)
{
    uint64_t value = otherwise;

    if (args->values[option] && (!pb_parse_u64(args->values[option], max, &value) || value == 0))
        return pb_fail_reason(err, PB_ERROR_INVALID, "usage",
                              pb_say("--%s takes a whole number from 1 to %llu, not '%s'",
                                     "--%s には 1 から %llu までの整数を指定してください: '%s'"),
                              OPTIONS[option].name, (unsigned long long)max, args->values[option]);
    *ret_value = value;
    return 0;
}

void pb_cli_option_usage(enum pb_cli_option option, struct pb_buf *buf)
{
    if (OPTIONS[option].letter)
        pb_buf_format(buf, "-%c, ", OPTIONS[option].letter);
    pb_buf_format(buf, "--%s", OPTIONS[option].name);
    if (OPTIONS[option].value)
        pb_buf_format(buf, " %s", OPTIONS[option].value);
}

const char *pb_cli_option_help(enum pb_cli_option option)
{
    return pb_say(HELP[option].en, HELP[option].ja);
}

void pb_cli_args_help(unsigned allowed, struct pb_buf *buf)
{
    allowed |= PB_CLI_BIT(HELP);
    for (int i = 0; i < PB_CLI_OPTION_COUNT; i++) {
        struct pb_buf left;

        if (!(allowed & 1U << i))
            continue;
        pb_buf_init(&left, 256);
        pb_cli_option_usage((enum pb_cli_option)i, &left);
        pb_buf_format(buf, "  %-22s  %s\n", pb_buf_string(&left),
                      pb_cli_option_help((enum pb_cli_option)i));
        pb_buf_release(&left);
    }
}
