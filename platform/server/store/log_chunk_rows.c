#include <stdio.h>
#include <string.h>

#include "server/store/db_private.h"
#include "server/store/log_chunk_rows_private.h"

enum { SENDER_BYTES = 12, CHUNKS_AT_ONCE = 64, CUT_AT_ONCE = 16 };

/* --- states -------------------------------------------------------------------------------------- */

static void read_senders(const unsigned char *from, size_t len, struct pb_log_state *state)
{
    size_t count = len / SENDER_BYTES;

    if (count > PB_LIMIT_LOG_ATTEMPTS)
        count = PB_LIMIT_LOG_ATTEMPTS;
    for (size_t i = 0; i < count; i++) {
        const unsigned char *at = from + i * SENDER_BYTES;

        state->senders[i] = (struct pb_log_sender){pb_get_u32(at), pb_get_u64(at + 4)};
    }
    state->sender_count = (uint32_t)count;
}

int pb_log_rows_load(struct pb_db *db, const char *execution, struct pb_log_state *ret_state,
                     struct pb_error *err)
{
    struct pb_log_state state = {0};
    struct pb_rows *rows =
        pb_db_query(db,
                    "SELECT lines, bytes, dropped, birth, complete, senders FROM log_states "
                    "WHERE execution_id = ?1",
                    PB_VALUES(T(execution)), err);
    int r = rows ? pb_rows_next(rows, err) : -1;

    if (r > 0) {
        const void *senders;
        size_t len;

        state.lines = (uint64_t)pb_rows_int(rows, 0);
        state.bytes = (uint64_t)pb_rows_int(rows, 1);
        state.dropped = (uint64_t)pb_rows_int(rows, 2);
        state.birth = (uint32_t)pb_rows_int(rows, 3);
        state.is_complete = pb_rows_int(rows, 4) != 0;
        senders = pb_rows_bytes(rows, 5, &len);
        read_senders(senders, len, &state);
    }
    pb_rows_end(rows);
    if (r >= 0)
        *ret_state = state;
    return r < 0 ? -1 : 0;
}

int pb_log_rows_save(struct pb_db *db, const char *execution, const struct pb_log_state *state,
                     struct pb_error *err)
{
    unsigned char senders[PB_LIMIT_LOG_ATTEMPTS * SENDER_BYTES];

    for (uint32_t i = 0; i < state->sender_count; i++) {
        pb_put_u32(senders + (size_t)i * SENDER_BYTES, state->senders[i].attempt);
        pb_put_u64(senders + (size_t)i * SENDER_BYTES + 4, state->senders[i].next);
    }
    return pb_db_run(
        db,
        "INSERT INTO log_states (execution_id, lines, bytes, dropped, birth, complete, senders) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (execution_id) DO UPDATE SET "
        "lines = excluded.lines, bytes = excluded.bytes, dropped = excluded.dropped, "
        "birth = excluded.birth, complete = excluded.complete, senders = excluded.senders",
        PB_VALUES(T(execution), I((int64_t)state->lines), I((int64_t)state->bytes),
                  I((int64_t)state->dropped), I(state->birth), I(state->is_complete),
                  pb_value_bytes(senders, (size_t)state->sender_count * SENDER_BYTES)),
        NULL, err);
}

int pb_log_rows_make(struct pb_db *db, const char *execution, const struct pb_log_state *state,
                     struct pb_error *err)
{
    char address[PB_LOG_ADDRESS];

    snprintf(address, sizeof(address), "chunks:%s", execution);
    if (pb_log_rows_save(db, execution, state, err) < 0)
        return -1;
    return pb_db_run(db, "UPDATE executions SET logs = ?2 WHERE id = ?1 AND logs IS NOT NULL",
                     PB_VALUES(T(execution), T(address)), NULL, err);
}

int pb_log_rows_remove(struct pb_db *db, const char *execution, struct pb_error *err)
{
    return pb_db_run(db, "DELETE FROM log_states WHERE execution_id = ?1", PB_VALUES(T(execution)),
                     NULL, err);
}

int pb_log_rows_cut(struct pb_db *db, const char *execution, bool *ret_has_more,
                    struct pb_error *err)
{
    struct pb_rows *rows =
        pb_db_query(db,
                    "SELECT first_line, first_byte FROM log_chunks WHERE execution_id = ?1 "
                    "ORDER BY first_line DESC LIMIT 1 OFFSET ?2",
                    PB_VALUES(T(execution), I(CUT_AT_ONCE - 1)), err);
    int r = rows ? pb_rows_next(rows, err) : -1;
    int64_t line = r > 0 ? pb_rows_int(rows, 0) : 0;
    int64_t byte = r > 0 ? pb_rows_int(rows, 1) : 0;

    pb_rows_end(rows);
    if (r < 0)
        return -1;
    *ret_has_more = r > 0;
    if (r == 0)
        return 0;
    if (pb_db_run(db, "DELETE FROM log_chunks WHERE execution_id = ?1 AND first_line >= ?2",
                  PB_VALUES(T(execution), I(line)), NULL, err) < 0)
        return -1;
    return pb_db_run(db, "UPDATE log_states SET lines = ?2, bytes = ?3 WHERE execution_id = ?1",
                     PB_VALUES(T(execution), I(line), I(byte)), NULL, err);
}

