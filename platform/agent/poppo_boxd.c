/* poppo-boxd: the node's only process with root. See agent/boxd.h. */
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/boxd.h"
#include "agent/spawn.h"
#include "base/config.h"
#include "base/log.h"
#include "base/process.h"

static const struct pb_setting SETTINGS[] = {
    {"data_dir", "/var/lib/poppo-builder", PB_SETTING_TEXT, PB_SETTING_RESTART, false,
     "where projects live"},
    {"run_dir", "/run/poppo-builder", PB_SETTING_TEXT, PB_SETTING_RESTART, false,
     "where our socket is made"},
    {"bin_dir", "", PB_SETTING_TEXT, PB_SETTING_RESTART, false,
     "folder of our programs (default: this one's)"},
    {"uid_base", "1900000000", PB_SETTING_INTEGER, PB_SETTING_RESTART, false,
     "first of the user ids given to projects"},
    {"node_user", "poppo-node", PB_SETTING_TEXT, PB_SETTING_RESTART, false,
     "user that poppo-agent runs as"},
    {"log_level", "info", PB_SETTING_TEXT, PB_SETTING_RESTART, false, "error, warn, info or debug"},
    {"log_json", "false", PB_SETTING_BOOLEAN, PB_SETTING_RESTART, false, "log as JSON lines"},
    {NULL, NULL, PB_SETTING_TEXT, PB_SETTING_RESTART, false, NULL},
};

static int find_user(const char *name, uid_t *ret_uid, struct pb_error *err)
{
    const struct passwd *user = getpwnam(name);

    if (!user)
        return pb_fail(
            err, PB_ERROR_INVALID,
            "there is no user '%s' (setting node_user): make it with 'useradd --system %s'", name,
            name);
    *ret_uid = user->pw_uid;
    return 0;
}

static int start(const struct pb_config *config, struct pb_error *err)
{
    struct pb_boxd_options options = {.data_dir = pb_config_text(config, "data_dir"),
                                      .run_dir = pb_config_text(config, "run_dir"),
                                      .bin_dir = pb_config_text(config, "bin_dir"),
                                      .uid_base = (uid_t)pb_config_int(config, "uid_base")};
    char own[512];

    if (geteuid() != 0)
        return pb_fail(err, PB_ERROR_DENIED,
                       "poppo-boxd needs root; without root the node works without it");
    if (find_user(pb_config_text(config, "node_user"), &options.node_uid, err) < 0 ||
        pb_spawn_own_folder(own, err) < 0)
        return -1;
    if (!*options.bin_dir)
        options.bin_dir = own;
    return pb_boxd_serve(&options, err);
}

int main(int argc, char **argv)
{
    enum pb_log_level level = PB_LOG_INFO;
    struct pb_config *config;
    struct pb_error err = {0};
    int r = -1;

    pb_process_harden("poppo-boxd");
    pb_log_init("poppo-boxd", level, false);
    config = pb_config_new(SETTINGS, &err);
    if (config && pb_config_read_environment(config, &err) == 0 &&
        pb_config_read_arguments(config, &argc, argv, &err) == 0) {
        if (pb_log_level_parse(pb_config_text(config, "log_level"), &level))
            pb_log_init("poppo-boxd", level, pb_config_bool(config, "log_json"));
        r = start(config, &err);
    }
    if (r < 0)
        pb_log_fail(PB_LOG_ERROR, "boxd", &err, "cannot start");
    pb_config_free(config);
    return r < 0 ? 1 : 0;
}
