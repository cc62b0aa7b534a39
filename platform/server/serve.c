#include "server/serve.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/process.h"
#include "net/http_client.h"
#include "net/http_front.h"
#include "net/tls.h"
#include "server/api/live_api.h"
#include "server/api/router.h"
#include "server/api/seed.h"
#include "server/api/static_files.h"
#include "server/services/auth.h"
#include "server/services/counters.h"
#include "server/services/events.h"
#include "server/services/github_client.h"
#include "server/services/github_effects.h"
#include "server/services/github_sync.h"
#include "server/services/janitor.h"
#include "server/services/log_hub.h"
#include "server/services/node_hub.h"
#include "server/services/schedule_runner.h"
#include "server/services/scheduler.h"
#include "server/services/vault.h"
#include "server/store/log_chunks.h"
#include "server/store/log_store.h"
#include "server/store/store.h"

enum {
    SLOW_THREADS = 8,
    IO_LOOPS_MAX = 16, /* more sockets than these serve, no machine of ours has */
    FD_SPARE = 128,    /* descriptors that connections leave to logs and databases */
    FD_FEW = 256,      /* with fewer altogether, fewer threads work */
    FEW_HANDLERS = 4,
    FEW_SLOW = 2,
    QUICK_QUEUE = 2048,
    SLOW_QUEUE = 256,
    GRACE_MS = 5000, /* for replies being made when we are asked to stop */
    STOP_LOOK_MS = 20,
    STOP_SECONDS = 12, /* whatever happens, we are gone by then: the lock must come free */
    PATH_BYTES = 700,
    HEAPS_MAX = 2,
    HEAP_KEEPS = 256 << 10,
};

struct serve {
    struct pb_settings *settings;
    struct pb_platform platform;
    int lock;
    struct pb_tls_server *tls;
    struct pb_static_files *files;
    struct pb_router *router;
    struct pb_http_front *front;
    struct pb_loop_signal *on_term;
    struct pb_loop_signal *on_int;
    struct pb_loop_timer *stopping;
    int64_t stop_by;
    unsigned handlers, slow; /* threads */
    int connections_below;   /* descriptors from here on are for ourselves */
    atomic_bool is_broken;   /* the disk has failed: whoever started us is to start us again */
};

/* --- what the machine gives --------------------------------------------------------------------------------------------- */

/* Replies are made and freed on many threads. A heap for each of these would keep what the largest reply
 * took; two heaps are enough for what they do between two reads, and large pieces go back at once. */
static void share_heaps(void)
{
    (void)mallopt(M_ARENA_MAX, HEAPS_MAX);
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_KEEPS);
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEEPS);
}

static unsigned io_loops(const struct pb_config *config)
{
    long wanted = (long)pb_config_int(config, "io_threads");
    long count = wanted > 0 ? wanted : sysconf(_SC_NPROCESSORS_ONLN);

    return count < 1 ? 1 : count < IO_LOOPS_MAX ? (unsigned)count : IO_LOOPS_MAX;
}

/* Connections stop where what we open ourselves, now and later, would have to do without. */
static void plan_descriptors(struct serve *serve)
{
    int limit = pb_process_descriptors();
    int spare = limit / 4 < FD_SPARE ? limit / 4 : FD_SPARE;

    serve->handlers = (unsigned)pb_config_int(serve->settings->config, "handler_threads");
    serve->slow = SLOW_THREADS;
    serve->connections_below = limit - spare;
    if (limit >= FD_FEW)
        return;
    serve->handlers = serve->handlers < FEW_HANDLERS ? serve->handlers : FEW_HANDLERS;
    serve->slow = FEW_SLOW;
    pb_log_warn("platform",
                "only %d file descriptors are allowed, which is enough for a few people: raise the "
                "limit (ulimit -n, LimitNOFILE=)",
                limit);
}

/* --- storage ------------------------------------------------------------------------------------------------ */

