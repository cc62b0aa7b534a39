/* Settings that cannot be meant. */
#include <string.h>

#include "base/text.h"
#include "server/settings.h"

/* Numbers, and times in milliseconds. */
static const struct {
    const char *name;
    int64_t low, high;
    const char *words;
} RANGES[] = {
    {"handler_threads", 1, 256, "from 1 to 256"},
    {"io_threads", 0, 16, "from 0 to 16"},
    {"uid_base", 1000, 4294961000, "from 1000 to 4294961000: smaller ids belong to the system"},
    {"port_base", 1024, 36775, "from 1024 to 36775: each project has ten ports from there on"},
    {"poll_interval", 100, 86400000, "from 100ms to 24h"},
    {"min_poll_interval", 100, 86400000, "from 100ms to 24h"},
    {"github_write_gap", 0, 60000, "at most 60s"},
    {"accept_timeout", 100, 600000, "from 100ms to 10m"},
    {"offline_limit", 1000, 604800000, "from 1s to 168h"},
    {"offline_grace", 0, 86400000, "at most 24h"},
    {"log_limit", 0, INT64_C(4) << 30, "at most 4g"},
    {"project_log_limit", 0, INT64_MAX, "a size"},
    {"log_days", 0, 36500, "at most 36500"},
    {"execution_days", 0, 36500, "at most 36500"},
    {"execution_keep", 1, 1000000, "from 1 to 1000000"},
    {"audit_days", 0, 36500, "at most 36500"},
    {"tidy_interval", 100, 86400000, "from 100ms to 24h"},
    {"disk_floor", 0, INT64_MAX, "a size"},
    {"slow_request", 0, 3600000, "at most 1h"},
    {"slow_query", 0, 3600000, "at most 1h"},
};

/* The programs run in "/": a path means the same to all of them only when it begins there. */
static const char *const PATHS[] = {"bin_dir", "web_dir",         "claude_path", "seed",
                                    "ca_file", "tls_certificate", "tls_key"};

static int check_ranges(const struct pb_settings *settings, struct pb_error *err)
{
    for (size_t i = 0; i < sizeof(RANGES) / sizeof(RANGES[0]); i++) {
        int64_t value = pb_config_int(settings->config, RANGES[i].name);

        if (value < RANGES[i].low || value > RANGES[i].high)
            return pb_fail_field(err, RANGES[i].name, "%s must be %s", RANGES[i].name,
                                 RANGES[i].words);
    }
    return 0;
}

static int check_paths(const struct pb_settings *settings, struct pb_error *err)
{
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
        const char *path = pb_config_text(settings->config, PATHS[i]);

        if (*path && *path != '/')
            return pb_fail_field(err, PATHS[i], "%s must be an absolute path, not '%s'", PATHS[i],
                                 path);
        if (strlen(path) >= sizeof(settings->bin_dir))
            return pb_fail_field(err, PATHS[i], "%s is too long", PATHS[i]);
    }
    return 0;
}

static int check_base_url(const struct pb_settings *settings, struct pb_error *err)
{
    const char *url = pb_config_text(settings->config, "base_url");
    const char *host = strstr(url, "://");

    if (!*url)
        return 0;
    if ((!pb_text_starts(url, "http://") && !pb_text_starts(url, "https://")) || !host[3] ||
        strpbrk(host + 3, " ?#@\\\"'<>") || strlen(url) >= sizeof(settings->base_url))
        return pb_fail_field(err, "base_url",
                             "base_url must be what people type, such as "
                             "https://poppo.example.com, not '%.200s'",
                             url);
    return 0;
}

int pb_settings_check(const struct pb_settings *settings, struct pb_error *err)
{
    const char *language = pb_config_text(settings->config, "default_language");

    if (check_ranges(settings, err) < 0 || check_paths(settings, err) < 0 ||
        check_base_url(settings, err) < 0)
        return -1;
    if (strcmp(language, "ja") != 0 && strcmp(language, "en") != 0)
        return pb_fail_field(err, "default_language", "default_language must be ja or en");
    if (!*pb_config_text(settings->config, "tls_certificate") !=
        !*pb_config_text(settings->config, "tls_key"))
        return pb_fail_field(err, "tls_key", "tls_certificate and tls_key go together");
    return 0;
}
