/* Parts of the shim: shim.c (life), shim_files.c (run directory), shim_control.c (control socket). */
#ifndef PB_AGENT_SHIM_PRIVATE_H
#define PB_AGENT_SHIM_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/box.h"
#include "agent/task.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

enum { PB_SHIM_CLIENTS = 8 };

struct pb_shim_stream {
    int pipe;       /* from the task; -1 once it is closed */
    int file;       /* output or errors */
    uint64_t bytes; /* stored */
};

struct pb_shim_client {
    int fd; /* -1 = free */
    bool is_watching;
    uint64_t told; /* bytes of both streams at the last "grew" */
};

struct pb_shim {
    const struct pb_box_user *user;
    struct pb_json *plan; /* owned */
    struct pb_box box;
    int rundir;
    int claim;
    int listener; /* -1 = none */
    struct pb_shim_stream output;
    struct pb_shim_stream errors;
    bool is_brief;
    uint64_t output_max;

    int exit_file; /* room for exit.json, set aside while there was some */
    int64_t started_ms;
    int64_t wall_deadline; /* steady clock; 0 = none */
    int64_t kill_deadline; /* after which everything in the box is killed; 0 = not yet */
    int64_t kill_grace_ms;
    int64_t retry_at; /* the disk is full: when to try again; 0 = it is not */
    int64_t full_since;
    enum pb_task_reason why; /* PB_TASK_EXITED until we or others intervened */
    uint64_t oom_kills;      /* of the whole machine, at the start */

    int control; /* listening */
    struct pb_shim_client clients[PB_SHIM_CLIENTS];
    char state[1024]; /* state.json's members, without the last brace */
};

/* ---- shim_files.c ---- */

int pb_shim_files_claim(struct pb_shim *shim, struct pb_error *err) PB_MUST_CHECK;
int pb_shim_files_open(struct pb_shim *shim, struct pb_error *err) PB_MUST_CHECK;
/* The input file for the task; an empty one when there is none. */
int pb_shim_files_input(const struct pb_shim *shim, struct pb_error *err) PB_MUST_CHECK;
int pb_shim_files_state(struct pb_shim *shim, struct pb_error *err) PB_MUST_CHECK;
/* Stores what the pipe holds now. False when the disk is full: nothing was taken from the pipe. */
bool pb_shim_files_pump(struct pb_shim *shim, struct pb_shim_stream *stream);
int pb_shim_files_exit(struct pb_shim *shim, const struct pb_box_report *report,
                       struct pb_error *err) PB_MUST_CHECK;

/* Kills for want of memory on this machine so far; 0 where the kernel does not say. */
uint64_t pb_shim_oom_kills(void);

/* ---- shim_control.c ---- */

int pb_shim_control_open(struct pb_shim *shim, struct pb_error *err) PB_MUST_CHECK;
void pb_shim_control_accept(struct pb_shim *shim);
void pb_shim_control_serve(struct pb_shim *shim, struct pb_shim_client *client);
void pb_shim_control_tell(struct pb_shim *shim); /* "grew" to those who wait and have not heard */
void pb_shim_control_close(struct pb_shim *shim);

/* ---- shim.c ---- */

void pb_shim_ask(struct pb_shim *shim, enum pb_task_signal number);

#endif
