#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/fd_message.h"
#include "agent/link.h"
#include "agent/supervisor_private.h"
#include "base/fs.h"
#include "base/log.h"

enum {
    LINK_QUEUE = 8 * PB_MESSAGE_FRAME_MAX,
    BACKOFF_FIRST_MS = 200,
    BACKOFF_MAX_MS = 10 * 1000,
    CONNECT_AGAIN_MS = 50,
    VARIABLES_MAX = 16,
};

/* --- what the platform says to the node --------------------------------------------------------- */

static void on_welcome(struct pb_supervisor *s, const struct pb_json *body)
{
    s->online = true;
    s->link_backoff_ms = 0;
    pb_log_info("supervisor", "connected to the platform as node %s",
                pb_json_text(body, "node_id", "?"));
    for (struct pb_project_agent *agent = s->agents; agent; agent = agent->next)
        pb_project_agent_connect(agent);
    pb_supervisor_say_status(s, true);
}

static void on_project_start(struct pb_supervisor *s, const struct pb_json *body)
{
    pb_project_agent_wish(s, pb_json_text(body, "id", ""), pb_json_get(body, "settings"));
    pb_supervisor_save_wishes(s);
}

static void on_project_stop(struct pb_supervisor *s, const struct pb_json *body)
{
    struct pb_project_agent *agent = pb_project_agent_find(s, pb_json_text(body, "id", ""));

    if (agent)
        pb_project_agent_unwish(agent, false);
    pb_supervisor_save_wishes(s);
}

static void on_project_restart(struct pb_supervisor *s, const struct pb_json *body)
{
    struct pb_project_agent *agent = pb_project_agent_find(s, pb_json_text(body, "id", ""));

    if (agent)
        pb_project_agent_restart(agent);
}

/* A project we know only by its slot has data too. */
static void on_project_remove(struct pb_supervisor *s, const struct pb_json *body)
{
    const char *project = pb_json_text(body, "id", "");

    if (!pb_project_agent_find(s, project) && pb_slots_find(s->slots, project) != 0) {
        struct pb_error err = {0};
        unsigned slot = pb_slots_find(s->slots, project);

        if (pb_spawn_remove_project(s->spawn, project, slot, &err) < 0 ||
            pb_slots_give_back(s->slots, project, &err) < 0)
            pb_log_fail(PB_LOG_ERROR, "supervisor", &err, "project=%s cannot be removed", project);
    } else if (pb_project_agent_find(s, project)) {
        pb_project_agent_unwish(pb_project_agent_find(s, project), true);
    }
    pb_supervisor_save_wishes(s);
}

static bool is_wished(const struct pb_json *projects, const char *project)
{
    for (size_t i = 0; i < pb_json_count(projects); i++)
        if (strcmp(pb_json_text(pb_json_at(projects, i), "id", ""), project) == 0)
            return true;
    return false;
}

