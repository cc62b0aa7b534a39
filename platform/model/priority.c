#include "model/priority.h"

#include <string.h>

#include "base/text.h"

#define HOUR_MS INT64_C(3600000)
#define PREFIX  "priority:"

static const struct {
    const char *name;
    int64_t value;
    int64_t head_start_ms;
} ROWS[] = {
#define X(priority, name, value, hours) {name, value, (hours)*HOUR_MS},
    PB_PRIORITIES(X)
#undef X
};
enum { ROW_COUNT = sizeof(ROWS) / sizeof(ROWS[0]) };

static size_t row_of(int64_t priority)
{
    size_t row = 0;

    while (row + 1 < ROW_COUNT && ROWS[row].value < priority)
        row++;
    return row;
}

const char *pb_priority_name(int64_t priority)
{
    return ROWS[row_of(priority)].name;
}

bool pb_priority_find(const char *name, int64_t *ret_priority)
{
    for (size_t i = 0; name && i < ROW_COUNT; i++) {
        if (pb_text_equal_nocase(ROWS[i].name, name)) {
            *ret_priority = ROWS[i].value;
            return true;
        }
    }
    return false;
}

static bool read_label(const char *label, int64_t *ret_priority)
{
    char prefix[sizeof(PREFIX)] = "";

    if (!label || strlen(label) < sizeof(prefix))
        return false;
    memcpy(prefix, label, sizeof(prefix) - 1);
    return pb_text_equal_nocase(prefix, PREFIX) &&
           pb_priority_find(label + sizeof(prefix) - 1, ret_priority);
}

bool pb_priority_from_labels(const char *const *labels, size_t count, int64_t *ret_priority)
{
    bool found = false;

    for (size_t i = 0; i < count; i++) {
        int64_t priority;

        if (!read_label(labels[i], &priority) || (found && priority <= *ret_priority))
            continue;
        *ret_priority = priority;
        found = true;
    }
    return found;
}

int64_t pb_queue_place(int64_t queued_at, int64_t priority, int64_t deadline_at)
{
    int64_t by_age = queued_at - ROWS[row_of(priority)].head_start_ms;
    int64_t by_deadline = deadline_at - ROWS[ROW_COUNT - 1].head_start_ms;

    return deadline_at && by_deadline < by_age ? by_deadline : by_age;
}
