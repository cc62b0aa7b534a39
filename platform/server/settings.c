#include "server/settings.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/text.h"
#include "server/store/db.h"

#define TEXT(name, otherwise, help)                                       \
    {                                                                     \
        name, otherwise, PB_SETTING_TEXT, PB_SETTING_RESTART, false, help \
    }
#define NUMBER(name, otherwise, help)                                        \
    {                                                                        \
        name, otherwise, PB_SETTING_INTEGER, PB_SETTING_RESTART, false, help \
    }
#define SWITCH(name, otherwise, help)                                        \
    {                                                                        \
        name, otherwise, PB_SETTING_BOOLEAN, PB_SETTING_RESTART, false, help \
    }
#define SECRET(name, otherwise, help)                                    \
    {                                                                    \
        name, otherwise, PB_SETTING_TEXT, PB_SETTING_RESTART, true, help \
    }
#define TIME(name, otherwise, help)                                              \
    {                                                                            \
        name, otherwise, PB_SETTING_DURATION_MS, PB_SETTING_RESTART, false, help \
    }

#define SIZE(name, otherwise, help)                                        \
    {                                                                      \
        name, otherwise, PB_SETTING_BYTES, PB_SETTING_RESTART, false, help \
    }

static const struct pb_setting ROWS[] = {
    TEXT("config", "", "file with settings, \"name = value\" lines"),
    TEXT("listen", "127.0.0.1:3000", "address for browsers and nodes"),
    TEXT("base_url", "", "what people type to reach it (default: from listen)"),
    TEXT("tls_certificate", "", "PEM file with the certificate chain; with tls_key: HTTPS"),
    TEXT("tls_key", "", "PEM file with its key"),
    SWITCH("allow_plain_http", "false", "let people sign in over plain HTTP from other machines"),
    TEXT("data_dir", "",
         "everything it keeps (root: /var/lib/poppo-builder, else ~/.local/share/poppo-builder)"),
    SECRET(
        "database", "sqlite",
        "sqlite, a file below data_dir; or postgresql://user@host/name for PostgreSQL 15 or newer"),
    TEXT("database_password_file", "", "file whose first line is PostgreSQL's password"),
    TIME("database_timeout", "3s", "how long PostgreSQL may take for one answer"),
    TEXT("key_file", "",
         "key of all sealed secrets (root: /etc/poppo-builder/master.key, else ~/.config/…)"),
    TEXT("run_dir", "", "sockets (root: /run/poppo-builder, else DATA_DIR/run)"),
    TEXT("bin_dir", "", "our programs (default: this one's folder)"),
    TEXT("web_dir", "", "the web UI (default: BIN_DIR/../share/poppo-builder/web)"),
    TEXT("user", "poppo", "started as root: the user the platform runs as"),
    TEXT("node_user", "poppo-node", "started as root: the user the node daemon runs as"),
    SWITCH("local_node", "true", "run projects on this machine, too (--no-local-node: only serve)"),
    TEXT("local_node_key_sha256", "", "SHA-256 of the local node's key; given by the launcher"),
    TEXT("seed", "",
         "file with projects to make at a first start, before there is an administrator"),
    TEXT("claude_path", "", "the Claude Code CLI (default: BIN_DIR/../lib/claude/claude)"),
    NUMBER("uid_base", "1900000000", "first of the user ids given to projects"),
    NUMBER("port_base", "4001", "first of the ports given to projects"),
    TEXT("github_api_url", "https://api.github.com", "GitHub's API, for new projects"),
    TEXT("github_git_url", "", "GitHub's git and pages (default: derived from the API's address)"),
    TEXT("anthropic_base_url", "https://api.anthropic.com", "the Claude API"),
    TEXT("ca_file", "", "certificates to trust instead of the system's"),
    TEXT("default_language", "en", "ja or en, where nobody chose"),
    TIME("poll_interval", "60s", "how often a new project looks at GitHub"),
    TIME("min_poll_interval", "5s", "the shortest interval a project may have"),
    TIME("github_write_gap", "1s", "pause between two writes to GitHub with one token"),
    TIME("accept_timeout", "5s", "a node that has not accepted work by then loses it again"),
    TIME("cancel_timeout", "15s",
         "a node that has not confirmed a cancellation by then is not waited for"),
    NUMBER("retry_percent", "100",
           "pauses before further attempts, in per cent of the built-in ones"),
    TIME("offline_limit", "35m", "how long a node that cannot be reached keeps its work"),
    TIME("offline_grace", "30s", "how much later its work is given to others"),
    TEXT("log_store", "files", "where logs are kept: files, or database (for several servers)"),
    SIZE("log_limit", "1g", "longest log of an execution, the rest is dropped (0: no limit)"),
    SIZE("project_log_limit", "0", "logs a project keeps, the oldest go first (0: all)"),
    NUMBER("log_days", "180", "days after its end an execution's log is kept (0: for ever)"),
    NUMBER("execution_days", "730", "days after its end an execution is kept (0: for ever)"),
    NUMBER("execution_keep", "100", "newest executions of a project that stay, however old"),
    NUMBER("audit_days", "730", "days the record of who did what is kept (0: for ever)"),
    TIME("tidy_interval", "10m", "how often what is too old is looked for and thrown away"),
    SIZE("disk_floor", "256m", "log lines wait while the disk has less than this free"),
    NUMBER("handler_threads", "8", "threads that answer requests"),
    NUMBER("io_threads", "0", "threads that read and write sockets (0: one per processor)"),
    TEXT("metrics_token_file", "",
         "file whose first line lets Prometheus read /metrics as its bearer token"),
    TIME("slow_request", "1s", "requests that take longer are logged (0s: none)"),
    TIME("slow_query", "250ms", "database statements that take longer are logged (0s: none)"),
    TEXT("log_level", "info", "error, warn, info or debug"),
    SWITCH("log_json", "false", "log as JSON lines"),
    {NULL, NULL, PB_SETTING_TEXT, PB_SETTING_RESTART, false, NULL},
};

