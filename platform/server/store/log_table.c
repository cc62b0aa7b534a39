#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "server/store/log_files_private.h"

enum { TRIM_STEPS = 64 };

void pb_log_table_init(struct pb_log_table *table, int dir, pthread_mutex_t *lock)
{
    *table = (struct pb_log_table){.dir = dir, .lock = lock};
    TAILQ_INIT(&table->by_use);
    TAILQ_INIT(&table->open);
}

/* The last characters of a ULID are random. */
static size_t bucket_of(const char *execution)
{
    return pb_crc32c(0, execution, strlen(execution)) % PB_LOG_BUCKETS;
}

struct pb_log_segment *pb_log_table_find(struct pb_log_table *table, const char *execution)
{
    struct pb_log_segment *segment = table->buckets[bucket_of(execution)];

    while (segment && strcmp(segment->execution, execution) != 0)
        segment = segment->next;
    return segment;
}

void pb_log_table_shut(struct pb_log_table *table, struct pb_log_segment *segment)
{
    if (segment->fd < 0)
        return;
    pb_close(&segment->fd);
    TAILQ_REMOVE(&table->open, segment, by_open);
    table->open_count--;
}

static void forget(struct pb_log_table *table, struct pb_log_segment *segment)
{
    struct pb_log_segment **at = &table->buckets[bucket_of(segment->execution)];

    pb_log_table_shut(table, segment);
    while (*at != segment)
        at = &(*at)->next;
    *at = segment->next;
    TAILQ_REMOVE(&table->by_use, segment, by_use);
    table->count--;
    free(segment);
}

void pb_log_table_release(struct pb_log_table *table)
{
    struct pb_log_segment *segment;

    while ((segment = TAILQ_FIRST(&table->by_use)))
        forget(table, segment);
}

static void insert(struct pb_log_table *table, struct pb_log_segment *segment)
{
    size_t bucket = bucket_of(segment->execution);

    pthread_mutex_lock(table->lock);
    segment->next = table->buckets[bucket];
    table->buckets[bucket] = segment;
    TAILQ_INSERT_HEAD(&table->by_use, segment, by_use);
    table->count++;
    pthread_mutex_unlock(table->lock);
}

struct pb_log_segment *pb_log_table_get(struct pb_log_table *table, const char *execution,
                                        struct pb_error *err)
{
    struct pb_log_segment *segment = pb_log_table_find(table, execution);

    if (segment) { /* the list by use is the writer's alone */
        TAILQ_REMOVE(&table->by_use, segment, by_use);
        TAILQ_INSERT_HEAD(&table->by_use, segment, by_use);
        return segment;
    }
    segment = calloc(1, sizeof(*segment));
    if (!segment) {
        pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    segment->fd = -1;
    memcpy(segment->execution, execution, PB_ULID_TEXT);
    if (pb_log_state_load(table->dir, execution, &segment->now, &segment->generation, err) < 0) {
        free(segment);
        return NULL;
    }
    segment->seen = segment->now;
    insert(table, segment);
    return segment;
}

int pb_log_table_open(struct pb_log_table *table, struct pb_log_segment *segment,
                      struct pb_error *err)
{
    if (segment->is_moved) {
        pb_log_table_shut(table, segment);
        segment->is_moved = false;
    }
    if (segment->fd >= 0) {
        TAILQ_REMOVE(&table->open, segment, by_open);
        TAILQ_INSERT_HEAD(&table->open, segment, by_open);
        return 0;
    }
    if (table->open_count >= PB_LOG_OPEN_MAX)
        pb_log_table_shut(table, TAILQ_LAST(&table->open, pb_log_segments));
    segment->fd = pb_log_segment_open(table->dir, segment->execution, &segment->now, err);
    if (segment->fd < 0)
        return -1;
    TAILQ_INSERT_HEAD(&table->open, segment, by_open);
    table->open_count++;
    return 0;
}

void pb_log_table_trim(struct pb_log_table *table)
{
    struct pb_log_segment *segment, *before;
    int steps = 0;

    pthread_mutex_lock(table->lock);
    for (segment = TAILQ_LAST(&table->by_use, pb_log_segments);
         segment && table->count > PB_LOG_TABLE_MAX && steps < TRIM_STEPS;
         segment = before, steps++) {
        before = TAILQ_PREV(segment, pb_log_segments, by_use);
        if (!segment->is_dirty)
            forget(table, segment);
    }
    pthread_mutex_unlock(table->lock);
}

int pb_log_table_settle(struct pb_log_table *table, struct pb_error *err)
{
    struct pb_log_segment *segment;

    TAILQ_FOREACH(segment, &table->by_use, by_use)
    {
        uint64_t bytes = segment->now.bytes - segment->now.sealed_bytes;

        if (!segment->is_dirty || bytes == 0)
            continue;
        if (pb_log_table_open(table, segment, err) < 0)
            return -1;
        if (ftruncate(segment->fd, (off_t)bytes) < 0)
            return pb_fail_errno(err, "log of %s", segment->execution);
    }
    return 0;
}
