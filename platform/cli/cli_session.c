#include "cli/cli_session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "cli/cli_words.h"

enum { FILE_MAX = 64 << 10, PATH_LIMIT = 4096, LOCK_WAIT_MS = 15000, LOCK_LOOK_MS = 50 };

static int put_folder(struct pb_buf *path, struct pb_error *err)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");

    pb_buf_init(path, PATH_LIMIT);
    if (config && config[0] == '/')
        pb_buf_format(path, "%s/poppo-builder", config);
    else if (home && home[0] == '/')
        pb_buf_format(path, "%s/.config/poppo-builder", home);
    else
        return pb_fail(err, PB_ERROR_NOT_FOUND, "%s",
                       pb_say("no home folder to keep the session in: set HOME",
                              "セッションを保存するホームフォルダーがありません。"
                              "HOME を設定してください"));
    return 0;
}

/* The buffer is the caller's to release, also on failure. */
static int put_path(struct pb_buf *path, const char *name, struct pb_error *err)
{
    if (put_folder(path, err) < 0)
        return -1;
    pb_buf_format(path, "/%s", name);
    return pb_buf_failed(path) ? pb_fail(err, PB_ERROR_INVALID, "path too long") : 0;
}

static int check_file(const char *path, struct pb_error *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return errno == ENOENT
                   ? pb_fail_reason(err, PB_ERROR_UNAUTHENTICATED, "not_signed_in", "%s",
                                    pb_say("not signed in", "ログインしていません"))
                   : pb_fail_errno(err, "look at %s", path);
    if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return pb_fail_reason(
            err, PB_ERROR_DENIED, "session_file_open",
            pb_say("%s holds your session and must be yours alone (chmod 600)",
                   "%s にはセッションが保存されています。本人だけが読めるようにしてください "
                   "(chmod 600)"),
            path);
    return 0;
}

static int read_session(const struct pb_json *json, struct pb_arena *arena,
                        struct pb_cli_session *ret_session)
{
    struct pb_cli_session session = {
        .url = pb_arena_text(arena, pb_json_text(json, "url", NULL)),
        .username = pb_arena_text(arena, pb_json_text(json, "username", "")),
        .cookie = pb_arena_text(arena, pb_json_text(json, "cookie", NULL)),
        .access_token = pb_arena_text(arena, pb_json_text(json, "access_token", "")),
        .access_until_ms = pb_json_int(json, "access_until_ms", 0),
    };

    if (!session.url || !session.username || !session.cookie || !session.access_token)
        return -1;
    *ret_session = session;
    return 0;
}

int pb_cli_session_load(struct pb_arena *arena, struct pb_cli_session *ret_session,
                        struct pb_error *err)
{
    struct pb_json *json = NULL;
    struct pb_buf path;
    struct pb_buf data;
    int r = -1;

    pb_buf_init(&data, FILE_MAX);
    data.secret = true;
    if (put_path(&path, "cli.json", err) < 0 || check_file(pb_buf_string(&path), err) < 0 ||
        pb_fs_read(AT_FDCWD, pb_buf_string(&path), &data, err) < 0)
        goto out;
    json = pb_json_parse(pb_buf_string(&data), data.len, err);
    if (!json)
        goto out;
    r = read_session(json, arena, ret_session);
    if (r < 0)
        (void)pb_fail_reason(err, PB_ERROR_UNAUTHENTICATED, "not_signed_in",
                             pb_say("%s is not a session", "%s はセッションではありません"),
                             pb_buf_string(&path));
out:
    pb_json_free(json);
    pb_buf_release(&data);
    pb_buf_release(&path);
    return r;
}

static void put_session(struct pb_buf *data, const struct pb_cli_session *session)
{
    struct pb_json_writer w;

    pb_json_writer_init(&w, data);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "url", session->url);
    pb_json_put_text(&w, "username", session->username);
    pb_json_put_text(&w, "cookie", session->cookie);
    pb_json_put_text(&w, "access_token", session->access_token);
    pb_json_put_int(&w, "access_until_ms", session->access_until_ms);
    pb_json_end_object(&w);
    pb_buf_char(data, '\n');
}

int pb_cli_session_save(const struct pb_cli_session *session, struct pb_error *err)
{
    struct pb_buf path;
    struct pb_buf data;
    int r = -1;

    pb_buf_init(&data, FILE_MAX);
    data.secret = true;
    if (put_folder(&path, err) < 0 || pb_fs_mkdirs(pb_buf_string(&path), 0700, err) < 0)
        goto out;
    pb_buf_text(&path, "/cli.json");
    put_session(&data, session);
    if (pb_buf_failed(&data) || pb_buf_failed(&path))
        (void)pb_fail(err, PB_ERROR_TOO_LARGE, "the session is too large to keep");
    else
        r = pb_fs_write(AT_FDCWD, pb_buf_string(&path), data.data, data.len, 0600, err);
out:
    pb_buf_release(&data);
    pb_buf_release(&path);
    return r;
}

int pb_cli_session_forget(struct pb_error *err)
{
    struct pb_buf path;
    int r = put_path(&path, "cli.json", err);

    if (r == 0 && unlink(pb_buf_string(&path)) < 0 && errno != ENOENT)
        r = pb_fail_errno(err, "remove %s", pb_buf_string(&path));
    pb_buf_release(&path);
    return r;
}

/* Locks have no event to wait for, so look again. */
static int wait_for_lock(const char *path, struct pb_error *err)
{
    int64_t until = pb_clock_steady_ms() + LOCK_WAIT_MS;
    int fd;

    while ((fd = pb_fs_lock(path, err)) < 0 && err->code == PB_ERROR_CONFLICT &&
           pb_clock_steady_ms() < until)
        (void)poll(NULL, 0, LOCK_LOOK_MS);
    return fd;
}

int pb_cli_session_lock(struct pb_error *err)
{
    struct pb_buf path;
    int fd = -1;

    if (put_folder(&path, err) < 0 || pb_fs_mkdirs(pb_buf_string(&path), 0700, err) < 0)
        goto out;
    pb_buf_text(&path, "/cli.lock");
    fd = wait_for_lock(pb_buf_string(&path), err);
out:
    pb_buf_release(&path);
    return fd;
}
