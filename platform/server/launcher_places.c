#include "server/launcher_places.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/text.h"

enum {
    PATH_BYTES = 700,
    KEY_BYTES = 32,
    UIDS_NEEDED = 2 * 2876 + 2,
    TAKE_OVER_MS = 15 * 1000,
    TERM_MS = 12 * 1000,
    LOOK_MS = 50,
};

/* --- users ---------------------------------------------------------------------------------------------------- */

static int find_user(const struct pb_settings *settings, const char *setting,
                     struct pb_launcher_user *ret, struct pb_error *err)
{
    const char *name = pb_config_text(settings->config, setting);
    const struct passwd *entry;

    if (!settings->is_root) {
        *ret = (struct pb_launcher_user){geteuid(), getegid()};
        return 0;
    }
    entry = getpwnam(name);
    if (!entry)
        return pb_fail_field(
            err, setting,
            "there is no user '%s' (setting %s): make it with 'useradd --system "
            "--no-create-home --shell /usr/sbin/nologin %s', or use ./dev up, which does",
            name, setting, name);
    if (entry->pw_uid == 0)
        return pb_fail_field(err, setting, "setting %s must not be root", setting);
    *ret = (struct pb_launcher_user){entry->pw_uid, entry->pw_gid};
    return 0;
}

/* One line of uid_map: inside, outside, count. */
static bool line_covers(const char *line, uint64_t first, uint64_t last)
{
    char *end;
    uint64_t start = strtoull(line, &end, 10);
    uint64_t count;

    (void)strtoull(end, &end, 10);
    count = strtoull(end, NULL, 10);
    return first >= start && last - start < count;
}

/* Work must not run as somebody who is there already. */
static int check_nobody_has(uint64_t first, uint64_t last, struct pb_error *err)
{
    const struct passwd *entry;
    int r = 0;

    setpwent();
    while (r == 0 && (entry = getpwent()))
        if (entry->pw_uid >= first && entry->pw_uid <= last)
            r = pb_fail_field(err, "uid_base",
                              "uid_base %llu cannot be used: projects would get the user id %u of "
                              "'%s'; choose one with %d free ids, such as 1900000000",
                              (unsigned long long)first, (unsigned)entry->pw_uid, entry->pw_name,
                              UIDS_NEEDED);
    endpwent();
    return r;
}

/* In a container only some uids exist; ours must be among them. */
static int check_uids(const struct pb_settings *settings, struct pb_error *err)
{
    uint64_t first = (uint64_t)pb_config_int(settings->config, "uid_base");
    struct pb_buf map;
    const char *line;
    bool covered = false;

    if (!settings->is_root || !pb_config_bool(settings->config, "local_node"))
        return 0;
    pb_buf_init(&map, 64 << 10);
    if (pb_fs_read(AT_FDCWD, "/proc/self/uid_map", &map, err) < 0) {
        pb_buf_release(&map);
        return -1;
    }
    for (line = pb_buf_string(&map); line && *line && !covered; line = strchr(line, '\n')) {
        line += *line == '\n';
        covered = *line && line_covers(line, first, first + UIDS_NEEDED);
    }
    pb_buf_release(&map);
    if (!covered)
        return pb_fail_field(
            err, "uid_base",
            "user ids from %llu on do not exist here (/proc/self/uid_map): set uid_base to "
            "the first of %d that do",
            (unsigned long long)first, UIDS_NEEDED);
    return check_nobody_has(first, first + UIDS_NEEDED, err);
}

/* --- may they get there? ---------------------------------------------------------------------------------- */

/* By the mode alone: an access list that says more names some user, and projects' users have no names. */
static bool lets_through(const struct stat *info, const struct pb_launcher_user *user)
{
    if (info->st_uid == user->uid)
        return info->st_mode & S_IXUSR;
    return info->st_mode & (info->st_gid == user->gid ? S_IXGRP : S_IXOTH);
}

enum { PLATFORM = 1, NODE = 2, PROJECTS = 4 };

/* A place, and who works there. */
struct way {
    const char *setting;
    const char *path;
    const char *otherwise; /* what to do, besides opening the folder that is in the way */
    int who;
};

/* Somebody who must get there. */
struct walker {
    int who;
    const char *name;
    struct pb_launcher_user user;
};

/* Every folder above a path, as far as there are any: what is missing, we make. */
static int check_path(const struct way *way, const char *path, const struct walker *walker,
                      struct pb_error *err)
{
    char folder[PATH_BYTES];
    struct stat info;

    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        size_t len = slash == path ? 1 : (size_t)(slash - path);

