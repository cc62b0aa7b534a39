/* poppo-agent: the node daemon. See agent/supervisor.h. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/spawn.h"
#include "agent/supervisor.h"
#include "base/config.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/process.h"

static const struct pb_setting SETTINGS[] = {
    {"data_dir", "/var/lib/poppo-builder", PB_SETTING_TEXT, PB_SETTING_RESTART, false,
     "where projects live"},
    {"run_dir", "/run/poppo-builder", PB_SETTING_TEXT, PB_SETTING_RESTART, false,
     "where the privileged helper's socket is"},
    {"bin_dir", "", PB_SETTING_TEXT, PB_SETTING_RESTART, false,
     "folder of our programs (default: this one's)"},
    {"boxd", "auto", PB_SETTING_TEXT, PB_SETTING_RESTART, false,
     "use the privileged helper: yes, no, auto (if this is not the only user here)"},
    {"node_name", "local", PB_SETTING_TEXT, PB_SETTING_RESTART, false, "this node's name"},
    {"platform_url", "", PB_SETTING_TEXT, PB_SETTING_RESTART, false,
     "the platform's address for nodes (default: from listen)"},
    {"listen", "127.0.0.1:3000", PB_SETTING_TEXT, PB_SETTING_RESTART, false,
     "where the platform of this machine listens"},
    {"node_key_file", "", PB_SETTING_TEXT, PB_SETTING_RESTART, false,
     "file with this node's own key"},
    {"ca_file", "", PB_SETTING_TEXT, PB_SETTING_RESTART, false,
     "certificates to trust instead of the system's"},
    {"claude_path", "", PB_SETTING_TEXT, PB_SETTING_RESTART, false, "the Claude Code CLI"},
    {"uid_base", "1900000000", PB_SETTING_INTEGER, PB_SETTING_RESTART, false,
     "first of the user ids given to projects"},
    {"port_base", "4001", PB_SETTING_INTEGER, PB_SETTING_RESTART, false,
     "first of the ports given to projects"},
    {"log_level", "info", PB_SETTING_TEXT, PB_SETTING_RESTART, false, "error, warn, info or debug"},
    {"log_json", "false", PB_SETTING_BOOLEAN, PB_SETTING_RESTART, false, "log as JSON lines"},
    {NULL, NULL, PB_SETTING_TEXT, PB_SETTING_RESTART, false, NULL},
};

struct places {
    char bin_dir[512];
    char boxd_socket[512];
    char platform_url[512];
    char node_key_file[600];
    char claude_path[700];
};

/* With a helper running as root, its socket is the only way to other users. */
static bool uses_boxd(const struct pb_config *config, const struct places *places)
{
    const char *word = pb_config_text(config, "boxd");

    if (strcmp(word, "auto") == 0)
        return access(places->boxd_socket, F_OK) == 0;
    return strcmp(word, "yes") == 0;
}

static int find_places(const struct pb_config *config, struct places *ret, struct pb_error *err)
{
    const char *bin = pb_config_text(config, "bin_dir");
    const char *claude = pb_config_text(config, "claude_path");

    if (pb_spawn_own_folder(ret->bin_dir, err) < 0)
        return -1;
    if (*bin)
        (void)snprintf(ret->bin_dir, sizeof(ret->bin_dir), "%s", bin);
    (void)snprintf(ret->boxd_socket, sizeof(ret->boxd_socket), "%s/boxd.sock",
                   pb_config_text(config, "run_dir"));
    if (*pb_config_text(config, "platform_url"))
        (void)snprintf(ret->platform_url, sizeof(ret->platform_url), "%s",
                       pb_config_text(config, "platform_url"));
    else
        (void)snprintf(ret->platform_url, sizeof(ret->platform_url), "ws://%s/api/node/ws",
                       pb_config_text(config, "listen"));
    if (*pb_config_text(config, "node_key_file"))
        (void)snprintf(ret->node_key_file, sizeof(ret->node_key_file), "%s",
                       pb_config_text(config, "node_key_file"));
    else
        (void)snprintf(ret->node_key_file, sizeof(ret->node_key_file), "%s/node/node.key",
                       pb_config_text(config, "data_dir"));
    if (*claude)
        (void)snprintf(ret->claude_path, sizeof(ret->claude_path), "%s", claude);
    else
        (void)snprintf(ret->claude_path, sizeof(ret->claude_path), "%s/../lib/claude/claude",
                       ret->bin_dir);
    return 0;
}

static int start(const struct pb_config *config, struct pb_error *err)
{
    static struct places places;
    struct pb_supervisor_options options;

    if (find_places(config, &places, err) < 0)
        return -1;
    options = (struct pb_supervisor_options){
        .node_name = pb_config_text(config, "node_name"),
        .data_dir = pb_config_text(config, "data_dir"),
        .bin_dir = places.bin_dir,
        .boxd_socket = uses_boxd(config, &places) ? places.boxd_socket : NULL,
        .platform_url = places.platform_url,
        .node_key_file = places.node_key_file,
        .ca_file = pb_config_text(config, "ca_file"),
        .claude_path = places.claude_path,
        .log_level = pb_config_text(config, "log_level"),
        .log_json = pb_config_bool(config, "log_json"),
        .uid_base = (uid_t)pb_config_int(config, "uid_base"),
        .port_base = (int)pb_config_int(config, "port_base"),
    };
    return pb_supervisor_run(&options, err);
}

int main(int argc, char **argv)
{
    enum pb_log_level level = PB_LOG_INFO;
    struct pb_error err = {0};
    struct pb_config *config;
    int r = -1;

    pb_process_harden("poppo-agent");
    pb_process_raise_files();
    (void)signal(SIGPIPE, SIG_IGN);
    pb_log_init("poppo-agent", level, false);
    pb_crypto_init();
    config = pb_config_new(SETTINGS, &err);
    if (config && pb_config_read_environment(config, &err) == 0 &&
        pb_config_read_arguments(config, &argc, argv, &err) == 0) {
        if (pb_log_level_parse(pb_config_text(config, "log_level"), &level))
            pb_log_init("poppo-agent", level, pb_config_bool(config, "log_json"));
        r = start(config, &err);
    }
    if (r < 0)
        pb_log_fail(PB_LOG_ERROR, "agent", &err, "cannot run");
    pb_config_free(config);
    return r < 0 ? 1 : 0;
}
