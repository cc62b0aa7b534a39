/* What the launcher does before anything runs: users, folders, keys, and those who were there before. */
#ifndef PB_SERVER_LAUNCHER_PLACES_H
#define PB_SERVER_LAUNCHER_PLACES_H

#include <sys/types.h>

#include "base/crypto.h"
#include "base/error.h"
#include "server/settings.h"

struct pb_launcher_user {
    uid_t uid;
    gid_t gid;
};

struct pb_launcher_places {
    struct pb_launcher_user user; /* the caller's own when not started as root */
    struct pb_launcher_user node_user;
    char key_sha256[PB_SHA256_TEXT]; /* of the local node's key; "" without local node */
    char platform_url[700];          /* for the local node */
};

/* Finds the users, makes folders and the node's key. */
int pb_launcher_prepare(const struct pb_settings *settings, struct pb_launcher_places *ret_places,
                        struct pb_error *err) PB_MUST_CHECK;

/* The lock of the launcher itself; CONFLICT says where the other one serves. */
int pb_launcher_lock(const struct pb_settings *settings, struct pb_error *err) PB_MUST_CHECK;

/* Ends what a launcher left that was killed, and waits for its locks. */
int pb_launcher_take_over(const struct pb_settings *settings,
                          const struct pb_launcher_places *places,
                          struct pb_error *err) PB_MUST_CHECK;

#endif
