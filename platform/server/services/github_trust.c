#include "server/services/github_trust.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/services/github_issue.h"

enum {
    SLOTS = 1024, /* the oldest answer at a key's place is overwritten */
    KEEP_MS = 5 * 60 * 1000,
    KEY = 384,
    LOGIN = 128,
};

/* One answer of GitHub. */
struct slot {
    char key[KEY];
    char text[LOGIN]; /* "yes", "no", or a login */
    int64_t until_ms; /* steady */
};

struct pb_github_trust {
    pthread_mutex_t mutex; /* guards the slots */
    struct slot slots[SLOTS];
};

struct pb_github_trust *pb_github_trust_new(struct pb_error *err)
{
    struct pb_github_trust *trust = calloc(1, sizeof(*trust));

    if (!trust) {
        pb_fail(err, PB_ERROR_UNAVAILABLE, "out of memory for GitHub permissions");
        return NULL;
    }
    pthread_mutex_init(&trust->mutex, NULL);
    return trust;
}

void pb_github_trust_free(struct pb_github_trust *trust)
{
    if (!trust)
        return;
    pthread_mutex_destroy(&trust->mutex);
    free(trust);
}

static struct slot *slot_of(struct pb_github_trust *trust, const char *key)
{
    unsigned hash = 5381;

    for (const char *c = key; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    return &trust->slots[hash % SLOTS];
}

static bool recall(struct pb_github_trust *trust, const char *key, char ret_text[LOGIN])
{
    struct slot *slot = slot_of(trust, key);
    bool found;

    pthread_mutex_lock(&trust->mutex);
    found = strcmp(slot->key, key) == 0 && slot->until_ms > pb_clock_steady_ms();
    if (found)
        memcpy(ret_text, slot->text, LOGIN);
    pthread_mutex_unlock(&trust->mutex);
    return found;
}

static void keep(struct pb_github_trust *trust, const char *key, const char *text)
{
    struct slot *slot = slot_of(trust, key);

    pthread_mutex_lock(&trust->mutex);
    snprintf(slot->key, sizeof(slot->key), "%s", key);
    snprintf(slot->text, sizeof(slot->text), "%s", text);
    slot->until_ms = pb_clock_steady_ms() + KEEP_MS;
    pthread_mutex_unlock(&trust->mutex);
}

int pb_github_trust_may_write(const struct pb_github_repo *repo,
                              const struct pb_github_person *person, bool *ret_may,
                              struct pb_error *err)
{
    struct pb_github_trust *trust = pb_github_trust_of(repo->github);
    char key[KEY];
    char text[LOGIN];
    bool may;

    if (!person->login || !*person->login || person->is_bot || strlen(person->login) >= LOGIN) {
        *ret_may = false;
        return 0;
    }
    snprintf(key, sizeof(key), "write %s %s/%s %s", repo->account.token_hash, repo->owner,
             repo->name, person->login);
    if (recall(trust, key, text)) {
        *ret_may = strcmp(text, "yes") == 0;
        return 0;
    }
    if (pb_github_repo_may_write(repo, person->login, &may, err) < 0)
        return -1;
    keep(trust, key, may ? "yes" : "no");
    *ret_may = may;
    return 0;
}

static int ask_self(const struct pb_github_repo *repo, char ret_login[LOGIN], struct pb_error *err)
{
    struct pb_github_answer answer = {0};
    struct pb_error why = {0};

    ret_login[0] = '\0';
    if (pb_github_get(repo->github, &repo->account, "/user", &answer, &why) < 0) {
        if (why.code == PB_ERROR_DENIED || why.code == PB_ERROR_NOT_FOUND)
            return 0;
        *err = why;
        return -1;
    }
    snprintf(ret_login, LOGIN, "%s", pb_json_text(answer.json, "login", ""));
    pb_github_answer_release(&answer);
    return 0;
}

int pb_github_trust_self(const struct pb_github_repo *repo, struct pb_arena *arena,
                         const char **ret_login, struct pb_error *err)
{
    struct pb_github_trust *trust = pb_github_trust_of(repo->github);
    char key[KEY];
    char text[LOGIN];
    const char *login;

    snprintf(key, sizeof(key), "self %s", repo->account.token_hash);
    if (!recall(trust, key, text)) {
        if (ask_self(repo, text, err) < 0)
            return -1;
        keep(trust, key, text);
    }
    login = *text ? pb_arena_text(arena, text) : NULL;
    if (*text && !login)
        return pb_fail(err, PB_ERROR_LIMITED, "out of room for a login");
    *ret_login = login;
    return 0;
}
