/* poppo login, poppo logout. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/fs.h"
#include "cli/cli_command.h"
#include "cli/cli_words.h"

enum { LINE_BYTES_MAX = 1024, ANSWER_MS = 5 * 60 * 1000 };

static const char USUAL_URL[] = "http://127.0.0.1:3000";

static volatile sig_atomic_t was_interrupted;

static void on_interrupt(int number)
{
    was_interrupted = number;
}

static int fail_typing(struct pb_error *err)
{
    return pb_fail_reason(err, PB_ERROR_INVALID, "cancelled", "%s",
                          pb_say("nothing was typed, so nobody was signed in",
                                 "入力がなかったため、ログインしていません"));
}

/* One line without its end. */
static int read_line(int fd, struct pb_buf *line, struct pb_error *err)
{
    for (;;) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        ssize_t got;
        char c;

        if (was_interrupted || poll(&waiting, 1, ANSWER_MS) <= 0)
            return fail_typing(err);
        got = read(fd, &c, 1);
        if (got < 0 && errno == EAGAIN)
            continue;
        if (got < 0)
            return pb_fail_errno(err, "%s", pb_say("read the answer", "入力の読み取り"));
        if (got == 0 || c == '\n')
            return line->len > 0 ? 0 : fail_typing(err);
        if (c != '\r')
            pb_buf_char(line, c);
        if (pb_buf_failed(line))
            return pb_fail(err, PB_ERROR_TOO_LARGE, "%s",
                           pb_say("the line is too long", "入力が長すぎます"));
    }
}

/* A Ctrl-C must not leave the terminal without its echo: the read ends, the echo comes back, then we go. */
static int read_hidden(int tty, struct pb_buf *line, struct pb_error *err)
{
    struct sigaction ours = {.sa_handler = on_interrupt};
    struct sigaction before_int;
    struct sigaction before_term;
    struct termios before;
    struct termios silent;
    int r;

    if (tcgetattr(tty, &before) < 0)
        return pb_fail_errno(err, "%s", pb_say("ask the terminal", "端末の設定"));
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    (void)sigaction(SIGINT, &ours, &before_int);
    (void)sigaction(SIGTERM, &ours, &before_term);
    r = tcsetattr(tty, TCSAFLUSH, &silent) < 0
            ? pb_fail_errno(err, "%s", pb_say("silence the terminal", "端末の設定"))
            : read_line(tty, line, err);
    (void)tcsetattr(tty, TCSAFLUSH, &before);
    (void)sigaction(SIGINT, &before_int, NULL);
    (void)sigaction(SIGTERM, &before_term, NULL);
    if (write(tty, "\n", 1) < 0)
        was_interrupted = was_interrupted ? was_interrupted : SIGHUP; /* the terminal has gone */
    if (was_interrupted)
        (void)raise(was_interrupted);
    return r;
}

static int ask(int tty, const char *question, bool hidden, struct pb_buf *line,
               struct pb_error *err)
{
    if (pb_fs_write_all(tty, question, strlen(question), err) < 0)
        return -1;
    return hidden ? read_hidden(tty, line, err) : read_line(tty, line, err);
}

/* From the terminal; without one, the password is the first line of standard input. */
static int ask_both(struct pb_buf *username, struct pb_buf *password, struct pb_error *err)
{
    int tty = isatty(STDIN_FILENO) ? open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
    int r = 0;

    if (tty < 0 && username->len == 0)
        return pb_fail_reason(err, PB_ERROR_INVALID, "usage", "%s",
                              pb_say("there is no terminal to ask at: give --username",
                                     "入力できる端末がありません。--username を指定してください"));
    if (tty >= 0 && username->len == 0)
        r = ask(tty, pb_say("User name: ", "ユーザー名: "), false, username, err);
    if (r == 0)
        r = tty >= 0 ? ask(tty, pb_say("Password: ", "パスワード: "), true, password, err)
                     : read_line(STDIN_FILENO, password, err);
    pb_close(&tty);
    return r;
}

static int say_signed_in(struct pb_cli *cli, const char *username, const char *url,
                         struct pb_error *err)
{
    struct pb_buf text;
    int r;

    pb_buf_init(&text, 4096);
    pb_buf_format(&text, pb_say("signed in as %s at %s\n", "%s として %s にログインしました\n"),
                  username, url);
    r = pb_cli_print(cli, &text, err);
    pb_buf_release(&text);
    return r;
}

int pb_poppo_login(struct pb_cli *cli, struct pb_error *err)
{
    const char *given = cli->args.values[PB_CLI_URL];
    const char *name = cli->args.values[PB_CLI_USERNAME];
    struct pb_buf url;
    struct pb_buf username;
    struct pb_buf password;
    int r = -1;

    pb_buf_init(&url, 1024);
    pb_buf_init(&username, LINE_BYTES_MAX);
    pb_buf_init(&password, LINE_BYTES_MAX);
    password.secret = true;
    pb_buf_text(&username, name ? name : "");
    if (pb_cli_url_read(given ? given : USUAL_URL,
                        pb_cli_args_has(&cli->args, PB_CLI_ALLOW_PLAIN_HTTP), &url, err) < 0 ||
        ask_both(&username, &password, err) < 0)
        goto out;
    if (pb_cli_api_login(cli->api, pb_buf_string(&url), pb_buf_string(&username),
                         pb_buf_string(&password), err) == 0)
        r = say_signed_in(cli, pb_buf_string(&username), pb_buf_string(&url), err);
out:
    pb_buf_release(&url);
    pb_buf_release(&username);
    pb_buf_release(&password);
    return r;
}

int pb_poppo_logout(struct pb_cli *cli, struct pb_error *err)
{
    return pb_cli_api_logout(cli->api, err);
}
