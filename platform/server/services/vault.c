#include "server/services/vault.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "server/services/key_file.h"
#include "server/store/identity_store.h"
#include "server/store/project_store.h"
#include "server/store/store.h"

enum {
    KEK_ID_TEXT = 17,
    RECENT_MAX = 256,
    RECENT_MS = 3600 * 1000,
    AAD_MAX = 1024,
    SEALED_MAX = 128 << 10,
};

#define PLATFORM_SCOPE "platform"
#define PROJECT_SCOPE  "project"

/* A reveal that was audited lately: who, what for, which version. */
struct recent {
    uint8_t digest[PB_SHA256_BYTES];
    int64_t at;
};

struct pb_vault {
    struct pb_store *store; /* borrowed */
    uint8_t kek[PB_KEY_BYTES];
    char kek_id[KEK_ID_TEXT];
    pthread_mutex_t lock; /* guards recent */
    struct recent recent[RECENT_MAX];
};

/* --- opening ------------------------------------------------------------------------------------- */

/* Is anything in the database that only the old key can open? */
static int anything_sealed(struct pb_store *store, bool *ret_any, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(store, err);
    const char *signing_key;
    struct pb_arena arena;
    int r = -1;

    if (!db)
        return -1;
    pb_arena_init(&arena, 64 << 10);
    if (pb_secret_any(db, ret_any, err) < 0 ||
        pb_setting_get(db, &arena, "auth.signing_key", &signing_key, err) < 0)
        goto out;
    *ret_any = *ret_any || signing_key;
    r = 0;
out:
    pb_arena_release(&arena);
    return r;
}

static int load_key(struct pb_vault *vault, const char *path, struct pb_error *err)
{
    bool any = false;

    if (pb_key_file_read(path, vault->kek, err) == 0)
        return 0;
    if (err->code != PB_ERROR_NOT_FOUND)
        return -1;
    if (anything_sealed(vault->store, &any, err) < 0)
        return -1;
    if (any)
        return pb_fail_reason(
            err, PB_ERROR_PRECONDITION, "key_file_missing",
            "the database holds sealed secrets, but their key file %s is gone; put "
            "it back from your copy (a new one could not open them)",
            path);
    if (pb_key_file_make(path, vault->kek, err) < 0)
        return -1;
    pb_log_info("vault", "made the key file %s; keep a copy of it apart from the database", path);
    return 0;
}

struct pb_vault *pb_vault_open(struct pb_store *store, const char *key_file, struct pb_error *err)
{
    struct pb_vault *vault = calloc(1, sizeof(*vault));
    char hex[PB_SHA256_TEXT];

    if (!vault) {
        (void)pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    vault->store = store;
    (void)pthread_mutex_init(&vault->lock, NULL);
    if (load_key(vault, key_file, err) < 0) {
        pb_vault_close(vault);
        return NULL;
    }
    pb_sha256_text(vault->kek, sizeof(vault->kek), hex);
    memcpy(vault->kek_id, hex, KEK_ID_TEXT - 1);
    return vault;
}

void pb_vault_close(struct pb_vault *vault)
{
    if (!vault)
        return;
    (void)pthread_mutex_destroy(&vault->lock);
    pb_wipe(vault->kek, sizeof(vault->kek));
    free(vault);
}

/* --- envelopes -------------------------------------------------------------------------------------- */

/* What a seal is bound to. Every part has its length in front, so no two lists read the same. */
static void put_part(struct pb_buf *aad, const char *part)
{
    size_t len = strlen(part);
    const uint8_t prefix[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                               (uint8_t)len};

    pb_buf_bytes(aad, prefix, sizeof(prefix));
    pb_buf_bytes(aad, part, len);
}

struct binding {
    const char *scope;
    const char *project;
    const char *name;
    int64_t version;
};

static int bind_aad(struct pb_buf *aad, const char *what, const struct binding *to,
                    struct pb_error *err)
{
    struct pb_buf number;

