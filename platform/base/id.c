#include "base/id.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"

enum { ULID_RANDOM_BYTES = 10 };

static const char CROCKFORD[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static struct {
    pthread_mutex_t lock; /* guards the rest */
    int64_t time_ms;
    uint8_t random[ULID_RANDOM_BYTES];
} last = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The next larger number; false if there was none. */
static bool count_up(uint8_t *bytes, size_t len)
{
    while (len-- > 0)
        if (++bytes[len] != 0)
            return true;
    return false;
}

/* A clock that stands still or steps back must not make names that sort before older ones. */
static void next_ulid(uint8_t ret_bytes[16])
{
    int64_t now = pb_clock_wall_ms();
    uint64_t time_ms;

    (void)pthread_mutex_lock(&last.lock);
    if (now > last.time_ms) {
        last.time_ms = now;
        pb_random(last.random, sizeof(last.random));
        last.random[0] &= 0x7f; /* room to count */
    } else if (!count_up(last.random, sizeof(last.random))) {
        last.time_ms++;
    }
    time_ms = (uint64_t)last.time_ms;
    memcpy(ret_bytes + 6, last.random, sizeof(last.random));
    (void)pthread_mutex_unlock(&last.lock);
    for (int i = 0; i < 6; i++)
        ret_bytes[i] = (uint8_t)(time_ms >> (40 - 8 * i));
}

/* 128 bits as 26 digits of five, the first of three. */
void pb_ulid(char ret_text[PB_ULID_TEXT])
{
    uint8_t bytes[16];

    next_ulid(bytes);
    for (int digit = 0; digit < PB_ULID_TEXT - 1; digit++) {
        unsigned value = 0;

        for (int bit = digit * 5 - 2; bit < digit * 5 + 3; bit++)
            value = value << 1 | (bit < 0 ? 0 : bytes[bit / 8] >> (7 - bit % 8) & 1U);
        ret_text[digit] = CROCKFORD[value];
    }
    ret_text[PB_ULID_TEXT - 1] = '\0';
}

bool pb_ulid_valid(const char *text)
{
    return text && strlen(text) == PB_ULID_TEXT - 1 && text[0] <= '7' &&
           strspn(text, CROCKFORD) == PB_ULID_TEXT - 1;
}

bool pb_uuid_valid(const char *text)
{
    if (!text || strlen(text) != PB_UUID_TEXT - 1)
        return false;
    for (int i = 0; i < PB_UUID_TEXT - 1; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i] != '-')
                return false;
        } else if (!strchr("0123456789abcdefABCDEF", text[i])) {
            return false;
        }
    }
    return true;
}
