#include "server/api/seed.h"

#include <fcntl.h>

#include "base/fs.h"
#include "base/log.h"
#include "server/api/projects_private.h"
#include "server/services/platform.h"
#include "server/services/project_control.h"

enum { FILE_MAX = 1 << 20 };

static const struct pb_principal SEED = {.username = "seed", .role = PB_ROLE_ADMIN};

static int seed_project(struct pb_platform *platform, const struct pb_json *body,
                        struct pb_error *err)
{
    struct pb_request req = {.platform = platform, .body = body, .who = &SEED};
    struct pb_project *project;
    struct pb_arena arena;
    const char *id = pb_json_text(body, "id", "");
    int r = 0;

    pb_arena_init(&arena, PB_REQUEST_ARENA_MAX);
    req.arena = &arena;
    if (pb_project_get(platform, id, &arena, &project, err) <
        0) { /* an earlier start made it otherwise */
        r = pb_projects_make(&req, &id, err);
        if (r == 0)
            pb_log_info("seed", "project=%s made", id);
    }
    pb_arena_release(&arena);
    return r;
}

static int seed_all(struct pb_platform *platform, const char *path, struct pb_error *err)
{
    const struct pb_json *projects;
    struct pb_json *root = NULL;
    struct pb_buf text;
    int r = -1;

    pb_buf_init(&text, FILE_MAX);
    if (pb_fs_read(AT_FDCWD, path, &text, err) < 0)
        goto out;
    root = pb_json_parse(pb_buf_string(&text), text.len, err);
    if (!root)
        goto out;
    projects = pb_json_get(root, "projects");
    r = 0;
    for (size_t i = 0; r == 0 && i < pb_json_count(projects); i++) {
        r = seed_project(platform, pb_json_at(projects, i), err);
        if (r < 0)
            (void)pb_fail_in(err, "project %zu", i + 1);
    }
out:
    pb_json_free(root);
    pb_buf_release(&text);
    return r < 0 ? pb_fail_in(err, "seed file %s", path) : 0;
}

int pb_seed_projects(struct pb_platform *platform, const char *path, struct pb_error *err)
{
    bool is_new;

    if (!*path)
        return 0;
    if (pb_auth_setup_required(platform->auth, &is_new, err) < 0)
        return -1;
    return is_new ? seed_all(platform, path, err) : 0;
}
