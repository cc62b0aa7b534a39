#include "base/crypto.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <semaphore.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    IV_BYTES = 12,
    TAG_BYTES = 16,
    SEAL_MAX = 1 << 30, /* OpenSSL counts in int */
    PASSWORD_MAX = 1024,
    PASSWORD_AT_ONCE = 2, /* each takes 19 MiB and a core */
    RSA_BITS_MIN = 2048,
};
static const unsigned long long PASSWORD_OPERATIONS = 2;
static const size_t PASSWORD_MEMORY = 19 << 20;
/* Of a password nobody knows; made with the parameters above. */
static const char NOBODY[] = "$argon2id$v=19$m=19456,t=2,p=1$h2tgYHwHh60WDKTtZvDHh"
                             "A$8WoYrIKtV26slLln+PLfGM0gVrsItwdDtZI2TqlBxJ0";

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *aes_256_gcm;
static EVP_MD *sha256;
static sem_t password_slots;

/* Without these nothing here can be trusted, and no caller could go on. */
static void start(void)
{
    if (sodium_init() < 0)
        abort();
    aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    if (!aes_256_gcm || !sha256 || sem_init(&password_slots, 0, PASSWORD_AT_ONCE) < 0)
        abort();
}

void pb_crypto_init(void)
{
    (void)pthread_once(&once, start);
}

void pb_random(void *ret_data, size_t len)
{
    uint8_t *at = ret_data;

    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort();
        at += got;
        len -= (size_t)got;
    }
}

void pb_wipe(void *data, size_t len)
{
    if (data)
        explicit_bzero(data, len);
}

void pb_wipe_free(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

bool pb_secret_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void pb_sha256(const void *data, size_t len, uint8_t ret_digest[PB_SHA256_BYTES])
{
    pb_crypto_init();
    if (EVP_Digest(data, len, ret_digest, NULL, sha256, NULL) != 1)
        abort(); /* only out of memory */
}

void pb_sha256_text(const void *data, size_t len, char ret_hex[PB_SHA256_TEXT])
{
    uint8_t digest[PB_SHA256_BYTES];

    pb_sha256(data, len, digest);
    (void)sodium_bin2hex(ret_hex, PB_SHA256_TEXT, digest, sizeof(digest));
}

void pb_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                    uint8_t ret_digest[PB_SHA256_BYTES])
{
    pb_crypto_init();
    if (key_len > SEAL_MAX ||
        !HMAC(sha256, key_len ? key : "", (int)key_len, data, len, ret_digest, NULL))
        abort(); /* only out of memory */
}

/* OpenSSL keeps a queue of reasons per thread; ours is one sentence. */
static int fail_openssl(struct pb_error *err, enum pb_error_code code, const char *what)
{
    ERR_clear_error();
    return pb_fail(err, code, "%s", what);
}

static bool gcm_encrypt(EVP_CIPHER_CTX *ctx, const uint8_t *key, const void *aad, size_t aad_len,
                        const void *plain, size_t len, uint8_t *out)
{
    uint8_t *cipher = out + IV_BYTES;
    int n = 0;

    return EVP_EncryptInit_ex2(ctx, aes_256_gcm, key, out, NULL) == 1 &&
           (aad_len == 0 || EVP_EncryptUpdate(ctx, NULL, &n, aad, (int)aad_len) == 1) &&
           (len == 0 || EVP_EncryptUpdate(ctx, cipher, &n, plain, (int)len) == 1) &&
           EVP_EncryptFinal_ex(ctx, cipher + len, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, cipher + len) == 1;
}

int pb_seal(const uint8_t key[PB_KEY_BYTES], const void *aad, size_t aad_len, const void *plain,
            size_t len, struct pb_buf *ret_sealed, struct pb_error *err)
{
    EVP_CIPHER_CTX *ctx;
    uint8_t *out;
    bool ok;

    pb_crypto_init();
    if (len > SEAL_MAX || aad_len > SEAL_MAX)
        return pb_fail(err, PB_ERROR_TOO_LARGE, "too large to seal");
    out = (uint8_t *)pb_buf_reserve(ret_sealed, len + PB_SEAL_OVERHEAD);
    if (!out)
        return pb_fail(err, PB_ERROR_TOO_LARGE, "no room for the sealed value");
    ctx = EVP_CIPHER_CTX_new();
    pb_random(out, IV_BYTES);
    ok = ctx && gcm_encrypt(ctx, key, aad, aad_len, plain, len, out);
    EVP_CIPHER_CTX_free(ctx);
    if (!ok)
        return fail_openssl(err, PB_ERROR_INTERNAL, "sealing failed");
    ret_sealed->len += len + PB_SEAL_OVERHEAD;
    return 0;
}

