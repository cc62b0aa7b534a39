#include "server/api/reply_cache.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPLIES_MAX = 64, BODY_MAX = 64 << 10, SEEN_MAX = 256 };

struct kept {
    char *key; /* owned; NULL = the place is free */
    uint64_t hash;
    uint64_t generation;
    uint64_t used_at;
    struct pb_shared_bytes *body; /* referenced */
    char etag[PB_ETAG_TEXT];
};

struct pb_reply_cache {
    pthread_mutex_t lock; /* guards what follows */
    uint64_t clock;
    uint64_t seen[SEEN_MAX]; /* keys asked for lately, by their hash */
    struct kept kept[REPLIES_MAX];
};

/* For what people read, not for what they might make collide on purpose: who can is signed in. */
static uint64_t hash_bytes(const char *data, size_t len)
{
    uint64_t hash = UINT64_C(0x9e3779b97f4a7c15) ^ len, word;

    for (; len >= sizeof(word); data += sizeof(word), len -= sizeof(word)) {
        memcpy(&word, data, sizeof(word));
        hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
        hash ^= hash >> 32;
    }
    word = 0;
    if (len > 0)
        memcpy(&word, data, len);
    hash = (hash ^ word) * UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ hash >> 29;
}

void pb_reply_etag(const char *body, size_t len, char ret_etag[PB_ETAG_TEXT])
{
    (void)snprintf(ret_etag, PB_ETAG_TEXT, "\"%016llx\"",
                   (unsigned long long)hash_bytes(body, len));
}

struct pb_reply_cache *pb_reply_cache_new(struct pb_error *err)
{
    struct pb_reply_cache *cache = calloc(1, sizeof(*cache));

    if (cache)
        (void)pthread_mutex_init(&cache->lock, NULL);
    else
        (void)pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
    return cache;
}

static void drop(struct kept *kept)
{
    free(kept->key);
    pb_shared_bytes_unref(kept->body);
    memset(kept, 0, sizeof(*kept));
}

void pb_reply_cache_free(struct pb_reply_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < REPLIES_MAX; i++)
        drop(&cache->kept[i]);
    (void)pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* The key's place, else a free one, else that of what nobody asked for the longest. */
static struct kept *place_of(struct pb_reply_cache *cache, const char *key, uint64_t hash)
{
    struct kept *oldest = &cache->kept[0];

    for (size_t i = 0; i < REPLIES_MAX; i++) {
        struct kept *kept = &cache->kept[i];

        if (kept->key && kept->hash == hash && strcmp(kept->key, key) == 0)
            return kept;
        if (kept->used_at < oldest->used_at)
            oldest = kept;
    }
    return oldest;
}

struct pb_shared_bytes *pb_reply_cache_find(struct pb_reply_cache *cache, const char *key,
                                            uint64_t generation, char ret_etag[PB_ETAG_TEXT])
{
    uint64_t hash = hash_bytes(key, strlen(key));
    struct pb_shared_bytes *body = NULL;
    struct kept *kept;

    if (generation == 0)
        return NULL;
    (void)pthread_mutex_lock(&cache->lock);
    kept = place_of(cache, key, hash);
    if (kept->key && kept->hash == hash && strcmp(kept->key, key) == 0 &&
        kept->generation == generation) {
        kept->used_at = ++cache->clock;
        body = kept->body;
        pb_shared_bytes_ref(body);
        memcpy(ret_etag, kept->etag, PB_ETAG_TEXT);
    }
    (void)pthread_mutex_unlock(&cache->lock);
    return body;
}

/* Was it asked for before? From now on it was. */
static bool note_seen(struct pb_reply_cache *cache, uint64_t hash)
{
    uint64_t *seen = &cache->seen[hash % SEEN_MAX];
    bool was_seen = *seen == hash;

    *seen = hash;
    return was_seen;
}

void pb_reply_cache_keep(struct pb_reply_cache *cache, const char *key, uint64_t generation,
                         const char *body, size_t len, const char *etag)
{
    uint64_t hash = hash_bytes(key, strlen(key));
    struct kept made = {.hash = hash, .generation = generation}, old;
    bool is_wanted;

    if (generation == 0 || len > BODY_MAX)
        return;
    (void)pthread_mutex_lock(&cache->lock);
    is_wanted = note_seen(cache, hash);
    (void)pthread_mutex_unlock(&cache->lock);
    if (!is_wanted)
        return;
    made.key = strdup(key);
    made.body = pb_shared_bytes_new(len);
    if (!made.key || !made.body) {
        drop(&made);
        return; /* without it the next one is made anew */
    }
    memcpy(made.body->data, body, len);
    memcpy(made.etag, etag, PB_ETAG_TEXT);
    (void)pthread_mutex_lock(&cache->lock);
    made.used_at = ++cache->clock;
    old = *place_of(cache, key, hash);
    *place_of(cache, key, hash) = made;
    (void)pthread_mutex_unlock(&cache->lock);
    drop(&old);
}