static int open_folder(struct serve *serve, struct pb_error *err)
{
    char path[PATH_BYTES];

    if (geteuid() == 0)
        return pb_fail(
            err, PB_ERROR_DENIED,
            "serve does not run as root: start poppo-platform without a verb, which drops to the "
            "user of setting 'user', or start serve as that user");
    (void)snprintf(path, sizeof(path), "%s/platform", serve->settings->data_dir);
    if (pb_fs_mkdirs(path, 0700, err) < 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/platform/lock", serve->settings->data_dir);
    serve->lock = pb_fs_lock(path, err);
    if (serve->lock < 0 && err->code == PB_ERROR_CONFLICT)
        return pb_fail_in(
            err,
            "another platform uses %s: stop that one, or give this one a --data-dir of its own",
            serve->settings->data_dir);
    return serve->lock < 0 ? -1 : 0;
}

/* The next start replays what is not on disk. */
static void on_broken_disk(void *arg, const struct pb_error *err)
{
    struct serve *serve = arg;

    pb_log_fail(PB_LOG_ERROR, "platform", err, "stopping, to be started again");
    serve->is_broken = true;
    (void)kill(getpid(), SIGTERM);
}

static struct pb_log_store *open_logs(struct serve *serve, const char *dir, struct pb_error *err)
{
    const struct pb_config *config = serve->settings->config;
    const char *place = pb_config_text(config, "log_store");
    const struct pb_log_store_options options = {
        .dir = dir,
        .disk_floor = pb_config_int(config, "disk_floor"),
        .log_max = pb_config_int(config, "log_limit"),
        .on_broken = on_broken_disk,
        .arg = serve,
    };

    if (strcmp(place, "database") == 0)
        return pb_log_chunks_open(serve->platform.store, &options, err);
    if (strcmp(place, "files") == 0)
        return pb_log_store_open(&options, err);
    (void)pb_fail_field(err, "log_store", "log_store is files or database, not '%s'", place);
    return NULL;
}

static void on_slow_query(void *arg, const char *sql, int64_t took_ms)
{
    (void)arg;
    pb_count(PB_COUNTER_DATABASE_SLOW, 1);
    pb_log_warn("database", "took_ms=%lld slow: %s", (long long)took_ms, sql);
}

static int open_store(struct serve *serve, struct pb_error *err)
{
    struct pb_platform *platform = &serve->platform;
    const struct pb_config *config = serve->settings->config;
    char logs[PATH_BYTES];

    (void)snprintf(logs, sizeof(logs), "%s/platform/logs", serve->settings->data_dir);
    platform->store = pb_store_open(
        &(struct pb_store_options){
            .database = serve->settings->database,
            .password_file = pb_config_text(config, "database_password_file"),
            .reply_ms = pb_config_int(config, "database_timeout"),
            .slow_ms = pb_config_int(config, "slow_query"),
            .on_slow = on_slow_query,
            .app_version = PB_VERSION,
        },
        err);
    if (!platform->store)
        return -1;
    platform->log_store = open_logs(serve, logs, err);
    if (!platform->log_store)
        return -1;
    platform->vault = pb_vault_open(platform->store, serve->settings->key_file, err);
    return platform->vault ? 0 : -1;
}

/* --- services, in the order of struct pb_platform ----------------------------------------------------------- */

static int open_threads(struct serve *serve, struct pb_error *err)
{
    struct pb_platform *platform = &serve->platform;
    const struct pb_config *config = serve->settings->config;
    const char *ca_file = pb_config_text(config, "ca_file");

    platform->loop = pb_loop_new(err);
    if (!platform->loop)
        return -1;
    platform->pool = pb_pool_new("handler", serve->handlers, QUICK_QUEUE, err);
    platform->slow_pool = platform->pool ? pb_pool_new("slow", serve->slow, SLOW_QUEUE, err) : NULL;
    if (!platform->slow_pool)
        return -1;
    platform->http = pb_http_client_new("PoppoBuilder/" PB_VERSION, *ca_file ? ca_file : NULL, err);
    return platform->http ? 0 : -1;
}

static int open_services(struct serve *serve, struct pb_error *err)
{
    struct pb_platform *platform = &serve->platform;

    platform->events = pb_events_start(platform, err);
    platform->log_hub = platform->events ? pb_log_hub_open(platform, err) : NULL;
    platform->auth = platform->log_hub ? pb_auth_open(platform, err) : NULL;
    platform->node_hub = platform->auth ? pb_node_hub_open(platform, err) : NULL;
    platform->github =
        platform->node_hub
            ? pb_github_new(&(struct pb_github_options){.http = platform->http,
                                                        .store = platform->store,
                                                        .pace_ms =
                                                            platform->settings.github_write_gap_ms},
                            err)
            : NULL;
    return platform->github ? 0 : -1;
}

/* What works by itself starts last, when everything it might touch is there. */
static int start_workers(struct serve *serve, struct pb_error *err)
{
    struct pb_platform *platform = &serve->platform;

    platform->scheduler = pb_scheduler_start(platform, err);
    platform->github_effects = platform->scheduler ? pb_github_effects_start(platform, err) : NULL;
    platform->github_sync = platform->github_effects ? pb_github_sync_start(platform, err) : NULL;
    platform->janitor = platform->github_sync ? pb_janitor_start(platform, err) : NULL;
    platform->schedule_runner = platform->janitor ? pb_schedule_runner_start(platform, err) : NULL;
    return platform->schedule_runner ? 0 : -1;
}

/* --- HTTP --------------------------------------------------------------------------------------------------- */

static int open_server(struct serve *serve, struct pb_error *err)
{
    const struct pb_config *config = serve->settings->config;
    const char *certificate = pb_config_text(config, "tls_certificate");
    struct pb_error why;

    if (*certificate) {
        serve->tls = pb_tls_server_new(certificate, pb_config_text(config, "tls_key"), err);
        if (!serve->tls)
            return -1;
    }
    serve->files = pb_static_files_load(serve->settings->web_dir, &why);
    if (!serve->files)
        pb_log_fail(PB_LOG_WARN, "platform", &why,
                    "serving the API alone, without the web UI: build and install it (./dev up "
                    "does), or set web_dir");
    serve->router = pb_router_new(&serve->platform, serve->files, err);
    if (!serve->router)
        return -1;
    serve->front = pb_http_front_open(serve->platform.loop, io_loops(config),
                                      &(struct pb_http_server_options){
                                          .listen = pb_config_text(config, "listen"),
                                          .listen_fd = -1,
                                          .tls = serve->tls,
                                          .fd_max = serve->connections_below,
                                          .handle = pb_router_handle,
                                          .arg = serve->router,
                                      },
                                      err);
    if (!serve->front)
        return -1;
    pb_settings_know_port(serve->settings, pb_http_front_port(serve->front));
    return 0;
}

/* --- stopping ------------------------------------------------------------------------------------------------- */

static void look_whether_stopped(void *arg)
{
    struct serve *serve = arg;

    if (pb_clock_steady_ms() < serve->stop_by &&
        (pb_http_front_connections(serve->front) > 0 || pb_live_count() > 0 ||
         pb_node_hub_links(serve->platform.node_hub) > 0))
        return;
    pb_loop_timer_cancel(&serve->stopping);
    pb_loop_stop(serve->platform.loop);
}

static void on_signal(void *arg, int number)
{
    struct serve *serve = arg;

    if (serve->stopping)
        return;
    pb_log_info("platform", "signal=%d stopping", number);
    (void)alarm(STOP_SECONDS);
    serve->stop_by = pb_clock_steady_ms() + GRACE_MS;
    pb_live_stop();
    pb_node_hub_stop(serve->platform.node_hub);
    pb_github_stop(serve->platform.github);
    pb_http_client_stop(serve->platform.http); /* a silent GitHub must not hold us up */
    pb_http_front_stop(serve->front, GRACE_MS);
    serve->stopping =
        pb_loop_timer_start(serve->platform.loop, 0, STOP_LOOK_MS, look_whether_stopped, serve);
    if (!serve->stopping)
        pb_loop_stop(serve->platform.loop);
}

static int write_nothing(struct pb_db *db, void *arg, struct pb_error *err)
{
    (void)db;
    (void)arg;
    (void)err;
    return 0;
}

/* What was handed to the writers speaks to the events and the node hub when it is done: it has spoken after
 * this. */
static void settle_writers(struct pb_platform *platform)
{
    struct pb_error err;

    pb_log_store_close(platform->log_store);
    platform->log_store = NULL;
    if (platform->store && pb_store_write(platform->store, write_nothing, NULL, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "platform", &err, "stopping");
}

/* Every part takes NULL, so a start that failed half-way is undone, too. Who kicks ends before who is kicked:
 * requests and node messages, then polling, scheduler, effects, then the writers, then those who are told. */
static void close_all(struct serve *serve)
{
    struct pb_platform *platform = &serve->platform;

    pb_loop_signal_unwatch(&serve->on_term);
    pb_loop_signal_unwatch(&serve->on_int);
    pb_http_front_join(serve->front);
    pb_pool_free(platform->slow_pool);
    pb_pool_free(platform->pool);
    pb_http_front_close(serve->front);
    pb_node_hub_finish(platform->node_hub);
    pb_github_sync_stop(platform->github_sync);
    pb_schedule_runner_stop(platform->schedule_runner);
    pb_scheduler_stop(platform->scheduler);
    pb_janitor_stop(platform->janitor);
    pb_github_effects_stop(platform->github_effects);
    pb_router_free(serve->router);
    pb_static_files_free(serve->files);
    pb_tls_server_free(serve->tls);
    pb_events_finish(platform->events);
    settle_writers(platform);
    pb_node_hub_close(platform->node_hub);
    pb_events_close(platform->events);
    pb_github_free(platform->github);
    pb_http_client_free(platform->http);
    pb_auth_close(platform->auth);
    pb_log_hub_close(platform->log_hub);
    pb_vault_close(platform->vault);
    pb_store_close(platform->store);
    pb_http_front_free(serve->front);
    pb_loop_free(platform->loop);
    pb_close(&serve->lock);
}

/* --- the first words ---------------------------------------------------------------------------------------- */

static int greet(struct serve *serve, struct pb_error *err)
{
    static const char RULE[] =
        "------------------------------------------------------------------------";
    const char *url = serve->settings->base_url;
    struct pb_arena arena;
    const char *token;
    bool required;
    int r;

    pb_log_info("platform", "version=%s data_dir=%s database=%s listening on %s", PB_VERSION,
                serve->settings->data_dir, pb_store_name(serve->platform.store), url);
    r = pb_auth_setup_required(serve->platform.auth, &required, err);
    if (r == 0 && !required)
        (void)fprintf(stderr, "%s\n  PoppoBuilder Platform %s is ready: %s\n%s\n", RULE, PB_VERSION,
                      url, RULE);
    if (r < 0 || !required)
        return r;
    pb_arena_init(&arena, 16 << 10);
    r = pb_auth_setup_token(serve->platform.auth, &arena, &token, err);
    if (r == 0)
        (void)fprintf(
            stderr,
            "%s\n  PoppoBuilder Platform %s is ready.\n\n"
            "  Open this link once to make the administrator's account:\n\n    %s/setup#%s\n\n"
            "  It is valid until used; the next start prints a new one.\n%s\n",
            RULE, PB_VERSION, url, token, RULE);
    pb_arena_release(&arena);
    return r;
}

static int start(struct serve *serve, struct pb_error *err)
{
    struct pb_platform *platform = &serve->platform;

    plan_descriptors(serve);
    if (open_folder(serve, err) < 0 || open_store(serve, err) < 0 || open_threads(serve, err) < 0 ||
        open_server(serve, err) < 0)
        return -1;
    pb_settings_for_services(serve->settings, &platform->settings);
    if (open_services(serve, err) < 0 || start_workers(serve, err) < 0)
        return -1;
    serve->on_term = pb_loop_signal_watch(platform->loop, SIGTERM, on_signal, serve);
    serve->on_int = pb_loop_signal_watch(platform->loop, SIGINT, on_signal, serve);
    if (!serve->on_term || !serve->on_int)
        return pb_fail(err, PB_ERROR_INTERNAL, "signals cannot be watched");
    if (pb_seed_projects(platform, pb_config_text(serve->settings->config, "seed"), err) < 0 ||
        pb_http_front_start(serve->front, err) < 0)
        return -1;
    return greet(serve, err);
}

int pb_serve(struct pb_settings *settings, struct pb_error *err)
{
    struct serve serve = {.settings = settings, .lock = -1};
    int r;

    share_heaps();
    r = start(&serve, err);
    if (r == 0)
        pb_loop_run(serve.platform.loop);
    close_all(&serve);
    if (r == 0 && serve.is_broken)
        return pb_fail(err, PB_ERROR_UNAVAILABLE, "the disk of the logs has failed");
    if (r == 0)
        pb_log_info("platform", "stopped");
    return r;
}
