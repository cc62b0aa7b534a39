/* poppo help, poppo version */
#include "cli/cli_command.h"

int pb_poppo_version(struct pb_cli *cli, struct pb_error *err)
{
    struct pb_buf text;
    int r;

    pb_buf_init(&text, 256);
    pb_buf_text(&text, "poppo " PB_VERSION "\n");
    r = pb_cli_print(cli, &text, err);
    pb_buf_release(&text);
    return r;
}

int pb_poppo_help(struct pb_cli *cli, struct pb_error *err)
{
    struct pb_buf text;
    int r;

    pb_buf_init(&text, 64 << 10);
    r = pb_cli_help(cli->args.word_count > 0 ? cli->args.words[0] : NULL, &text, err);
    if (r == 0)
        r = pb_cli_print(cli, &text, err);
    pb_buf_release(&text);
    return r;
}