        if (len >= sizeof(folder))
            return pb_fail_field(err, way->setting, "%s is too long", way->setting);
        memcpy(folder, path, len);
        folder[len] = '\0';
        if (stat(folder, &info) < 0)
            return errno == ENOENT || errno == ENOTDIR ? 0 : pb_fail_errno(err, "%s", folder);
        if (!S_ISDIR(info.st_mode) || lets_through(&info, &walker->user))
            continue;
        return pb_fail_field(err, way->setting,
                             "%s %s cannot be used: the folder %s (mode %04o) does not let %s in; "
                             "%s, or open that folder: chmod o+x %s",
                             way->setting, way->path, folder, (unsigned)(info.st_mode & 07777),
                             walker->name, way->otherwise, folder);
    }
    return 0;
}

/* Also where the path leads to, if a link is on the way. */
static int check_way(const struct way *way, const struct walker *walker, struct pb_error *err)
{
    char start[PATH_BYTES];
    char inside[PATH_BYTES + 2];
    char *found = NULL;
    int r = check_path(way, way->path, walker, err);

    (void)snprintf(start, sizeof(start), "%s", way->path);
    while (r == 0 && !(found = realpath(start, NULL)) && strrchr(start, '/') > start)
        *strrchr(start, '/') = '\0';
    if (found && strlen(found) < PATH_BYTES) {
        (void)snprintf(inside, sizeof(inside), strcmp(start, way->path) == 0 ? "%s" : "%s/", found);
        r = check_path(way, inside, walker, err);
    }
    free(found);
    return r;
}

/* Before anything is made: folders that others cannot reach would only be in the way. */
static int check_ways(const struct pb_settings *settings, const struct pb_launcher_places *places,
                      struct pb_error *err)
{
    const uid_t first = (uid_t)pb_config_int(settings->config, "uid_base");
    const struct walker walkers[] = {
        {PLATFORM, pb_config_text(settings->config, "user"), places->user},
        {NODE, pb_config_text(settings->config, "node_user"), places->node_user},
        {PROJECTS, "the users of projects", {first, first}},
    };
    char programs[PATH_BYTES];
    const struct way ways[] = {
        {"data_dir", settings->data_dir, "take another, such as --data-dir /var/lib/poppo-builder",
         PLATFORM | NODE | PROJECTS},
        {"bin_dir", programs, "put the programs elsewhere, such as below /opt/poppo-builder",
         PLATFORM | NODE | PROJECTS},
        {"run_dir", settings->run_dir, "take another, such as --run-dir /run/poppo-builder",
         PLATFORM | NODE},
        {"key_file", settings->key_file,
         "take another, such as --key-file /etc/poppo-builder/master.key", PLATFORM},
    };
    int present = pb_config_bool(settings->config, "local_node") ? ~0 : PLATFORM;

    (void)snprintf(programs, sizeof(programs), "%s/", settings->bin_dir);
    for (size_t i = 0; settings->is_root && i < sizeof(ways) / sizeof(ways[0]); i++)
        for (size_t n = 0; n < sizeof(walkers) / sizeof(walkers[0]); n++)
            if ((ways[i].who & walkers[n].who & present) &&
                check_way(&ways[i], &walkers[n], err) < 0)
                return -1;
    return 0;
}

/* --- folders -------------------------------------------------------------------------------------------------- */

static int make_folder(const struct pb_settings *settings, const char *path, mode_t mode,
                       const struct pb_launcher_user *owner, struct pb_error *err)
{
    int fd;
    int r = 0;

    if (pb_fs_mkdirs(path, mode, err) < 0)
        return -1;
    if (!settings->is_root)
        return 0;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return pb_fail_errno(err, "%s", path);
    if (fchown(fd, owner->uid, owner->gid) < 0 || fchmod(fd, mode) < 0)
        r = pb_fail_errno(err, "%s", path);
    (void)close(fd);
    return r;
}

/* The key's folder is the platform's own if we make it, those above it are everybody's; existing ones are left as
 * they are. */
static int make_key_folder(const struct pb_settings *settings, const struct pb_launcher_user *owner,
                           struct pb_error *err)
{
    char folder[PATH_BYTES];
    char *slash;

    (void)snprintf(folder, sizeof(folder), "%s", settings->key_file);
    slash = strrchr(folder, '/');
    if (slash == folder)
        return 0;
    *slash = '\0';
    if (access(folder, F_OK) == 0)
        return 0;
    slash = strrchr(folder, '/');
    if (slash > folder) {
        *slash = '\0';
        if (pb_fs_mkdirs(folder, 0755, err) < 0)
            return -1;
        *slash = '/';
    }
    return make_folder(settings, folder, 0700, owner, err);
}

