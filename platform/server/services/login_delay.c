#include "server/services/login_delay.h"

#include <ctype.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"

enum { ENTRIES = 4096, FREE_TRIES = 5, LONGEST_MS = 300 * 1000, FORGET_MS = 3600 * 1000 };

struct entry {
    uint8_t who[PB_SHA256_BYTES]; /* account and address */
    unsigned failures;
    int64_t last_ms;
};

struct pb_login_delay {
    pthread_mutex_t lock; /* guards everything below */
    struct entry entries[ENTRIES];
};

struct pb_login_delay *pb_login_delay_new(void)
{
    struct pb_login_delay *delay = calloc(1, sizeof(*delay));

    if (delay)
        (void)pthread_mutex_init(&delay->lock, NULL);
    return delay;
}

void pb_login_delay_free(struct pb_login_delay *delay)
{
    if (!delay)
        return;
    (void)pthread_mutex_destroy(&delay->lock);
    free(delay);
}

static void digest_of(const char *username, const char *address, uint8_t ret[PB_SHA256_BYTES])
{
    struct pb_buf text;

    pb_buf_init(&text, 1024);
    for (; *username; username++)
        pb_buf_char(&text, (char)tolower((unsigned char)*username));
    pb_buf_char(&text, '\n');
    pb_buf_text(&text, address);
    pb_sha256(text.data, text.len, ret);
    pb_buf_release(&text);
}

/* The entry of this pair, else the one to forget for it. */
static struct entry *find(struct pb_login_delay *delay, const uint8_t who[PB_SHA256_BYTES],
                          bool *ret_found)
{
    struct entry *oldest = &delay->entries[0];

    for (size_t i = 0; i < ENTRIES; i++) {
        struct entry *entry = &delay->entries[i];

        if (entry->failures > 0 && memcmp(entry->who, who, PB_SHA256_BYTES) == 0) {
            *ret_found = true;
            return entry;
        }
        if (entry->last_ms < oldest->last_ms)
            oldest = entry;
    }
    *ret_found = false;
    return oldest;
}

static int64_t wait_for(unsigned failures)
{
    unsigned doublings = failures <= FREE_TRIES ? 0 : failures - FREE_TRIES - 1;

    if (failures <= FREE_TRIES)
        return 0;
    return doublings >= 9 ? LONGEST_MS : (int64_t)1000 << doublings;
}

int64_t pb_login_delay_left(struct pb_login_delay *delay, const char *username, const char *address,
                            int64_t now_ms)
{
    uint8_t who[PB_SHA256_BYTES];
    struct entry *entry;
    int64_t left = 0;
    bool found;

    digest_of(username, address, who);
    (void)pthread_mutex_lock(&delay->lock);
    entry = find(delay, who, &found);
    if (found)
        left = entry->last_ms + wait_for(entry->failures) - now_ms;
    (void)pthread_mutex_unlock(&delay->lock);
    return left > 0 ? left : 0;
}

void pb_login_delay_failed(struct pb_login_delay *delay, const char *username, const char *address,
                           int64_t now_ms)
{
    uint8_t who[PB_SHA256_BYTES];
    struct entry *entry;
    bool found;

    digest_of(username, address, who);
    (void)pthread_mutex_lock(&delay->lock);
    entry = find(delay, who, &found);
    if (!found || now_ms - entry->last_ms > FORGET_MS)
        *entry = (struct entry){.failures = 0};
    memcpy(entry->who, who, sizeof(who));
    entry->failures++;
    entry->last_ms = now_ms;
    (void)pthread_mutex_unlock(&delay->lock);
}

void pb_login_delay_succeeded(struct pb_login_delay *delay, const char *username,
                              const char *address)
{
    uint8_t who[PB_SHA256_BYTES];
    struct entry *entry;
    bool found;

    digest_of(username, address, who);
    (void)pthread_mutex_lock(&delay->lock);
    entry = find(delay, who, &found);
    if (found)
        *entry = (struct entry){.failures = 0};
    (void)pthread_mutex_unlock(&delay->lock);
}
