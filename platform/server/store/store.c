#include "server/store/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "server/store/db_private.h"
#include "server/store/schema.h"

enum {
    QUEUE_MAX = 4096,
    QUEUE_MS = 5000,         /* how long somebody waits for the writer to begin */
    CHECKPOINT_PAGES = 1000, /* 4 MB: what SQLite itself would take */
    RESTART_PAGES = 16000,
};

struct job {
    struct job *next;
    pb_store_write_fn *fn;
    pb_store_done_fn *done; /* NULL: somebody waits in pb_store_write() */
    void *arg;
    struct pb_error err;
    bool failed;
    bool finished; /* for the one who waits; under store->lock */
};

struct reader {
    struct reader *next;
    struct pb_store *store;
    struct pb_db *db;
};

struct pb_store {
    struct pb_database *database; /* owned */
    bool is_ours_alone;           /* nobody else changes it */
    _Atomic uint64_t generations[PB_STORE_PARTS];
    struct pb_db *writer; /* the writer thread's alone, once it runs */
    struct pb_thread *thread;
    pthread_key_t reader_key;
    bool has_key;
    size_t queue_max;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t arrived;
    pthread_cond_t finished;
    struct job *first, **last;
    size_t queued;
    bool is_stopping;
    pthread_t writer_id;
    bool has_writer_id;
    struct reader *readers;
    struct pb_store_stats stats;
};

/* --- the writer --------------------------------------------------------------------------------- */

static struct job *take_job(struct pb_store *store, bool wait)
{
    struct job *job;

    pthread_mutex_lock(&store->lock);
    while (wait && !store->first && !store->is_stopping)
        pthread_cond_wait(&store->arrived, &store->lock);
    job = store->first;
    if (job) {
        store->first = job->next;
        if (!store->first)
            store->last = &store->first;
        store->queued--;
        job->next = NULL;
    }
    pthread_mutex_unlock(&store->lock);
    return job;
}

/* The function says that it succeeded, the engine gave up: disk full, connection lost. */
static void fail_given_up(struct pb_db *db, struct pb_error *group_err)
{
    if (pb_db_settle(db, group_err) == 0)
        pb_fail(group_err, PB_ERROR_INTERNAL, "a write function ended the transaction");
}

/* Runs one job so that its failure undoes it alone. False: the whole group is undone. */
static bool run_part(struct pb_db *db, struct job *job, struct pb_error *group_err)
{
    if (pb_db_part_begin(db, group_err) < 0)
        return false;
    job->failed = job->fn(db, job->arg, &job->err) < 0 || pb_db_settle(db, &job->err) < 0;
    if (pb_db_in_transaction(db) && pb_db_part_end(db, !job->failed, group_err) == 0)
        return true;
    if (job->failed)
        *group_err = job->err;
    else if (!pb_db_in_transaction(db))
        fail_given_up(db, group_err);
    return false;
}

/* A job nobody waits beside is the whole change: nothing is to be kept from what it undoes. */
static bool run_alone(struct pb_db *db, struct job *job, struct pb_error *group_err)
{
    job->failed = job->fn(db, job->arg, &job->err) < 0;
    if (!job->failed && pb_db_in_transaction(db))
        return true;
    if (!job->failed)
        fail_given_up(db, group_err);
    return false;
}

static bool has_waiting(struct pb_store *store)
{
    bool has;

    pthread_mutex_lock(&store->lock);
    has = store->first != NULL;
    pthread_mutex_unlock(&store->lock);
    return has;
}

/* The group as a list, in order; *ret_failed: none of it happened, *err says why. */
static struct job *run_group(struct pb_store *store, struct job *job, bool *ret_failed,
                             struct pb_error *err)
{
    struct job *group = NULL, **last = &group;
    int64_t started = pb_clock_steady_ms();
    bool is_alone = !has_waiting(store);
    size_t count = 0;
    bool ok = pb_db_begin(store->writer, err) == 0;

    while (job) {
        *last = job;
        last = &job->next;
        count++;
        ok = ok && (is_alone ? run_alone : run_part)(store->writer, job, err);
        if (!ok || is_alone || count >= pb_db_group_max(store->writer) ||
            pb_clock_steady_ms() - started >= pb_db_group_ms(store->writer))
            break;
        job = take_job(store, false);
    }
    ok = ok && pb_db_commit(store->writer, err) == 0;
    pb_db_rollback(store->writer); /* nothing to do after a commit */
    *ret_failed = !ok;
    return group;
}

/* Before anybody is told that it is done. */
static void count_generations(struct pb_store *store)
{
    unsigned changed = pb_db_take_changed(store->writer);

    for (unsigned i = 0; i < PB_STORE_PARTS; i++) {
        if (changed & 1u << i)
            atomic_fetch_add(&store->generations[i], 1);
    }
}

