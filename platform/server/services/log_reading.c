#include "server/services/log_reading.h"

#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"
#include "model/limits.h"
#include "server/services/platform.h"
#include "server/store/execution_store.h"
#include "server/store/log_store.h"
#include "server/store/store.h"

enum {
    SEARCH_MS = 2000, /* of one request; the next one goes on where this one stopped */
    BEFORE_MAX = 100, /* bytes of a line shown around a match */
    MATCH_MAX = 200,
    AFTER_MAX = 200,
    STREAM_AT = 14,
};

static int check_exists(struct pb_platform *platform, const char *id, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_execution *execution;
    struct pb_arena arena;
    int r;

    if (!db)
        return -1;
    pb_arena_init(&arena, 4 << 20);
    r = pb_execution_load(db, &arena, id, &execution, err);
    pb_arena_release(&arena);
    return r;
}

static struct pb_log_part part_of(const struct pb_log_info *info)
{
    return (struct pb_log_part){
        .lines = (int64_t)info->lines,
        .bytes = (int64_t)info->bytes,
        .dropped = (int64_t)info->dropped,
        .complete = info->complete,
        .damaged_from = (int64_t)info->damaged_from,
        .damaged_lines = (int64_t)info->damaged_lines,
        .birth = info->birth,
    };
}

int pb_read_log(struct pb_platform *platform, const char *id, const struct pb_log_wish *wish,
                struct pb_buf *ret_text, struct pb_log_part *ret_part, struct pb_error *err)
{
    struct pb_log_range range = {
        .from = (uint64_t)wish->from,
        .count = (uint64_t)(wish->tail > 0 ? wish->tail : wish->count),
        .tail = wish->tail > 0,
    };
    struct pb_log_info info;
    uint64_t count, from;

    if (check_exists(platform, id, err) < 0 ||
        pb_log_read(platform->log_store, id, &range, ret_text, &from, &count, &info, err) < 0)
        return -1;
    *ret_part = part_of(&info);
    ret_part->from = (int64_t)from;
    ret_part->count = (int64_t)count;
    return 0;
}

/* --- marks and hits ------------------------------------------------------------------------------ */

struct listing {
    struct pb_json_writer *w;
    bool with_text;
    int64_t limit, count;
};

static void begin(struct pb_json_writer *w)
{
    pb_json_begin_object(w, NULL);
    pb_json_begin_array(w, "items");
}

static void end(struct pb_json_writer *w, uint64_t next, const struct pb_log_info *info)
{
    pb_json_end_array(w);
    pb_json_put_int(w, "next", (int64_t)next);
    pb_json_put_int(w, "lines", (int64_t)info->lines);
    pb_json_put_bool(w, "complete", info->complete);
    pb_json_end_object(w);
}

static const char *word_of(enum pb_log_mark_kind kind)
{
    switch (kind) {
#define X(name, letter, word) \
    case PB_LOG_MARK_##name:  \
        return word;
        PB_LOG_MARKS(X)
#undef X
    }
    return "";
}

static int put_mark(void *arg, const struct pb_log_mark *mark)
{
    struct listing *listing = arg;

    pb_json_begin_object(listing->w, NULL);
    pb_json_put_int(listing->w, "line", (int64_t)mark->line);
    pb_json_put_text(listing->w, "kind", word_of(mark->kind));
    pb_json_put_bytes(listing->w, "title", mark->title, mark->title_len);
    pb_json_end_object(listing->w);
    return ++listing->count == PB_LIMIT_LOG_MARKS;
}

int pb_read_log_marks(struct pb_platform *platform, const char *id, int64_t from,
                      struct pb_json_writer *w, struct pb_error *err)
{
    struct listing listing = {.w = w};
    struct pb_log_info info;
    uint64_t next;

    if (check_exists(platform, id, err) < 0)
        return -1;
    begin(w);
    if (pb_log_marks(platform->log_store, id, (uint64_t)from, put_mark, &listing, &next, &info,
                     err) < 0)
        return -1;
    end(w, next, &info);
    return 0;
}

static int64_t time_of(const struct pb_log_hit *hit)
{
    int64_t ms = 0;

    for (size_t i = 0; i < hit->len && hit->text[i] >= '0' && hit->text[i] <= '9'; i++)
        ms = ms * 10 + (hit->text[i] - '0');
    return ms;
}

/* The match, and a little of what is around it, whole characters. */
static void put_text(struct pb_json_writer *w, const struct pb_log_hit *hit)
{
    const char *text = hit->text + PB_LOG_PREFIX;
    size_t len = hit->len - PB_LOG_PREFIX;
    size_t first = hit->at > BEFORE_MAX ? hit->at - BEFORE_MAX : 0;
    size_t after = hit->at + hit->match_len;
    char stream[] = {hit->text[STREAM_AT], '\0'};

    while (first < hit->at && (text[first] & 0xc0) == 0x80)
        first++;
    pb_json_put_time(w, "time", time_of(hit));
    pb_json_put_text(w, "stream", stream);
    pb_json_put_bytes(w, "before", text + first, hit->at - first);
    pb_json_put_bytes(w, "match", text + hit->at,
                      pb_utf8_cut(text + hit->at, hit->match_len, MATCH_MAX));
    pb_json_put_bytes(w, "after", text + after, pb_utf8_cut(text + after, len - after, AFTER_MAX));
}

static int put_hit(void *arg, const struct pb_log_hit *hit)
{
    struct listing *listing = arg;

    pb_json_begin_object(listing->w, NULL);
    pb_json_put_int(listing->w, "line", (int64_t)hit->line);
    if (listing->with_text)
        put_text(listing->w, hit);
    pb_json_end_object(listing->w);
    return ++listing->count == listing->limit;
}

int pb_read_log_search(struct pb_platform *platform, const char *id,
                       const struct pb_log_search_wish *wish, struct pb_json_writer *w,
                       struct pb_error *err)
{
    struct listing listing = {.w = w, .with_text = wish->with_text, .limit = wish->limit};
    struct pb_log_query query = {
        .text = wish->query,
        .is_regex = wish->is_regex,
        .is_exact = wish->is_exact,
        .from = (uint64_t)wish->from,
        .until_ms = pb_clock_steady_ms() + SEARCH_MS,
    };
    struct pb_log_info info;
    uint64_t next;

    if (check_exists(platform, id, err) < 0)
        return -1;
    begin(w);
    if (pb_log_search(platform->log_store, id, &query, put_hit, &listing, &next, &info, err) < 0)
        return -1;
    end(w, next, &info);
    return 0;
}

/* --- the text alone ------------------------------------------------------------------------------ */

struct pb_log_reader *pb_read_log_open(struct pb_platform *platform, const char *id,
                                       struct pb_error *err)
{
    return check_exists(platform, id, err) < 0 ? NULL
                                               : pb_log_reader_open(platform->log_store, id, err);
}

void pb_read_log_close(struct pb_log_reader *reader)
{
    pb_log_reader_close(reader);
}

struct pb_log_part pb_read_log_part(const struct pb_log_reader *reader)
{
    return part_of(pb_log_reader_info(reader));
}

int64_t pb_read_log_size(const struct pb_log_reader *reader)
{
    return (int64_t)pb_log_text_bytes(pb_log_reader_info(reader));
}

int pb_read_log_text(struct pb_log_reader *reader, int64_t at, struct pb_buf *ret_piece,
                     struct pb_error *err)
{
    return pb_log_reader_text(reader, (uint64_t)at, ret_piece, err);
}
