/* What a writer does with a wish, whatever it keeps lines in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "server/store/log_store_private.h"

int pb_log_entry_fresh(struct pb_log_entry *entry, const struct pb_log_state *now,
                       struct pb_log_fresh *ret_fresh, struct pb_error *err)
{
    uint64_t next = pb_log_sender_next(now, entry->attempt);
    uint64_t seq = entry->seq == PB_LOG_SEQ_NEXT ? next : entry->seq;
    const char *data = entry->data;

    entry->ack.next_seq = next;
    entry->ack.first_line = now->lines;
    if (seq > next)
        return pb_fail_reason(err, PB_ERROR_CONFLICT, "gap",
                              "lines %llu to %llu of attempt %u are missing",
                              (unsigned long long)next, (unsigned long long)seq - 1,
                              entry->attempt);
    *ret_fresh = (struct pb_log_fresh){.count = 0};
    if (seq + entry->count <= next)
        return 0; /* it is all there, or earlier in this batch */
    for (uint64_t i = seq; i < next; i++)
        data = strchr(data, '\n') + 1;
    *ret_fresh = (struct pb_log_fresh){
        .data = data,
        .len = entry->len - (size_t)(data - entry->data),
        .count = (uint32_t)(seq + entry->count - next),
    };
    return 0;
}

bool pb_log_entry_is_over(const struct pb_log_entry *entry, const struct pb_log_state *now,
                          size_t len, uint64_t log_max)
{
    return entry->attempt != PB_LOG_ATTEMPT_PLATFORM && log_max > 0 && now->bytes + len > log_max;
}

size_t pb_log_limit_line(char ret_line[PB_LOG_LIMIT_LINE], const struct pb_log_state *now,
                         uint64_t log_max)
{
    bool is_small = log_max < 10 << 20;

    if (now->dropped > 0)
        return 0;
    return (size_t)snprintf(
        ret_line, PB_LOG_LIMIT_LINE,
        "%013lld x this log has reached its limit of %llu %s; what follows is not kept\n",
        (long long)pb_clock_wall_ms(),
        (unsigned long long)(is_small ? log_max >> 10 : log_max >> 20), is_small ? "KiB" : "MiB");
}

void pb_log_state_born(struct pb_log_state *state)
{
    while (state->birth == 0)
        pb_random(&state->birth, sizeof(state->birth));
}

void pb_log_entries_deliver(struct pb_log_entry *batch)
{
    struct pb_log_entry *next;

    for (struct pb_log_entry *entry = batch; entry; entry = next) {
        next = entry->next;
        if (entry->done)
            entry->done(entry->arg, &entry->ack, entry->failed ? &entry->err : NULL);
        free(entry);
    }
}