static void deliver(struct pb_store *store, struct job *group, bool group_failed,
                    const struct pb_error *group_err)
{
    struct job *next;

    pthread_mutex_lock(&store->lock);
    store->stats.groups++;
    for (struct job *job = group; job; job = job->next) {
        store->stats.writes++;
        if (group_failed && !job->failed) {
            store->stats.failed++;
            job->failed = true;
            job->err = *group_err;
        }
    }
    pthread_mutex_unlock(&store->lock);

    for (struct job *job = group; job; job = next) {
        next = job->next;
        if (job->done) {
            job->done(job->arg, job->failed ? &job->err : NULL);
            free(job);
            continue;
        }
        pthread_mutex_lock(&store->lock);
        job->finished = true; /* its owner may be gone from here on */
        pthread_mutex_unlock(&store->lock);
    }
    pthread_cond_broadcast(&store->finished);
}

/* Failing is no harm: the log only grows until the next one. */
static void checkpoint(struct pb_store *store, bool restart)
{
    struct pb_error err = {0};

    if (pb_db_checkpoint(store->writer, restart, &err) < 0) {
        pb_log_debug("store", "checkpoint: %s", err.message);
        return;
    }
    pthread_mutex_lock(&store->lock);
    store->stats.checkpoints++;
    pthread_mutex_unlock(&store->lock);
}

static void writer_main(void *arg)
{
    struct pb_store *store = arg;
    struct job *job;

    pthread_mutex_lock(&store->lock);
    store->writer_id = pthread_self();
    store->has_writer_id = true;
    pthread_mutex_unlock(&store->lock);

    while ((job = take_job(store, true))) {
        struct pb_error err = {0};
        bool failed;
        struct job *group = run_group(store, job, &failed, &err);

        count_generations(store);
        deliver(store, group, failed, &err);
        if (pb_db_wal_pages(store->writer) >= CHECKPOINT_PAGES)
            checkpoint(store, pb_db_wal_pages(store->writer) >= RESTART_PAGES);
    }
}

/* --- callers ------------------------------------------------------------------------------------ */

static int enqueue(struct pb_store *store, struct job *job, struct pb_error *err)
{
    bool is_full, is_stopping;

    pthread_mutex_lock(&store->lock);
    is_full = store->queued >= store->queue_max;
    is_stopping = store->is_stopping;
    if (!is_full && !is_stopping) {
        *store->last = job;
        store->last = &job->next;
        store->queued++;
        pthread_cond_signal(&store->arrived);
    }
    pthread_mutex_unlock(&store->lock);
    if (is_stopping)
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "stopping", "the platform is stopping");
    if (is_full)
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "busy",
                              "too many changes are waiting to be stored");
    return 0;
}

/* Takes it out of the queue; false: the writer has it already. Under the lock. */
static bool withdraw(struct pb_store *store, struct job *job)
{
    for (struct job **at = &store->first; *at; at = &(*at)->next) {
        if (*at != job)
            continue;
        *at = job->next;
        if (store->last == &job->next)
            store->last = at;
        store->queued--;
        return true;
    }
    return false;
}

/* Until it is finished; a writer that does not get to it in time is not waited for. */
static void wait_finished(struct pb_store *store, struct job *job)
{
    int64_t until = pb_clock_steady_ms() + QUEUE_MS;
    struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    bool is_late = false;

    pthread_mutex_lock(&store->lock);
    while (!job->finished) {
        if (is_late)
            pthread_cond_wait(&store->finished, &store->lock);
        else
            is_late = pthread_cond_timedwait(&store->finished, &store->lock, &at) == ETIMEDOUT;
        if (is_late && !job->finished && withdraw(store, job)) {
            job->failed = job->finished = true;
            pb_fail_reason(&job->err, PB_ERROR_UNAVAILABLE, "busy",
                           "the database is too busy to take changes");
        }
    }
    pthread_mutex_unlock(&store->lock);
}

/* What the writer does for somebody is said in the name of their request. */
struct asked {
    pb_store_write_fn *fn;
    void *arg;
    const char *request;
};

static int run_asked(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct asked *asked = arg;
    int r;

    pb_log_request(asked->request);
    r = asked->fn(db, asked->arg, err);
    pb_log_request(NULL);
    return r;
}

int pb_store_write(struct pb_store *store, pb_store_write_fn *fn, void *arg, struct pb_error *err)
{
    struct asked asked = {fn, arg, pb_log_request_id()};
    struct job job = {.fn = run_asked, .arg = &asked};
    bool is_writer;

    pthread_mutex_lock(&store->lock);
    is_writer = store->has_writer_id && pthread_equal(store->writer_id, pthread_self());
    pthread_mutex_unlock(&store->lock);
    if (is_writer)
        return pb_fail(err, PB_ERROR_INTERNAL, "a write function must not wait for another one");
    if (enqueue(store, &job, err) < 0)
        return -1;
    wait_finished(store, &job);
    if (!job.failed)
        return 0;
    *err = job.err;
    return -1;
}

