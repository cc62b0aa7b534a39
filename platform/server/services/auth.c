#include "server/services/auth.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/text.h"
#include "server/services/auth_private.h"
#include "server/services/login_delay.h"
#include "server/services/platform.h"
#include "server/services/vault.h"
#include "server/store/identity_store.h"
#include "server/store/store.h"

#define SIGNING_KEY_SETTING "auth.signing_key"
#define SETUP_SETTING       "auth.setup_hash"

/* --- our own signing key ------------------------------------------------------------------------------ */

struct new_setting {
    const char *key;
    const char *value;
};

static int put_setting(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct new_setting *setting = arg;

    return pb_setting_put(db, setting->key, setting->value, pb_clock_wall_ms(), err);
}

static int make_signing_key(struct pb_auth *auth, struct pb_error *err)
{
    struct pb_buf hex;
    struct pb_buf sealed;
    int r;

    pb_buf_init(&hex, 256);
    pb_buf_init(&sealed, 1024);
    hex.secret = true;
    pb_random(auth->signing_key, sizeof(auth->signing_key));
    pb_buf_hex(&hex, auth->signing_key, sizeof(auth->signing_key));
    r = pb_vault_seal_text(auth->platform->vault, SIGNING_KEY_SETTING, pb_buf_string(&hex), &sealed,
                           err);
    if (r == 0)
        r = pb_store_write(auth->platform->store, put_setting,
                           &(struct new_setting){SIGNING_KEY_SETTING, pb_buf_string(&sealed)}, err);
    pb_buf_release(&hex);
    pb_buf_release(&sealed);
    return r;
}

static int load_signing_key(struct pb_auth *auth, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(auth->platform->store, err);
    const char *sealed = NULL;
    struct pb_arena arena;
    char *hex = NULL;
    int r = -1;

    if (!db)
        return -1;
    pb_arena_init(&arena, 64 << 10);
    if (pb_setting_get(db, &arena, SIGNING_KEY_SETTING, &sealed, err) < 0)
        goto out;
    if (!sealed) {
        r = make_signing_key(auth, err);
        goto out;
    }
    if (pb_vault_open_text(auth->platform->vault, SIGNING_KEY_SETTING, sealed, &hex, err) < 0)
        goto out;
    r = pb_unhex(hex, auth->signing_key, sizeof(auth->signing_key))
            ? 0
            : pb_fail(err, PB_ERROR_INTERNAL, "the signing key is malformed");
out:
    pb_wipe_free(hex);
    pb_arena_release(&arena);
    return r;
}

static void make_tag(struct pb_auth *auth)
{
    char hash[PB_SHA256_TEXT];

    pb_sha256_text((const char *)auth->signing_key, sizeof(auth->signing_key), hash);
    memcpy(auth->tag, hash, sizeof(auth->tag) - 1);
}

struct pb_auth *pb_auth_open(struct pb_platform *platform, struct pb_error *err)
{
    struct pb_auth *auth = calloc(1, sizeof(*auth));

    if (!auth) {
        (void)pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    auth->platform = platform;
    (void)pthread_mutex_init(&auth->lock, NULL);
    auth->delay = pb_login_delay_new();
    if (!auth->delay) {
        (void)pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
        pb_auth_close(auth);
        return NULL;
    }
    if (load_signing_key(auth, err) < 0) {
        (void)pb_fail_in(err, "sign-in keys");
        pb_auth_close(auth);
        return NULL;
    }
    make_tag(auth);
    return auth;
}

const char *pb_auth_tag(const struct pb_auth *auth)
{
    return auth->tag;
}

static void forget_ticket(struct ticket *ticket)
{
    free(ticket->username);
    free(ticket->session_id);
    memset(ticket, 0, sizeof(*ticket));
}

void pb_auth_close(struct pb_auth *auth)
{
    if (!auth)
        return;
    for (size_t i = 0; i < TICKETS_MAX; i++)
        forget_ticket(&auth->tickets[i]);
    pb_auth_forget_tokens(auth, INT64_MAX);
    pb_login_delay_free(auth->delay);
    (void)pthread_mutex_destroy(&auth->lock);
    pb_wipe(auth->signing_key, sizeof(auth->signing_key));
    free(auth);
}

/* --- first administrator -------------------------------------------------------------------------------- */

int pb_auth_setup_required(struct pb_auth *auth, bool *ret_required, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(auth->platform->store, err);
    int64_t admins;

    if (!db || pb_user_count_admins(db, &admins, err) < 0)
        return -1;
    *ret_required = admins == 0;
    return 0;
}

int pb_auth_setup_token(struct pb_auth *auth, struct pb_arena *arena, const char **ret_token,
                        struct pb_error *err)
{
    char hash[PB_SHA256_TEXT];
    const char *token = pb_auth_random_text(arena);

