#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "agent/fd_message.h"
#include "agent/supervisor_private.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/text.h"

enum {
    BACKOFF_FIRST_MS = 250,
    BACKOFF_MAX_MS = 30 * 1000,
    DEGRADED_WAIT_MS = 10 * 60 * 1000,
    CRASH_WINDOW_MS = 10 * 60 * 1000,
    HEALTHY_AFTER_MS = 10 * 60 * 1000,
    STOP_GRACE_MS = 10 * 1000,
    START_GRACE_MS = 60 * 1000, /* a long journal included */
    CONTROL_MAX = 64 * 1024,
};

static const char *const STATES[] = {
#define X(state, name) name,
    PB_AGENT_STATES(X)
#undef X
};

const char *pb_agent_state_name(enum pb_agent_state state)
{
    return STATES[state];
}

static void start(struct pb_project_agent *agent);

static void enter(struct pb_project_agent *agent, enum pb_agent_state state)
{
    if (agent->state != state) {
        agent->state = state;
        agent->since_ms = pb_clock_wall_ms();
    }
    pb_supervisor_changed(agent);
}

struct pb_project_agent *pb_project_agent_find(struct pb_supervisor *s, const char *project)
{
    for (struct pb_project_agent *agent = s->agents; agent; agent = agent->next)
        if (strcmp(agent->project, project) == 0)
            return agent;
    return NULL;
}

/* --- what it is told ---------------------------------------------------------------------------- */

static void tell(struct pb_project_agent *agent, const struct pb_buf *text, int fd)
{
    struct pb_error err = {0};

    if (agent->control < 0 || pb_buf_failed(text))
        return;
    if (pb_fd_message_send(agent->control, text->data, text->len, &fd, fd < 0 ? 0 : 1, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "supervisor", &err, "project=%s cannot reach its runner",
                    agent->project);
}

static void tell_op(struct pb_project_agent *agent, const char *op, int fd)
{
    struct pb_buf text;

    pb_buf_init(&text, 256);
    pb_buf_format(&text, "{\"op\":\"%s\"}", op);
    tell(agent, &text, fd);
    pb_buf_release(&text);
}

static void tell_settings(struct pb_project_agent *agent)
{
    const struct pb_supervisor_options *options = &agent->supervisor->options;
    struct pb_json_writer w;
    struct pb_buf text;

    pb_buf_init(&text, CONTROL_MAX);
    pb_json_writer_init(&w, &text);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "op", "settings");
    pb_json_put_text(&w, "project", agent->project);
    pb_json_put_int(&w, "slot", agent->slot);
    pb_json_put_text(&w, "data_dir", options->data_dir);
    pb_json_put_text(&w, "bin_dir", options->bin_dir);
    pb_json_put_int(&w, "uid_base", options->uid_base);
    pb_json_put_int(&w, "port_base", options->port_base);
    pb_json_put_bool(&w, "as_root", options->boxd_socket != NULL);
    pb_json_put_text(&w, "boxd_socket", options->boxd_socket);
    pb_json_put_text(&w, "claude_path", options->claude_path);
    pb_json_put_text(&w, "log_level", options->log_level);
    pb_json_put_bool(&w, "log_json", options->log_json);
    pb_json_put_raw(&w, "settings", agent->settings);
    pb_json_end_object(&w);
    tell(agent, &text, -1);
    pb_buf_release(&text);
}

void pb_project_agent_connect(struct pb_project_agent *agent)
{
    struct pb_error err = {0};
    int pair[2];

    agent->unconnected = false;
    if (agent->state != PB_AGENT_RUNNING && agent->state != PB_AGENT_STOPPING)
        return;
    if (pb_fd_pair(SOCK_STREAM, pair, &err) < 0) {
        pb_log_fail(PB_LOG_ERROR, "supervisor", &err, "project=%s", agent->project);
        return;
    }
    if (pb_supervisor_link_runner(agent->supervisor, agent->project, pair[0])) {
        tell_op(agent, "link", pair[1]);
    } else {
        agent->unconnected = true;
        pb_supervisor_connect_later(agent->supervisor);
    }
    pb_close(&pair[1]);
}

