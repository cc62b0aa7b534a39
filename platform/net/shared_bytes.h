/* Bytes that are built once and sent to many: refcounted from any thread, never changed once they are shared. */
#ifndef PB_NET_SHARED_BYTES_H
#define PB_NET_SHARED_BYTES_H

#include <stddef.h>

#include "base/error.h"

struct pb_shared_bytes {
    _Atomic unsigned refs;
    size_t len;
    char data[];
};

struct pb_shared_bytes *pb_shared_bytes_new(size_t len) PB_MUST_CHECK; /* one reference */
void pb_shared_bytes_ref(struct pb_shared_bytes *shared);
void pb_shared_bytes_unref(struct pb_shared_bytes *shared); /* NULL is fine */

#endif