    if (!token)
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    pb_sha256_text(token, strlen(token), hash);
    if (pb_store_write(auth->platform->store, put_setting,
                       &(struct new_setting){SETUP_SETTING, hash}, err) < 0)
        return -1;
    *ret_token = token;
    return 0;
}

struct setup {
    const char *token_hash;
    struct pb_user user;
    const struct pb_client_info *client;
};

static int check_setup_token(struct pb_db *db, const char *token_hash, struct pb_error *err)
{
    const char *expected;
    struct pb_arena arena;
    int64_t admins;
    int r = -1;

    pb_arena_init(&arena, 16 << 10);
    if (pb_user_count_admins(db, &admins, err) < 0 ||
        pb_setting_get(db, &arena, SETUP_SETTING, &expected, err) < 0)
        goto out;
    if (admins > 0)
        (void)pb_fail_reason(err, PB_ERROR_CONFLICT, "setup_done",
                             "there is an administrator already");
    else if (!expected || !pb_secret_equal(expected, token_hash, PB_SHA256_TEXT - 1))
        (void)
            pb_fail_reason(err, PB_ERROR_DENIED, "setup_token",
                           "this setup link is not valid (any more); the platform prints a new one "
                           "at each start");
    else
        r = 0;
out:
    pb_arena_release(&arena);
    return r;
}

static int make_first_admin(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct setup *setup = arg;

    if (check_setup_token(db, setup->token_hash, err) < 0 ||
        pb_user_insert(db, &setup->user, &setup->user.id, err) < 0 ||
        pb_setting_put(db, SETUP_SETTING, NULL, setup->user.created_at, err) < 0)
        return -1;
    return pb_auth_audit(db, setup->user.username, "setup.admin", setup->client, err);
}

int pb_auth_setup(struct pb_auth *auth, const char *token, const char *username,
                  const char *password, const char *language, const struct pb_client_info *client,
                  struct pb_arena *arena, struct pb_signed_in *ret, struct pb_error *err)
{
    char password_hash[PB_PASSWORD_HASH_TEXT];
    char token_hash[PB_SHA256_TEXT];
    struct pb_db *db = pb_store_reader(auth->platform->store, err);
    struct setup setup;

    pb_sha256_text(token, strlen(token), token_hash);
    /* Before the hash, which is costly by design: anybody may ask. */
    if (!db || check_setup_token(db, token_hash, err) < 0)
        return -1;
    if (pb_username_check(username, err) < 0 || pb_password_check(password, err) < 0)
        return -1;
    if (pb_password_hash(password, password_hash, err) < 0)
        return -1;
    setup = (struct setup){
        .token_hash = token_hash,
        .user = {.username = username,
                 .password_hash = password_hash,
                 .role = PB_ROLE_ADMIN,
                 .language = language,
                 .created_at = pb_clock_wall_ms()},
        .client = client,
    };
    if (pb_store_write(auth->platform->store, make_first_admin, &setup, err) < 0)
        return -1;
    pb_log_info("auth", "user=%s made the first administrator", username);
    return pb_auth_sign_in(auth, &setup.user, client, arena, ret, err);
}

/* --- sign in -------------------------------------------------------------------------------------------- */

static int check_password(struct pb_auth *auth, const char *username, const char *password,
                          struct pb_arena *arena, struct pb_user **ret_user, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(auth->platform->store, err);
    struct pb_user *user = NULL;

    if (!db || pb_user_find(db, arena, username, &user, err) < 0)
        return -1;
    if (!pb_password_verify(password, user ? user->password_hash : NULL) || !user || user->disabled)
        return pb_fail_reason(err, PB_ERROR_UNAUTHENTICATED, "login_failed",
                              "user name or password is wrong");
    *ret_user = user;
    return 0;
}

static int begin_sign_in(struct pb_auth *auth, struct pb_error *err)
{
    bool has_room;

    (void)pthread_mutex_lock(&auth->lock);
    has_room = auth->sign_ins < SIGN_INS_MAX;
    auth->sign_ins += has_room;
    (void)pthread_mutex_unlock(&auth->lock);
    return has_room ? 0
                    : pb_fail_reason(err, PB_ERROR_LIMITED, "busy",
                                     "too many people sign in at this moment; try again in 1 s");
}

static void end_sign_in(struct pb_auth *auth)
{
    (void)pthread_mutex_lock(&auth->lock);
    auth->sign_ins--;
    (void)pthread_mutex_unlock(&auth->lock);
}

int pb_auth_login(struct pb_auth *auth, const char *username, const char *password,
                  const struct pb_client_info *client, struct pb_arena *arena,
                  struct pb_signed_in *ret, struct pb_error *err)
{
    struct pb_user *user = NULL;
    int64_t left;
    int r;