/* --- chunks -------------------------------------------------------------------------------------- */

int pb_log_rows_add(struct pb_db *db, const char *execution, const struct pb_log_new_chunk *chunk,
                    struct pb_log_zstd *zstd, struct pb_error *err)
{
    struct pb_buf packed;
    int r;

    pb_buf_init(&packed, pb_log_zstd_bound(chunk->len) + 1);
    r = pb_log_zstd_pack(zstd, chunk->text, chunk->len, &packed, err);
    if (r == 0)
        r = pb_db_run(db,
                      "INSERT INTO log_chunks (execution_id, attempt, seq, first_line, first_byte, "
                      "lines, bytes, packed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
                      "ON CONFLICT DO NOTHING",
                      PB_VALUES(T(execution), I(chunk->attempt), I((int64_t)chunk->seq),
                                I((int64_t)chunk->before->lines), I((int64_t)chunk->before->bytes),
                                I((int64_t)chunk->lines), I((int64_t)chunk->len),
                                pb_value_bytes(packed.data, packed.len)),
                      NULL, err);
    pb_buf_release(&packed);
    return r;
}

static struct pb_log_row read_row(struct pb_rows *rows)
{
    return (struct pb_log_row){.line = (uint64_t)pb_rows_int(rows, 0),
                               .byte = (uint64_t)pb_rows_int(rows, 1),
                               .lines = (uint64_t)pb_rows_int(rows, 2),
                               .bytes = (uint64_t)pb_rows_int(rows, 3)};
}

int pb_log_rows_find(struct pb_db *db, const char *execution, uint64_t line,
                     struct pb_log_row *ret_row, struct pb_error *err)
{
    struct pb_rows *rows =
        pb_db_query(db,
                    "SELECT first_line, first_byte, lines, bytes FROM log_chunks "
                    "WHERE execution_id = ?1 AND first_line <= ?2 "
                    "ORDER BY first_line DESC LIMIT 1",
                    PB_VALUES(T(execution), I((int64_t)line)), err);
    int r = rows ? pb_rows_next(rows, err) : -1;

    if (r >= 0)
        *ret_row = r > 0 ? read_row(rows) : (struct pb_log_row){0};
    pb_rows_end(rows);
    return r < 0 ? -1 : 0;
}

int pb_log_rows_next(struct pb_db *db, const char *execution, uint64_t line, uint64_t *line_or_end,
                     uint64_t *byte_or_end, struct pb_error *err)
{
    struct pb_rows *rows = pb_db_query(db,
                                       "SELECT first_line, first_byte FROM log_chunks "
                                       "WHERE execution_id = ?1 AND first_line > ?2 "
                                       "ORDER BY first_line LIMIT 1",
                                       PB_VALUES(T(execution), I((int64_t)line)), err);
    int r = rows ? pb_rows_next(rows, err) : -1;

    if (r > 0) {
        *line_or_end = (uint64_t)pb_rows_int(rows, 0);
        *byte_or_end = (uint64_t)pb_rows_int(rows, 1);
    }
    pb_rows_end(rows);
    return r < 0 ? -1 : 0;
}

/* The chunk's text behind what is there already; false: it is not what was stored. */
static bool unpack(struct pb_rows *rows, const struct pb_log_row *row, struct pb_log_zstd *zstd,
                   struct pb_buf *text)
{
    size_t len;
    const void *packed = pb_rows_bytes(rows, 4, &len);
    char *room = row->bytes <= PB_LIMIT_LOG_CHUNK ? pb_buf_reserve(text, row->bytes) : NULL;

    if (!packed || !room || !pb_log_zstd_unpack(zstd, packed, len, room, row->bytes) ||
        pb_log_count_lines(room, row->bytes) != row->lines)
        return false;
    text->len += row->bytes;
    return true;
}

int pb_log_rows_read(struct pb_db *db, const char *execution, const struct pb_log_row *first,
                     struct pb_log_zstd *zstd, struct pb_buf *text, uint64_t *ret_lines,
                     struct pb_error *err)
{
    struct pb_rows *rows =
        pb_db_query(db,
                    "SELECT first_line, first_byte, lines, bytes, packed FROM log_chunks "
                    "WHERE execution_id = ?1 AND first_line >= ?2 ORDER BY first_line LIMIT ?3",
                    PB_VALUES(T(execution), I((int64_t)first->line), I(CHUNKS_AT_ONCE)), err);
    uint64_t lines = 0;
    int r = rows ? 1 : -1;

    while (r > 0 && text->len < PB_LOG_BLOCK) {
        struct pb_log_row row;

        r = pb_rows_next(rows, err);
        if (r <= 0)
            break;
        row = read_row(rows);
        if (row.line != first->line + lines || row.byte != first->byte + text->len ||
            !unpack(rows, &row, zstd, text))
            break;
        lines += row.lines;
    }
    pb_rows_end(rows);
    *ret_lines = lines;
    return r < 0 ? -1 : 0;
}
