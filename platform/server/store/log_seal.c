/*
 * When logs are sealed: complete ones that have been quiet for a while.
 *
 *   begin    the gate is set between two of the writer's batches, the state taken
 *   make     <execution>.zst with all lines, synced; until now nothing has changed for anybody
 *   commit   unless the writer has touched the log meanwhile: the state that says "sealed" is written and
 *            synced, the .log goes
 *
 * Killed before the commit, the .log counts and the .zst holds more than the state says it does, which nobody
 * reads. Killed behind it, a .log is left whose lines the state no longer counts; the search finds it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/text.h"
#include "server/store/log_files_private.h"
#include "server/store/log_sealed_private.h"

enum { AGAIN_MS = 10 * 60 * 1000 }; /* after a seal that failed */

enum outcome { DONE, FAILED, LATER };

void pb_log_quiet_add(struct pb_log_files *files, const char *execution)
{
    struct pb_log_quiet *quiet;

    if (files->quiet_count == PB_LOG_QUIET) {
        files->must_search = true;
        return;
    }
    quiet = &files->quiet[(files->quiet_first + files->quiet_count++) % PB_LOG_QUIET];
    memcpy(quiet->execution, execution, PB_ULID_TEXT);
    quiet->since = pb_clock_steady_ms();
    if (files->quiet_count == 1)
        pthread_cond_signal(&files->sync_asked);
}

/* --- one log ------------------------------------------------------------------------------------- */

/* With the lock held. */
static bool is_called_away(const struct pb_log_files *files)
{
    return files->has_job || files->sync_stops || files->is_broken;
}

/* The gate is set and the state is the log's; false when called away. */
static bool begin(struct pb_log_files *files, const char *execution, struct pb_log_state *ret_state,
                  bool *ret_is_known)
{
    struct pb_log_segment *segment = NULL;
    bool ok;

    pthread_mutex_lock(&files->lock);
    while (files->is_in_batch && !is_called_away(files))
        pthread_cond_wait(&files->sync_done, &files->lock);
    ok = !is_called_away(files);
    if (ok) {
        memcpy(files->sealing, execution, PB_ULID_TEXT);
        files->is_seal_unwanted = false;
        segment = pb_log_table_find(&files->table, execution);
    }
    if (segment)
        *ret_state = segment->seen;
    pthread_mutex_unlock(&files->lock);
    *ret_is_known = segment != NULL;
    return ok;
}

static void end(struct pb_log_files *files)
{
    pthread_mutex_lock(&files->lock);
    *files->sealing = '\0';
    files->is_seal_due = false;
    pthread_cond_broadcast(&files->sync_done);
    pthread_mutex_unlock(&files->lock);
}

static bool is_unwanted(void *arg)
{
    struct pb_log_files *files = arg;
    bool is_unwanted;

    pthread_mutex_lock(&files->lock);
    is_unwanted = files->is_seal_unwanted || files->sync_stops || files->is_broken;
    pthread_mutex_unlock(&files->lock);
    return is_unwanted;
}

/* From here on the writer waits before it touches this log. False when it already has. */
static bool claim(struct pb_log_files *files, const char *execution, uint64_t *generation)
{
    struct pb_log_segment *segment;
    bool ok;

    pthread_mutex_lock(&files->lock);
    ok = !files->is_seal_unwanted;
    files->is_seal_due = ok;
    segment = pb_log_table_find(&files->table, execution);
    if (segment)
        *generation = segment->generation;
    ++*generation;
    if (segment)
        segment->generation = *generation;
    pthread_mutex_unlock(&files->lock);
    return ok;
}

/* All lines are in the packed file, and the state on disk says so: the segment begins behind them, with a file of
 * its own once it has lines. */
static void drop_segment(struct pb_log_files *files, const char *execution)
{
    struct pb_log_segment *segment;
    char path[PB_LOG_PATH];

    pthread_mutex_lock(&files->lock);
    segment = pb_log_table_find(&files->table, execution);
    if (segment) {
        segment->now.sealed_lines = segment->seen.sealed_lines = segment->seen.lines;
        segment->now.sealed_bytes = segment->seen.sealed_bytes = segment->seen.bytes;
        segment->is_moved = true;
    }
    pthread_mutex_unlock(&files->lock);
    /* Now, and not before: readers find no .log only if the state says so. Failing leaves what a search finds. */
    pb_log_path(execution, ".log", path);
    (void)unlinkat(files->dir, path, 0);
}

static int commit(struct pb_log_files *files, const char *execution,
                  const struct pb_log_state *state, uint64_t generation, struct pb_error *err)
{
    struct pb_log_state sealed = *state;

    sealed.sealed_lines = state->lines;
    sealed.sealed_bytes = state->bytes;
    if (pb_log_state_write(files->dir, execution, &sealed, generation, err) < 0)
        return -1;
    drop_segment(files, execution);
    return 0;
}

