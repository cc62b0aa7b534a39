/* What is read of a log, whoever keeps it: ranges of lines, the text alone, marks. */
#include <stdlib.h>
#include <string.h>

#include "server/store/log_marks_private.h"
#include "server/store/log_store_private.h"

enum { FINDINGS_MAX = 64 }; /* of a search that halves what is left each time */

/* --- ranges -------------------------------------------------------------------------------------- */

struct pb_log_reader *pb_log_reader_open(struct pb_log_store *logs, const char *execution,
                                         struct pb_error *err)
{
    struct pb_log_reader *reader;

    if (pb_log_check_execution(execution, err) < 0)
        return NULL;
    reader = calloc(1, sizeof(*reader));
    if (!reader) {
        pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    if (logs->ops->open(logs, execution, reader, err) < 0) {
        free(reader);
        return NULL;
    }
    return reader;
}

void pb_log_reader_close(struct pb_log_reader *reader)
{
    if (!reader)
        return;
    reader->ops->close(reader->source);
    free(reader);
}

const struct pb_log_info *pb_log_reader_info(const struct pb_log_reader *reader)
{
    return &reader->info;
}

int pb_log_load(struct pb_log_reader *reader, uint64_t line, struct pb_log_block *ret_block,
                struct pb_error *err)
{
    if (reader->ops->load(reader->source, line, ret_block, err) < 0)
        return -1;
    if (ret_block->line + ret_block->lines > reader->info.lines) { /* it has grown since */
        ret_block->lines = reader->info.lines - ret_block->line;
        ret_block->len = (size_t)(reader->info.bytes - ret_block->byte);
    }
    if (ret_block->damaged_lines > 0 && reader->info.damaged_lines == 0) {
        reader->info.damaged_from = ret_block->damaged_from;
        reader->info.damaged_lines = ret_block->damaged_lines;
    }
    return 0;
}

/* The first `skip` lines of a text. */
static const char *skip_lines(const char *at, uint64_t skip)
{
    for (; skip > 0; skip--)
        at = (const char *)rawmemchr(at, '\n') + 1;
    return at;
}

/* Whole lines of the block from line `from` on, no more than `count` and than fit; how many. */
static uint64_t copy_lines(const struct pb_log_block *block, uint64_t from, uint64_t count,
                           struct pb_buf *to)
{
    const char *first = skip_lines(block->text, from - block->line), *at = first;
    const char *end = block->text + block->len;
    size_t room = to->max - to->len;
    uint64_t copied = 0;

    while (copied < count && at < end) {
        const char *next = (const char *)rawmemchr(at, '\n') + 1;

        if ((size_t)(next - first) > room)
            break;
        at = next;
        copied++;
    }
    pb_buf_bytes(to, first, (size_t)(at - first));
    return copied;
}

static int read_range(struct pb_log_reader *reader, const struct pb_log_range *range,
                      struct pb_buf *ret_data, uint64_t *ret_from, uint64_t *ret_count,
                      struct pb_error *err)
{
    uint64_t lines = reader->info.lines;
    uint64_t from = range->tail ? (lines > range->count ? lines - range->count : 0) : range->from;
    uint64_t count, copied = 0, some = 1;
    struct pb_log_block block;

    from = from < lines ? from : lines;
    count = range->count < lines - from ? range->count : lines - from;
    while (copied < count && some > 0) {
        if (pb_log_load(reader, from + copied, &block, err) < 0)
            return -1;
        some = copy_lines(&block, from + copied, count - copied, ret_data);
        copied += some;
    }
    if (pb_buf_failed(ret_data))
        return pb_fail(err, PB_ERROR_LIMITED, "no memory for the log");
    *ret_from = from;
    *ret_count = copied;
    return 0;
}

int pb_log_read(struct pb_log_store *logs, const char *execution, const struct pb_log_range *range,
                struct pb_buf *ret_data, uint64_t *ret_from, uint64_t *ret_count,
                struct pb_log_info *ret_info, struct pb_error *err)
{
    struct pb_log_reader *reader = pb_log_reader_open(logs, execution, err);
    uint64_t from = 0, count = 0;
    int r;

    if (!reader)
        return -1;
    r = read_range(reader, range, ret_data, &from, &count, err);
    if (r == 0 && ret_from)
        *ret_from = from;
    if (r == 0 && ret_count)
        *ret_count = count;
    if (r == 0 && ret_info)
        *ret_info = reader->info;
    pb_log_reader_close(reader);
    return r < 0 ? pb_fail_in(err, "log of %s", execution) : 0;
}

/* --- the text alone ------------------------------------------------------------------------------ */

uint64_t pb_log_text_bytes(const struct pb_log_info *info)
{
    return info->bytes - PB_LOG_PREFIX * info->lines;
}

/* A line of the row that has byte `at` of the text alone. */
static int find_text(struct pb_log_reader *reader, uint64_t at, uint64_t *ret_line,
                     struct pb_error *err)
{
    uint64_t low = 0, high = reader->info.lines;

