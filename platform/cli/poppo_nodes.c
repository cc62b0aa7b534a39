/* poppo nodes */
#include "base/clock.h"
#include "cli/cli_command.h"
#include "cli/cli_format.h"
#include "cli/cli_table.h"
#include "cli/cli_words.h"

enum { OUTPUT_MAX = 1 << 20 };

static int add_row(struct pb_cli *cli, struct pb_cli_table *table, const struct pb_json *node,
                   struct pb_error *err)
{
    const struct pb_json *capacity = pb_json_get(node, "capacity");
    double load = pb_json_number(node, "load1", -1);
    const char *cells[] = {
        pb_json_text(node, "name", ""),
        pb_cli_node_words(pb_json_text(node, "status", NULL)),
        pb_json_text(node, "version", ""),
        pb_cli_count(&cli->arena, pb_json_int(capacity, "cpus", -1)),
        load < 0 ? "" : pb_arena_format(&cli->arena, "%.2f", load),
        pb_cli_bytes(&cli->arena, pb_json_int(capacity, "memory_bytes", -1)),
        pb_cli_bytes(&cli->arena, pb_json_int(node, "memory_free_bytes", -1)),
        pb_cli_bytes(&cli->arena, pb_json_int(node, "disk_free_bytes", -1)),
        pb_cli_count(&cli->arena, pb_json_int(node, "projects", -1)),
        pb_cli_ago(&cli->arena, pb_json_text(node, "last_seen_at", NULL), pb_clock_wall_ms()),
    };

    return pb_cli_table_add(table, cells, err);
}

static int show_list(struct pb_cli *cli, const struct pb_json *page, struct pb_error *err)
{
    const struct pb_cli_column columns[] = {
        {pb_say("NODE", "ノード"), false, true},
        {pb_say("STATUS", "状態"), false, false},
        {pb_say("VERSION", "バージョン"), false, false},
        {"CPU", true, false},
        {pb_say("LOAD", "負荷"), true, false},
        {pb_say("MEMORY", "メモリー"), true, false},
        {pb_say("FREE", "空き"), true, false},
        {pb_say("DISK FREE", "ディスクの空き"), true, false},
        {pb_say("PROJECTS", "プロジェクト"), true, false},
        {pb_say("SEEN", "最終確認"), false, false},
    };
    struct pb_cli_table *table =
        pb_cli_table_new(&cli->arena, columns, sizeof(columns) / sizeof(columns[0]));
    const struct pb_json *items = pb_json_get(page, "items");
    struct pb_buf text;
    int r = table ? 0 : pb_fail(err, PB_ERROR_LIMITED, "out of memory");

    for (size_t i = 0; r == 0 && i < pb_json_count(items); i++)
        r = add_row(cli, table, pb_json_at(items, i), err);
    pb_buf_init(&text, OUTPUT_MAX);
    if (r == 0) {
        pb_cli_table_write(table, cli->width, &text);
        r = pb_cli_print(cli, &text, err);
    }
    pb_buf_release(&text);
    return r;
}

int pb_poppo_nodes_list(struct pb_cli *cli, struct pb_error *err)
{
    struct pb_json *page;
    int r = pb_cli_get(cli, "/api/nodes", &page, err);

    if (r == 0 && page) {
        r = show_list(cli, page, err);
        pb_json_free(page);
    }
    return r;
}
