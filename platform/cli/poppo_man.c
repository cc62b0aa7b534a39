/* poppo man: the manual as a page for man(1), made of the same tables as the help, in the reader's language. */
#include "cli/cli_command.h"
#include "cli/cli_words.h"

enum { TEXT_MAX = 256 << 10 };

/* Nothing in a text is taken for a request or an escape of the formatter. */
static void put_text(struct pb_buf *buf, const char *text)
{
    if (*text == '.' || *text == '\'')
        pb_buf_text(buf, "\\&");
    for (; *text; text++) {
        if (*text == '\\')
            pb_buf_text(buf, "\\e");
        else if (*text == '-')
            pb_buf_text(buf, "\\-");
        else
            pb_buf_char(buf, *text);
    }
    pb_buf_char(buf, '\n');
}

static void put_head(struct pb_buf *buf, const char *en, const char *ja)
{
    pb_buf_format(buf, ".SH \"%s\"\n", pb_say(en, ja));
}

static void put_paragraph(struct pb_buf *buf, const char *en, const char *ja)
{
    put_text(buf, pb_say(en, ja));
    pb_buf_text(buf, ".PP\n");
}

/* A name with what it means behind it. */
static void put_item(struct pb_buf *buf, const char *name, const char *en, const char *ja)
{
    pb_buf_text(buf, ".TP\n.B ");
    put_text(buf, name);
    put_text(buf, pb_say(en, ja));
}

static void put_option(struct pb_buf *buf, enum pb_cli_option option)
{
    struct pb_buf usage;

    pb_buf_init(&usage, 256);
    pb_cli_option_usage(option, &usage);
    put_item(buf, pb_buf_string(&usage), pb_cli_option_help(option), pb_cli_option_help(option));
    pb_buf_release(&usage);
}

static void put_command(struct pb_buf *buf, const struct pb_cli_command *row)
{
    struct pb_buf usage;

    pb_buf_init(&usage, 256);
    pb_cli_command_usage(row, &usage);
    pb_buf_text(buf, ".SS ");
    put_text(buf, pb_buf_string(&usage));
    put_text(buf, pb_say(row->en, row->ja));
    for (int i = 0; i < PB_CLI_OPTION_COUNT; i++)
        if (row->options & 1U << i)
            put_option(buf, (enum pb_cli_option)i);
    pb_buf_release(&usage);
}

static void put_beginning(struct pb_buf *buf)
{
    pb_buf_text(buf, ".TH POPPO 1 \"\" \"PoppoBuilder " PB_VERSION "\"\n");
    pb_buf_text(buf, ".ad l\n.nh\n"); /* no gaps in Japanese lines */
    put_head(buf, "NAME", "名前");
    put_paragraph(buf, "poppo - PoppoBuilder Platform on the command line",
                  "poppo - PoppoBuilder Platform をコマンドラインで操作する");
    put_head(buf, "SYNOPSIS", "書式");
    put_paragraph(buf, "poppo COMMAND [options]", "poppo コマンド [オプション]");
    put_head(buf, "DESCRIPTION", "説明");
    put_paragraph(buf,
                  "Does in a terminal what the platform's pages do, as the person who signed in "
                  "with poppo login. Times are UTC.",
                  "プラットフォームの画面でできることを、poppo login でログインした人として"
                  "端末で行います。時刻は UTC です。");
    put_paragraph(buf,
                  "EXECUTION is PROJECT#NUMBER (sample-app#7) or an id. A noun without a verb is "
                  "the first of its commands.",
                  "EXECUTION は PROJECT#番号（例: sample-app#7）または ID です。動詞を省略すると、"
                  "その名詞の最初のコマンドになります。");
}

static void put_end(struct pb_buf *buf)
{
    put_head(buf, "EXIT STATUS", "終了コード");
    put_item(buf, "0", "Done. poppo run --follow: the execution succeeded.",
             "完了しました。poppo run --follow では、実行が成功しました。");
    put_item(buf, "1", "Refused or failed.", "拒否されたか、失敗しました。");
    put_item(buf, "2", "Typed wrongly.", "入力に誤りがあります。");
    put_item(buf, "3", "The platform cannot be reached.", "プラットフォームに接続できません。");
    put_head(buf, "ENVIRONMENT", "環境変数");
    put_item(buf, "LC_ALL, LC_MESSAGES, LANG",
             "The first that is set decides the language: Japanese when it begins with ja.",
             "最初に設定されているもので言語が決まります。ja で始まれば日本語です。");
    put_item(buf, "NO_COLOR", "When set, the terminal gets no colours.",
             "設定すると、端末に色を付けません。");
    put_item(buf, "XDG_CONFIG_HOME", "Where the session is kept, instead of ~/.config.",
             "セッションの保存先です。省略時は ~/.config です。");
    put_head(buf, "FILES", "ファイル");
    put_item(buf, "~/.config/poppo-builder/cli.json",
             "The session: address, user name and tokens, for its owner alone.",
             "セッション（アドレス、ユーザー名、トークン）です。所有者だけが読めます。");
}

int pb_poppo_man(struct pb_cli *cli, struct pb_error *err)
{
    struct pb_buf page;
    int r;

    pb_buf_init(&page, TEXT_MAX);
    put_beginning(&page);
    put_head(&page, "COMMANDS", "コマンド");
    for (const struct pb_cli_command *row = PB_CLI_COMMANDS; row->noun; row++)
        put_command(&page, row);
    put_end(&page);
    r = pb_cli_print(cli, &page, err);
    pb_buf_release(&page);
    return r;
}