    for (int i = 0; i < FINDINGS_MAX && low < high; i++) {
        uint64_t middle = low + (high - low) / 2, begins;
        struct pb_log_row row;

        if (reader->ops->find(reader->source, middle, &row, err) < 0)
            return -1;
        begins = row.byte - PB_LOG_PREFIX * row.line;
        *ret_line = row.line;
        if (at < begins)
            high = row.line;
        else if (at >= begins + row.bytes - PB_LOG_PREFIX * row.lines)
            low = row.line + row.lines;
        else
            return 0;
    }
    return pb_fail_reason(err, PB_ERROR_INTERNAL, "log_damaged", "a log's index is damaged");
}

/* What of the block's text is behind byte `at`, as far as there is room. */
static void copy_text(const struct pb_log_block *block, uint64_t at, struct pb_buf *to)
{
    uint64_t begins = block->byte - PB_LOG_PREFIX * block->line;
    const char *line = block->text, *end = block->text + block->len;

    while (line < end && to->len < to->max) {
        const char *text = line + PB_LOG_PREFIX;
        const char *next = (const char *)rawmemchr(text, '\n') + 1;
        size_t len = (size_t)(next - text), room = to->max - to->len;
        size_t skip = at <= begins ? 0 : at - begins < len ? (size_t)(at - begins) : len;

        pb_buf_bytes(to, text + skip, len - skip < room ? len - skip : room);
        begins += len;
        line = next;
    }
}

int pb_log_reader_text(struct pb_log_reader *reader, uint64_t at, struct pb_buf *ret_text,
                       struct pb_error *err)
{
    uint64_t end = pb_log_text_bytes(&reader->info), line = 0;
    size_t before = ret_text->len;

    if (at >= end || ret_text->len == ret_text->max)
        return 0;
    if (find_text(reader, at, &line, err) < 0)
        return -1;
    while (line < reader->info.lines && ret_text->len < ret_text->max) {
        struct pb_log_block block;

        if (pb_log_load(reader, line, &block, err) < 0)
            return -1;
        copy_text(&block, at, ret_text);
        line = block.line + block.lines;
    }
    if (ret_text->len == before || pb_buf_failed(ret_text))
        return pb_fail(err, PB_ERROR_LIMITED, "no memory for the log");
    return 0;
}

/* --- marks --------------------------------------------------------------------------------------- */

struct telling {
    pb_log_mark_fn *fn;
    void *arg;
    uint64_t from;  /* marks before it are not wanted */
    uint64_t upto;  /* marks from here on are not known for certain */
    uint64_t next;  /* the line behind the last mark told */
    bool is_enough; /* said `fn` */
};

static int tell(void *arg, const struct pb_log_mark *mark)
{
    struct telling *telling = arg;

    if (mark->line >= telling->upto)
        return 1;
    if (mark->line < telling->from)
        return 0;
    telling->next = mark->line + 1;
    telling->is_enough = telling->fn(telling->arg, mark) != 0;
    return telling->is_enough;
}

static int tell_kept(struct pb_log_reader *reader, struct telling *telling, struct pb_error *err)
{
    struct pb_buf packed;
    int r, last;

    pb_buf_init(&packed, PB_LOG_MARKS_BYTES);
    r = reader->ops->marks(reader->source, &packed, &telling->upto, err);
    if (r == 0 && !pb_log_marks_unpack(pb_buf_string(&packed), packed.len, tell, telling, &last))
        r = pb_fail_reason(err, PB_ERROR_INTERNAL, "log_damaged", "a log's marks are damaged");
    pb_buf_release(&packed);
    return r;
}

/* Of the lines whose marks are not kept. */
static int tell_found(struct pb_log_reader *reader, struct telling *telling, struct pb_error *err)
{
    uint64_t line = telling->upto > telling->from ? telling->upto : telling->from;
    struct pb_log_marking marking = {tell, telling, line > 0};

    telling->upto = UINT64_MAX;
    while (line < reader->info.lines && !telling->is_enough) {
        struct pb_log_block block;

        if (pb_log_load(reader, line, &block, err) < 0)
            return -1;
        (void)pb_log_marks_find(&marking, block.line, block.text, block.len);
        line = block.line + block.lines;
    }
    return 0;
}

int pb_log_marks(struct pb_log_store *logs, const char *execution, uint64_t from,
                 pb_log_mark_fn *fn, void *arg, uint64_t *ret_upto, struct pb_log_info *ret_info,
                 struct pb_error *err)
{
    struct telling telling = {.fn = fn, .arg = arg, .from = from};
    struct pb_log_reader *reader = pb_log_reader_open(logs, execution, err);
    int r;

    if (!reader)
        return -1;
    r = tell_kept(reader, &telling, err);
    if (r == 0 && !telling.is_enough)
        r = tell_found(reader, &telling, err);
    if (r == 0) {
        *ret_upto = telling.is_enough ? telling.next : reader->info.lines;
        *ret_info = reader->info;
    }
    pb_log_reader_close(reader);
    return r < 0 ? pb_fail_in(err, "log of %s", execution) : 0;
}
