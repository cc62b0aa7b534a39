/*
 * What poppo-shim and those who start or find one agree on: descriptors,
 * file names, and the words on the control socket.
 *
 * Started with descriptors PLAN (a memory file with one JSON object), RUNDIR,
 * READY (a pipe: one JSON object comes back, then its end) and perhaps
 * LISTENER. The plan:
 *
 *   {"version":1,"argv":[…],"env":["NAME=value",…],"cwd":"/…","wall_ms":0,
 *    "kill_grace_ms":5000,"output_max":268435456,"brief":false}
 *
 * ready: {"shim":pid,"child":pid,"box":"pid_namespace","weakness":""} or
 *        {"error":"sentence","reason":"name"}
 * The weakness says why the box is a plain one, if it is.
 *
 * Whoever starts first in a run directory creates `claim` and keeps it locked
 * while it lives; a second one refuses. So a run directory is used once, and
 * an unlocked claim without exit.json is a shim that was killed.
 *
 * ctl.sock (SEQPACKET, same user only): one word per message.
 *   status   → state.json's text, with "output" and "errors" byte counts
 *   watch    → "grew", at once if anything was written since the last "grew"
 *   int, term, kill → "ok"
 *   listener → "ok" with the kept listening socket, or "none"
 * The end of the connection is the end of the shim; look at exit.json then.
 */
#ifndef PB_AGENT_SHIM_PROTOCOL_H
#define PB_AGENT_SHIM_PROTOCOL_H

enum {
    PB_SHIM_FD_PLAN = 3,
    PB_SHIM_FD_RUNDIR = 4,
    PB_SHIM_FD_READY = 5,
    PB_SHIM_FD_LISTENER = 6,
    PB_SHIM_VERSION = 1,
    PB_SHIM_PLAN_MAX = 4 << 20,
    PB_SHIM_STATE_MAX = 16 << 10,
};

#define PB_SHIM_CLAIM  "claim"
#define PB_SHIM_STDIN  "stdin"
#define PB_SHIM_OUTPUT "output"
#define PB_SHIM_ERRORS "errors"
#define PB_SHIM_STATE  "state.json"
#define PB_SHIM_EXIT   "exit.json"
#define PB_SHIM_SOCKET "ctl.sock"

#endif
