#include "server/services/repository_url.h"

#include <string.h>

#include "base/text.h"
#include "server/services/platform.h"

static const char *without_slash(struct pb_arena *arena, const char *url)
{
    size_t len = strlen(url);

    while (len > 0 && url[len - 1] == '/')
        len--;
    return pb_arena_bytes(arena, url, len);
}

static const char *derived(struct pb_arena *arena, const char *api_url)
{
    const char *url = without_slash(arena, api_url);

    if (!url)
        return NULL;
    if (strcmp(url, "https://api.github.com") == 0)
        return "https://github.com";
    if (pb_text_ends(url, "/api/v3"))
        return pb_arena_bytes(arena, url, strlen(url) - strlen("/api/v3"));
    return url;
}

const char *pb_repository_base(const struct pb_platform_settings *settings,
                               const struct pb_project *project, struct pb_arena *arena)
{
    if (project->github_git_url && project->github_git_url[0])
        return without_slash(arena, project->github_git_url);
    if (settings->github_git_url && settings->github_git_url[0])
        return without_slash(arena, settings->github_git_url);
    return derived(arena, project->github_api_url);
}

const char *pb_repository_page(const struct pb_platform_settings *settings,
                               const struct pb_project *project, struct pb_arena *arena)
{
    const char *base = pb_repository_base(settings, project, arena);

    return base ? pb_arena_format(arena, "%s/%s/%s", base, project->github_owner,
                                  project->github_repo)
                : NULL;
}

const char *pb_repository_clone(const struct pb_platform_settings *settings,
                                const struct pb_project *project, struct pb_arena *arena)
{
    const char *page = pb_repository_page(settings, project, arena);

    return page ? pb_arena_format(arena, "%s.git", page) : NULL;
}
