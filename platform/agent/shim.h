/*
 * The life of one poppo-shim: make the box, give up root, start the task,
 * store what it prints, obey the control socket, write down how it ended.
 * See agent/shim_protocol.h for what others see of it, agent/box.h for the
 * walls. One thread, one poll loop, no allocation while the task runs.
 */
#ifndef PB_AGENT_SHIM_H
#define PB_AGENT_SHIM_H

#include "agent/box.h"

/* The exit code for main(). The descriptors are as in agent/shim_protocol.h. */
int pb_shim_run(const struct pb_box_user *user);

#endif
