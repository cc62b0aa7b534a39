/*
 * Marks on their way: found line by line, kept packed.
 *
 *   packed: ( lines since the last mark: 7 bits a byte, low ones first, top bit = more
 *             kind: its letter
 *             length of the title, the title )*
 */
#ifndef PB_SERVER_STORE_LOG_MARKS_PRIVATE_H
#define PB_SERVER_STORE_LOG_MARKS_PRIVATE_H

#include <stdbool.h>

#include "base/buf.h"
#include "model/limits.h"
#include "server/store/log_store.h"

struct pb_log_marking {
    pb_log_mark_fn *fn;
    void *arg;
    bool in_result; /* the lines before were a tool's result, or unknown */
};

enum {
    PB_LOG_MARKS_BYTES = PB_LIMIT_LOG_MARKS * (PB_LOG_TITLE + 12)
}; /* no packed ones are more */

/* Goes over whole lines, the first being number `line`. What `fn` returned when it was not 0. */
int pb_log_marks_find(struct pb_log_marking *marking, uint64_t line, const char *text, size_t len);

/* At most PB_LIMIT_LOG_MARKS are kept, the first ones. */
struct pb_log_packed_marks {
    struct pb_buf packed;
    uint64_t last;
    uint32_t count;
};
void pb_log_marks_init(struct pb_log_packed_marks *marks);
void pb_log_marks_release(struct pb_log_packed_marks *marks);
/* A pb_log_mark_fn; arg: the packed marks. Always 0. */
int pb_log_marks_pack(void *arg, const struct pb_log_mark *mark);
/* False where it is not what was packed; `fn` has had what came before. *ret_r: what `fn` said last. */
bool pb_log_marks_unpack(const char *packed, size_t len, pb_log_mark_fn *fn, void *arg, int *ret_r);

#endif
