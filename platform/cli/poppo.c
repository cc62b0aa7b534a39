/* poppo: the platform on the command line. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "cli/cli_command.h"
#include "cli/cli_words.h"

enum { ARENA_MAX = 64 << 20 };

static size_t terminal_width(void)
{
    struct winsize size;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static bool wants_colours(void)
{
    const char *never = getenv("NO_COLOR");

    return isatty(STDOUT_FILENO) && !(never && *never);
}

/* `--help` after any command is the help of that command. */
static int run(struct pb_cli *cli, struct pb_error *err)
{
    if (pb_cli_args_has(&cli->args, PB_CLI_HELP)) {
        cli->args.words[0] = cli->command->noun;
        cli->args.word_count = 1;
        return pb_poppo_help(cli, err);
    }
    if (pb_cli_command_check(cli->command, &cli->args, err) < 0)
        return -1;
    cli->api = pb_cli_api_open(err);
    return cli->api ? cli->command->run(cli, err) : -1;
}

static int flush(struct pb_cli *cli, struct pb_error *err)
{
    if (fflush(cli->out) == EOF || ferror(cli->out))
        return pb_cli_fail_output(err);
    return 0;
}

static int report(const struct pb_error *err)
{
    struct pb_buf text;

    if (pb_text_equal(pb_error_reason(err), "nobody_reads"))
        return 1; /* `poppo logs … | head`: not worth a word */
    pb_buf_init(&text, 16 << 10);
    pb_cli_explain(err, &text);
    (void)fputs(pb_buf_string(&text), stderr);
    pb_buf_release(&text);
    return pb_cli_exit_code(err);
}

/* What people try first; NULL = no such word. */
static const char *noun_of(const char *word)
{
    if (pb_text_equal(word, "--help") || pb_text_equal(word, "-h"))
        return "help";
    return pb_text_equal(word, "--version") ? "version" : NULL;
}

int main(int argc, char **argv)
{
    struct pb_cli cli = {.out = stdout, .width = terminal_width(), .colours = wants_colours()};
    const char *const *words = (const char *const *)argv + 1;
    const char *const instead[] = {argc > 1 ? noun_of(argv[1]) : NULL};
    size_t count = argc > 1 ? (size_t)argc - 1 : 0;
    struct pb_error err = {0};
    size_t used = 0;
    int r = -1;

    (void)signal(SIGPIPE, SIG_IGN);
    pb_cli_words_init();
    pb_log_init("poppo", PB_LOG_WARN, false);
    pb_arena_init(&cli.arena, ARENA_MAX);
    if (instead[0]) {
        words = instead;
        count = 1;
    }
    cli.command = pb_cli_command_find(words, count, &used, &err);
    if (cli.command &&
        pb_cli_args_read(words + used, count - used, cli.command->options, &cli.args, &err) == 0)
        r = run(&cli, &err);
    if (r == 0)
        r = flush(&cli, &err);
    else
        (void)fflush(cli.out);
    pb_cli_api_close(cli.api);
    pb_arena_release(&cli.arena);
    return r == 0 ? 0 : report(&err);
}
