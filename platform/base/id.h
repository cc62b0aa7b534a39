/* Names nobody else has: ULIDs (sortable by time). UUIDs are others' names; we only look at them. */
#ifndef PB_BASE_ID_H
#define PB_BASE_ID_H

#include <stdbool.h>

enum {
    PB_ULID_TEXT = 27, /* 26 characters of Crockford base 32, and a NUL */
    PB_UUID_TEXT = 37,
};

void pb_ulid(char ret_text[PB_ULID_TEXT]); /* grows also within one millisecond; any thread */
bool pb_ulid_valid(const char *text);
bool pb_uuid_valid(const char *text);

#endif
