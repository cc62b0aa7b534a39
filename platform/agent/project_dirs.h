/*
 * One project on one node: its folders, its two users, its ports.
 *
 *   <data_dir>/projects/<id>/   root:P 0750
 *     workspace/<item>/       T:P 2770   one work item's clone, written by tasks
 *     logs/                   R   0700   the runner's own log
 *     data/                   R:P 0750   journal.db, cache.git, broker.sock …
 *       home/<item>/          T   0700   HOME of a work item's tasks (home/ itself: T:P 0770)
 *       attempts/<x>.<n>/     R:P 0750   what one attempt leaves behind until it is reported
 *     temp/<attempt>/         T   0700   TMPDIR of an attempt's task (temp/ itself: T:P 3770)
 *
 * R runs the runner and the broker, T runs everything a stranger may have
 * written; P is the group of both. With slot n and base b they are b+2n,
 * b+2n+1 and b+2n. Without root all three are the caller's own ids.
 */
#ifndef PB_AGENT_PROJECT_DIRS_H
#define PB_AGENT_PROJECT_DIRS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

enum {
    PB_SLOT_MIN = 1,
    PB_SLOT_MAX = 2876,
    PB_SLOT_PORTS = 10,
    PB_PROJECT_PATH_TEXT = 1024,
};

struct pb_project_dirs {
    char project[64];
    unsigned slot;
    bool as_root;     /* two users of its own, made through poppo-boxd */
    uid_t runner_uid; /* R */
    uid_t task_uid;   /* T */
    gid_t gid;        /* P */
    int port;         /* first of the slot's ports: the broker's */
    char root[512];   /* <data_dir>/projects/<id> */
    char workspace[512];
    char logs[512];
    char data[512];
    char temp[512];
    char home[512];     /* data/home */
    char attempts[512]; /* data/attempts */
};

struct pb_project_place {
    const char *data_dir;
    const char *project;
    unsigned slot;
    bool as_root;
    uid_t uid_base;
    int port_base;
};

/* The first of a slot's ports. */
int pb_slot_port(int port_base, unsigned slot);
/* Fills in names and numbers; touches nothing. INVALID for a bad id, slot or a path that is too long. */
int pb_project_dirs_name(const struct pb_project_place *place, struct pb_project_dirs *ret_dirs,
                         struct pb_error *err) PB_MUST_CHECK;
/* Makes what is missing and sets owners and modes (as root), or makes everything as the caller. */
int pb_project_dirs_make(const struct pb_project_dirs *dirs, struct pb_error *err) PB_MUST_CHECK;
/* Removes the project's whole folder. */
int pb_project_dirs_remove(const struct pb_project_dirs *dirs, struct pb_error *err) PB_MUST_CHECK;

#endif