static const char *text(const struct pb_settings *settings, const char *name)
{
    return pb_config_text(settings->config, name);
}

/* --- places ------------------------------------------------------------------------------------------------- */

static int own_folder(char *ret, size_t size, struct pb_error *err)
{
    ssize_t len = readlink("/proc/self/exe", ret, size - 1);
    char *slash;

    if (len < 0)
        return pb_fail_errno(err, "/proc/self/exe");
    ret[len] = '\0';
    slash = strrchr(ret, '/');
    if (slash)
        *slash = '\0';
    return 0;
}

/* The setting, else root's place, else one below HOME (or another folder). */
static int place(struct pb_settings *settings, const char *name, char *ret, size_t size,
                 const char *for_root, const char *below, const char *otherwise,
                 struct pb_error *err)
{
    const char *set = text(settings, name);
    int len;

    if (*set)
        len = snprintf(ret, size, "%s", set);
    else if (settings->is_root)
        len = snprintf(ret, size, "%s", for_root);
    else if (below && *below)
        len = snprintf(ret, size, "%s/%s", below, otherwise);
    else
        return pb_fail_field(err, name, "HOME is not set; give --%s", name);
    if (len < 0 || (size_t)len >= size)
        return pb_fail_field(err, name, "%s is too long", name);
    if (ret[0] != '/')
        return pb_fail_field(err, name, "%s must be an absolute path, not '%s'", name, ret);
    return 0;
}

static int find_places(struct pb_settings *settings, struct pb_error *err)
{
    const char *home = getenv("HOME");
    const char *web = text(settings, "web_dir");

    settings->is_root = geteuid() == 0;
    if (place(settings, "data_dir", settings->data_dir, sizeof(settings->data_dir),
              "/var/lib/poppo-builder", home, ".local/share/poppo-builder", err) < 0 ||
        place(settings, "key_file", settings->key_file, sizeof(settings->key_file),
              "/etc/poppo-builder/master.key", home, ".config/poppo-builder/master.key", err) < 0 ||
        place(settings, "run_dir", settings->run_dir, sizeof(settings->run_dir),
              "/run/poppo-builder", settings->data_dir, "run", err) < 0)
        return -1;
    if (*text(settings, "bin_dir"))
        (void)snprintf(settings->bin_dir, sizeof(settings->bin_dir), "%s",
                       text(settings, "bin_dir"));
    else if (own_folder(settings->bin_dir, sizeof(settings->bin_dir), err) < 0)
        return -1;
    if (*web)
        (void)snprintf(settings->web_dir, sizeof(settings->web_dir), "%s", web);
    else
        (void)snprintf(settings->web_dir, sizeof(settings->web_dir),
                       "%s/../share/poppo-builder/web", settings->bin_dir);
    return 0;
}