    pb_buf_clear(aad);
    pb_buf_init(&number, 32);
    pb_buf_i64(&number, to->version);
    put_part(aad, what);
    put_part(aad, to->scope);
    put_part(aad, to->project);
    put_part(aad, to->name);
    put_part(aad, pb_buf_string(&number));
    pb_buf_release(&number);
    return pb_buf_failed(aad) ? pb_fail(err, PB_ERROR_LIMITED, "name of the secret too long") : 0;
}

/* Seals `plain` with a fresh key and that key with ours. */
static int seal(const struct pb_vault *vault, const struct binding *to, const char *plain,
                struct pb_buf *ret_wrapped, struct pb_buf *ret_sealed, struct pb_error *err)
{
    uint8_t dek[PB_KEY_BYTES];
    struct pb_buf aad;
    int r = -1;

    pb_buf_init(&aad, AAD_MAX);
    pb_random(dek, sizeof(dek));
    if (bind_aad(&aad, "dek", to, err) < 0 ||
        pb_seal(vault->kek, aad.data, aad.len, dek, sizeof(dek), ret_wrapped, err) < 0)
        goto out;
    if (bind_aad(&aad, "value", to, err) < 0 ||
        pb_seal(dek, aad.data, aad.len, plain, strlen(plain), ret_sealed, err) < 0)
        goto out;
    r = 0;
out:
    pb_wipe(dek, sizeof(dek));
    pb_buf_release(&aad);
    return r;
}

struct sealed {
    const char *kek_id;
    const void *wrapped;
    size_t wrapped_len;
    const void *value;
    size_t value_len;
};

static int unseal(const struct pb_vault *vault, const struct binding *to,
                  const struct sealed *sealed, char **ret_plain, struct pb_error *err)
{
    struct pb_buf aad;
    struct pb_buf dek;
    struct pb_buf plain;
    int r = -1;

    pb_buf_init(&aad, AAD_MAX);
    pb_buf_init(&dek, 256);
    pb_buf_init(&plain, SEALED_MAX);
    dek.secret = plain.secret = true;
    if (strcmp(sealed->kek_id, vault->kek_id) != 0) {
        (void)pb_fail_reason(err, PB_ERROR_DENIED, "key_file_wrong",
                             "sealed with another key file (%s, ours is %s)", sealed->kek_id,
                             vault->kek_id);
        goto out;
    }
    if (bind_aad(&aad, "dek", to, err) < 0 ||
        pb_unseal(vault->kek, aad.data, aad.len, sealed->wrapped, sealed->wrapped_len, &dek, err) <
            0)
        goto out;
    if (dek.len != PB_KEY_BYTES) {
        (void)pb_fail(err, PB_ERROR_DENIED, "the sealed key has the wrong size");
        goto out;
    }
    if (bind_aad(&aad, "value", to, err) < 0 ||
        pb_unseal((const uint8_t *)dek.data, aad.data, aad.len, sealed->value, sealed->value_len,
                  &plain, err) < 0)
        goto out;
    *ret_plain = plain.len > 0 ? pb_buf_take(&plain, NULL) : calloc(1, 1); /* "" is a value, too */
    r = *ret_plain ? 0 : pb_fail(err, PB_ERROR_LIMITED, "out of memory");
out:
    pb_buf_release(&plain);
    pb_buf_release(&dek);
    pb_buf_release(&aad);
    return r < 0 ? pb_fail_in(err, "open secret '%s'", to->name) : 0;
}

/* --- secrets ---------------------------------------------------------------------------------------- */

static struct binding binding_of(const char *project_id, const char *name, int64_t version)
{
    return (struct binding){
        .scope = project_id ? PROJECT_SCOPE : PLATFORM_SCOPE,
        .project = project_id ? project_id : "",
        .name = name,
        .version = version,
    };
}

int pb_vault_put(struct pb_vault *vault, struct pb_db *db, const char *project_id, const char *name,
                 const char *plain, const char *by, struct pb_error *err)
{
    struct binding to = binding_of(project_id, name, 0);
    struct pb_buf wrapped;
    struct pb_buf value;
    int r = -1;

    pb_buf_init(&wrapped, 256);
    pb_buf_init(&value, SEALED_MAX);
    if (pb_secret_next_version(db, to.scope, to.project, name, &to.version, err) < 0 ||
        seal(vault, &to, plain, &wrapped, &value, err) < 0)
        goto out;
    r = pb_secret_insert(db,
                         &(struct pb_secret){
                             .scope = to.scope,
                             .project_id = to.project,
                             .name = name,
                             .version = to.version,
                             .kek_id = vault->kek_id,
                             .wrapped_dek = wrapped.data,
                             .wrapped_dek_len = wrapped.len,
                             .sealed = value.data,
                             .sealed_len = value.len,
                             .created_by = by,
                             .created_at = pb_clock_wall_ms(),
                         },
                         err);
    if (r == 0)
        r = pb_secret_prune(db, to.scope, to.project, name, 1, err);
out:
    pb_buf_release(&wrapped);
    pb_buf_release(&value);
    return r < 0 ? pb_fail_in(err, "seal secret '%s'", name) : 0;
}

struct reveal {
    const struct pb_secret *secret;
    const char *project_id;
    const char *by;
    const char *purpose;
};

static int audit_reveal(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct reveal *reveal = arg;
    struct pb_json_writer w;
    struct pb_buf object;
    struct pb_buf detail;
    int r = -1;

    pb_buf_init(&object, 256);
    pb_buf_init(&detail, 1024);
    pb_buf_format(&object, "project:%s", reveal->project_id ? reveal->project_id : "");
    pb_json_writer_init(&w, &detail);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "name", reveal->secret->name);
    pb_json_put_int(&w, "version", reveal->secret->version);
    pb_json_put_text(&w, "purpose", reveal->purpose);
    pb_json_end_object(&w);
    if (pb_audit_append(db,
                        &(struct pb_audit){
                            .at = pb_clock_wall_ms(),
                            .actor = reveal->by,
                            .action = "secret.reveal",
                            .object = reveal->project_id ? pb_buf_string(&object) : "platform",
                            .detail = pb_buf_string(&detail),
                        },
                        err) == 0)
        r = pb_secret_used(db, reveal->secret->id, pb_clock_wall_ms(), err);
    pb_buf_release(&object);
    pb_buf_release(&detail);
    return r;
}