/* --- what it says -------------------------------------------------------------------------------- */

static void heard(struct pb_project_agent *agent, const struct pb_json *body)
{
    const char *op = pb_json_text(body, "op", "");

    if (strcmp(op, "ready") == 0)
        pb_loop_timer_cancel(&agent->start_timer);
    if (strcmp(op, "ready") == 0 && agent->state == PB_AGENT_STARTING && !agent->again) {
        pb_log_info("supervisor", "project=%s agent is running", agent->project);
        enter(agent, PB_AGENT_RUNNING);
        if (agent->supervisor->online)
            pb_project_agent_connect(agent);
    } else if (strcmp(op, "working") == 0) {
        agent->attempts = pb_json_int(body, "attempts", 0);
        pb_supervisor_changed(agent);
    } else if (strcmp(op, "failed") == 0) {
        (void)snprintf(agent->last_error, sizeof(agent->last_error), "%s",
                       pb_json_text(body, "error", "no reason given"));
        agent->settings_useless = pb_json_bool(body, "settings", false);
        pb_log_error("supervisor", "project=%s runner: %s", agent->project, agent->last_error);
    }
}

static void on_control(void *arg, int events)
{
    static char room[CONTROL_MAX];
    struct pb_project_agent *agent = arg;

    (void)events;
    for (;;) {
        struct pb_fd_message message;
        struct pb_error err = {0};
        struct pb_json *body;
        int r = pb_fd_message_receive(agent->control, room, sizeof(room), &message, &err);

        if (r == 0)
            return;
        if (r < 0 || message.len == 0) { /* its end is told by the pidfd */
            pb_loop_fd_unwatch(&agent->control_watch);
            return;
        }
        pb_fd_message_close(&message);
        body = message.is_cut ? NULL : pb_json_parse(room, message.len, &err);
        if (body)
            heard(agent, body);
        pb_json_free(body);
    }
}

/* --- how it ends --------------------------------------------------------------------------------- */

static void forget_process(struct pb_project_agent *agent)
{
    pb_loop_fd_unwatch(&agent->process_watch);
    pb_loop_fd_unwatch(&agent->control_watch);
    pb_loop_timer_cancel(&agent->timer);
    pb_loop_timer_cancel(&agent->start_timer);
    pb_close(&agent->pidfd);
    pb_close(&agent->control);
    if (agent->pid > 0)
        (void)waitpid(agent->pid, NULL, WNOHANG); /* ours without root, boxd's with it */
    agent->pid = 0;
    agent->attempts = 0;
}

static void drop_agent(struct pb_project_agent *agent)
{
    struct pb_project_agent **at = &agent->supervisor->agents;

    while (*at != agent)
        at = &(*at)->next;
    *at = agent->next;
    forget_process(agent);
    free(agent->settings);
    free(agent);
}

static void remove_data(struct pb_project_agent *agent)
{
    struct pb_supervisor *s = agent->supervisor;
    struct pb_error err = {0};

    if (pb_spawn_remove_project(s->spawn, agent->project, agent->slot, &err) < 0 ||
        pb_slots_give_back(s->slots, agent->project, &err) < 0)
        pb_log_fail(PB_LOG_ERROR, "supervisor", &err, "project=%s its data could not be removed",
                    agent->project);
    else
        pb_log_info("supervisor", "project=%s removed with its data", agent->project);
}

/* Its last word: from now on it is in no report. */
static void say_stopped(struct pb_project_agent *agent)
{
    agent->state = PB_AGENT_STOPPED;
    agent->since_ms = pb_clock_wall_ms();
    agent->is_news = true;
    if (agent->supervisor->online)
        pb_supervisor_say_status(agent->supervisor, false);
}

static bool crashes_too_often(struct pb_project_agent *agent)
{
    int64_t now = pb_clock_steady_ms();

    agent->crashes[agent->restarts % PB_AGENT_CRASHES] = now;
    agent->restarts++;
    return agent->restarts >= PB_AGENT_CRASHES &&
           now - agent->crashes[agent->restarts % PB_AGENT_CRASHES] < CRASH_WINDOW_MS;
}

