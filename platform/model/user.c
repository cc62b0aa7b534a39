#include "model/user.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "model/finding_private.h"
#include "model/limits.h"

static const char *const ROLE_NAMES[] = {
#define X(role, name) name,
    PB_ROLES(X)
#undef X
};

static const char *const PERMISSION_NAMES[] = {
#define X(permission, name, role) name,
    PB_PERMISSIONS(X)
#undef X
};

/* Roles are ordered: each may what the one before it may. */
static const enum pb_role LEAST_ROLE[] = {
#define X(permission, name, role) PB_ROLE_##role,
    PB_PERMISSIONS(X)
#undef X
};

const struct pb_names PB_ROLE_NAMES = {ROLE_NAMES, PB_ROLE_COUNT};
const struct pb_names PB_PERMISSION_NAMES = {PERMISSION_NAMES, PB_PERMIT_COUNT};

bool pb_role_may(enum pb_role role, enum pb_permission permission)
{
    assert(role < PB_ROLE_COUNT && permission < PB_PERMIT_COUNT);
    return role >= LEAST_ROLE[permission];
}

const char *pb_role_name(enum pb_role role)
{
    return pb_names_get(&PB_ROLE_NAMES, (int)role);
}

const char *pb_permission_name(enum pb_permission permission)
{
    return pb_names_get(&PB_PERMISSION_NAMES, (int)permission);
}

int pb_username_check(const char *username, struct pb_error *err)
{
    static const char FIRST[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    static const char REST[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    if (!username || !username[0])
        return PB_FINDING(err, "username", "required", "a user name is needed");
    if (strlen(username) > PB_LIMIT_USERNAME)
        return PB_FINDING(err, "username", "too_long", "a user name has at most 32 characters");
    if (!strchr(FIRST, username[0]) || strspn(username, REST) != strlen(username))
        return PB_FINDING(
            err, "username", "characters",
            "a user name is made of letters, digits, '.', '_' and '-', and begins with a "
            "letter or digit");
    return 0;
}

/* Counts characters; -1 if the text is not UTF-8 or holds a control character. */
static int count_characters(const char *text)
{
    size_t len = strlen(text), size;
    int count = 0;

    for (size_t at = 0; at < len; at += size, count++) {
        size = pb_utf8_char(text + at, len - at);
        if (size == 0 || (unsigned char)text[at] < 0x20 || text[at] == 0x7f)
            return -1;
    }
    return count;
}

int pb_password_check(const char *password, struct pb_error *err)
{
    int characters;

    if (!password || !password[0])
        return PB_FINDING(err, "password", "required", "a password is needed");
    characters = count_characters(password);
    if (characters < 0)
        return PB_FINDING(err, "password", "characters", "a password has no control characters");
    if (characters < PB_LIMIT_PASSWORD_MIN_CHARS)
        return PB_FINDING(err, "password", "too_short", "a password has at least 8 characters");
    if (characters > PB_LIMIT_PASSWORD_CHARS)
        return PB_FINDING(err, "password", "too_long", "a password has at most 200 characters");
    return 0;
}
