/* What the launcher's files share: places, users, the folders and key of an installation. */
#ifndef PB_SERVER_LAUNCHER_PRIVATE_H
#define PB_SERVER_LAUNCHER_PRIVATE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/config.h"
#include "base/crypto.h"
#include "base/error.h"

struct pb_launcher_user {
    uid_t uid;
    gid_t gid;
};

struct pb_launcher_places {
    const char *data_dir; /* the config's */
    const char *run_dir;
    const char *key_file;
    char bin_dir[PATH_MAX];
    char node_key_file[PATH_MAX];
    char node_key_sha256[PB_SHA256_TEXT];
    bool is_root;
    struct pb_launcher_user platform; /* meaningful as root only */
    struct pb_launcher_user node;
};

/* Makes every folder with its owner and the local node's key; finds users and programs. */
int pb_launcher_prepare(const struct pb_config *config, struct pb_launcher_places *ret_places,
                        struct pb_error *err) PB_MUST_CHECK;

#endif
