/*
 * Projects that are there from the first start: a file {"projects": […]} whose
 * objects are what POST /api/projects takes. Read only while there is no
 * administrator yet, so what people change or delete later stays so.
 */
#ifndef PB_SERVER_API_SEED_H
#define PB_SERVER_API_SEED_H

#include "base/error.h"

struct pb_platform;

/* The first project that cannot be made ends it, with its place in the file in the error. */
int pb_seed_projects(struct pb_platform *platform, const char *path,
                     struct pb_error *err) PB_MUST_CHECK;

#endif