static void time_is_up(void *arg)
{
    struct pb_project_agent *agent = arg;

    pb_loop_timer_cancel(&agent->timer);
    start(agent);
}

static void wait_and_start(struct pb_project_agent *agent, bool degraded)
{
    uint32_t random;
    int64_t wait_ms;

    if (pb_clock_steady_ms() - agent->started_ms > HEALTHY_AFTER_MS || agent->backoff_ms == 0)
        agent->backoff_ms = BACKOFF_FIRST_MS;
    pb_random(&random, sizeof(random));
    wait_ms = degraded ? DEGRADED_WAIT_MS
                       : 1 + (int64_t)(random % (uint32_t)agent->backoff_ms); /* full jitter */
    agent->backoff_ms =
        agent->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : agent->backoff_ms * 2;
    pb_log_warn("supervisor", "project=%s has no runner%s%s, next start in %lld ms", agent->project,
                *agent->last_error ? ": " : "", agent->last_error, (long long)wait_ms);
    enter(agent, degraded ? PB_AGENT_DEGRADED : PB_AGENT_BACKING_OFF);
    agent->timer = pb_loop_timer_start(agent->supervisor->loop, wait_ms, 0, time_is_up, agent);
}

static void on_ended(void *arg, int events)
{
    struct pb_project_agent *agent = arg;

    (void)events;
    if (agent->control_watch) /* its last words */
        on_control(agent, PB_LOOP_READ);
    forget_process(agent);
    if (agent->wanted && agent->again) {
        agent->again = false;
        start(agent);
    } else if (agent->wanted) {
        wait_and_start(agent, crashes_too_often(agent) || agent->settings_useless);
    } else {
        pb_log_info("supervisor", "project=%s agent has stopped", agent->project);
        if (agent->remove)
            remove_data(agent);
        say_stopped(agent);
        drop_agent(agent);
    }
}

/* --- how it starts ------------------------------------------------------------------------------- */

static int launch(struct pb_project_agent *agent, struct pb_error *err)
{
    struct pb_supervisor *s = agent->supervisor;
    int pair[2] = {-1, -1};
    int r = -1;

    if (pb_slots_take(s->slots, agent->project, &agent->slot, err) < 0 ||
        pb_spawn_prepare_project(s->spawn, agent->project, agent->slot, err) < 0 ||
        pb_fd_pair(SOCK_SEQPACKET, pair, err) < 0)
        goto out;
    if (pb_spawn_runner(s->spawn, agent->project, agent->slot, pair[1], &agent->pid, err) < 0)
        goto out;
    agent->start_time = pb_process_start_time(agent->pid);
    agent->pidfd = pidfd_open(agent->pid, 0);
    if (agent->pidfd < 0) {
        (void)pb_fail_errno(err, "watch the runner");
        goto out;
    }
    if (pb_fd_set_nonblocking(pair[0], true, err) < 0)
        goto out;
    agent->control = pair[0];
    pair[0] = -1;
    agent->process_watch = pb_loop_fd_watch(s->loop, agent->pidfd, PB_LOOP_READ, on_ended, agent);
    agent->control_watch =
        pb_loop_fd_watch(s->loop, agent->control, PB_LOOP_READ, on_control, agent);
    r = 0;
out:
    pb_close(&pair[0]);
    pb_close(&pair[1]);
    return r;
}

static void lose_patience(void *arg)
{
    struct pb_project_agent *agent = arg;
    struct pb_error err = {0};

    pb_loop_timer_cancel(&agent->timer);
    pb_loop_timer_cancel(&agent->start_timer);
    pb_log_warn("supervisor", "project=%s its runner does not answer, killing it", agent->project);
    if (pb_spawn_kill(agent->supervisor->spawn, agent->slot, agent->pid, agent->start_time, &err) <
        0) {
        pb_log_fail(PB_LOG_ERROR, "supervisor", &err, "project=%s", agent->project);
        agent->timer = pb_loop_timer_start(agent->supervisor->loop, STOP_GRACE_MS, 0, lose_patience,
                                           agent); /* poppo-boxd may be back by then */
    }
}

