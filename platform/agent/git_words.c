/* What git's words mean, and which words we are willing to give it. */
#include <string.h>

#include "agent/git_command.h"
#include "base/text.h"

/* The first row whose text is in git's words counts. */
static const struct {
    const char *text;
    bool push_only;
    const char *kind;
} FAILURES[] = {
    {"No space left on device", false, "disk"},
    {"without `workflow` scope", false, "github_scope"},
    {"without `workflows` permission", false, "github_scope"},
    {"[remote rejected]", true, "push_rejected"},
    {"[rejected]", true, "push_rejected"},
    {"pre-receive hook declined", true, "push_rejected"},
    {"protected branch", true, "push_rejected"},
    {"returned error: 401", false, "github_auth"},
    {"Authentication failed", false, "github_auth"},
    {"could not read Username", false, "github_auth"},
    {"could not read Password", false, "github_auth"},
    {"Invalid username or", false, "github_auth"},
    {"Permission to", false, "github_scope"},
    {"returned error: 403", false, "github_scope"},
    {"returned error: 404", false, "repo_gone"},
    {"not found", false, "repo_gone"},
    {"returned error: 429", false, "github_rate"},
    {"returned error: 5", false, "network"},
    {"Could not resolve host", false, "network"},
    {"Failed to connect", false, "network"},
    {"Connection", false, "network"},
    {"early EOF", false, "network"},
    {"RPC failed", false, "network"},
    {"unexpected disconnect", false, "network"},
    {"hung up unexpectedly", false, "network"},
    {"Operation too slow", false, "network"},
    {"SSL", false, "network"},
    {"unable to access", false, "network"},
};

const char *pb_git_failure_kind(const char *errors, bool is_push)
{
    for (size_t i = 0; i < sizeof(FAILURES) / sizeof(FAILURES[0]); i++)
        if ((is_push || !FAILURES[i].push_only) && strstr(errors, FAILURES[i].text))
            return FAILURES[i].kind;
    return is_push ? "push_rejected" : "workspace";
}

bool pb_git_is_sha(const char *text)
{
    size_t len = strlen(text);

    return (len == 40 || len == 64) && strspn(text, "0123456789abcdef") == len;
}

int pb_git_take_sha(const struct pb_buf *out, char ret_sha[65], struct pb_error *err)
{
    const char *text = pb_buf_string(out);
    size_t len = strcspn(text, "\n");
    char sha[65] = {0};

    if (len < sizeof(sha))
        memcpy(sha, text, len);
    if (!pb_git_is_sha(sha))
        return pb_fail_reason(err, PB_ERROR_UNPROCESSABLE, "workspace",
                              "git did not name a commit");
    memcpy(ret_sha, sha, sizeof(sha));
    return 0;
}

static bool is_branch_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '/' || c == '+' || c == '#' || c == '@' ||
           (signed char)c < 0;
}

bool pb_git_branch_valid(const char *branch)
{
    size_t len = branch ? strlen(branch) : 0;

    if (len == 0 || len > 200 || branch[0] == '-' || branch[0] == '/' || branch[len - 1] == '/' ||
        branch[len - 1] == '.' || !pb_utf8_valid(branch, len) || pb_text_equal(branch, "@"))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_branch_char(branch[i]) ||
            ((i == 0 || branch[i - 1] == '/') && (branch[i] == '.' || branch[i] == '/')))
            return false;
    return !strstr(branch, "..") && !strstr(branch, "@{") && !strstr(branch, ".lock/") &&
           !pb_text_ends(branch, ".lock") && !pb_text_starts(branch, "refs/");
}

int pb_git_origin(const char *url, char ret_origin[512], struct pb_error *err)
{
    size_t scheme = pb_text_starts(url, "https://") ? 8 : pb_text_starts(url, "http://") ? 7 : 0;
    size_t host = scheme ? strcspn(url + scheme, "/") : 0;

    if (!scheme || !host || scheme + host + 2 > 512 || url[scheme] == '-' ||
        strpbrk(url, "@?#\\ \t\r\n\"'") || !url[scheme + host])
        return pb_fail_reason(err, PB_ERROR_INVALID, "invalid_settings",
                              "the repository's address is no plain http or https URL");
    memcpy(ret_origin, url, scheme + host);
    memcpy(ret_origin + scheme + host, "/", 2);
    return 0;
}
