/*
 * What supervisor and runner say to each other: one SEQPACKET pair, the
 * runner's end is its descriptor 3. Each message is one JSON object; the
 * supervisor relays no content of the link.
 *
 * supervisor → runner
 *   {"op":"settings", "project", "slot", "data_dir", "bin_dir", "uid_base", "port_base", "as_root",
 *    "boxd_socket" (null without root), "claude_path", "log_level", "log_json", "settings": {…the platform's…}}
 *        first, and again whenever something in it changes
 *   {"op":"link"} + descriptor   a stream pair to poppo-link (agent/frame_pipe.h). It lives as long as one
 *        connection to the platform: its end means "offline", a new one means "say everything unanswered again"
 *   {"op":"drain"}   take nothing new, end when nothing is left to do
 *   {"op":"remove"}  end everything that runs and forget it, then end: the project goes away
 *   {"op":"stop"}    end now; what runs in shims goes on without you
 *   (end of file)    as "stop": the supervisor has died
 *
 * runner → supervisor
 *   {"op":"ready"}                 settings taken, journal read
 *   {"op":"working","attempts":n}  on change
 *   {"op":"failed","error":"…"}    why it is about to end by itself; "settings": true when trying again is useless
 */
#ifndef PB_AGENT_RUNNER_CONTROL_H
#define PB_AGENT_RUNNER_CONTROL_H

enum { PB_RUNNER_CONTROL_FD = 3 };

#endif