/* Before they start, so that no two of them can ever get one. */
static void take_slots(struct pb_supervisor *s, const struct pb_json *projects)
{
    size_t count = pb_json_count(projects);
    const char **names = calloc(count + 1, sizeof(*names));
    struct pb_error err = {0};

    for (size_t i = 0; names && i < count; i++)
        names[i] = pb_json_text(pb_json_at(projects, i), "id", "");
    if (names && pb_slots_take_all(s->slots, names, count, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "supervisor", &err, "slots are given out one by one");
    free(names);
}

static void on_project_wishes(struct pb_supervisor *s, const struct pb_json *body)
{
    const struct pb_json *projects = pb_json_get(body, "projects");
    struct pb_project_agent *next;

    take_slots(s, projects);
    for (size_t i = 0; i < pb_json_count(projects); i++) {
        const struct pb_json *row = pb_json_at(projects, i);

        pb_project_agent_wish(s, pb_json_text(row, "id", ""), pb_json_get(row, "settings"));
    }
    for (struct pb_project_agent *agent = s->agents; agent; agent = next) {
        next = agent->next;
        if (agent->wanted && !is_wished(projects, agent->project))
            pb_project_agent_unwish(agent, false);
    }
    pb_supervisor_save_wishes(s);
}

static const struct {
    enum pb_message_type type;
    void (*handle)(struct pb_supervisor *s, const struct pb_json *body);
} HANDLERS[] = {
    {PB_MESSAGE_WELCOME, on_welcome},
    {PB_MESSAGE_PROJECT_START, on_project_start},
    {PB_MESSAGE_PROJECT_STOP, on_project_stop},
    {PB_MESSAGE_PROJECT_RESTART, on_project_restart},
    {PB_MESSAGE_PROJECT_WISHES, on_project_wishes},
    {PB_MESSAGE_PROJECT_REMOVE, on_project_remove},
};

static void platform_says(struct pb_supervisor *s, const void *frame, size_t len)
{
    struct pb_message message = {0};
    struct pb_error err = {0};

    if (pb_message_parse(frame, len, &message, &err) < 0) {
        pb_log_fail(PB_LOG_WARN, "supervisor", &err, "a bad message of the platform");
        return;
    }
    for (size_t i = 0; i < sizeof(HANDLERS) / sizeof(HANDLERS[0]); i++)
        if (HANDLERS[i].type == message.head.type)
            HANDLERS[i].handle(s, message.body);
    pb_message_release(&message);
}

/* --- the link process ----------------------------------------------------------------------------- */

static void link_op(struct pb_supervisor *s, const char *text, size_t len)
{
    struct pb_error err = {0};
    struct pb_json *body = pb_json_parse(text, len, &err);
    const char *op = pb_json_text(body, "op", "");

    if (strcmp(op, "up") == 0)
        pb_supervisor_say_hello(s);
    if (strcmp(op, "down") == 0) {
        s->online = false;
        pb_log_warn("supervisor", "not connected to the platform: %s",
                    pb_json_text(body, "reason", ""));
    }
    pb_json_free(body);
}

static void link_says(void *arg, const void *data, size_t len)
{
    if (*(const char *)data == 'P')
        platform_says(arg, data, len);
    else
        link_op(arg, data, len);
}

static void link_closed(void *arg, const char *reason)
{
    (void)arg;
    pb_log_debug("supervisor", "the link says no more: %s",
                 reason); /* its end is told by the pidfd */
}

static const struct pb_frame_pipe_events LINK_EVENTS = {link_says, NULL, link_closed};

static void start_again(void *arg)
{
    struct pb_supervisor *s = arg;

    pb_loop_timer_cancel(&s->link_again);
    pb_supervisor_start_link(s);
}

static void forget_link(struct pb_supervisor *s)
{
    struct pb_error err = {0};
    int status;

    s->online = false;
    pb_loop_fd_unwatch(&s->link_process_watch);
    pb_frame_pipe_free(s->link_pipe);
    s->link_pipe = NULL;
    pb_close(&s->link_runners);
    if (s->link.pid > 0 && pb_process_wait(&s->link, &status, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "supervisor", &err, "link");
    s->link = (struct pb_process){.pidfd = -1};
}

static void wait_for_link(struct pb_supervisor *s)
{
    s->link_backoff_ms = s->link_backoff_ms == 0                   ? BACKOFF_FIRST_MS
                         : s->link_backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS
                                                                   : s->link_backoff_ms * 2;
    s->link_again = pb_loop_timer_start(s->loop, s->link_backoff_ms, 0, start_again, s);
}

static void link_ended(void *arg, int events)
{
    struct pb_supervisor *s = arg;

    (void)events;
    pb_log_warn("supervisor", "the link has ended, starting it again");
    forget_link(s);
    wait_for_link(s);
}

/* A file beside the project's settings: options as POPPO_ variables, nothing else. */
static size_t fill_environment(const struct pb_supervisor_options *options, char texts[][768],
                               const char **envp)
{
    const struct {
        const char *name;
        const char *value;
    } rows[] = {
        {"POPPO_PLATFORM_URL", options->platform_url},
        {"POPPO_NODE_KEY_FILE", options->node_key_file},
        {"POPPO_CA_FILE", options->ca_file},
        {"POPPO_LOG_LEVEL", options->log_level},
        {"POPPO_LOG_JSON", options->log_json ? "true" : "false"},
        {"ASAN_OPTIONS", getenv("ASAN_OPTIONS")},
        {"SSL_CERT_FILE", getenv("SSL_CERT_FILE")},
        {"SSL_CERT_DIR", getenv("SSL_CERT_DIR")},
    };
    size_t count = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!rows[i].value || !*rows[i].value)
            continue;
        (void)snprintf(texts[count], sizeof(texts[count]), "%s=%s", rows[i].name, rows[i].value);
        envp[count] = texts[count];
        count++;
    }
    envp[count] = NULL;
    return count;
}

