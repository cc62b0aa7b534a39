#include "server/services/health.h"

#include <pthread.h>

#include "base/clock.h"
#include "server/services/platform.h"
#include "server/store/identity_store.h"
#include "server/store/log_store.h"
#include "server/store/store.h"

enum {
    GOOD_MS = 200,               /* what was found is good for so long */
    LOG_PATIENCE_MS = 10 * 1000, /* a sync that takes longer is no sync */
};

static struct {
    pthread_mutex_t lock; /* guards what follows */
    struct pb_health found;
    int64_t found_at; /* steady; 0 = never */
    bool is_looking;
} last = {.lock = PTHREAD_MUTEX_INITIALIZER};

const char *pb_health_name(enum pb_health_name name)
{
    static const char *const NAMES[] = {
#define X(name, text) [PB_CHECK_##name] = text,
        PB_HEALTH_CHECKS(X)
#undef X
    };

    return NAMES[name];
}

/* --- the checks --------------------------------------------------------------------------------------------- */

static int write_mark(struct pb_db *db, void *arg, struct pb_error *err)
{
    (void)arg;
    return pb_setting_put(db, "ready.checked_at", "1", pb_clock_wall_ms(), err);
}

static int check_database(struct pb_platform *platform, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    int64_t admins;

    if (!db || pb_user_count_admins(db, &admins, err) < 0)
        return -1;
    return pb_store_write(platform->store, write_mark, NULL, err);
}

static int check_log_writer(struct pb_platform *platform, struct pb_error *err)
{
    struct pb_log_stats stats;

    pb_log_stats(platform->log_store, &stats);
    if (stats.is_broken)
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "disk_error",
                              "the disk of the logs has failed");
    if (stats.waiting_ms > LOG_PATIENCE_MS)
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "busy",
                              "log lines have waited for %lld s to be stored",
                              (long long)(stats.waiting_ms / 1000));
    return 0;
}

static int check_disk(struct pb_platform *platform, struct pb_error *err)
{
    struct pb_log_stats stats;

    pb_log_stats(platform->log_store, &stats);
    if (stats.disk_free == 0 || stats.disk_free < stats.disk_floor)
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "disk_full",
                              "the disk of the logs has %llu MiB free and needs %llu",
                              (unsigned long long)(stats.disk_free >> 20),
                              (unsigned long long)(stats.disk_floor >> 20));
    return 0;
}

static int (*const CHECKS[])(struct pb_platform *platform, struct pb_error *err) = {
    [PB_CHECK_DATABASE] = check_database,
    [PB_CHECK_LOG_WRITER] = check_log_writer,
    [PB_CHECK_DISK] = check_disk,
};

static void look(struct pb_platform *platform, struct pb_health *ret_health)
{
    *ret_health = (struct pb_health){.is_ready = true};
    for (int i = 0; i < PB_CHECK_COUNT; i++) {
        struct pb_health_check *check = &ret_health->checks[i];

        check->is_ok = CHECKS[i](platform, &check->err) == 0;
        ret_health->is_ready = ret_health->is_ready && check->is_ok;
    }
}

/* --- looking at most now and then --------------------------------------------------------------------------- */

/* False: what was found last is to be told. */
static bool begin_look(struct pb_health *ret_health)
{
    bool is_good;

    (void)pthread_mutex_lock(&last.lock);
    is_good =
        last.found_at != 0 && (last.is_looking || pb_clock_steady_ms() - last.found_at < GOOD_MS);
    if (is_good)
        *ret_health = last.found;
    else
        last.is_looking = true;
    (void)pthread_mutex_unlock(&last.lock);
    return !is_good;
}

static void end_look(const struct pb_health *found)
{
    (void)pthread_mutex_lock(&last.lock);
    last.found = *found;
    last.found_at = pb_clock_steady_ms();
    last.is_looking = false;
    (void)pthread_mutex_unlock(&last.lock);
}

void pb_health_look(struct pb_platform *platform, struct pb_health *ret_health)
{
    if (!begin_look(ret_health))
        return;
    look(platform, ret_health);
    end_look(ret_health);
}
