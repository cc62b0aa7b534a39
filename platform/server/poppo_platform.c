/* poppo-platform: the server, and the launcher of everything on this machine. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/crypto.h"
#include "base/log.h"
#include "base/process.h"
#include "server/db_verb.h"
#include "server/launcher.h"
#include "server/manual.h"
#include "server/serve.h"
#include "server/settings.h"

enum { PAGE_MAX = 512 << 10 };

static int say(void (*put)(struct pb_buf *buf))
{
    struct pb_buf text;
    bool failed;

    pb_buf_init(&text, PAGE_MAX);
    put(&text);
    failed = pb_buf_failed(&text) || fputs(pb_buf_string(&text), stdout) == EOF;
    pb_buf_release(&text);
    return failed;
}

static int version(void)
{
    (void)printf("poppo-platform " PB_VERSION "\n");
    return 0;
}

static bool wants(int argc, char **argv, const char *verb, const char *option)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], option) == 0 || (i == 1 && strcmp(argv[i], verb) == 0))
            return true;
    return false;
}

static int fail(const struct pb_error *err, int status)
{
    (void)fprintf(stderr, "poppo-platform: %s\n", err->message);
    return status;
}

static int run(struct pb_settings *settings, int argc, char **argv)
{
    bool serves = argc > 1 && strcmp(argv[1], "serve") == 0;
    bool is_db = argc > 1 && strcmp(argv[1], "db") == 0;
    enum pb_log_level level;
    struct pb_error err = {0};

    if (argc > 1 + serves && !is_db) {
        (void)fprintf(stderr, "poppo-platform: I do not know '%s'; see poppo-platform help\n",
                      argv[1 + serves]);
        return 2;
    }
    if (!pb_log_level_parse(pb_config_text(settings->config, "log_level"), &level)) {
        (void)fprintf(stderr, "poppo-platform: log_level must be error, warn, info or debug\n");
        return serves ? PB_EXIT_CANNOT_START : 2;
    }
    pb_log_init(serves ? "poppo-platform" : "poppo-launcher", level,
                pb_config_bool(settings->config, "log_json"));
    pb_crypto_init();
    if (is_db)
        return pb_db_verb(settings, argc - 2, argv + 2, &err) < 0
                   ? fail(&err, strcmp(err.reason, "usage") == 0 ? 2 : 1)
                   : 0;
    if (serves)
        pb_process_raise_files(); /* one for each browser and node */
    if (serves && pb_serve(settings, &err) < 0)
        return fail(&err, strcmp(err.reason, "database_down") == 0 ? PB_EXIT_NOT_YET
                                                                   : PB_EXIT_CANNOT_START);
    if (serves)
        return 0;
    return pb_launch(settings, &err) < 0 ? fail(&err, 1) : 0;
}

int main(int argc, char **argv)
{
    struct pb_settings settings;
    struct pb_error err = {0};
    int status;

    if (wants(argc, argv, "help", "--help") || wants(argc, argv, "help", "-h"))
        return say(pb_manual_help);
    if (wants(argc, argv, "man", "--man"))
        return say(pb_manual_page);
    if (wants(argc, argv, "version", "--version"))
        return version();
    pb_process_harden("poppo-platform"); /* tokens, keys and what opens them live in this memory */
    (void)umask(022);
    (void)signal(SIGPIPE, SIG_IGN);
    if (pb_settings_read(&settings, &argc, argv, &err) < 0)
        status = fail(&err, 2);
    else
        status = run(&settings, argc, argv);
    pb_settings_release(&settings);
    return status;
}