static int launch_link(struct pb_supervisor *s, struct pb_error *err)
{
    char texts[VARIABLES_MAX][768];
    const char *envp[VARIABLES_MAX + 1];
    char path[1024];
    const char *const argv[] = {path, NULL};
    int frames[2] = {-1, -1};
    int runners[2] = {-1, -1};
    struct pb_process_fd fds[] = {{2, 1},
                                  {2, 2},
                                  {-1, PB_LINK_SUPERVISOR_FD},
                                  {-1, PB_LINK_RUNNERS_FD}};
    const struct pb_process_spec spec = {
        .argv = argv, .envp = envp, .cwd = "/", .fds = fds, .fd_count = 4, .new_session = true};
    int r = -1;

    (void)snprintf(path, sizeof(path), "%s/poppo-link", s->options.bin_dir);
    (void)fill_environment(&s->options, texts, envp);
    if (pb_fd_pair(SOCK_STREAM, frames, err) < 0 || pb_fd_pair(SOCK_SEQPACKET, runners, err) < 0 ||
        pb_fd_set_nonblocking(runners[0], true, err) < 0)
        goto out;
    fds[2].from = frames[1];
    fds[3].from = runners[1];
    s->link_pipe = pb_frame_pipe_new(s->loop, frames[0], LINK_QUEUE, &LINK_EVENTS, s, err);
    frames[0] = -1;
    if (!s->link_pipe || pb_process_spawn(&spec, &s->link, err) < 0)
        goto out;
    s->link_runners = runners[0];
    runners[0] = -1;
    r = 0;
out:
    for (int i = 0; i < 2; i++) {
        pb_close(&frames[i]);
        pb_close(&runners[i]);
    }
    return r;
}

void pb_supervisor_start_link(struct pb_supervisor *s)
{
    struct pb_error err = {0};

    if (launch_link(s, &err) < 0) {
        pb_log_fail(PB_LOG_ERROR, "supervisor", &err, "cannot start the link");
        s->link.pid = 0;
        forget_link(s);
        wait_for_link(s);
        return;
    }
    s->link_process_watch = pb_loop_fd_watch(s->loop, s->link.pidfd, PB_LOOP_READ, link_ended, s);
}

void pb_supervisor_stop_link(struct pb_supervisor *s)
{
    pb_loop_timer_cancel(&s->link_again);
    if (s->link.pid > 0)
        pb_process_signal(&s->link, SIGKILL); /* it keeps nothing */
    forget_link(s);
}

bool pb_supervisor_send(struct pb_supervisor *s, const struct pb_buf *frame)
{
    return s->link_pipe && pb_frame_pipe_send(s->link_pipe, frame->data, frame->len);
}

bool pb_supervisor_link_runner(struct pb_supervisor *s, const char *project, int fd)
{
    struct pb_error err = {0};
    bool sent = s->link_runners >= 0 &&
                pb_fd_message_send(s->link_runners, project, strlen(project), &fd, 1, &err) == 0;

    if (!sent)
        pb_log_fail(PB_LOG_DEBUG, "supervisor", &err, "project=%s cannot reach the link", project);
    pb_close(&fd);
    return sent;
}

static void connect_rest(void *arg)
{
    struct pb_supervisor *s = arg;

    pb_loop_timer_cancel(&s->connect_timer);
    for (struct pb_project_agent *agent = s->agents; s->online && agent; agent = agent->next)
        if (agent->unconnected)
            pb_project_agent_connect(agent);
}

void pb_supervisor_connect_later(struct pb_supervisor *s)
{
    if (!s->connect_timer)
        s->connect_timer = pb_loop_timer_start(s->loop, CONNECT_AGAIN_MS, 0, connect_rest, s);
}
