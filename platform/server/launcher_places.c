#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/text.h"
#include "server/launcher_private.h"

static int find_user(const char *setting, const char *name, struct pb_launcher_user *ret_user,
                     struct pb_error *err)
{
    const struct passwd *user = getpwnam(name);

    if (!user)
        return pb_fail(err, PB_ERROR_INVALID,
                       "there is no user '%s' (setting %s): make it with 'useradd --system "
                       "--user-group --shell /usr/sbin/nologin %s'",
                       name, setting, name);
    ret_user->uid = user->pw_uid;
    ret_user->gid = user->pw_gid;
    return 0;
}

/* Makes a folder if it is missing; as root also sets owner and mode of what it finds. */
static int make_folder(const char *path, mode_t mode, const struct pb_launcher_user *owner,
                       struct pb_error *err)
{
    if (pb_fs_mkdirs(path, mode, err) < 0)
        return -1;
    if (!owner)
        return 0;
    if (chown(path, owner->uid, owner->gid) < 0 || chmod(path, mode) < 0)
        return pb_fail_errno(err, "give %s its owner", path);
    return 0;
}

static int make_below(const struct pb_launcher_places *places, const char *name, mode_t mode,
                      const struct pb_launcher_user *owner, struct pb_error *err)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", places->data_dir, name);
    return make_folder(path, mode, places->is_root ? owner : NULL, err);
}

/* The folder of the master key, outside the data: made for the platform's user, never changed if it exists. */
static int make_key_folder(const struct pb_launcher_places *places, struct pb_error *err)
{
    char folder[PATH_MAX];
    char *slash;

    (void)snprintf(folder, sizeof(folder), "%s", places->key_file);
    slash = strrchr(folder, '/');
    if (!slash || slash == folder)
        return pb_fail_field(err, "key_file", "key_file must be a full path, it is '%s'",
                             places->key_file);
    *slash = '\0';
    if (access(folder, F_OK) == 0)
        return 0;
    return make_folder(folder, 0700, places->is_root ? &places->platform : NULL, err);
}

static int make_folders(const struct pb_launcher_places *places, struct pb_error *err)
{
    const struct pb_launcher_user root = {0, 0};

    if (make_folder(places->data_dir, 0755, places->is_root ? &root : NULL, err) < 0 ||
        make_folder(places->run_dir, 0755, places->is_root ? &root : NULL, err) < 0 ||
        make_below(places, "platform", 0700, &places->platform, err) < 0 ||
        make_below(places, "node", 0700, &places->node, err) < 0 ||
        make_below(places, "projects", 0755, &root, err) < 0 ||
        make_below(places, "shared", 0755, &root, err) < 0)
        return -1;
    return make_key_folder(places, err);
}

static int write_node_key(const struct pb_launcher_places *places, struct pb_buf *key,
                          struct pb_error *err)
{
    uint8_t random[PB_KEY_BYTES];

    pb_random(random, sizeof(random));
    pb_buf_text(key, "ppn_");
    pb_buf_base64url(key, random, sizeof(random));
    pb_wipe(random, sizeof(random));
    if (pb_fs_write(AT_FDCWD, places->node_key_file, key->data, key->len, 0600, err) < 0)
        return -1;
    if (places->is_root && chown(places->node_key_file, places->node.uid, places->node.gid) < 0)
        return pb_fail_errno(err, "give %s its owner", places->node_key_file);
    return 0;
}

/* The local node's own key: made once; the platform only ever learns its hash. */
static int make_node_key(struct pb_launcher_places *places, struct pb_error *err)
{
    struct pb_buf key;
    int r;

    (void)snprintf(places->node_key_file, sizeof(places->node_key_file), "%s/node/node.key",
                   places->data_dir);
    pb_buf_init(&key, 256);
    r = access(places->node_key_file, F_OK) == 0
            ? pb_fs_read(AT_FDCWD, places->node_key_file, &key, err)
            : write_node_key(places, &key, err);
    if (r == 0)
        pb_sha256_text(key.data, key.len, places->node_key_sha256);
    if (key.data)
        pb_wipe(key.data, key.len);
    pb_buf_release(&key);
    return r;
}

static int find_programs(const struct pb_config *config, struct pb_launcher_places *places,
                         struct pb_error *err)
{
    const char *given = pb_config_text(config, "bin_dir");
    ssize_t len;

    if (*given) {
        (void)snprintf(places->bin_dir, sizeof(places->bin_dir), "%s", given);
        return 0;
    }
    len = readlink("/proc/self/exe", places->bin_dir, sizeof(places->bin_dir) - 1);
    if (len < 0)
        return pb_fail_errno(err, "find the folder of our programs");
    places->bin_dir[len] = '\0';
    *strrchr(places->bin_dir, '/') = '\0';
    return 0;
}

int pb_launcher_prepare(const struct pb_config *config, struct pb_launcher_places *ret_places,
                        struct pb_error *err)
{
    struct pb_launcher_places *places = ret_places;

    *places = (struct pb_launcher_places){
        .data_dir = pb_config_text(config, "data_dir"),
        .run_dir = pb_config_text(config, "run_dir"),
        .key_file = pb_config_text(config, "key_file"),
        .is_root = geteuid() == 0,
    };
    if (places->is_root &&
        (find_user("user", pb_config_text(config, "user"), &places->platform, err) < 0 ||
         find_user("node_user", pb_config_text(config, "node_user"), &places->node, err) < 0))
        return -1;
    if (find_programs(config, places, err) < 0 || make_folders(places, err) < 0)
        return -1;
    return make_node_key(places, err);
}
