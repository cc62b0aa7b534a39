/*
 * Replies to what many people look at again and again, kept for as long as what they were made of stays as
 * it is (pb_read_generation()). A key names everything else a reply depends on: address, query, rights.
 *
 * A reply is kept when it was asked for twice lately, so that a walk through a long history throws nothing
 * out. There is room for 64 replies of at most 64 KiB. Any thread; never waits for long.
 */
#ifndef PB_SERVER_API_REPLY_CACHE_H
#define PB_SERVER_API_REPLY_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "net/shared_bytes.h"

enum { PB_ETAG_TEXT = 19, PB_REPLY_KEY_MAX = 1024 };

struct pb_reply_cache;

struct pb_reply_cache *pb_reply_cache_new(struct pb_error *err) PB_MUST_CHECK;
void pb_reply_cache_free(struct pb_reply_cache *cache); /* NULL is fine */

/* The body, to be unreferenced, and its ETag; NULL when there is none of this generation. */
struct pb_shared_bytes *pb_reply_cache_find(struct pb_reply_cache *cache, const char *key,
                                            uint64_t generation, char ret_etag[PB_ETAG_TEXT]);
/* `generation` was asked for before anything was read for this reply; 0 = do not keep. */
void pb_reply_cache_keep(struct pb_reply_cache *cache, const char *key, uint64_t generation,
                         const char *body, size_t len, const char *etag);

/* "\"0123456789abcdef\"": other bytes, another text. */
void pb_reply_etag(const char *body, size_t len, char ret_etag[PB_ETAG_TEXT]);

#endif