    if (begin_sign_in(auth, err) < 0)
        return -1;
    left = pb_login_delay_try(auth->delay, username, client->address, pb_clock_steady_ms());
    r = left > 0 ? pb_fail_reason(err, PB_ERROR_LIMITED, "login_delayed",
                                  "too many failed sign-ins; try again in %lld s",
                                  (long long)(left + 999) / 1000)
                 : check_password(auth, username, password, arena, &user, err);
    end_sign_in(auth);
    if (r < 0 && err->code == PB_ERROR_UNAUTHENTICATED)
        pb_log_warn("auth",
                    "address=%s sign-in refused: wrong user name or password; who goes on failing "
                    "waits longer each time",
                    client->address);
    if (r < 0)
        return -1;
    pb_login_delay_succeeded(auth->delay, username, client->address);
    return pb_auth_sign_in(auth, user, client, arena, ret, err);
}

/* --- people ------------------------------------------------------------------------------------------------ */

struct language {
    int64_t user_id;
    const char *language;
};

static int write_language(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct language *wish = arg;
    struct pb_arena arena;
    struct pb_user *user;
    int r;

    pb_arena_init(&arena, 64 << 10);
    r = pb_user_load(db, &arena, wish->user_id, &user, err);
    if (r == 0) {
        user->language = wish->language;
        r = pb_user_save(db, user, err);
    }
    pb_arena_release(&arena);
    return r;
}

int pb_auth_set_language(struct pb_auth *auth, int64_t user_id, const char *language,
                         struct pb_error *err)
{
    return pb_store_write(auth->platform->store, write_language,
                          &(struct language){user_id, language}, err);
}

/* --- tickets ---------------------------------------------------------------------------------------------- */

/* A session's own oldest when it has its share, else a free or expired place, else the oldest of all. */
static struct ticket *ticket_place(struct pb_auth *auth, const char *session_id, int64_t now)
{
    struct ticket *oldest = &auth->tickets[0], *own = NULL, *unused = NULL;
    size_t own_count = 0;

    for (size_t i = 0; i < TICKETS_MAX; i++) {
        struct ticket *ticket = &auth->tickets[i];

        if (!ticket->username || ticket->expires_at <= now) {
            unused = ticket;
            continue;
        }
        if (ticket->expires_at < oldest->expires_at)
            oldest = ticket;
        if (strcmp(ticket->session_id, session_id) != 0)
            continue;
        own_count++;
        if (!own || ticket->expires_at < own->expires_at)
            own = ticket;
    }
    if (own_count >= TICKETS_PER_SESSION_MAX)
        return own;
    return unused ? unused : oldest;
}

int pb_auth_ticket_new(struct pb_auth *auth, const struct pb_principal *who, struct pb_arena *arena,
                       const char **ret_ticket, struct pb_error *err)
{
    const char *text = pb_auth_random_text(arena);
    int64_t now = pb_clock_steady_ms();
    struct ticket made = {.user_id = who->user_id, .role = who->role};
    struct ticket *place;

    made.username = strdup(who->username);
    made.session_id = strdup(who->session_id);
    if (!text || !made.username || !made.session_id) {
        forget_ticket(&made);
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    }
    pb_sha256(text, strlen(text), made.hash);
    made.expires_at = now + PB_WS_TICKET_SECONDS * 1000;
    (void)pthread_mutex_lock(&auth->lock);
    place = ticket_place(auth, who->session_id, now);
    forget_ticket(place);
    *place = made;
    (void)pthread_mutex_unlock(&auth->lock);
    *ret_ticket = text;
    return 0;
}

static struct ticket take_ticket(struct pb_auth *auth, const uint8_t hash[PB_SHA256_BYTES])
{
    struct ticket taken = {.user_id = 0};
    int64_t now = pb_clock_steady_ms();

    (void)pthread_mutex_lock(&auth->lock);
    for (size_t i = 0; i < TICKETS_MAX; i++) {
        struct ticket *ticket = &auth->tickets[i];

        if (!ticket->username || !pb_secret_equal(ticket->hash, hash, PB_SHA256_BYTES))
            continue;
        if (ticket->expires_at > now) {
            taken = *ticket;
            memset(ticket, 0, sizeof(*ticket));
        } else {
            forget_ticket(ticket);
        }
        break;
    }
    (void)pthread_mutex_unlock(&auth->lock);
    return taken;
}

int pb_auth_ticket_use(struct pb_auth *auth, const char *ticket, struct pb_arena *arena,
                       struct pb_principal *ret, struct pb_error *err)
{
    uint8_t hash[PB_SHA256_BYTES];
    struct ticket taken;
    struct pb_principal who;

    pb_sha256(ticket, strlen(ticket), hash);
    taken = take_ticket(auth, hash);
    if (!taken.username)
        return pb_fail_reason(err, PB_ERROR_UNAUTHENTICATED, "ticket_invalid",
                              "this ticket is unknown, used or older than %d s",
                              PB_WS_TICKET_SECONDS);
    who = (struct pb_principal){
        .user_id = taken.user_id,
        .username = pb_arena_text(arena, taken.username),
        .role = taken.role,
        .session_id = pb_arena_text(arena, taken.session_id),
    };
    forget_ticket(&taken);
    if (!who.username || !who.session_id)
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    *ret = who;
    return 0;
}

void pb_auth_tidy(struct pb_auth *auth)
{
    int64_t now = pb_clock_steady_ms();

    (void)pthread_mutex_lock(&auth->lock);
    for (size_t i = 0; i < TICKETS_MAX; i++)
        if (auth->tickets[i].username && auth->tickets[i].expires_at <= now)
            forget_ticket(&auth->tickets[i]);
    (void)pthread_mutex_unlock(&auth->lock);
    pb_auth_forget_tokens(auth, pb_clock_wall_ms());
}
