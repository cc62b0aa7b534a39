/*
 * Which project has which slot on this node. A slot decides a project's users
 * and ports, so it is remembered in a file for as long as the project has
 * data here, and given away again only after that is removed.
 */
#ifndef PB_AGENT_SLOTS_H
#define PB_AGENT_SLOTS_H

#include <stddef.h>

#include "base/error.h"

struct pb_slots;

/* Reads the file; a missing one is an empty table. port_base: a slot whose first port of the loopback some
 * other program listens on is not given away; 0 = do not look. */
struct pb_slots *pb_slots_open(const char *path, int port_base, struct pb_error *err) PB_MUST_CHECK;
void pb_slots_close(struct pb_slots *slots); /* NULL is fine */

/* The project's slot, given and written down if it had none. LIMITED when all are taken. */
int pb_slots_take(struct pb_slots *slots, const char *project, unsigned *ret_slot,
                  struct pb_error *err) PB_MUST_CHECK;
/* Slots for those that have none, as far as there are any, written down at once: thousands one by one take a minute.
 * What is no project id is left out. */
int pb_slots_take_all(struct pb_slots *slots, const char *const *projects, size_t count,
                      struct pb_error *err) PB_MUST_CHECK;
/* 0 when it has none. */
unsigned pb_slots_find(const struct pb_slots *slots, const char *project);
int pb_slots_give_back(struct pb_slots *slots, const char *project,
                       struct pb_error *err) PB_MUST_CHECK;
/* The next slot above `slot` that is taken, 0 after the last; begin with 0. */
unsigned pb_slots_next(const struct pb_slots *slots, unsigned slot);
const char *pb_slots_project(const struct pb_slots *slots, unsigned slot); /* "" = free */
size_t pb_slots_free_count(const struct pb_slots *slots);

#endif
