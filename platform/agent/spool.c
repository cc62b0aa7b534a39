#include "agent/spool.h"

#include <string.h>

#include "agent/line_text.h"
#include "base/clock.h"

enum { PENDING_MAX = 4 << 20, MASKED_MAX = 1 << 20 };

void pb_spool_init(struct pb_spool *spool, struct pb_journal *journal, struct pb_mask *mask,
                   struct pb_journal_row *row)
{
    *spool = (struct pb_spool){.journal = journal, .mask = mask, .row = row, .sent = row->acked};
    pb_buf_init(&spool->pending, PENDING_MAX);
}

void pb_spool_release(struct pb_spool *spool)
{
    pb_buf_release(&spool->pending);
}

static void put_line(struct pb_spool *spool, int64_t wall_ms, char stream, const char *text,
                     size_t len)
{
    pb_buf_i64(&spool->pending, wall_ms);
    pb_buf_char(&spool->pending, ' ');
    pb_buf_char(&spool->pending, stream);
    pb_buf_char(&spool->pending, ' ');
    pb_line_text(&spool->pending, text, len);
    pb_buf_char(&spool->pending, '\n');
    spool->pending_count++;
}

static void put_lines(struct pb_spool *spool, int64_t wall_ms, char stream, const char *text,
                      size_t len)
{
    for (;;) {
        const char *end = memchr(text, '\n', len);
        size_t part = end ? (size_t)(end - text) : len;

        put_line(spool, wall_ms, stream, text, part);
        if (!end)
            return;
        text += part + 1;
        len -= part + 1;
    }
}

void pb_spool_line(struct pb_spool *spool, int64_t wall_ms, char stream, const char *text,
                   size_t len)
{
    struct pb_buf masked;

    while (len > 0 && text[len - 1] == '\n')
        len--;
    if (len > MASKED_MAX / 4)
        len = MASKED_MAX / 4; /* cut below anyway */
    pb_buf_init(&masked, MASKED_MAX);
    (void)pb_mask_apply(spool->mask, text, len, &masked);
    if (pb_buf_failed(&masked)) /* no memory: rather no line than one that shows a secret */
        put_line(spool, wall_ms, 'w', "[a line is missing here]",
                 strlen("[a line is missing here]"));
    else
        put_lines(spool, wall_ms, stream, pb_buf_string(&masked), masked.len);
    pb_buf_release(&masked);
}

bool pb_spool_is_full(const struct pb_spool *spool)
{
    return spool->pending.len >= PB_SPOOL_BATCH_BYTES;
}

/* More waited than memory is given for: the journal has been refusing for long. */
static void admit_loss(struct pb_spool *spool)
{
    static const char TEXT[] = "[log lines are missing here: they could not be stored]";

    pb_buf_clear(&spool->pending);
    spool->pending_count = 0;
    put_line(spool, pb_clock_wall_ms(), 'w', TEXT, strlen(TEXT));
}

int pb_spool_store(struct pb_spool *spool, struct pb_error *err)
{
    if (pb_buf_failed(&spool->pending))
        admit_loss(spool);
    spool->row->next_line += spool->pending_count;
    if (pb_journal_save(spool->journal, spool->row, spool->pending.data, spool->pending.len,
                        spool->pending_count, err) < 0) {
        spool->row->next_line -= spool->pending_count;
        return -1;
    }
    pb_buf_clear(&spool->pending);
    spool->pending_count = 0;
    return 0;
}

bool pb_spool_next(struct pb_spool *spool, struct pb_buf *ret_lines, int64_t *ret_seq,
                   int64_t *ret_count, struct pb_error *err)
{
    int64_t count;

    if (spool->sent >= spool->row->next_line || spool->flight_count == PB_SPOOL_WINDOW_FRAMES ||
        spool->flight_bytes >= PB_SPOOL_WINDOW_BYTES)
        return false;
    if (pb_journal_lines(spool->journal, spool->row->name, spool->sent, PB_SPOOL_FRAME_BYTES,
                         ret_lines, &count, err) < 0 ||
        count == 0)
        return false;
    *ret_seq = spool->sent;
    *ret_count = count;
    spool->sent += count;
    spool->flight[spool->flight_count].end = spool->sent;
    spool->flight[spool->flight_count++].bytes = ret_lines->len;
    spool->flight_bytes += ret_lines->len;
    return true;
}

void pb_spool_rewind(struct pb_spool *spool)
{
    spool->sent = spool->row->acked;
    spool->flight_count = 0;
    spool->flight_bytes = 0;
}

static void land(struct pb_spool *spool, int64_t acked)
{
    size_t landed = 0;

    while (landed < spool->flight_count && spool->flight[landed].end <= acked)
        spool->flight_bytes -= spool->flight[landed++].bytes;
    spool->flight_count -= landed;
    memmove(spool->flight, spool->flight + landed, spool->flight_count * sizeof(spool->flight[0]));
}

int pb_spool_ack(struct pb_spool *spool, int64_t acked, struct pb_error *err)
{
    if (acked > spool->row->next_line)
        return pb_fail(err, PB_ERROR_INVALID, "line %lld is acknowledged and was never there",
                       (long long)acked);
    if (acked <= spool->row->acked)
        return 0; /* an old word, or one said twice */
    if (pb_journal_ack(spool->journal, spool->row->name, acked, err) < 0)
        return -1;
    spool->row->acked = acked;
    if (spool->sent < acked) /* on an earlier connection more had arrived than we knew */
        spool->sent = acked;
    land(spool, acked);
    return 0;
}

bool pb_spool_is_drained(const struct pb_spool *spool)
{
    return spool->pending_count == 0 && spool->row->acked == spool->row->next_line;
}