static int make_folders(const struct pb_settings *settings, const struct pb_launcher_places *places,
                        struct pb_error *err)
{
    const struct pb_launcher_user root = {geteuid(), getegid()};
    const struct {
        const char *name;
        mode_t mode;
        const struct pb_launcher_user *owner;
    } folders[] = {
        {"", 0755, &root},
        {"/platform", 0700, &places->user},
        {"/node", 0700, &places->node_user},
        {"/projects", 0755, &root},
        {"/shared", 0755, &root},
    };
    char path[PATH_BYTES];

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", settings->data_dir, folders[i].name);
        if (make_folder(settings, path, folders[i].mode, folders[i].owner, err) < 0)
            return pb_fail_in(err, "make the folders of data_dir %s (another: --data-dir /…)",
                              settings->data_dir);
    }
    if (make_folder(settings, settings->run_dir, 0755, &root, err) < 0)
        return pb_fail_in(err, "make run_dir %s (another: --run-dir /…)", settings->run_dir);
    if (make_key_folder(settings, &places->user, err) < 0)
        return pb_fail_in(err, "make the folder of key_file %s (another: --key-file /…)",
                          settings->key_file);
    return 0;
}

/* --- the local node's key ------------------------------------------------------------------------------------- */

/* Whole or not at all. By descriptor, for the folder belongs to the node's user. */
static int write_key(const struct pb_settings *settings, const char *path,
                     const struct pb_launcher_user *owner, struct pb_error *err)
{
    uint8_t bytes[KEY_BYTES];
    char unfinished[PATH_BYTES];
    struct pb_buf text;
    int fd = -1;
    int r = -1;

    (void)snprintf(unfinished, sizeof(unfinished), "%s.new", path);
    (void)unlink(unfinished); /* of a start that was cut short; if it cannot go, opening says so */
    pb_random(bytes, sizeof(bytes));
    pb_buf_init(&text, 256);
    text.secret = true;
    pb_buf_text(&text, "ppn_");
    pb_buf_base64url(&text, bytes, sizeof(bytes));
    pb_buf_char(&text, '\n');
    fd = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        (void)pb_fail_errno(err, "%s", unfinished);
        goto out;
    }
    if (pb_fs_write_all(fd, text.data, text.len, err) < 0)
        goto out;
    if ((settings->is_root && fchown(fd, owner->uid, owner->gid) < 0) || fsync(fd) < 0 ||
        rename(unfinished, path) < 0) {
        (void)pb_fail_errno(err, "%s", path);
        goto out;
    }
    r = 0;
out:
    pb_close(&fd);
    pb_wipe(bytes, sizeof(bytes));
    pb_buf_release(&text);
    return r;
}

static int read_key(const char *path, char ret_sha256[PB_SHA256_TEXT], struct pb_error *err)
{
    int fd =
        open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); /* a pipe must not hold us up */
    char text[128];
    ssize_t len;

    if (fd < 0)
        return errno == ENOENT ? pb_fail(err, PB_ERROR_NOT_FOUND, "no key")
                               : pb_fail_errno(err, "%s", path);
    len = read(fd, text, sizeof(text));
    (void)close(fd);
    while (len > 0 && text[len - 1] == '\n')
        len--;
    if (len < 20 || strncmp(text, "ppn_", 4) != 0)
        return pb_fail(err, PB_ERROR_INVALID,
                       "%s does not hold a node's key; remove it to get a new one", path);
    pb_sha256_text(text, (size_t)len, ret_sha256);
    pb_wipe(text, sizeof(text));
    return 0;
}

static int have_key(const struct pb_settings *settings, struct pb_launcher_places *places,
                    struct pb_error *err)
{
    char path[PATH_BYTES];

    if (!pb_config_bool(settings->config, "local_node"))
        return 0;
    (void)snprintf(path, sizeof(path), "%s/node/node.key", settings->data_dir);
    if (read_key(path, places->key_sha256, err) == 0)
        return 0;
    if (err->code != PB_ERROR_NOT_FOUND || write_key(settings, path, &places->node_user, err) < 0)
        return -1;
    return read_key(path, places->key_sha256, err);
}

static int find_url(const struct pb_settings *settings, struct pb_launcher_places *places,
                    struct pb_error *err)
{
    const char *rest = strstr(settings->base_url, "://");

    if (settings->listen_port == 0 && pb_config_bool(settings->config, "local_node"))
        return pb_fail_field(err, "listen", "with a local node, listen needs a port that is known");
    if (pb_text_starts(settings->base_url, "https://") &&
        *pb_config_text(settings->config, "tls_certificate")) {
        (void)snprintf(places->platform_url, sizeof(places->platform_url), "wss%s/api/node/ws",
                       rest ? rest : "");
        return 0;
    }
    (void)snprintf(places->platform_url, sizeof(places->platform_url), "ws://%s:%d/api/node/ws",
                   strcmp(settings->listen_host, "0.0.0.0") == 0 ? "127.0.0.1"
                   : strcmp(settings->listen_host, "[::]") == 0  ? "[::1]"
                                                                 : settings->listen_host,
                   settings->listen_port);
    return 0;
}

