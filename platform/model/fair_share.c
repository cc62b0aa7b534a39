#include "model/fair_share.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1024, STRIDE = 1 << 20 };

struct taker {
    struct taker *next;
    int64_t pass;
    char name[];
};

struct pb_fair_share {
    int64_t now; /* the pass of whoever had the last turn */
    size_t count;
    struct taker *buckets[BUCKETS]; /* owned */
};

struct pb_fair_share *pb_fair_share_new(void)
{
    return calloc(1, sizeof(struct pb_fair_share));
}

void pb_fair_share_free(struct pb_fair_share *share)
{
    for (size_t i = 0; share && i < BUCKETS; i++) {
        while (share->buckets[i]) {
            struct taker *taker = share->buckets[i];

            share->buckets[i] = taker->next;
            free(taker);
        }
    }
    free(share);
}

static struct taker **find(struct pb_fair_share *share, const char *name)
{
    struct taker **at;
    unsigned hash = 5381;

    for (const char *c = name; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    for (at = &share->buckets[hash % BUCKETS]; *at; at = &(*at)->next)
        if (strcmp((*at)->name, name) == 0)
            break;
    return at;
}

int64_t pb_fair_share_pass(struct pb_fair_share *share, const char *name)
{
    const struct taker *taker = *find(share, name);

    return taker && taker->pass > share->now ? taker->pass : share->now;
}

int pb_fair_share_charge(struct pb_fair_share *share, const char *name, int64_t weight,
                         struct pb_error *err)
{
    struct taker **at = find(share, name);
    int64_t pass = pb_fair_share_pass(share, name);

    share->now = pass;
    if (!*at) {
        struct taker *taker = calloc(1, sizeof(*taker) + strlen(name) + 1);

        if (!taker)
            return pb_fail(err, PB_ERROR_LIMITED, "no memory for whose turn it is");
        memcpy(taker->name, name, strlen(name) + 1);
        *at = taker;
        share->count++;
    }
    (*at)->pass = pass + STRIDE / (weight < 1 ? 1 : weight);
    return 0;
}

void pb_fair_share_prune(struct pb_fair_share *share)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct taker **at = &share->buckets[i]; *at;) {
            struct taker *taker = *at;

            if (taker->pass > share->now) {
                at = &taker->next;
                continue;
            }
            *at = taker->next;
            free(taker);
            share->count--;
        }
    }
}

size_t pb_fair_share_count(const struct pb_fair_share *share)
{
    return share->count;
}
