/*
 * People and what they may do. A permission is a column of the route table; a
 * role is a set of permissions.
 */
#ifndef PB_MODEL_USER_H
#define PB_MODEL_USER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/names.h"

#define PB_ROLES(X)     \
    X(VIEWER, "viewer") \
    X(USER, "user")     \
    X(ADMIN, "admin")

enum pb_role {
#define X(role, name) PB_ROLE_##role,
    PB_ROLES(X)
#undef X
        PB_ROLE_COUNT
};

/* permission, name, the least role that has it (PUBLIC: everyone, also without signing in) */
#define PB_PERMISSIONS(X)       \
    X(PUBLIC, "public", VIEWER) \
    X(READ, "read", VIEWER)     \
    X(RUN, "run", USER)         \
    X(MANAGE, "manage", USER)   \
    X(ADMINISTER, "administer", ADMIN)

enum pb_permission {
#define X(permission, name, role) PB_PERMIT_##permission,
    PB_PERMISSIONS(X)
#undef X
        PB_PERMIT_COUNT
};

extern const struct pb_names PB_ROLE_NAMES;
extern const struct pb_names PB_PERMISSION_NAMES;

struct pb_user {
    int64_t id;
    const char *username;
    const char *password_hash;
    enum pb_role role;
    const char *language; /* ja en */
    bool disabled;
    int64_t created_at;
    int64_t last_login_at;
};

bool pb_role_may(enum pb_role role, enum pb_permission permission);
const char *pb_role_name(enum pb_role role);
const char *pb_permission_name(enum pb_permission permission);

/* ^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$; two names that differ in case only are the same. */
int pb_username_check(const char *username, struct pb_error *err) PB_MUST_CHECK;
/* 8 to 200 characters of valid UTF-8 without controls. */
int pb_password_check(const char *password, struct pb_error *err) PB_MUST_CHECK;

#endif