int pb_launcher_prepare(const struct pb_settings *settings, struct pb_launcher_places *ret_places,
                        struct pb_error *err)
{
    memset(ret_places, 0, sizeof(*ret_places));
    if (find_user(settings, "user", &ret_places->user, err) < 0 ||
        find_user(settings, "node_user", &ret_places->node_user, err) < 0 ||
        check_uids(settings, err) < 0 || find_url(settings, ret_places, err) < 0 ||
        check_ways(settings, ret_places, err) < 0 || make_folders(settings, ret_places, err) < 0)
        return -1;
    return have_key(settings, ret_places, err);
}

/* --- those who were there before --------------------------------------------------------------------------------- */

int pb_launcher_lock(const struct pb_settings *settings, struct pb_error *err)
{
    char path[PATH_BYTES];
    struct pb_buf pid;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/launcher.lock", settings->data_dir);
    fd = pb_fs_lock(path, err);
    if (fd >= 0 || err->code != PB_ERROR_CONFLICT)
        return fd;
    pb_buf_init(&pid, 64);
    if (pb_fs_read(AT_FDCWD, path, &pid, err) == 0) {
        while (pid.len > 0 && pid.data[pid.len - 1] == '\n')
            pid.data[--pid.len] = '\0';
        (void)pb_fail_reason(err, PB_ERROR_CONFLICT, "already_running",
                             "already running at %s (pid %s); stop it with: kill %s",
                             settings->base_url, pb_buf_string(&pid), pb_buf_string(&pid));
    }
    pb_buf_release(&pid);
    return -1;
}

/* Who holds this lock: the pid written in it, if somebody holds it and it is one of `uid`'s processes. */
static pid_t holder(const char *path, uid_t uid, bool *ret_is_held)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char text[32] = "";
    char proc[64];
    struct stat info;
    uint64_t pid = 0;
    ssize_t len;

    *ret_is_held = false;
    if (fd < 0)
        return 0;
    *ret_is_held = flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    len = *ret_is_held ? read(fd, text, sizeof(text) - 1) : 0;
    (void)close(fd);
    while (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
    if (len <= 0 || !pb_parse_u64(text, INT32_MAX, &pid) || pid < 2)
        return 0;
    (void)snprintf(proc, sizeof(proc), "/proc/%d", (int)pid);
    return stat(proc, &info) == 0 && info.st_uid == uid ? (pid_t)pid : 0;
}

/* Waits for one process to end, at most so long; by descriptor, so never for a later one of the same pid. */
static void wait_for_end(int pidfd, int64_t timeout_ms)
{
    struct pollfd item = {.fd = pidfd, .events = POLLIN};

    (void)poll(&item, 1, (int)timeout_ms);
}

static int end_holder(const char *what, const char *path, uid_t uid, struct pb_error *err)
{
    int64_t until = pb_clock_steady_ms() + TAKE_OVER_MS;
    bool is_held;
    pid_t pid = holder(path, uid, &is_held);
    int signal_number = SIGTERM;

    while (is_held && pb_clock_steady_ms() < until) {
        int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

        if (pidfd >= 0) {
            pb_log_warn("launcher", "%s pid=%d was left by a launcher that is gone, ending it",
                        what, (int)pid);
            (void)syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0);
            wait_for_end(pidfd, signal_number == SIGTERM ? TERM_MS : LOOK_MS);
            (void)close(pidfd);
            signal_number = SIGKILL;
        } else {
            (void)poll(NULL, 0, LOOK_MS);
        }
        pid = holder(path, uid, &is_held);
    }
    if (is_held)
        return pb_fail(err, PB_ERROR_CONFLICT, "%s is held by another process (%s)", path, what);
    return 0;
}

int pb_launcher_take_over(const struct pb_settings *settings,
                          const struct pb_launcher_places *places, struct pb_error *err)
{
    char path[PATH_BYTES];

    (void)snprintf(path, sizeof(path), "%s/platform/lock", settings->data_dir);
    if (end_holder("poppo-platform", path, places->user.uid, err) < 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/node/lock", settings->data_dir);
    if (end_holder("poppo-agent", path, places->node_user.uid, err) < 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/boxd.lock", settings->run_dir);
    return settings->is_root ? end_holder("poppo-boxd", path, 0, err) : 0;
}
