#include "server/services/login_delay.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/text.h"

enum { ENTRIES = 4096, FREE_TRIES = 5, LONGEST_MS = 300 * 1000, FORGET_MS = 3600 * 1000 };

struct entry {
    uint8_t who[PB_SHA256_BYTES]; /* account and address */
    unsigned failures;            /* 0 = the place is free */
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

/* What an attacker has only one of: the address, of IPv6 its first half. */
static void put_network(struct pb_buf *text, const char *address)
{
    struct in6_addr six;

    if (inet_pton(AF_INET6, address, &six) == 1 && !IN6_IS_ADDR_V4MAPPED(&six))
        pb_buf_hex(text, six.s6_addr, 8);
    else
        pb_buf_text(text, address);
}

static void digest_of(const char *username, const char *address, uint8_t ret[PB_SHA256_BYTES])
{
    struct pb_buf text;

    pb_buf_init(&text, 1024);
    put_network(&text, address);
    pb_buf_char(&text, '\n');
    for (; *username; username++)
        pb_buf_char(&text, (char)tolower((unsigned char)*username));
    pb_sha256(text.data, text.len, ret);
    pb_buf_release(&text);
}

/* Would b be missed more than a? */
static bool is_less(const struct entry *a, const struct entry *b)
{
    return a->failures != b->failures ? a->failures < b->failures : a->last_ms < b->last_ms;
}

/* The entry of this pair, else the one to forget for it, emptied. */
static struct entry *find(struct pb_login_delay *delay, const uint8_t who[PB_SHA256_BYTES],
                          int64_t now_ms)
{
    struct entry *least = &delay->entries[0];

    for (size_t i = 0; i < ENTRIES; i++) {
        struct entry *entry = &delay->entries[i];

        if (now_ms - entry->last_ms > FORGET_MS)
            entry->failures = 0;
        if (entry->failures > 0 && memcmp(entry->who, who, PB_SHA256_BYTES) == 0)
            return entry;
        if (is_less(entry, least))
            least = entry;
    }
    *least = (struct entry){.last_ms = now_ms};
    memcpy(least->who, who, PB_SHA256_BYTES);
    return least;
}

static int64_t wait_for(unsigned failures)
{
    unsigned doublings = failures <= FREE_TRIES ? 0 : failures - FREE_TRIES - 1;

    if (failures <= FREE_TRIES)
        return 0;
    return doublings >= 9 ? LONGEST_MS : (int64_t)1000 << doublings;
}

int64_t pb_login_delay_try(struct pb_login_delay *delay, const char *username, const char *address,
                           int64_t now_ms)
{
    uint8_t who[PB_SHA256_BYTES];
    struct entry *entry;
    int64_t left;

    digest_of(username, address, who);
    (void)pthread_mutex_lock(&delay->lock);
    entry = find(delay, who, now_ms);
    left = entry->last_ms + wait_for(entry->failures) - now_ms;
    if (left <= 0) {
        entry->failures++;
        entry->last_ms = now_ms;
    }
    (void)pthread_mutex_unlock(&delay->lock);
    return left > 0 ? left : 0;
}

void pb_login_delay_succeeded(struct pb_login_delay *delay, const char *username,
                              const char *address)
{
    uint8_t who[PB_SHA256_BYTES];

    digest_of(username, address, who);
    (void)pthread_mutex_lock(&delay->lock);
    for (size_t i = 0; i < ENTRIES; i++)
        if (memcmp(delay->entries[i].who, who, PB_SHA256_BYTES) == 0)
            delay->entries[i].failures = 0;
    (void)pthread_mutex_unlock(&delay->lock);
}
