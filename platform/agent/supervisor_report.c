#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "agent/supervisor_private.h"
#include "base/fs.h"
#include "base/log.h"

enum { STATUS_BYTES = 256 << 10 };

/* Resident memory of a process, 0 when it has gone. */
static int64_t rss_bytes(pid_t pid)
{
    struct pb_error err = {0};
    struct pb_buf text;
    char path[64];
    long long pages = 0;
    char *end = NULL;

    if (pid == 0)
        return 0;
    pb_buf_init(&text, 256);
    (void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    if (pb_fs_read(AT_FDCWD, path, &text, &err) == 0) { /* "size resident …" in pages */
        (void)strtoll(pb_buf_string(&text), &end, 10);
        pages = end ? strtoll(end, NULL, 10) : 0;
    }
    pb_buf_release(&text);
    return pages * sysconf(_SC_PAGESIZE);
}

static void put_capacity(struct pb_supervisor *s, struct pb_json_writer *json)
{
    struct sysinfo info;

    pb_json_begin_object(json, "capacity");
    pb_json_put_int(json, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
    if (sysinfo(&info) == 0)
        pb_json_put_int(json, "memory_bytes", (int64_t)info.totalram * info.mem_unit);
    pb_json_put_int(json, "slots", (int64_t)pb_slots_free_count(s->slots));
    pb_json_end_object(json);
}

static void put_agent(struct pb_json_writer *json, const struct pb_project_agent *agent)
{
    pb_json_begin_object(json, NULL);
    pb_json_put_text(json, "id", agent->project);
    pb_json_put_text(json, "state", pb_agent_state_name(agent->state));
    pb_json_put_int(json, "slot", agent->slot);
    pb_json_put_int(json, "pid", agent->pid);
    pb_json_put_int(json, "restarts", agent->restarts);
    pb_json_put_int(json, "attempts", agent->attempts);
    pb_json_put_int(json, "rss_bytes", rss_bytes(agent->pid));
    pb_json_put_text(json, "last_error", *agent->last_error ? agent->last_error : NULL);
    pb_json_put_int(json, "since_ms", agent->since_ms);
    pb_json_end_object(json);
}

/* All that hello says of one. */
static void put_place(struct pb_json_writer *json, const char *project, enum pb_agent_state state,
                      unsigned slot)
{
    pb_json_begin_object(json, NULL);
    pb_json_put_text(json, "id", project);
    pb_json_put_text(json, "state", pb_agent_state_name(state));
    pb_json_put_int(json, "slot", slot);
    pb_json_end_object(json);
}

/* Projects that are not wished for and still have data here: one deleted while we were away must be found. */
static void put_leftovers(struct pb_supervisor *s, struct pb_json_writer *json)
{
    for (unsigned slot = pb_slots_next(s->slots, 0); slot; slot = pb_slots_next(s->slots, slot)) {
        const char *project = pb_slots_project(s->slots, slot);

        if (!pb_project_agent_find(s, project))
            put_place(json, project, PB_AGENT_STOPPED, slot);
    }
}

static bool send_frame(struct pb_supervisor *s, struct pb_buf *frame)
{
    bool sent = !pb_buf_failed(frame) && pb_supervisor_send(s, frame);

    if (pb_buf_failed(frame))
        pb_log_error("supervisor", "a report does not fit into a message");
    else if (!sent)
        pb_log_warn("supervisor", "a report did not reach the link");
    pb_buf_release(frame);
    return sent;
}

/* The words of docs/protocol.md: with users of its own a project is one step better off. */
static const char *isolation(struct pb_supervisor *s)
{
    bool has_users = s->options.boxd_socket != NULL;
    enum pb_box_level level = PB_BOX_PLAIN;
    struct pb_error err;

    if (pb_spawn_box_level(s->spawn, &level, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "supervisor", &err, "how runs are walled off");
    if (level != PB_BOX_PLAIN)
        return has_users ? "basic" : "minimal";
    return has_users ? "minimal" : "none";
}

void pb_supervisor_say_hello(struct pb_supervisor *s)
{
    struct pb_message_builder b;
    struct pb_buf frame;

    pb_buf_init(&frame, PB_MESSAGE_FRAME_MAX);
    pb_message_begin(&b, &frame, PB_MESSAGE_HELLO, NULL);
    pb_json_put_int(&b.json, "protocol_min", PB_PROTOCOL_MIN);
    pb_json_put_int(&b.json, "protocol_max", PB_PROTOCOL_MAX);
    pb_json_put_text(&b.json, "name", s->options.node_name);
    pb_json_put_text(&b.json, "version", PB_VERSION);
    pb_json_put_text(&b.json, "boot_id", pb_process_boot_id());
    pb_json_put_text(&b.json, "isolation", isolation(s));
    pb_json_put_text(&b.json, "uid_mode", s->options.boxd_socket ? "root" : "user");
    put_capacity(s, &b.json);
    pb_json_begin_array(&b.json, "projects");
    for (const struct pb_project_agent *agent = s->agents; agent; agent = agent->next)
        put_place(&b.json, agent->project, agent->state, agent->slot);
    put_leftovers(s, &b.json);
    pb_json_end_array(&b.json);
    pb_message_end(&b, NULL, 0);
    (void)send_frame(s, &frame);
}

static void put_load(struct pb_supervisor *s, struct pb_json_writer *json)
{
    struct sysinfo info;
    double load[1];

    if (getloadavg(load, 1) == 1)
        pb_json_put_number(json, "load1", load[0]);
    if (sysinfo(&info) == 0)
        pb_json_put_int(json, "memory_free_bytes", (int64_t)info.freeram * info.mem_unit);
    pb_json_put_int(json, "disk_free_bytes", pb_fs_free_bytes(s->options.data_dir));
    put_capacity(s, json);
}

/* From one agent on as many as one message should hold; returns the first of the next, NULL when all are told. */
static struct pb_project_agent *say_some(struct pb_supervisor *s, struct pb_project_agent *from,
                                         bool all)
{
    struct pb_project_agent *agent;
    struct pb_message_builder b;
    struct pb_buf frame;

    pb_buf_init(&frame, PB_MESSAGE_FRAME_MAX);
    pb_message_begin(&b, &frame, PB_MESSAGE_NODE_STATUS, NULL);
    put_load(s, &b.json);
    pb_json_begin_array(&b.json, "projects");
    for (agent = from; agent && frame.len < STATUS_BYTES; agent = agent->next)
        if (all || agent->is_news)
            put_agent(&b.json, agent);
    pb_json_end_array(&b.json);
    pb_message_end(&b, NULL, 0);
    if (send_frame(s, &frame)) /* else it is told with the next news, at the latest in a minute */
        for (struct pb_project_agent *told = from; told != agent; told = told->next)
            told->is_news = false;
    return agent;
}

void pb_supervisor_say_status(struct pb_supervisor *s, bool all)
{
    struct pb_project_agent *next = s->agents;

    do {
        next = say_some(s, next, all);
    } while (next);
}
