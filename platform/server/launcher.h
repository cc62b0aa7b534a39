/*
 * poppo-platform without a verb: one command gives a working system.
 *
 * Makes folders and the local node's key, starts the programs it is made of
 * and starts them again when they die (after 250 ms … 30 s). Started as root:
 *
 *   poppo-boxd             root          only with the local node
 *   poppo-platform serve   user 'user'
 *   poppo-agent            user 'node_user', only with the local node
 *
 * and otherwise the same without boxd, all under the caller's uid. SIGTERM
 * and SIGINT stop platform, agent, boxd in this order; running tasks stay
 * alive in their shims.
 *
 * Killed itself, its children live on. The next launcher sees their locks
 * held but not the launcher's, ends them and starts its own. Two launchers on
 * one data folder: the second says where the first serves, and ends.
 */
#ifndef PB_SERVER_LAUNCHER_H
#define PB_SERVER_LAUNCHER_H

#include "base/error.h"
#include "server/settings.h"

/* Exit status of `serve` when it could not even start: trying again would not help, or it may, because
 * only the database cannot be reached. */
enum { PB_EXIT_CANNOT_START = 78, PB_EXIT_NOT_YET = 75 };

int pb_launch(struct pb_settings *settings, struct pb_error *err) PB_MUST_CHECK;

#endif
