/* Live checks while a project is being set up. Nothing is saved. */
#include <string.h>

#include "base/crypto.h"
#include "model/project.h"
#include "server/api/handlers.h"
#include "server/api/request.h"
#include "server/services/claude_check.h"
#include "server/services/github_check.h"
#include "server/services/platform.h"
#include "server/services/project_control.h"
#include "server/services/vault.h"

static void put_sentence(struct pb_json_writer *w, const char *name, const char *en, const char *ja)
{
    if (!en) {
        pb_json_put_null(w, name);
        return;
    }
    pb_json_begin_object(w, name);
    pb_json_put_text(w, "en", en);
    pb_json_put_text(w, "ja", ja);
    pb_json_end_object(w);
}

static void put_rows(struct pb_json_writer *w, const struct pb_check_row *rows, size_t count)
{
    pb_json_begin_array(w, "checks");
    for (size_t i = 0; i < count; i++) {
        pb_json_begin_object(w, NULL);
        pb_json_put_text(w, "name", rows[i].name);
        pb_json_put_text(w, "state", rows[i].state);
        put_sentence(w, "message", rows[i].message_en, rows[i].message_ja);
        put_sentence(w, "fix", rows[i].fix_en, rows[i].fix_ja);
        pb_json_end_object(w);
    }
    pb_json_end_array(w);
}

/* The secret of the body, else the one saved for `project`, else "". Wiped by the caller. */
static int secret_of(struct pb_request *req, const char *name, char **ret_secret,
                     struct pb_error *err)
{
    const char *given = pb_json_text(req->body, name, "");
    const char *project_id = pb_json_text(req->body, "project", "");
    struct pb_project *project;

    if (*given || !*project_id) {
        *ret_secret = strdup(given);
        return *ret_secret ? 0 : pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    }
    if (pb_project_get(req->platform, project_id, req->arena, &project, err) < 0)
        return -1;
    if (pb_vault_reveal(req->platform->vault, project_id, name,
                        pb_request_text(req, "user:%s", req->who->username), "check", ret_secret,
                        err) == 0)
        return 0;
    if (err->code != PB_ERROR_NOT_FOUND)
        return -1;
    *ret_secret = strdup("");
    return *ret_secret ? 0 : pb_fail(err, PB_ERROR_LIMITED, "out of memory");
}

/* A saved secret goes only where its project says: nobody may have it sent to a server of their own. */
static int address_of(struct pb_request *req, const char *secret_name, const char *name,
                      const char *(*of_project)(const struct pb_project *project),
                      const char *otherwise, const char **ret_url, struct pb_error *err)
{
    const char *project_id = pb_json_text(req->body, "project", "");
    const char *given = pb_request_url(req, pb_json_text(req->body, name, ""));
    struct pb_project *project;
    const char *saved;

    *ret_url = given ? given : otherwise;
    if (*pb_json_text(req->body, secret_name, "") || !*project_id)
        return 0;
    if (pb_project_get(req->platform, project_id, req->arena, &project, err) < 0)
        return -1;
    saved = of_project(project) ? of_project(project) : otherwise;
    if (given && strcmp(given, saved) != 0)
        return pb_fail_reason(err, PB_ERROR_INVALID, "secret_needed",
                              "enter the key again to try it at another address");
    *ret_url = saved;
    return 0;
}

static const char *github_url_of(const struct pb_project *project)
{
    return project->github_api_url;
}

static const char *claude_url_of(const struct pb_project *project)
{
    return project->anthropic_base_url;
}

/* GitHub knows nothing of other projects: a row of our own when one of them has this repository. */
static int add_rival(struct pb_request *req, const struct pb_github_check_request *wish,
                     struct pb_github_check *check, struct pb_error *err)
{
    const struct pb_project project = {
        .id = pb_json_text(req->body, "project", ""),
        .github_api_url = wish->api_url,
        .github_owner = wish->owner,
        .github_repo = wish->repo,
    };
    char rival[PB_LIMIT_PROJECT_ID + 1];

    if (pb_project_taken_by(req->platform, &project, rival, err) < 0)
        return -1;
    if (!*rival)
        return 0;
    check->ok = false;
    check->rows[check->count++] = (struct pb_check_row){
        .name = "project",
        .state = "error",
        .message_en = pb_request_text(req, "The project '%s' has this repository already.", rival),
        .message_ja =
            pb_request_text(req, "このリポジトリには、すでにプロジェクト「%s」があります。", rival),
        .fix_en = "Use that project, or choose another repository.",
        .fix_ja = "そのプロジェクトを使うか、別のリポジトリを指定してください。",
    };
    return 0;
}

static void put_repository(struct pb_json_writer *w, const struct pb_github_check *check)
{
    if (!check->has_repository) {
        pb_json_put_null(w, "repository");
        return;
    }
    pb_json_begin_object(w, "repository");
    pb_json_put_text(w, "full_name", check->full_name);
    pb_json_put_bool(w, "private", check->is_private);
    pb_json_put_text(w, "default_branch", check->default_branch);
    pb_json_put_bool(w, "empty", check->is_empty);
    pb_json_put_text(w, "html_url", check->html_url);
    pb_json_end_object(w);
}

int checks_github(struct pb_request *req, struct pb_error *err)
{
    struct pb_github_check_request wish = {
        .owner = pb_json_text(req->body, "github_owner", ""),
        .repo = pb_json_text(req->body, "github_repo", ""),
    };
    struct pb_github_check check;
    char *token = NULL;
    int r = -1;

    if (address_of(req, PB_SECRET_GITHUB_TOKEN, "github_api_url", github_url_of,
                   req->platform->settings.github_api_url, &wish.api_url, err) < 0 ||
        secret_of(req, PB_SECRET_GITHUB_TOKEN, &token, err) < 0)
        goto out;
    wish.token = token;
    if (pb_github_check(req->platform->github, &wish, req->arena, &check, err) < 0 ||
        add_rival(req, &wish, &check, err) < 0)
        goto out;
    pb_json_begin_object(&req->json, NULL);
    pb_json_put_bool(&req->json, "ok", check.ok);
    put_repository(&req->json, &check);
    put_rows(&req->json, check.rows, check.count);
    pb_json_end_object(&req->json);
    r = 0;
out:
    pb_wipe_free(token);
    return r;
}

int checks_claude(struct pb_request *req, struct pb_error *err)
{
    struct pb_claude_check check;
    const char *url;
    char *key = NULL;
    int r = -1;

    if (address_of(req, PB_SECRET_ANTHROPIC_API_KEY, "anthropic_base_url", claude_url_of,
                   req->platform->settings.anthropic_base_url, &url, err) < 0 ||
        secret_of(req, PB_SECRET_ANTHROPIC_API_KEY, &key, err) < 0 ||
        pb_claude_check(req->platform->http, url, key, pb_json_text(req->body, "model", ""),
                        req->arena, &check, err) < 0)
        goto out;
    pb_json_begin_object(&req->json, NULL);
    pb_json_put_bool(&req->json, "ok", check.ok);
    put_rows(&req->json, check.rows, check.count);
    pb_json_begin_array(&req->json, "models");
    for (size_t i = 0; i < check.model_count; i++)
        pb_json_put_text(&req->json, NULL, check.models[i]);
    pb_json_end_array(&req->json);
    pb_json_end_object(&req->json);
    r = 0;
out:
    pb_wipe_free(key);
    return r;
}