static int seal(struct pb_log_files *files, const char *execution, struct pb_log_state *state,
                bool is_known, struct pb_error *err)
{
    struct pb_log_state on_disk;
    uint64_t generation;

    if (pb_log_state_load(files->dir, execution, &on_disk, &generation, err) < 0)
        return -1;
    if (!is_known)
        *state = on_disk;
    if (!state->is_complete)
        return 0;
    if (state->bytes == state->sealed_bytes) {
        if (state->sealed_bytes > 0 && claim(files, execution, &generation))
            drop_segment(files, execution);
        return 0;
    }
    if (pb_log_sealed_make(files->dir, execution, state, is_unwanted, files, err) < 0)
        return strcmp(err->reason, "unwanted") == 0 ? 0 : -1;
    if (!claim(files, execution, &generation))
        return 0;
    return commit(files, execution, state, generation, err);
}

static enum outcome seal_one(struct pb_log_files *files, const char *execution)
{
    struct pb_log_state state;
    struct pb_error err = {0};
    bool is_known;
    int r;

    if (!begin(files, execution, &state, &is_known))
        return LATER;
    r = seal(files, execution, &state, is_known, &err);
    end(files);
    if (r == 0)
        return DONE;
    pb_log_debug("log_store", "execution=%s seal: %s", execution, err.message);
    if (strcmp(err.reason, "disk_error") == 0)
        pb_log_break(files, &err);
    return strcmp(err.reason, "log_damaged") == 0 ? DONE : FAILED;
}

/* --- looking for logs to seal --------------------------------------------------------------------- */

static enum outcome search_month(struct pb_log_files *files, const char *month)
{
    enum outcome outcome = DONE, one;
    int fd = openat(files->dir, month, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!folder) {
        pb_close(&fd);
        return DONE; /* no folder of ours */
    }
    while (outcome != LATER && (entry = readdir(folder))) {
        char execution[PB_ULID_TEXT] = "";

        if (pb_text_ends(entry->d_name, PB_LOG_SEALED_TMP))
            (void)unlinkat(dirfd(folder), entry->d_name, 0);
        if (!pb_text_ends(entry->d_name, ".log") || strlen(entry->d_name) != PB_ULID_TEXT + 3)
            continue;
        memcpy(execution, entry->d_name, PB_ULID_TEXT - 1);
        if (!pb_ulid_valid(execution))
            continue;
        one = seal_one(files, execution);
        outcome = one == DONE ? outcome : one;
    }
    closedir(folder);
    return outcome;
}

static enum outcome search(struct pb_log_files *files)
{
    enum outcome outcome = DONE, one;
    int fd = openat(files->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!folder) {
        pb_close(&fd);
        return FAILED;
    }
    while (outcome != LATER && (entry = readdir(folder))) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
            continue;
        one = search_month(files, entry->d_name);
        outcome = one == DONE ? outcome : one;
    }
    closedir(folder);
    return outcome;
}

/* --- what is due ----------------------------------------------------------------------------------- */

static int64_t left_of(int64_t since, int64_t ms)
{
    int64_t left = ms - (pb_clock_steady_ms() - since);

    return left > 0 ? left : 0;
}

int64_t pb_log_seal_wait(const struct pb_log_files *files)
{
    int64_t quiet = -1, search = -1;

    if (files->must_search)
        return 0;
    if (files->quiet_count > 0)
        quiet = left_of(files->quiet[files->quiet_first].since, files->seal_ms);
    if (files->failed_at > 0)
        search = left_of(files->failed_at, AGAIN_MS);
    return quiet < 0 || (search >= 0 && search < quiet) ? search : quiet;
}

/* The first of the quiet ones, when its time has come. */
static bool next_quiet(struct pb_log_files *files, char ret_execution[PB_ULID_TEXT])
{
    const struct pb_log_quiet *first;
    bool is_due = false;

    pthread_mutex_lock(&files->lock);
    first = &files->quiet[files->quiet_first];
    if (files->quiet_count > 0 && left_of(first->since, files->seal_ms) == 0) {
        memcpy(ret_execution, first->execution, PB_ULID_TEXT);
        is_due = true;
    }
    pthread_mutex_unlock(&files->lock);
    return is_due;
}

static void forget_quiet(struct pb_log_files *files)
{
    pthread_mutex_lock(&files->lock);
    files->quiet_first = (files->quiet_first + 1) % PB_LOG_QUIET;
    files->quiet_count--;
    pthread_mutex_unlock(&files->lock);
}

/* A search, if there is to be one: it is remembered as made. */
static bool take_search(struct pb_log_files *files)
{
    bool is_due;

    pthread_mutex_lock(&files->lock);
    is_due =
        files->must_search || (files->failed_at > 0 && left_of(files->failed_at, AGAIN_MS) == 0);
    if (is_due) {
        files->must_search = false;
        files->failed_at = 0;
    }
    pthread_mutex_unlock(&files->lock);
    return is_due;
}

static void search_again(struct pb_log_files *files, enum outcome outcome)
{
    pthread_mutex_lock(&files->lock);
    if (outcome == LATER)
        files->must_search = true;
    if (outcome == FAILED)
        files->failed_at = pb_clock_steady_ms();
    pthread_mutex_unlock(&files->lock);
}

void pb_log_seal_some(struct pb_log_files *files)
{
    char execution[PB_ULID_TEXT];
    enum outcome outcome = DONE;

    while (outcome != LATER && next_quiet(files, execution)) {
        outcome = seal_one(files, execution);
        if (outcome != LATER)
            forget_quiet(files);
        if (outcome == FAILED)
            search_again(files, FAILED);
    }
    if (outcome != LATER && take_search(files))
        search_again(files, search(files));
}
