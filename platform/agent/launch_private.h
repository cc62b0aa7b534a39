/* How each of our programs is started: argv, descriptors, user. Used by poppo-boxd and, without root, by spawn.c. */
#ifndef PB_AGENT_LAUNCH_PRIVATE_H
#define PB_AGENT_LAUNCH_PRIVATE_H

#include "agent/project_dirs.h"
#include "base/error.h"
#include "base/process.h"

/* fds in the order of agent/boxd_protocol.h: they become 3, 4, 5 … */
int pb_launch_runner(const char *bin_dir, const struct pb_project_dirs *dirs, const int *fds,
                     struct pb_process *ret_process, struct pb_error *err) PB_MUST_CHECK;
int pb_launch_broker(const char *bin_dir, const struct pb_project_dirs *dirs, const int *fds,
                     struct pb_process *ret_process, struct pb_error *err) PB_MUST_CHECK;
int pb_launch_shim(const char *bin_dir, const struct pb_project_dirs *dirs, const int *fds,
                   size_t fd_count, struct pb_process *ret_process,
                   struct pb_error *err) PB_MUST_CHECK;

#endif