static void digest_of(const struct reveal *reveal, uint8_t ret_digest[PB_SHA256_BYTES])
{
    struct pb_buf text;

    pb_buf_init(&text, 4096);
    pb_buf_format(&text, "%lld", (long long)reveal->secret->id);
    put_part(&text, reveal->by);
    put_part(&text, reveal->purpose);
    pb_sha256(text.data, text.len, ret_digest);
    pb_buf_release(&text);
}

/* Was the same reveal audited within the hour? If not, it may be remembered as audited now. */
static bool is_recent(struct pb_vault *vault, const uint8_t digest[PB_SHA256_BYTES], bool remember)
{
    int64_t now = pb_clock_steady_ms();
    struct recent *oldest = &vault->recent[0];
    bool found = false;

    (void)pthread_mutex_lock(&vault->lock);
    for (size_t i = 0; i < RECENT_MAX; i++) {
        struct recent *entry = &vault->recent[i];

        if (entry->at && memcmp(entry->digest, digest, PB_SHA256_BYTES) == 0) {
            found = now - entry->at < RECENT_MS;
            oldest = entry;
            break;
        }
        if (entry->at < oldest->at)
            oldest = entry;
    }
    if (!found && remember) {
        memcpy(oldest->digest, digest, PB_SHA256_BYTES);
        oldest->at = now;
    }
    (void)pthread_mutex_unlock(&vault->lock);
    return found;
}

static int audit(struct pb_vault *vault, struct reveal *reveal, struct pb_error *err)
{
    uint8_t digest[PB_SHA256_BYTES];

    digest_of(reveal, digest);
    if (is_recent(vault, digest, false))
        return 0;
    if (pb_store_write(vault->store, audit_reveal, reveal, err) < 0)
        return -1;
    (void)is_recent(vault, digest, true);
    return 0;
}

int pb_vault_reveal(struct pb_vault *vault, const char *project_id, const char *name,
                    const char *by, const char *purpose, char **ret_plain, struct pb_error *err)
{
    struct binding to = binding_of(project_id, name, 0);
    struct pb_db *db = pb_store_reader(vault->store, err);
    struct pb_secret *secret;
    struct pb_arena arena;
    char *plain = NULL;
    int r = -1;

    if (!db)
        return -1;
    pb_arena_init(&arena, 256 << 10);
    if (pb_secret_load(db, &arena, to.scope, to.project, name, &secret, err) < 0) {
        if (err->code == PB_ERROR_NOT_FOUND)
            (void)pb_fail_reason(err, PB_ERROR_NOT_FOUND, "secret_missing", "%s is not set", name);
        goto out;
    }
    to.version = secret->version;
    if (unseal(vault, &to,
               &(struct sealed){secret->kek_id, secret->wrapped_dek, secret->wrapped_dek_len,
                                secret->sealed, secret->sealed_len},
               &plain, err) < 0)
        goto out;
    if (audit(vault, &(struct reveal){secret, project_id, by, purpose}, err) < 0)
        goto out;
    *ret_plain = plain;
    plain = NULL;
    r = 0;
out:
    pb_wipe_free(plain);
    pb_arena_release(&arena);
    return r;
}

