#include "agent/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/supervisor_private.h"
#include "base/fs.h"
#include "base/log.h"

enum {
    STATUS_EVERY_MS = 60 * 1000,
    CHANGE_AFTER_MS = 100, /* several changes make one message */
    WISHES_MAX = 4 << 20,
};

static void tell_change(void *arg)
{
    struct pb_supervisor *s = arg;

    pb_loop_timer_cancel(&s->change_timer);
    if (s->online)
        pb_supervisor_say_status(s, false);
}

void pb_supervisor_changed(struct pb_project_agent *agent)
{
    struct pb_supervisor *s = agent->supervisor;

    agent->is_news = true;
    if (!s->change_timer)
        s->change_timer = pb_loop_timer_start(s->loop, CHANGE_AFTER_MS, 0, tell_change, s);
}

static void tell_status(void *arg)
{
    struct pb_supervisor *s = arg;

    if (s->online)
        pb_supervisor_say_status(s, true);
}

/* --- wishes on disk -------------------------------------------------------------------------------- */

void pb_supervisor_save_wishes(struct pb_supervisor *s)
{
    struct pb_json_writer w;
    struct pb_error err = {0};
    struct pb_buf text;

    pb_buf_init(&text, WISHES_MAX);
    pb_json_writer_init(&w, &text);
    pb_json_begin_array(&w, NULL);
    for (const struct pb_project_agent *agent = s->agents; agent; agent = agent->next) {
        if (!agent->wanted)
            continue;
        pb_json_begin_object(&w, NULL);
        pb_json_put_text(&w, "id", agent->project);
        pb_json_put_raw(&w, "settings", agent->settings);
        pb_json_end_object(&w);
    }
    pb_json_end_array(&w);
    if (pb_buf_failed(&text))
        pb_log_error("supervisor", "the list of projects is too long to keep");
    else if (pb_fs_write(AT_FDCWD, s->wishes_path, text.data, text.len, 0600, &err) < 0)
        pb_log_fail(PB_LOG_ERROR, "supervisor", &err, "cannot keep the list of projects");
    pb_buf_release(&text);
}

static void load_wishes(struct pb_supervisor *s)
{
    struct pb_json *wishes = NULL;
    struct pb_error err = {0};
    struct pb_buf text;

    pb_buf_init(&text, WISHES_MAX);
    if (pb_fs_read(AT_FDCWD, s->wishes_path, &text, &err) == 0)
        wishes = pb_json_parse(text.data, text.len, &err);
    if (!wishes && err.code != PB_ERROR_NOT_FOUND)
        pb_log_fail(PB_LOG_WARN, "supervisor", &err, "waiting for the platform's list of projects");
    for (size_t i = 0; wishes && i < pb_json_count(wishes); i++) {
        const struct pb_json *row = pb_json_at(wishes, i);

        pb_project_agent_wish(s, pb_json_text(row, "id", ""), pb_json_get(row, "settings"));
    }
    pb_json_free(wishes);
    pb_buf_release(&text);
}

/* --- the whole --------------------------------------------------------------------------------------- */

static void on_signal(void *arg, int number)
{
    struct pb_supervisor *s = arg;

    (void)number;
    pb_log_info("supervisor", "stopping; work that runs goes on in its shims");
    pb_loop_stop(s->loop);
}

static int set_up(struct pb_supervisor *s, struct pb_error *err)
{
    const struct pb_spawn_options spawn = {.boxd_socket = s->options.boxd_socket,
                                           .bin_dir = s->options.bin_dir,
                                           .data_dir = s->options.data_dir,
                                           .uid_base = s->options.uid_base,
                                           .port_base = s->options.port_base};
    char path[600];

    (void)snprintf(s->wishes_path, sizeof(s->wishes_path), "%s/node/wishes.json",
                   s->options.data_dir);
    (void)snprintf(path, sizeof(path), "%s/node/slots.json", s->options.data_dir);
    s->slots = pb_slots_open(path, s->options.port_base, err);
    if (!s->slots)
        return -1;
    s->spawn = pb_spawn_new(&spawn, err);
    if (!s->spawn)
        return -1;
    s->loop = pb_loop_new(err);
    return s->loop ? 0 : -1;
}

static void serve(struct pb_supervisor *s)
{
    struct pb_loop_signal *term = pb_loop_signal_watch(s->loop, SIGTERM, on_signal, s);
    struct pb_loop_signal *interrupt = pb_loop_signal_watch(s->loop, SIGINT, on_signal, s);

    load_wishes(s);
    pb_supervisor_start_link(s);
    s->status_timer =
        pb_loop_timer_start(s->loop, STATUS_EVERY_MS, STATUS_EVERY_MS, tell_status, s);
    pb_loop_run(s->loop);
    pb_loop_timer_cancel(&s->status_timer);
    pb_loop_signal_unwatch(&term);
    pb_loop_signal_unwatch(&interrupt);
}

int pb_supervisor_run(const struct pb_supervisor_options *options, struct pb_error *err)
{
    struct pb_supervisor s = {.options = *options, .link = {.pidfd = -1}, .link_runners = -1};
    char lock_path[600];
    int lock;
    int r;

    (void)snprintf(lock_path, sizeof(lock_path), "%s/node/lock", options->data_dir);
    lock = pb_fs_lock(lock_path, err);
    if (lock < 0)
        return pb_fail_in(err, "another node daemon uses %s", options->data_dir);
    r = set_up(&s, err);
    if (r == 0) {
        serve(&s);
        pb_supervisor_stop_link(&s);
    }
    pb_project_agent_free_all(&s); /* their control descriptors close: runners end by themselves */
    pb_loop_timer_cancel(&s.change_timer);
    pb_loop_timer_cancel(&s.connect_timer);
    pb_loop_free(s.loop);
    pb_spawn_free(s.spawn);
    pb_slots_close(s.slots);
    pb_close(&lock);
    return r;
}
