/*
 * The seam below log_store.h. What is above it (checking what comes in, ranges,
 * the text alone, marks, search) knows wishes and blocks; where lines are kept
 * is below, behind two tables of functions. There are two implementations: files
 * on this machine (log_files.c), and rows of the database (log_chunks.c).
 */
#ifndef PB_SERVER_STORE_LOG_STORE_PRIVATE_H
#define PB_SERVER_STORE_LOG_STORE_PRIVATE_H

#include "server/store/log_journal_private.h"
#include "server/store/log_segment_private.h"
#include "server/store/log_store.h"

enum {
    PB_LOG_BLOCK = 256 << 10, /* bytes of text in a block, unless one row has more */
    PB_LOG_LINE_MIN = PB_LOG_PREFIX + 1,
};

/* --- writing ------------------------------------------------------------------------------------- */

/* A wish in the queue. */
struct pb_log_entry {
    struct pb_log_entry *next;
    enum pb_log_record_type type;
    char execution[PB_ULID_TEXT];
    uint32_t attempt;
    uint64_t seq;
    uint32_t count;
    pb_log_done_fn *done;
    void *arg;
    struct pb_log_ack ack;
    struct pb_error err;
    bool failed;
    /* set by the writer; for taking it back */
    struct pb_log_segment *segment; /* NULL: nothing of it is in the batch */
    uint64_t old_lines, old_bytes, old_next, old_dropped;
    bool old_complete;
    size_t len;
    char data[];
};

/* log_entry.c */
/* The lines of a chunk that are not there yet; count 0: none. */
struct pb_log_fresh {
    const char *data;
    size_t len;
    uint32_t count;
};
/* Fills the acknowledgement as far as known. CONFLICT, reason "gap". */
int pb_log_entry_fresh(struct pb_log_entry *entry, const struct pb_log_state *now,
                       struct pb_log_fresh *ret_fresh, struct pb_error *err) PB_MUST_CHECK;
/* Would the log pass its limit with so many bytes more? Lines of our own never do. */
bool pb_log_entry_is_over(const struct pb_log_entry *entry, const struct pb_log_state *now,
                          size_t len, uint64_t log_max);
enum { PB_LOG_LIMIT_LINE = 128 };
/* The last line of a log that has reached its limit, once; 0: it is there already. */
size_t pb_log_limit_line(char ret_line[PB_LOG_LIMIT_LINE], const struct pb_log_state *now,
                         uint64_t log_max);
void pb_log_state_born(struct pb_log_state *state); /* gives it a birth */
/* Calls `done` of each and frees them. */
void pb_log_entries_deliver(struct pb_log_entry *batch);

/* --- reading ------------------------------------------------------------------------------------- */

/* Where some lines are. */
struct pb_log_row {
    uint64_t line; /* of the log, the first */
    uint64_t byte; /* of the log, where it begins */
    uint64_t lines;
    uint64_t bytes;
    uint64_t at;     /* where it is kept: the implementation's */
    uint32_t packed; /* bytes there */
};

/* The lines themselves, whole ones. */
struct pb_log_block {
    uint64_t line;
    uint64_t byte;
    uint64_t lines;
    const char *text; /* until the next one is loaded */
    size_t len;
    /* Damaged: the text says so, line by line, at the length there was. */
    uint64_t damaged_from,
        damaged_lines; /* all that is, of which this may be a part; else 0 lines */
};

/* Of one log; it may have grown since the source was opened. */
struct pb_log_source_ops {
    /* The row that has this line; there is one for every line below info.lines. */
    int (*find)(void *source, uint64_t line, struct pb_log_row *ret_row, struct pb_error *err);
    /* The row's lines, and of rows behind it as far as that is cheap; what is damaged is a block of its own. */
    int (*load)(void *source, uint64_t line, struct pb_log_block *ret_block, struct pb_error *err);
    /* Marks kept with the log's first lines, packed (log_marks_private.h), and which lines these are. */
    int (*marks)(void *source, struct pb_buf *ret_packed, uint64_t *ret_upto, struct pb_error *err);
    void (*close)(void *source);
};

struct pb_log_reader {
    const struct pb_log_source_ops *ops;
    void *source; /* owned */
    struct pb_log_info info;
};

/* log_damage.c */
/* How many lines there are, if they are whole and look like lines of ours; else 0. */
uint64_t pb_log_count_lines(const char *text, size_t len);
/* A damaged row, or what of it is around `line` when it is long: as many lines of as many bytes that say what is
 * damaged. The block's text is in `text`, emptied first. */
int pb_log_put_damage(struct pb_buf *text, const struct pb_log_row *row, uint64_t line,
                      const char *execution, struct pb_log_block *ret_block,
                      struct pb_error *err) PB_MUST_CHECK;

/* --- the store ----------------------------------------------------------------------------------- */

struct pb_log_ops {
    /* Takes the entry; it is free()d when done. */
    int (*queue)(struct pb_log_store *logs, struct pb_log_entry *entry, struct pb_error *err);
    /* Before a removal, on the caller's thread: what would take long at once goes in steps. May be NULL. */
    int (*thin)(struct pb_log_store *logs, const char *execution, struct pb_error *err);
    /* What readers may see. */
    int (*look)(struct pb_log_store *logs, const char *execution, struct pb_log_state *ret_state,
                struct pb_error *err);
    /* Sets ops, source and info. */
    int (*open)(struct pb_log_store *logs, const char *execution, struct pb_log_reader *reader,
                struct pb_error *err);
    void (*stats)(struct pb_log_store *logs, struct pb_log_stats *ret_stats);
    void (*close)(struct pb_log_store *logs);
};

struct pb_log_store {
    const struct pb_log_ops *ops;
};

int pb_log_check_execution(const char *execution, struct pb_error *err) PB_MUST_CHECK;
/* The block that has this line. */
int pb_log_load(struct pb_log_reader *reader, uint64_t line, struct pb_log_block *ret_block,
                struct pb_error *err) PB_MUST_CHECK;
struct pb_log_info pb_log_info_of(const struct pb_log_state *state);

#endif
