#include "model/project.h"

#include <string.h>

#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const STATUS_NAMES[] = {
#define X(status, name) name,
    PB_PROJECT_STATUSES(X)
#undef X
};

static const char *const HEALTH_NAMES[] = {
#define X(health, name) name,
    PB_PROJECT_HEALTHS(X)
#undef X
};

static const char *const AGENT_NAMES[] = {
#define X(state, name) name,
    PB_AGENT_STATES(X)
#undef X
};

static const char *const DRIVERS[] = {"claude", "command", "noop"};
static const char *const PERMISSION_MODES[] = {"default", "acceptEdits", "dontAsk",
                                               "bypassPermissions", "plan"};
static const char *const LANGUAGES[] = {"ja", "en"};

const struct pb_names PB_PROJECT_STATUS_NAMES = {STATUS_NAMES, COUNT(STATUS_NAMES)};
const struct pb_names PB_PROJECT_HEALTH_NAMES = {HEALTH_NAMES, COUNT(HEALTH_NAMES)};
const struct pb_names PB_AGENT_STATE_NAMES = {AGENT_NAMES, COUNT(AGENT_NAMES)};
const struct pb_names PB_DRIVER_NAMES = {DRIVERS, COUNT(DRIVERS)};
const struct pb_names PB_PERMISSION_MODE_NAMES = {PERMISSION_MODES, COUNT(PERMISSION_MODES)};
const struct pb_names PB_LANGUAGE_NAMES = {LANGUAGES, COUNT(LANGUAGES)};

const char *pb_project_status_name(enum pb_project_status status)
{
    return pb_names_get(&PB_PROJECT_STATUS_NAMES, (int)status);
}

const char *pb_project_health_name(enum pb_project_health health)
{
    return pb_names_get(&PB_PROJECT_HEALTH_NAMES, (int)health);
}

const char *pb_agent_state_name(enum pb_agent_state state)
{
    return pb_names_get(&PB_AGENT_STATE_NAMES, (int)state);
}

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_letter_or_digit(char c)
{
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

bool pb_project_id_valid(const char *id)
{
    size_t len;

    if (!id || !is_lower_or_digit(id[0]))
        return false;
    for (len = 0; id[len]; len++) {
        if (!is_lower_or_digit(id[len]) && id[len] != '-')
            return false;
    }
    return len <= PB_LIMIT_PROJECT_ID;
}

void pb_project_id_suggest(const char *repo, char ret_id[PB_LIMIT_PROJECT_ID + 1])
{
    size_t len = 0;

    for (const char *at = repo ? repo : ""; *at && len < PB_LIMIT_PROJECT_ID; at++) {
        char c = *at;

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (is_lower_or_digit(c))
            ret_id[len++] = c;
        else if (len > 0 && ret_id[len - 1] != '-')
            ret_id[len++] = '-';
    }
    while (len > 0 && ret_id[len - 1] == '-')
        len--;
    if (len == 0) {
        memcpy(ret_id, "project", sizeof("project"));
        return;
    }
    ret_id[len] = '\0';
}

bool pb_github_owner_valid(const char *owner)
{
    size_t len;

    if (!owner || !is_letter_or_digit(owner[0]))
        return false;
    for (len = 0; owner[len]; len++) {
        /* '_' is in the names of enterprise-managed users. */
        if (!is_letter_or_digit(owner[len]) && owner[len] != '-' && owner[len] != '_')
            return false;
    }
    return len <= PB_LIMIT_GITHUB_OWNER;
}

bool pb_github_repo_valid(const char *repo)
{
    size_t len;

    if (!repo || !repo[0] || pb_text_equal(repo, ".") || pb_text_equal(repo, ".."))
        return false;
    for (len = 0; repo[len]; len++) {
        if (!is_letter_or_digit(repo[len]) && !strchr("._-", repo[len]))
            return false;
    }
    return len <= PB_LIMIT_GITHUB_REPO && !pb_text_ends(repo, ".git");
}

/* "name", "1.2.3.4" or "[::1]", then optionally ":port"; returns what follows, NULL if it is none. */
static const char *skip_host(const char *at)
{
    const char *start = at;

    if (*at == '[') {
        at++;
        at += strspn(at, "0123456789abcdefABCDEF:.");
        if (*at != ']' || at == start + 1)
            return NULL;
        at++;
    } else {
        while (is_letter_or_digit(*at) || *at == '.' || *at == '-')
            at++;
        if (at == start || *start == '.' || *start == '-')
            return NULL;
    }
    if (*at == ':') {
        char port[6];
        uint64_t value;
        size_t len = strspn(at + 1, "0123456789");

        if (len == 0 || len >= sizeof(port))
            return NULL;
        memcpy(port, at + 1, len);
        port[len] = '\0';
        if (!pb_parse_u64(port, 65535, &value) || value == 0)
            return NULL;
        at += 1 + len;
    }
    return at;
}

bool pb_project_url_valid(const char *url)
{
    const char *at = NULL;

    if (!url || strlen(url) > PB_LIMIT_URL)
        return false;
    if (pb_text_starts(url, "https://"))
        at = skip_host(url + 8);
    else if (pb_text_starts(url, "http://"))
        at = skip_host(url + 7);
    if (!at || (*at != '/' && *at != '\0'))
        return false;
    for (; *at; at++) {
        if (!is_letter_or_digit(*at) && !strchr("/._-~%+:,;=()!$&'*", *at))
            return false;
    }
    return true;
}