static void start(struct pb_project_agent *agent)
{
    struct pb_supervisor *s = agent->supervisor;
    struct pb_error err = {0};

    agent->settings_useless = false;
    agent->started_ms = pb_clock_steady_ms();
    enter(agent, PB_AGENT_STARTING);
    if (launch(agent, &err) < 0) { /* no crash of the runner: as soon as it can start, it does */
        (void)snprintf(agent->last_error, sizeof(agent->last_error), "%s", err.message);
        forget_process(agent);
        wait_and_start(agent, false);
        return;
    }
    agent->start_timer = pb_loop_timer_start(s->loop, START_GRACE_MS, 0, lose_patience, agent);
    tell_settings(agent);
}

static char *settings_text(const struct pb_json *settings)
{
    struct pb_buf text;
    char *copy;

    pb_buf_init(&text, CONTROL_MAX / 2);
    if (pb_json_is_object(settings))
        pb_json_dump(&text, settings);
    else
        pb_buf_text(&text, "{}");
    copy = pb_buf_take(&text, NULL);
    pb_buf_release(&text);
    return copy;
}

static struct pb_project_agent *add_agent(struct pb_supervisor *s, const char *project)
{
    struct pb_project_agent *agent = calloc(1, sizeof(*agent));

    if (!agent)
        return NULL;
    agent->supervisor = s;
    agent->pidfd = -1;
    agent->control = -1;
    agent->state = PB_AGENT_STOPPED;
    agent->slot = pb_slots_find(s->slots, project);
    (void)snprintf(agent->project, sizeof(agent->project), "%s", project);
    agent->next = s->agents;
    s->agents = agent;
    return agent;
}

void pb_project_agent_wish(struct pb_supervisor *s, const char *project,
                           const struct pb_json *settings)
{
    struct pb_project_agent *agent = pb_project_agent_find(s, project);
    char *text = pb_message_project_valid(project) ? settings_text(settings) : NULL;
    bool same;

    if (text && !agent)
        agent = add_agent(s, project);
    if (!text || !agent) {
        pb_log_error("supervisor", "project=%s cannot be taken on", project);
        free(text);
        return;
    }
    same = pb_text_equal(agent->settings, text);
    free(agent->settings);
    agent->settings = text;
    agent->remove = false;
    if (agent->state == PB_AGENT_STOPPING) { /* wanted again while it was leaving */
        agent->wanted = true;
        pb_project_agent_restart(agent);
        return;
    }
    agent->wanted = true;
    if (agent->pid > 0 && !same)
        tell_settings(agent);
    else if (agent->pid == 0 && (!agent->timer || (!same && agent->settings_useless)))
        time_is_up(agent);
}

static void stop_now(struct pb_project_agent *agent, const char *op)
{
    tell_op(agent, op, -1);
    pb_loop_timer_cancel(&agent->timer);
    agent->timer =
        pb_loop_timer_start(agent->supervisor->loop, STOP_GRACE_MS, 0, lose_patience, agent);
}

void pb_project_agent_unwish(struct pb_project_agent *agent, bool remove_data_too)
{
    agent->wanted = false;
    agent->again = false;
    agent->remove = agent->remove || remove_data_too;
    if (agent->pid == 0) {
        if (agent->remove)
            remove_data(agent);
        say_stopped(agent);
        drop_agent(agent);
        return;
    }
    if (agent->remove)
        stop_now(agent, "remove");
    else
        tell_op(agent, "drain", -1); /* work that runs is finished first */
    enter(agent, PB_AGENT_STOPPING);
}

void pb_project_agent_restart(struct pb_project_agent *agent)
{
    if (!agent->wanted)
        return;
    agent->backoff_ms = 0;
    memset(agent->crashes, 0, sizeof(agent->crashes));
    agent->restarts = 0;
    if (agent->pid == 0) {
        time_is_up(agent);
        return;
    }
    agent->again = true;
    enter(agent, PB_AGENT_STARTING);
    stop_now(agent, "stop");
}

void pb_project_agent_free_all(struct pb_supervisor *s)
{
    while (s->agents)
        drop_agent(s->agents);
}