/* --- the database ------------------------------------------------------------------------------------------- */

bool pb_settings_has_password(const char *address)
{
    const char *host = strstr(address, "://");
    size_t len = host ? strcspn(host + 3, "/?") : 0;
    const char *at = host ? memrchr(host + 3, '@', len) : NULL;

    return (at && memchr(host + 3, ':', (size_t)(at - host - 3))) || strstr(address, "password=");
}

static int find_database(struct pb_settings *settings, struct pb_error *err)
{
    const char *set = text(settings, "database");
    bool is_sqlite = strcmp(set, "sqlite") == 0;
    int len;

    if (!is_sqlite && !pb_database_is_address(set))
        return pb_fail_field(err, "database", "database must be sqlite or postgresql://…");
    if (pb_settings_has_password(set) &&
        strcmp(pb_config_source(settings->config, "database"), "command line") == 0)
        return pb_fail_field(err, "database",
                             "a password on the command line can be read by everybody on this "
                             "machine: put it into the file of database_password_file");
    len = is_sqlite ? snprintf(settings->database, sizeof(settings->database),
                               "%s/platform/poppo.db", settings->data_dir)
                    : snprintf(settings->database, sizeof(settings->database), "%s", set);
    if (len < 0 || (size_t)len >= sizeof(settings->database))
        return pb_fail_field(err, "database", "database is too long");
    return 0;
}

/* --- addresses ---------------------------------------------------------------------------------------------- */

static bool is_tls(const struct pb_settings *settings)
{
    return *text(settings, "tls_certificate") != '\0';
}

static void make_base_url(struct pb_settings *settings, int port)
{
    const char *host = settings->listen_host;

    if (*text(settings, "base_url")) {
        size_t len = strlen(text(settings, "base_url"));

        (void)snprintf(settings->base_url, sizeof(settings->base_url), "%s",
                       text(settings, "base_url"));
        while (len > 0 && len < sizeof(settings->base_url) && settings->base_url[len - 1] == '/')
            settings->base_url[--len] = '\0';
        return;
    }
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "[::]") == 0)
        host = "127.0.0.1";
    (void)snprintf(settings->base_url, sizeof(settings->base_url), "%s://%s:%d",
                   is_tls(settings) ? "https" : "http", host, port);
}

void pb_settings_know_port(struct pb_settings *settings, int port)
{
    settings->listen_port = port;
    make_base_url(settings, port);
}

static int split_listen(struct pb_settings *settings, struct pb_error *err)
{
    const char *listen = text(settings, "listen");
    const char *colon = strrchr(listen, ':');
    uint64_t port;

    if (!colon || colon == listen || (size_t)(colon - listen) >= sizeof(settings->listen_host) ||
        !pb_parse_u64(colon + 1, 65535, &port))
        return pb_fail_field(err, "listen", "listen must be HOST:PORT, not '%s'", listen);
    memcpy(settings->listen_host, listen, (size_t)(colon - listen));
    settings->listen_host[colon - listen] = '\0';
    pb_settings_know_port(settings, (int)port);
    return 0;
}

/* --- reading ------------------------------------------------------------------------------------------------ */

/* --config comes first, wherever it stands on the command line. */
static const char *config_argument(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--config=", 9) == 0)
            return argv[i] + 9;
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            return argv[i + 1];
    }
    return getenv("POPPO_CONFIG");
}

static int read_all(struct pb_settings *settings, int *argc, char **argv, struct pb_error *err)
{
    const char *file = config_argument(*argc, argv);

    if (file && *file && pb_config_read_file(settings->config, file, err) < 0)
        return -1;
    return pb_config_read_environment(settings->config, err) < 0
               ? -1
               : pb_config_read_arguments(settings->config, argc, argv, err);
}

int pb_settings_read(struct pb_settings *settings, int *argc, char **argv, struct pb_error *err)
{
    memset(settings, 0, sizeof(*settings));
    settings->config = pb_config_new(ROWS, err);
    if (!settings->config)
        return -1;
    if (read_all(settings, argc, argv, err) < 0 || pb_settings_check(settings, err) < 0 ||
        find_places(settings, err) < 0 || find_database(settings, err) < 0)
        return -1;
    return split_listen(settings, err);
}

void pb_settings_release(struct pb_settings *settings)
{
    pb_config_free(settings->config);
    settings->config = NULL;
    pb_wipe(settings->database, sizeof(settings->database));
}

