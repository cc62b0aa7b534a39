#include "server/services/github_link.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Length of "scheme://host:port", 0 if there is none. */
static size_t origin_len(const char *url)
{
    const char *host = strstr(url, "://");

    if (!host || host == url)
        return 0;
    host += 3;
    return (size_t)(host - url) + strcspn(host, "/?#");
}

bool pb_github_link_same_origin(const char *a, const char *b)
{
    size_t len = origin_len(a);

    /* A '@' would make what looks like our host a user name. */
    return len && len == origin_len(b) && strncasecmp(a, b, len) == 0 && !memchr(b, '@', len);
}

char *pb_github_link_resolve(struct pb_arena *arena, const char *base, const char *path)
{
    return pb_arena_format(arena, "%.*s%s", (int)origin_len(base), base, path);
}

static bool has_rel(const char *params, size_t len, const char *name)
{
    size_t name_len = strlen(name);

    for (size_t i = 0; i + 5 + name_len <= len; i++) {
        const char *value = params + i + 4;
        const char *end = params + len;

        if (strncasecmp(params + i, "rel=", 4) != 0)
            continue;
        if (*value == '"')
            value++;
        if ((size_t)(end - value) >= name_len && strncasecmp(value, name, name_len) == 0 &&
            (value + name_len == end || strchr("\" ;,", value[name_len])))
            return true;
    }
    return false;
}

static int keep(char **ret, const char *url, size_t len)
{
    free(*ret);
    *ret = strndup(url, len);
    return *ret ? 0 : -1;
}

/* <url>; rel="next", <url>; rel="last" */
int pb_github_link_read(const char *header, char **ret_next, char **ret_prev, char **ret_last)
{
    const struct {
        const char *rel;
        char **ret;
    } wanted[] = {{"next", ret_next}, {"prev", ret_prev}, {"last", ret_last}};
    const char *at = header ? header : "";

    while ((at = strchr(at, '<'))) {
        const char *url = at + 1;
        size_t url_len = strcspn(url, ">");
        const char *params = url + url_len;
        size_t params_len;

        if (!*params)
            break;
        params++;
        params_len = strcspn(params, "<");
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
            if (has_rel(params, params_len, wanted[i].rel) && keep(wanted[i].ret, url, url_len) < 0)
                return -1;
        at = params + params_len;
    }
    return 0;
}
