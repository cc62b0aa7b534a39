/*
 * Sealing, hashing, randomness, passwords: one of the doors to OpenSSL, and
 * the door to libsodium. Nothing here knows what is being protected.
 */
#ifndef PB_BASE_CRYPTO_H
#define PB_BASE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum {
    PB_KEY_BYTES = 32,
    PB_SHA256_BYTES = 32,
    PB_SHA256_TEXT = 65, /* lower-case hex and a NUL */
    PB_SEAL_OVERHEAD = 12 + 16,
    PB_PASSWORD_HASH_TEXT = 128,
};

void pb_crypto_init(void); /* once, before threads */
void pb_random(void *ret_data,
               size_t len); /* getrandom(2); ends the process if the kernel refuses */
void pb_wipe(void *data, size_t len);
void pb_wipe_free(char *text); /* wipes up to its NUL, frees; NULL is fine */
bool pb_secret_equal(const void *a, const void *b, size_t len); /* constant time */

void pb_sha256(const void *data, size_t len, uint8_t ret_digest[PB_SHA256_BYTES]);
void pb_sha256_text(const void *data, size_t len, char ret_hex[PB_SHA256_TEXT]);
void pb_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                    uint8_t ret_digest[PB_SHA256_BYTES]);

/* AES-256-GCM. Appends iv (12) ‖ ciphertext ‖ tag (16). `aad` is bound but not stored. */
int pb_seal(const uint8_t key[PB_KEY_BYTES], const void *aad, size_t aad_len, const void *plain,
            size_t len, struct pb_buf *ret_sealed, struct pb_error *err) PB_MUST_CHECK;
/* DENIED when key, aad or a single bit is not the one used to seal. */
int pb_unseal(const uint8_t key[PB_KEY_BYTES], const void *aad, size_t aad_len, const void *sealed,
              size_t len, struct pb_buf *ret_plain, struct pb_error *err) PB_MUST_CHECK;

/* argon2id, m = 19 MiB, t = 2, p = 1 (OWASP's second choice); at most two run at once, others wait. */
int pb_password_hash(const char *password, char ret_hash[PB_PASSWORD_HASH_TEXT],
                     struct pb_error *err) PB_MUST_CHECK;
/* `hash` NULL runs against a fixed hash and says false: equal time for unknown users. */
bool pb_password_verify(const char *password, const char *hash);

/* PEM RSA key → RS256 signature. Nobody signs yet: GitHub Apps will. */
int pb_sign_rs256(const char *pem, size_t pem_len, const void *data, size_t len,
                  struct pb_buf *ret_signature, struct pb_error *err) PB_MUST_CHECK;

#endif
