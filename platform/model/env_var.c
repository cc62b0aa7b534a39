#include "model/env_var.h"

#include <string.h>

#include "base/text.h"
#include "model/finding_private.h"
#include "model/limits.h"

/* The runner sets these, or they would change who speaks to whom. */
static const char *const RESERVED[] = {
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "PWD",
    "TMPDIR",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_CUSTOM_HEADERS",
    "CLAUDE_CONFIG_DIR",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "IS_SANDBOX",
};

static const char *const RESERVED_PREFIXES[] = {"POPPO_", "CLAUDE_CODE_USE_", "GIT_CONFIG_"};

static bool is_reserved(const char *key)
{
    for (size_t i = 0; i < sizeof(RESERVED) / sizeof(RESERVED[0]); i++) {
        if (strcmp(key, RESERVED[i]) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof(RESERVED_PREFIXES) / sizeof(RESERVED_PREFIXES[0]); i++) {
        if (pb_text_starts(key, RESERVED_PREFIXES[i]))
            return true;
    }
    return false;
}

int pb_env_var_check(const char *key, const char *value, struct pb_error *err)
{
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char REST[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

    if (!key || !key[0])
        return PB_FINDING(err, "key", "required", "a variable needs a name");
    if (strlen(key) > PB_LIMIT_ENV_NAME)
        return PB_FINDING(err, "key", "too_long",
                          "variable '%.*s': a name has at most 128 characters", PB_LIMIT_ENV_NAME,
                          key);
    if (!strchr(LETTERS, key[0]) || strspn(key, REST) != strlen(key))
        return PB_FINDING(err, "key", "characters",
                          "variable '%.*s': a name is made of letters, digits and '_', and does "
                          "not begin with a digit",
                          PB_LIMIT_ENV_NAME, key);
    if (is_reserved(key))
        return PB_FINDING(err, "key", "reserved",
                          "variable '%.*s': this name is set by the platform itself",
                          PB_LIMIT_ENV_NAME, key);
    if (!value)
        return PB_FINDING(err, "key", "required",
                          "variable '%.*s': a value is needed (it may be empty)", PB_LIMIT_ENV_NAME,
                          key);
    if (strlen(value) > PB_LIMIT_ENV_VALUE)
        return PB_FINDING(err, "key", "too_long",
                          "variable '%.*s': a value has at most 32,768 bytes", PB_LIMIT_ENV_NAME,
                          key);
    if (!pb_utf8_valid(value, strlen(value)))
        return PB_FINDING(err, "key", "characters", "variable '%.*s': a value is UTF-8 text",
                          PB_LIMIT_ENV_NAME, key);
    return 0;
}
