/* What the supervisor's files share: the table of project agents and what is done with one. */
#ifndef PB_AGENT_SUPERVISOR_PRIVATE_H
#define PB_AGENT_SUPERVISOR_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/frame_pipe.h"
#include "agent/slots.h"
#include "agent/spawn.h"
#include "agent/supervisor.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/process.h"
#include "wire/message.h"

/* state, name in node_status */
#define PB_AGENT_STATES(X)        \
    X(STARTING, "starting")       \
    X(RUNNING, "running")         \
    X(BACKING_OFF, "backing_off") \
    X(DEGRADED, "degraded")       \
    X(STOPPING, "stopping")       \
    X(STOPPED, "stopped")

enum pb_agent_state {
#define X(state, name) PB_AGENT_##state,
    PB_AGENT_STATES(X)
#undef X
};

enum { PB_AGENT_CRASHES = 5 }; /* remembered; that many within ten minutes make it DEGRADED */

struct pb_supervisor;

/* One project's agent as the supervisor sees it. */
struct pb_project_agent {
    struct pb_supervisor *supervisor; /* borrowed */
    struct pb_project_agent *next;
    char project[PB_MESSAGE_PROJECT_TEXT];
    unsigned slot;
    bool wanted;
    bool remove;    /* all data, once it has ended */
    bool again;     /* a restart was asked for */
    char *settings; /* owned JSON object of the platform, "{}" at least */
    enum pb_agent_state state;
    pid_t pid; /* 0 = no runner */
    int pidfd;
    uint64_t start_time;
    int control;
    struct pb_loop_fd *process_watch;
    struct pb_loop_fd *control_watch;
    struct pb_loop_timer *timer;       /* backoff, or the deadline of a stop */
    struct pb_loop_timer *start_timer; /* until it is ready */
    int64_t backoff_ms;
    int64_t started_ms;                /* steady */
    int64_t since_ms;                  /* wall: of the state */
    int64_t crashes[PB_AGENT_CRASHES]; /* steady, ring */
    unsigned restarts;
    int64_t attempts;
    bool settings_useless; /* it said that trying again is useless */
    bool unconnected;      /* the link had no room for its half of a pair: tried again soon */
    bool is_news;          /* changed since the platform was told */
    char last_error[256];
};

struct pb_supervisor {
    struct pb_supervisor_options options; /* borrowed texts */
    struct pb_loop *loop;
    struct pb_spawn *spawn;
    struct pb_slots *slots;
    struct pb_project_agent *agents;
    char wishes_path[512];

    struct pb_process link;
    struct pb_frame_pipe *link_pipe;
    int link_runners; /* descriptors for it; see agent/link.h */
    struct pb_loop_fd *link_process_watch;
    struct pb_loop_timer *link_again;
    int64_t link_backoff_ms;
    bool online; /* welcomed by the platform */

    struct pb_loop_timer *status_timer; /* each minute */
    struct pb_loop_timer *change_timer; /* soon after a change */
    struct pb_loop_timer *connect_timer;
};

const char *pb_agent_state_name(enum pb_agent_state state);

/* project_agent.c: one agent. */
struct pb_project_agent *pb_project_agent_find(struct pb_supervisor *s, const char *project);
/* Makes or updates the wish for a project; starts it when it does not run. */
void pb_project_agent_wish(struct pb_supervisor *s, const char *project,
                           const struct pb_json *settings);
void pb_project_agent_unwish(struct pb_project_agent *agent, bool remove_data);
void pb_project_agent_restart(struct pb_project_agent *agent);
/* The runner's half of a new connection to the platform. */
void pb_project_agent_connect(struct pb_project_agent *agent);
void pb_project_agent_free_all(struct pb_supervisor *s);

/* supervisor.c */
void pb_supervisor_changed(struct pb_project_agent *agent); /* tell the platform soon */
void pb_supervisor_save_wishes(struct pb_supervisor *s);
/* Hands our half of a runner's pair to the link; takes the descriptor over. False: the link has no room now. */
bool pb_supervisor_link_runner(struct pb_supervisor *s, const char *project, int fd);

/* supervisor_link.c: the link process and what it says. */
void pb_supervisor_start_link(struct pb_supervisor *s);
void pb_supervisor_stop_link(struct pb_supervisor *s);
bool pb_supervisor_send(struct pb_supervisor *s, const struct pb_buf *frame);
void pb_supervisor_connect_later(struct pb_supervisor *s); /* those that are `unconnected` */

/* supervisor_report.c: hello and node_status. */
void pb_supervisor_say_hello(struct pb_supervisor *s);
/* Those that are news, or all of them; in as many messages as it takes. */
void pb_supervisor_say_status(struct pb_supervisor *s, bool all);

#endif
