/*
 * The key that opens every seal: 64 hex digits in a regular file that is ours
 * and nobody else's to read (0600).
 */
#ifndef PB_SERVER_SERVICES_KEY_FILE_H
#define PB_SERVER_SERVICES_KEY_FILE_H

#include <stdint.h>

#include "base/crypto.h"
#include "base/error.h"

/* NOT_FOUND when there is none; DENIED when others could read it, or it is not ours. */
int pb_key_file_read(const char *path, uint8_t ret_key[PB_KEY_BYTES],
                     struct pb_error *err) PB_MUST_CHECK;
/* A new one, with its folder (0700). */
int pb_key_file_make(const char *path, uint8_t ret_key[PB_KEY_BYTES],
                     struct pb_error *err) PB_MUST_CHECK;

#endif