static bool gcm_decrypt(EVP_CIPHER_CTX *ctx, const uint8_t *key, const void *aad, size_t aad_len,
                        const uint8_t *sealed, size_t len, uint8_t *out)
{
    const uint8_t *cipher = sealed + IV_BYTES;
    uint8_t tag[TAG_BYTES];
    int n = 0;

    memcpy(tag, cipher + len, sizeof(tag));
    return EVP_DecryptInit_ex2(ctx, aes_256_gcm, key, sealed, NULL) == 1 &&
           (aad_len == 0 || EVP_DecryptUpdate(ctx, NULL, &n, aad, (int)aad_len) == 1) &&
           (len == 0 || EVP_DecryptUpdate(ctx, out, &n, cipher, (int)len) == 1) &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
           EVP_DecryptFinal_ex(ctx, out + len, &n) == 1;
}

int pb_unseal(const uint8_t key[PB_KEY_BYTES], const void *aad, size_t aad_len, const void *sealed,
              size_t len, struct pb_buf *ret_plain, struct pb_error *err)
{
    EVP_CIPHER_CTX *ctx;
    uint8_t *out;
    size_t plain_len;
    bool ok;

    pb_crypto_init();
    if (len < PB_SEAL_OVERHEAD)
        return pb_fail(err, PB_ERROR_DENIED, "the sealed value is cut");
    if (len - PB_SEAL_OVERHEAD > SEAL_MAX || aad_len > SEAL_MAX)
        return pb_fail(err, PB_ERROR_TOO_LARGE, "too large to unseal");
    plain_len = len - PB_SEAL_OVERHEAD;
    out = (uint8_t *)pb_buf_reserve(ret_plain, plain_len);
    if (!out)
        return pb_fail(err, PB_ERROR_TOO_LARGE, "no room for the unsealed value");
    ctx = EVP_CIPHER_CTX_new();
    ok = ctx && gcm_decrypt(ctx, key, aad, aad_len, sealed, plain_len, out);
    EVP_CIPHER_CTX_free(ctx);
    if (!ok) {
        pb_wipe(out, plain_len); /* nothing unauthenticated is left to be used by mistake */
        return fail_openssl(err, PB_ERROR_DENIED,
                            "the value was not sealed with this key and name");
    }
    ret_plain->len += plain_len;
    return 0;
}

static void take_password_slot(void)
{
    while (sem_wait(&password_slots) < 0 && errno == EINTR)
        continue;
}

int pb_password_hash(const char *password, char ret_hash[PB_PASSWORD_HASH_TEXT],
                     struct pb_error *err)
{
    size_t len = strlen(password);
    char hash[crypto_pwhash_argon2id_STRBYTES];
    int failed;

    _Static_assert(sizeof(hash) == PB_PASSWORD_HASH_TEXT, "the header says how long a hash is");
    if (len > PASSWORD_MAX)
        return pb_fail_field(err, "password", "longer than %d bytes", PASSWORD_MAX);
    pb_crypto_init();
    take_password_slot();
    failed = crypto_pwhash_argon2id_str(hash, password, len, PASSWORD_OPERATIONS, PASSWORD_MEMORY);
    (void)sem_post(&password_slots);
    if (failed)
        return pb_fail(err, PB_ERROR_UNAVAILABLE, "no memory to hash a password");
    memcpy(ret_hash, hash, sizeof(hash));
    return 0;
}

bool pb_password_verify(const char *password, const char *hash)
{
    size_t len = strlen(password);
    bool same;

    if (len > PASSWORD_MAX)
        return false;
    pb_crypto_init();
    take_password_slot();
    same = crypto_pwhash_argon2id_str_verify(hash ? hash : NOBODY, password, len) == 0;
    (void)sem_post(&password_slots);
    return same && hash;
}

/* Keys with a passphrase are refused; OpenSSL would ask for it on the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static EVP_PKEY *read_rsa_key(const char *pem, size_t len, struct pb_error *err)
{
    BIO *bio = len <= SEAL_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

    BIO_free(bio);
    if (!key) {
        (void)fail_openssl(err, PB_ERROR_INVALID, "not a private key in PEM form");
        return NULL;
    }
    if (!EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_get_bits(key) < RSA_BITS_MIN) {
        EVP_PKEY_free(key);
        (void)pb_fail(err, PB_ERROR_INVALID, "not an RSA key of %d bits or more", RSA_BITS_MIN);
        return NULL;
    }
    return key;
}

int pb_sign_rs256(const char *pem, size_t pem_len, const void *data, size_t len,
                  struct pb_buf *ret_signature, struct pb_error *err)
{
    EVP_MD_CTX *ctx = NULL;
    EVP_PKEY *key;
    size_t size = 0;
    uint8_t *out;
    int r = -1;

    pb_crypto_init();
    key = read_rsa_key(pem, pem_len, err);
    if (!key)
        return -1;
    size = (size_t)EVP_PKEY_get_size(key);
    out = (uint8_t *)pb_buf_reserve(ret_signature, size);
    if (!out) {
        (void)pb_fail(err, PB_ERROR_TOO_LARGE, "no room for the signature");
        goto out;
    }
    ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestSignInit(ctx, NULL, sha256, NULL, key) != 1 ||
        EVP_DigestSign(ctx, out, &size, data, len) != 1) {
        (void)fail_openssl(err, PB_ERROR_INTERNAL, "signing failed");
        goto out;
    }
    ret_signature->len += size;
    r = 0;
out:
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return r;
}