void pb_settings_for_services(const struct pb_settings *settings, struct pb_platform_settings *ret)
{
    const struct pb_config *config = settings->config;

    *ret = (struct pb_platform_settings){
        .base_url = settings->base_url,
        .github_api_url = text(settings, "github_api_url"),
        .github_git_url = text(settings, "github_git_url"),
        .anthropic_base_url = text(settings, "anthropic_base_url"),
        .default_language = text(settings, "default_language"),
        .metrics_token_file = text(settings, "metrics_token_file"),
        .poll_interval_ms = pb_config_int(config, "poll_interval"),
        .min_poll_interval_ms = pb_config_int(config, "min_poll_interval"),
        .github_write_gap_ms = pb_config_int(config, "github_write_gap"),
        .project_log_limit = pb_config_int(config, "project_log_limit"),
        .log_days = pb_config_int(config, "log_days"),
        .execution_days = pb_config_int(config, "execution_days"),
        .execution_keep = pb_config_int(config, "execution_keep"),
        .audit_days = pb_config_int(config, "audit_days"),
        .tidy_interval_ms = pb_config_int(config, "tidy_interval"),
        .accept_timeout_ms = pb_config_int(config, "accept_timeout"),
        .cancel_timeout_ms = pb_config_int(config, "cancel_timeout"),
        .retry_percent = pb_config_int(config, "retry_percent"),
        .offline_limit_ms = pb_config_int(config, "offline_limit"),
        .offline_grace_ms = pb_config_int(config, "offline_grace"),
        .local_node_key_sha256 = text(settings, "local_node_key_sha256"),
        .allow_plain_http = pb_config_bool(config, "allow_plain_http"),
        .slow_request_ms = pb_config_int(config, "slow_request"),
        .is_https = pb_text_starts(settings->base_url, "https://"),
    };
}

/* --- for others --------------------------------------------------------------------------------------------- */

/* A path we worked out is passed on as it is, so that a child under another user finds the same. */
static const char *value_for_child(const struct pb_settings *settings, const char *name)
{
    const struct {
        const char *name;
        const char *value;
    } places[] = {
        {"data_dir", settings->data_dir}, {"key_file", settings->key_file},
        {"run_dir", settings->run_dir},   {"bin_dir", settings->bin_dir},
        {"web_dir", settings->web_dir},
    };

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (strcmp(places[i].name, name) == 0)
            return places[i].value;
    if (strcmp(name, "config") == 0 ||
        strcmp(pb_config_source(settings->config, name), "default") == 0)
        return NULL;
    return text(settings, name);
}

int pb_settings_environment(const struct pb_settings *settings, struct pb_arena *arena,
                            const char **ret_envp, size_t max, size_t *ret_count,
                            struct pb_error *err)
{
    size_t count = 0;

    for (const struct pb_setting *row = ROWS; row->name; row++) {
        const char *value = row->secret ? value_for_child(settings, row->name) : NULL;
        char *name;

        if (!value)
            continue;
        if (count == max)
            return pb_fail(err, PB_ERROR_INTERNAL, "too many settings");
        name = pb_arena_format(arena, "POPPO_%s=", row->name);
        for (char *c = name ? name + strlen("POPPO_") : NULL; c && *c != '='; c++)
            *c = (char)toupper((unsigned char)*c);
        ret_envp[count] = name ? pb_arena_format(arena, "%s%s", name, value) : NULL;
        if (!ret_envp[count++])
            return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    }
    *ret_count = count;
    return 0;
}

int pb_settings_arguments(const struct pb_settings *settings, struct pb_arena *arena,
                          const char **ret_argv, size_t max, size_t *ret_count,
                          struct pb_error *err)
{
    size_t count = 0;

    for (const struct pb_setting *row = ROWS; row->name; row++) {
        const char *value = row->secret ? NULL : value_for_child(settings, row->name);

        if (!value)
            continue;
        if (count == max)
            return pb_fail(err, PB_ERROR_INTERNAL, "too many settings");
        ret_argv[count] = pb_arena_format(arena, "--%s=%s", row->name, value);
        if (!ret_argv[count++])
            return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    }
    *ret_count = count;
    return 0;
}

void pb_settings_help(struct pb_buf *buf)
{
    struct pb_error err;
    struct pb_config *config = pb_config_new(ROWS, &err);

    if (config)
        pb_config_help(config, buf);
    pb_config_free(config);
}
