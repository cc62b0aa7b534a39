/*
 * Starting our own programs as the right user: through poppo-boxd when the
 * node runs with root, directly as ourselves when it does not. The rest of the
 * node does not know which. Blocking for milliseconds (a restarting boxd is
 * waited for, up to 5 s). Any thread.
 */
#ifndef PB_AGENT_SPAWN_H
#define PB_AGENT_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/box.h"
#include "agent/project_dirs.h"
#include "base/error.h"

/* Reason of an error: poppo-boxd died with the request in its hands, which may have been done or not. */
#define PB_SPAWN_BOXD_GONE "boxd_gone"

struct pb_spawn;

struct pb_spawn_options {
    const char *boxd_socket; /* NULL: no root, everything as the caller */
    const char *bin_dir;     /* where our programs lie */
    const char *data_dir;
    uid_t uid_base;
    int port_base;
};

struct pb_spawn *pb_spawn_new(const struct pb_spawn_options *options,
                              struct pb_error *err) PB_MUST_CHECK;
void pb_spawn_free(struct pb_spawn *spawn); /* NULL is fine */

int pb_spawn_prepare_project(struct pb_spawn *spawn, const char *project, unsigned slot,
                             struct pb_error *err) PB_MUST_CHECK;
/* Ends everything that runs under the project's users (with root), and removes its folder. */
int pb_spawn_remove_project(struct pb_spawn *spawn, const char *project, unsigned slot,
                            struct pb_error *err) PB_MUST_CHECK;
/* Descriptors stay the caller's. */
int pb_spawn_runner(struct pb_spawn *spawn, const char *project, unsigned slot, int control,
                    pid_t *ret_pid, struct pb_error *err) PB_MUST_CHECK;
/* As agent/shim_protocol.h; listener -1 = none. */
int pb_spawn_shim(struct pb_spawn *spawn, unsigned slot, int plan, int rundir, int ready,
                  int listener, struct pb_error *err) PB_MUST_CHECK;
int pb_spawn_broker(struct pb_spawn *spawn, unsigned slot, int listener, int control,
                    pid_t *ret_pid, struct pb_error *err) PB_MUST_CHECK;
/* SIGKILL, if that process is still the one that was meant and belongs to the slot. */
int pb_spawn_kill(struct pb_spawn *spawn, unsigned slot, pid_t pid, uint64_t start_time,
                  struct pb_error *err) PB_MUST_CHECK;

/* How well tasks are walled off here, by trying it. */
int pb_spawn_box_level(struct pb_spawn *spawn, enum pb_box_level *ret_level,
                       struct pb_error *err) PB_MUST_CHECK;

/* The folder this program lies in, without a slash at its end. */
int pb_spawn_own_folder(char ret_path[512], struct pb_error *err) PB_MUST_CHECK;

#endif
