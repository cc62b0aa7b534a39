/* poppo nodes */
#include "cli/cli_list.h"
#include "cli/cli_words.h"

static const char *show_load(struct pb_arena *arena, const struct pb_json *node, const char *name)
{
    double load = pb_json_number(node, name, -1);

    return load < 0 ? "" : pb_arena_format(arena, "%.2f", load);
}

static const struct pb_cli_field FIELDS[] = {
    {"NODE", "ノード", "name", PB_CLI_GIVES, NULL, NULL},
    {"STATUS", "状態", "status", PB_CLI_LEFT, NULL, pb_cli_node_words},
    {"VERSION", "バージョン", "version", PB_CLI_LEFT, NULL, NULL},
    {"CPU", "CPU", "capacity.cpus", PB_CLI_RIGHT, pb_cli_show_count, NULL},
    {"LOAD", "負荷", "load1", PB_CLI_RIGHT, show_load, NULL},
    {"MEMORY", "メモリー", "capacity.memory_bytes", PB_CLI_RIGHT, pb_cli_show_bytes, NULL},
    {"FREE", "空き", "memory_free_bytes", PB_CLI_RIGHT, pb_cli_show_bytes, NULL},
    {"DISK FREE", "ディスクの空き", "disk_free_bytes", PB_CLI_RIGHT, pb_cli_show_bytes, NULL},
    {"PROJECTS", "プロジェクト", "projects", PB_CLI_RIGHT, pb_cli_show_count, NULL},
    {"SEEN", "最終確認", "last_seen_at", PB_CLI_LEFT, pb_cli_show_ago, NULL},
};

int pb_poppo_nodes_list(struct pb_cli *cli, struct pb_error *err)
{
    return pb_cli_list(cli, "/api/nodes", FIELDS, sizeof(FIELDS) / sizeof(FIELDS[0]), err);
}