int pb_store_submit(struct pb_store *store, pb_store_write_fn *fn, pb_store_done_fn *done,
                    void *arg, struct pb_error *err)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory");
    job->fn = fn;
    job->done = done;
    job->arg = arg;
    if (enqueue(store, job, err) == 0)
        return 0;
    free(job);
    return -1;
}

/* --- readers ------------------------------------------------------------------------------------ */

/* The thread of this reader ends. */
static void close_reader(void *arg)
{
    struct reader *reader = arg;
    struct pb_store *store = reader->store;

    pthread_mutex_lock(&store->lock);
    for (struct reader **at = &store->readers; *at; at = &(*at)->next) {
        if (*at == reader) {
            *at = reader->next;
            break;
        }
    }
    pthread_mutex_unlock(&store->lock);
    pb_db_close(reader->db);
    free(reader);
}

struct pb_db *pb_store_reader(struct pb_store *store, struct pb_error *err)
{
    struct reader *reader = pthread_getspecific(store->reader_key);

    if (reader)
        return reader->db;
    reader = calloc(1, sizeof(*reader));
    if (!reader) {
        pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    reader->store = store;
    reader->db = pb_db_open(store->database, PB_DB_READER, err);
    if (!reader->db || pthread_setspecific(store->reader_key, reader) != 0) {
        if (reader->db)
            pb_fail(err, PB_ERROR_LIMITED, "no memory");
        pb_db_close(reader->db);
        free(reader);
        return NULL;
    }
    pthread_mutex_lock(&store->lock);
    reader->next = store->readers;
    store->readers = reader;
    pthread_mutex_unlock(&store->lock);
    return reader->db;
}

uint64_t pb_store_generation(struct pb_store *store, unsigned parts)
{
    uint64_t sum = 1;

    for (unsigned i = 0; i < PB_STORE_PARTS; i++) {
        if (parts & 1u << i)
            sum += atomic_load(&store->generations[i]);
    }
    return store->is_ours_alone ? sum : 0;
}

/* --- opening and closing ------------------------------------------------------------------------ */

static int start(struct pb_store *store, const struct pb_store_options *options,
                 struct pb_error *err)
{
    store->database =
        pb_database_new(&(struct pb_database_options){.address = options->database,
                                                      .password_file = options->password_file,
                                                      .reply_ms = options->reply_ms,
                                                      .slow_ms = options->slow_ms,
                                                      .on_slow = options->on_slow,
                                                      .arg = options->arg},
                        err);
    store->is_ours_alone = !pb_database_is_address(options->database);
    store->writer = store->database ? pb_db_open(store->database, PB_DB_WRITER, err) : NULL;
    if (!store->writer)
        return -1;
    if (pb_schema_apply(store->writer, PB_MIGRATIONS, PB_MIGRATION_COUNT, options->app_version,
                        pb_clock_wall_ms(), err) < 0 ||
        pb_db_join(store->writer, err) < 0)
        return pb_fail_in(err, "%s", pb_database_name(store->database));
    if (pthread_key_create(&store->reader_key, close_reader) != 0)
        return pb_fail(err, PB_ERROR_LIMITED, "no thread key left");
    store->has_key = true;
    (void)pb_db_take_changed(store->writer); /* nobody has read anything yet */
    store->thread = pb_thread_start("store", writer_main, store, err);
    return store->thread ? 0 : -1;
}

struct pb_store *pb_store_open(const struct pb_store_options *options, struct pb_error *err)
{
    struct pb_store *store = calloc(1, sizeof(*store));
    pthread_condattr_t steady;

    if (!store) {
        pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    store->queue_max = options->queue_max ? options->queue_max : QUEUE_MAX;
    store->last = &store->first;
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->arrived, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&store->finished, &steady);
    pthread_condattr_destroy(&steady);
    if (start(store, options, err) < 0) {
        pb_store_close(store);
        return NULL;
    }
    return store;
}

void pb_store_close(struct pb_store *store)
{
    if (!store)
        return;
    pthread_mutex_lock(&store->lock);
    store->is_stopping = true;
    pthread_cond_broadcast(&store->arrived);
    pthread_mutex_unlock(&store->lock);
    if (store->thread)
        pb_thread_join(&store->thread);
    if (store->has_key)
        pthread_key_delete(store->reader_key);
    while (store->readers) {
        struct reader *reader = store->readers;

        store->readers = reader->next;
        pb_db_close(reader->db);
        free(reader);
    }
    if (store->writer)
        checkpoint(store, true);
    pb_db_close(store->writer);
    pthread_cond_destroy(&store->finished);
    pthread_cond_destroy(&store->arrived);
    pthread_mutex_destroy(&store->lock);
    pb_database_free(store->database);
    free(store);
}

const char *pb_store_name(const struct pb_store *store)
{
    return pb_database_name(store->database);
}

void pb_store_stats(struct pb_store *store, struct pb_store_stats *ret_stats)
{
    pthread_mutex_lock(&store->lock);
    *ret_stats = store->stats;
    ret_stats->queued = store->queued;
    pthread_mutex_unlock(&store->lock);
}
