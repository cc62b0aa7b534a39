/* poppo-link: the node's connection to the platform. See agent/link.h. */
#include <signal.h>
#include <stdio.h>

#include "agent/link.h"
#include "base/config.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/process.h"

static const struct pb_setting SETTINGS[] = {
    {"platform_url", "", PB_SETTING_TEXT, PB_SETTING_RESTART, false,
     "the platform's address for nodes, ws://… or wss://…"},
    {"node_key_file", "", PB_SETTING_TEXT, PB_SETTING_RESTART, false,
     "file with this node's own key"},
    {"ca_file", "", PB_SETTING_TEXT, PB_SETTING_RESTART, false,
     "certificates to trust instead of the system's"},
    {"log_level", "info", PB_SETTING_TEXT, PB_SETTING_RESTART, false, "error, warn, info or debug"},
    {"log_json", "false", PB_SETTING_BOOLEAN, PB_SETTING_RESTART, false, "log as JSON lines"},
    {NULL, NULL, PB_SETTING_TEXT, PB_SETTING_RESTART, false, NULL},
};

int main(int argc, char **argv)
{
    enum pb_log_level level = PB_LOG_INFO;
    struct pb_link_options options = {.supervisor = PB_LINK_SUPERVISOR_FD,
                                      .runners = PB_LINK_RUNNERS_FD};
    struct pb_error err = {0};
    struct pb_config *config;
    int r = -1;

    pb_process_harden("poppo-link");
    pb_process_raise_files();
    (void)signal(SIGPIPE, SIG_IGN);
    pb_log_init("poppo-link", level, false);
    pb_crypto_init();
    config = pb_config_new(SETTINGS, &err);
    if (config && pb_config_read_environment(config, &err) == 0 &&
        pb_config_read_arguments(config, &argc, argv, &err) == 0) {
        if (pb_log_level_parse(pb_config_text(config, "log_level"), &level))
            pb_log_init("poppo-link", level, pb_config_bool(config, "log_json"));
        options.platform_url = pb_config_text(config, "platform_url");
        options.node_key_file = pb_config_text(config, "node_key_file");
        options.ca_file =
            *pb_config_text(config, "ca_file") ? pb_config_text(config, "ca_file") : NULL;
        r = pb_link_run(&options, &err);
    }
    if (r < 0)
        pb_log_fail(PB_LOG_ERROR, "link", &err, "cannot run");
    pb_config_free(config);
    return r < 0 ? 1 : 0;
}