int pb_vault_state(struct pb_db *db, const char *project_id, const char *name, bool *ret_set,
                   int64_t *ret_updated_at, struct pb_error *err)
{
    struct binding of = binding_of(project_id, name, 0);
    struct pb_secret_list list;
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, 256 << 10);
    r = pb_secret_list(db, &arena, of.scope, of.project, &list, err);
    if (r == 0) {
        *ret_set = false;
        *ret_updated_at = 0;
        for (size_t i = 0; i < list.count; i++)
            if (strcmp(list.items[i].name, name) == 0) {
                *ret_set = true;
                *ret_updated_at = list.items[i].created_at;
            }
    }
    pb_arena_release(&arena);
    return r;
}

int pb_vault_forget(struct pb_db *db, const char *project_id, struct pb_error *err)
{
    struct pb_secret_list list;
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, 256 << 10);
    r = pb_secret_list(db, &arena, PROJECT_SCOPE, project_id, &list, err);
    for (size_t i = 0; r == 0 && i < list.count; i++)
        r = pb_secret_prune(db, PROJECT_SCOPE, project_id, list.items[i].name, 0, err);
    pb_arena_release(&arena);
    return r;
}

/* --- one-cell records: "v1.<kek id>.<wrapped key>.<value>" --------------------------------------------- */

int pb_vault_seal_text(struct pb_vault *vault, const char *context, const char *plain,
                       struct pb_buf *ret_text, struct pb_error *err)
{
    struct binding to = {"record", "", context, 1};
    struct pb_buf wrapped;
    struct pb_buf value;
    int r;

    pb_buf_init(&wrapped, 256);
    pb_buf_init(&value, SEALED_MAX);
    r = seal(vault, &to, plain, &wrapped, &value, err);
    if (r == 0) {
        pb_buf_format(ret_text, "v1.%s.", vault->kek_id);
        pb_buf_base64url(ret_text, wrapped.data, wrapped.len);
        pb_buf_char(ret_text, '.');
        pb_buf_base64url(ret_text, value.data, value.len);
        if (pb_buf_failed(ret_text))
            r = pb_fail(err, PB_ERROR_LIMITED, "sealed value too long");
    }
    pb_buf_release(&wrapped);
    pb_buf_release(&value);
    return r;
}

int pb_vault_open_text(struct pb_vault *vault, const char *context, const char *text,
                       char **ret_plain, struct pb_error *err)
{
    struct binding to = {"record", "", context, 1};
    const char *first = strncmp(text, "v1.", 3) == 0 ? text + 3 : NULL;
    const char *second = first ? strchr(first, '.') : NULL;
    const char *third = second ? strchr(second + 1, '.') : NULL;
    char kek_id[KEK_ID_TEXT] = "";
    struct pb_buf wrapped;
    struct pb_buf value;
    int r = -1;

    pb_buf_init(&wrapped, 256);
    pb_buf_init(&value, SEALED_MAX);
    if (!third || second - first != KEK_ID_TEXT - 1 ||
        !pb_buf_unbase64(&wrapped, second + 1, (size_t)(third - second) - 1) ||
        !pb_buf_unbase64(&value, third + 1, strlen(third + 1))) {
        (void)pb_fail(err, PB_ERROR_DENIED, "not a sealed record");
        goto out;
    }
    memcpy(kek_id, first, KEK_ID_TEXT - 1);
    r = unseal(vault, &to,
               &(struct sealed){kek_id, wrapped.data, wrapped.len, value.data, value.len},
               ret_plain, err);
out:
    pb_buf_release(&wrapped);
    pb_buf_release(&value);
    return r;
}
