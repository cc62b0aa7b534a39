/*
 * Starts a whole installation: the privileged helper (as root only), the
 * platform and the local node daemon, each under its own user, and starts
 * again what dies. It reads no input but its settings.
 *
 * Invariants
 *  1. At most one launcher per data folder (a lock the kernel releases).
 *  2. Children do not die with the launcher: a killed launcher stops no work.
 *     The next one finds them in `launcher.json` (process id and start time,
 *     so a stranger with a recycled id is never touched), ends them in order
 *     and starts its own.
 *  3. A child that fails at its very first start ends everything: what is
 *     wrong then (a port in use, a bad setting) does not mend itself.
 */
#ifndef PB_SERVER_LAUNCHER_H
#define PB_SERVER_LAUNCHER_H

#include "base/config.h"
#include "base/error.h"

/* rows: those of `config`; the ones that were set are handed on as POPPO_* variables. Blocks until a signal
 * (SIGTERM, SIGINT, SIGHUP) has stopped everything. CONFLICT when another launcher is at work. */
int pb_launcher_run(const struct pb_config *config, const struct pb_setting *rows,
                    struct pb_error *err) PB_MUST_CHECK;

#endif
