#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/text.h"
#include "server/store/db_postgres_private.h"

enum {
    REPLY_MS = 3000,
    RETRY_MS = 250,
    CONNECT_MAX_MS = 10000,
    VERSION_MIN = 150000,
    TIMELINE_DIGITS = 8, /* how the name of a write-ahead log file begins */
};

/* --- errors ------------------------------------------------------------------------------------- */

static const char *state_of(const struct pg_result *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return state ? state : "";
}

int pb_pg_fail(const struct pg_result *result, struct pb_error *err)
{
    static const struct {
        const char *state; /* or how it begins */
        enum pb_error_code code;
        const char *reason;
    } STATES[] = {
        {"23505", PB_ERROR_CONFLICT, "unique"},
        {"23503", PB_ERROR_CONFLICT, "foreign_key"},
        {"53100", PB_ERROR_UNAVAILABLE, "disk_full"},
        {"53", PB_ERROR_UNAVAILABLE, "busy"},    /* connections, memory */
        {"55P03", PB_ERROR_UNAVAILABLE, "busy"}, /* lock_timeout */
        {"57014", PB_ERROR_UNAVAILABLE, "busy"}, /* statement_timeout */
        {"40", PB_ERROR_UNAVAILABLE, "busy"},    /* deadlock, serialization */
        {"22021", PB_ERROR_INVALID, "not_utf8"},
        {"XX001", PB_ERROR_INTERNAL, "store_corrupt"},
        {"XX002", PB_ERROR_INTERNAL, "store_corrupt"},
        {"08", PB_ERROR_UNAVAILABLE, "database_down"},
        {"25006", PB_ERROR_UNAVAILABLE, "database_down"}, /* read only */
        {"25P03", PB_ERROR_UNAVAILABLE, "database_down"}, /* idle in a change for too long */
        {"57P", PB_ERROR_UNAVAILABLE, "database_down"},   /* shutting down, starting up */
        {"58", PB_ERROR_UNAVAILABLE, "store_failed"},     /* input/output */
    };
    const char *state = state_of(result);
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (!*state) /* not the server's words but libpq's */
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "database_down",
                              "the connection to the database was lost");
    if (strcmp(state, "53100") == 0)
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "disk_full",
                              "no space left for the database");
    for (size_t i = 0; i < sizeof(STATES) / sizeof(STATES[0]); i++) {
        if (pb_text_starts(state, STATES[i].state))
            return pb_fail_reason(err, STATES[i].code, STATES[i].reason, "database: %s (%s)",
                                  words ? words : "", state);
    }
    return pb_fail(err, PB_ERROR_INTERNAL, "database: %s (%s)", words ? words : "", state);
}

bool pb_pg_is_gone(const struct pg_result *result, enum pb_db_mode mode)
{
    const char *state = state_of(result);

    return !*state || pb_text_starts(state, "08") || pb_text_starts(state, "57P") ||
           strcmp(state, "25P03") == 0 || (mode == PB_DB_WRITER && strcmp(state, "25006") == 0);
}

/* libpq's words may be several lines, some of them hints. */
static int fail_connection(const PGconn *conn, struct pb_error *err)
{
    const char *words = conn ? PQerrorMessage(conn) : "no memory";

    return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "database_down", "%.*s",
                          (int)strcspn(words, "\n"), words);
}

/* --- waiting ------------------------------------------------------------------------------------ */

static int fail_late(struct pb_pg *pg, struct pb_error *err)
{
    atomic_fetch_add(&pg->trust, 1);
    return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "database_down",
                          "the database does not answer");
}

static int fail_lost(struct pb_error *err)
{
    return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "database_down",
                          "the connection to the database was lost");
}

int pb_pg_wait(struct pb_pg *pg, struct pg_conn *conn, int64_t deadline, struct pb_error *err)
{
    for (;;) {
        struct pollfd fd = {.fd = PQsocket(conn), .events = POLLIN};
        int unsent = PQflush(conn), r;
        int64_t left = deadline - pb_clock_steady_ms();

        if (unsent < 0)
            return fail_lost(err);
        if (!PQisBusy(conn))
            return 0;
        if (left <= 0)
            return fail_late(pg, err);
        if (unsent > 0)
            fd.events |= POLLOUT;
        r = poll(&fd, 1, (int)left);
        if (r < 0 && errno != EINTR)
            return pb_fail_errno(err, "poll");
        if (r > 0 && !PQconsumeInput(conn))
            return fail_lost(err);
    }
}

int pb_pg_script(struct pb_pg *pg, struct pg_conn *conn, const char *sql, int64_t deadline,
                 struct pg_result **ret_last, struct pb_error *err)
{
    PGresult *last = NULL, *result;
    int r = 0;

    if (!PQsendQuery(conn, sql))
        return fail_lost(err);
    while (r == 0) {
        r = pb_pg_wait(pg, conn, deadline, err);
        result = r == 0 ? PQgetResult(conn) : NULL;
        if (!result)
            break;
        PQclear(last);
        last = result;
        if (PQresultStatus(result) == PGRES_FATAL_ERROR)
            r = pb_pg_fail(result, err);
    }
    while (r < 0 && PQstatus(conn) == CONNECTION_OK && pb_pg_wait(pg, conn, deadline, err) == 0 &&
           (result = PQgetResult(conn)))
        PQclear(result);
    if (r == 0 && !last)
        r = fail_lost(err);
    if (r < 0 || !ret_last) {
        PQclear(last);
        return r;
    }
    *ret_last = last;
    return 0;
}

/* --- finding the server --------------------------------------------------------------------------- */

struct racer {
    PGconn *conn;
    PostgresPollingStatusType wants;
};

static void note_warning(void *arg, const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    *(bool *)arg = *(bool *)arg || (severity && strcmp(severity, "WARNING") == 0);
    pb_log_debug("store", "postgresql: %s: %s", severity ? severity : "", words ? words : "");
}

static PGconn *start_one(const struct pb_pg *pg, const struct pb_pg_host *host, bool *warned)
{
    const char *keywords[PB_PG_PARAMETERS_MAX + 5], *values[PB_PG_PARAMETERS_MAX + 5];
    size_t count = 0;
    PGconn *conn;

    for (; count < pg->parameter_count; count++) {
        keywords[count] = pg->keywords[count];
        values[count] = pg->values[count];
    }
    keywords[count] = "host";
    values[count++] = host->name;
    keywords[count] = "hostaddr";
    values[count++] = host->address;
    keywords[count] = "port";
    values[count++] = host->port;
    keywords[count] = "target_session_attrs";
    values[count++] = "read-write";
    keywords[count] = values[count] = NULL;
    conn = PQconnectStartParams(keywords, values, 0);
    if (conn)
        PQsetNoticeReceiver(conn, note_warning, warned);
    return conn;
}

/* A racer that cannot win any more says why in *err. */
static void drop(struct racer *racer, struct pb_error *err)
{
    fail_connection(racer->conn, err);
    PQfinish(racer->conn);
    racer->conn = NULL;
}

/* Waits for the next thing to happen to any racer. False: the time is up. */
static bool wait_racers(struct racer *racers, size_t count, struct pollfd *fds, int64_t deadline)
{
    int64_t left = deadline - pb_clock_steady_ms();

    for (size_t i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = racers[i].conn ? PQsocket(racers[i].conn) : -1};
        fds[i].events = racers[i].wants == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    }
    return left > 0 && poll(fds, (nfds_t)count, (int)left) != 0;
}

/* All hosts at once: the first that takes writes wins. One that swallows packets costs nothing. */
static PGconn *race(struct pb_pg *pg, bool *warned, int64_t deadline, struct pb_error *err)
{
    struct racer racers[PB_PG_HOSTS_MAX];
    struct pollfd fds[PB_PG_HOSTS_MAX];
    size_t count = pg->host_count, running = count;
    PGconn *winner = NULL;

    for (size_t i = 0; i < count; i++) {
        racers[i] = (struct racer){start_one(pg, &pg->hosts[i], warned), PGRES_POLLING_WRITING};
        if (!racers[i].conn || PQstatus(racers[i].conn) == CONNECTION_BAD) {
            drop(&racers[i], err);
            running--;
        }
    }
    while (running > 0 && !winner) {
        if (!wait_racers(racers, count, fds, deadline)) {
            pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "database_down", "it does not answer");
            break;
        }
        for (size_t i = 0; i < count && !winner; i++) {
            if (!racers[i].conn || fds[i].revents == 0)
                continue;
            racers[i].wants = PQconnectPoll(racers[i].conn);
            if (racers[i].wants == PGRES_POLLING_OK) {
                winner = racers[i].conn;
                racers[i].conn = NULL;
            } else if (racers[i].wants == PGRES_POLLING_FAILED) {
                drop(&racers[i], err);
                running--;
            }
        }
    }
    for (size_t i = 0; i < count; i++)
        PQfinish(racers[i].conn);
    return winner;
}

/* --- a session -------------------------------------------------------------------------------------- */

static int check_server(const PGconn *conn, struct pb_error *err)
{
    const char *encoding = PQparameterStatus(conn, "server_encoding");

    if (PQserverVersion(conn) < VERSION_MIN)
        return pb_fail(err, PB_ERROR_PRECONDITION, "PostgreSQL 15 or newer is needed, this is %d",
                       PQserverVersion(conn) / 10000);
    if (!encoding || strcmp(encoding, "UTF8") != 0)
        return pb_fail(err, PB_ERROR_PRECONDITION,
                       "the database must have the encoding UTF8, not %s",
                       encoding ? encoding : "?");
    return 0;
}

static int check_timeline(struct pb_pg *pg, const PGresult *result, struct pb_error *err)
{
    char digits[TIMELINE_DIGITS + 1] = "";
    uint64_t timeline, highest;
    char *end;

    memcpy(digits, PQgetvalue(result, 0, 0), strnlen(PQgetvalue(result, 0, 0), TIMELINE_DIGITS));
    timeline = strtoull(digits, &end, 16);
    if (end != digits + TIMELINE_DIGITS)
        return pb_fail(err, PB_ERROR_INTERNAL, "the database's timeline '%s' is no number", digits);
    pthread_mutex_lock(&pg->lock);
    if (timeline > pg->timeline)
        pg->timeline = timeline;
    highest = pg->timeline;
    pthread_mutex_unlock(&pg->lock);
    if (timeline < highest)
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "database_down",
                              "this server is a primary of the past (timeline %llu, not %llu)",
                              (unsigned long long)timeline, (unsigned long long)highest);
    return 0;
}

/*
 * A reader's statement ends by itself before we give the connection up. A writer's does not: its
 * COMMIT may wait for a standby, and a cancelled COMMIT claims to have succeeded.
 */
static int set_up(struct pb_pg *pg, PGconn *conn, enum pb_db_mode mode, int64_t deadline,
                  struct pb_error *err)
{
    PGresult *result = NULL;
    struct pb_buf sql;
    int r;

    pb_buf_init(&sql, 2048);
    pb_buf_text(&sql, "SET client_min_messages = warning; SET jit = off; "
                      "SET standard_conforming_strings = on; SET bytea_output = hex; "
                      "SELECT set_config('synchronous_commit', 'on', false) "
                      "WHERE current_setting('synchronous_commit') IN ('off', 'local'); ");
    if (mode == PB_DB_READER)
        pb_buf_format(&sql,
                      "SET default_transaction_read_only = on; SET statement_timeout = %lld; ",
                      (long long)(pg->reply_ms * 5 / 6));
    else
        pb_buf_format(&sql,
                      "SET statement_timeout = 0; SET lock_timeout = 0; "
                      "SET default_transaction_isolation = 'read committed'; "
                      "SET idle_in_transaction_session_timeout = %lld; ",
                      (long long)pg->reply_ms);
    pb_buf_text(&sql, "SELECT pg_walfile_name(pg_current_wal_lsn())");
    r = check_server(conn, err);
    if (r == 0)
        r = pb_pg_script(pg, conn, pb_buf_string(&sql), deadline, &result, err);
    if (r == 0)
        r = check_timeline(pg, result, err);
    PQclear(result);
    pb_buf_release(&sql);
    if (r == 0 && (PQsetnonblocking(conn, 1) != 0 || !PQenterPipelineMode(conn)))
        r = fail_lost(err);
    return r;
}

/* --- one thread tries, the others are told --------------------------------------------------------- */

static bool may_try(struct pb_pg *pg, struct pb_error *err)
{
    bool may;

    pthread_mutex_lock(&pg->lock);
    may = !pg->is_down || (!pg->is_trying && pb_clock_steady_ms() >= pg->retry_at);
    if (!may)
        *err = pg->why;
    pg->is_trying = pg->is_down && (may || pg->is_trying);
    pthread_mutex_unlock(&pg->lock);
    return may;
}

/* Where the database is, and why it does not answer, is for the log; once, not for each call. */
static void note_attempt(struct pb_pg *pg, bool succeeded, struct pb_error *err)
{
    bool was_down, is_known;

    pthread_mutex_lock(&pg->lock);
    was_down = pg->is_down;
    is_known = pg->was_there;
    pg->is_trying = false;
    pg->is_down = !succeeded;
    pg->was_there = pg->was_there || succeeded;
    pg->retry_at = pb_clock_steady_ms() + RETRY_MS;
    if (succeeded && was_down)
        pb_log_info("store", "the database is back");
    if (!succeeded && is_known) {
        if (!was_down)
            pb_log_fail(PB_LOG_WARN, "store", err, "the database cannot be reached");
        pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "database_down",
                       "the database cannot be reached at the moment");
    }
    if (!succeeded)
        pg->why = *err;
    pthread_mutex_unlock(&pg->lock);
}

struct pg_conn *pb_pg_connect(struct pb_pg *pg, enum pb_db_mode mode, bool insist, bool *warned,
                              struct pb_error *err)
{
    int64_t patience = pg->reply_ms < CONNECT_MAX_MS ? pg->reply_ms : CONNECT_MAX_MS;
    int64_t deadline = pb_clock_steady_ms() + patience; /* session set up included */
    PGconn *conn;

    if (!insist && !may_try(pg, err))
        return NULL;
    conn = race(pg, warned, deadline, err);
    if (conn && set_up(pg, conn, mode, deadline, err) < 0) {
        PQfinish(conn);
        conn = NULL;
    }
    note_attempt(pg, conn != NULL, err);
    return conn;
}

/* --- the address ------------------------------------------------------------------------------------ */

static char *copy(const char *text, size_t len, struct pb_error *err)
{
    char *made = strndup(text, len);

    if (!made)
        pb_fail(err, PB_ERROR_LIMITED, "no memory");
    return made;
}

/* The n-th of "a,b,c"; NULL for an empty one. A single one counts for all. */
static int take_item(const char *list, size_t n, char **ret_item, struct pb_error *err)
{
    size_t len;

    *ret_item = NULL;
    if (!list)
        return 0;
    if (!strchr(list, ','))
        n = 0;
    for (; n > 0; n--) {
        list += strcspn(list, ",");
        list += *list == ',';
    }
    len = strcspn(list, ",");
    if (len == 0)
        return 0;
    *ret_item = copy(list, len, err);
    return *ret_item ? 0 : -1;
}

static size_t count_items(const char *list)
{
    size_t count = 1;

    for (; list && *list; list++)
        count += *list == ',';
    return count;
}

static const char *option(const PQconninfoOption *options, const char *name)
{
    for (; options->keyword; options++) {
        if (strcmp(options->keyword, name) == 0)
            return options->val;
    }
    return NULL;
}

static int take_hosts(struct pb_pg *pg, const PQconninfoOption *options, struct pb_error *err)
{
    const char *host = option(options, "host"), *address = option(options, "hostaddr");
    size_t count = count_items(host ? host : address);

    if (count > PB_PG_HOSTS_MAX)
        return pb_fail_field(err, "database", "at most %d hosts", PB_PG_HOSTS_MAX);
    for (pg->host_count = 0; pg->host_count < count; pg->host_count++) {
        struct pb_pg_host *made = &pg->hosts[pg->host_count];

        if (take_item(host, pg->host_count, &made->name, err) < 0 ||
            take_item(address, pg->host_count, &made->address, err) < 0 ||
            take_item(option(options, "port"), pg->host_count, &made->port, err) < 0)
            return -1;
    }
    return 0;
}

static int add(struct pb_pg *pg, const char *keyword, const char *value, struct pb_error *err)
{
    size_t i = pg->parameter_count;

    if (i == PB_PG_PARAMETERS_MAX)
        return pb_fail(err, PB_ERROR_INTERNAL, "too many parameters");
    pg->parameter_count++;
    pg->keywords[i] = copy(keyword, strlen(keyword), err);
    pg->values[i] = copy(value, strlen(value), err);
    return pg->keywords[i] && pg->values[i] ? 0 : -1;
}

/* What the address says, except what start_one() and the deadlines here decide. */
static int take_parameters(struct pb_pg *pg, const PQconninfoOption *options, struct pb_error *err)
{
    static const char *const OURS[] = {"host",
                                       "hostaddr",
                                       "port",
                                       "target_session_attrs",
                                       "connect_timeout",
                                       "load_balance_hosts",
                                       "client_encoding"};
    static const char *const OTHERWISE[][2] = {
        {"application_name", "poppo-platform"}, {"keepalives_idle", "1"},
        {"keepalives_interval", "1"},           {"keepalives_count", "3"},
        {"tcp_user_timeout", "3000"},
    };

    if (add(pg, "client_encoding", "UTF8", err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(OTHERWISE) / sizeof(OTHERWISE[0]); i++) {
        if (!option(options, OTHERWISE[i][0]) && add(pg, OTHERWISE[i][0], OTHERWISE[i][1], err) < 0)
            return -1;
    }
    for (; options->keyword; options++) {
        bool is_ours = false;

        for (size_t i = 0; i < sizeof(OURS) / sizeof(OURS[0]); i++)
            is_ours = is_ours || strcmp(options->keyword, OURS[i]) == 0;
        if (!is_ours && options->val && add(pg, options->keyword, options->val, err) < 0)
            return -1;
    }
    return 0;
}

static const char *parameter(const struct pb_pg *pg, const char *keyword)
{
    for (size_t i = 0; i < pg->parameter_count; i++) {
        if (strcmp(pg->keywords[i], keyword) == 0)
            return pg->values[i];
    }
    return NULL;
}

/* postgresql://user@host:port,host:port/name: what tells one database from another, and no secret. */
static int make_name(struct pb_pg *pg, struct pb_error *err)
{
    const char *user = parameter(pg, "user"), *name = parameter(pg, "dbname");
    struct pb_buf buf;

    pb_buf_init(&buf, 4096);
    pb_buf_format(&buf, "postgresql://%s%s", user ? user : "", user ? "@" : "");
    for (size_t i = 0; i < pg->host_count; i++) {
        const struct pb_pg_host *host = &pg->hosts[i];
        const char *shown = host->name ? host->name : host->address;

        pb_buf_format(&buf, "%s%s%s%s", i ? "," : "", shown ? shown : "", host->port ? ":" : "",
                      host->port ? host->port : "");
    }
    pb_buf_format(&buf, "/%s", name ? name : "");
    pg->base.name = pb_buf_take(&buf, NULL);
    return pg->base.name ? 0 : pb_fail(err, PB_ERROR_LIMITED, "no memory");
}

/* The file's first line. */
static int read_password(struct pb_pg *pg, const char *path, struct pb_error *err)
{
    struct pb_buf text;
    int r;

    pb_buf_init(&text, 4096);
    text.secret = true;
    r = pb_fs_read_line(path, &text, err);
    if (r == 0)
        r = add(pg, "password", pb_buf_string(&text), err);
    pb_buf_release(&text);
    return r;
}

static int read_address(struct pb_pg *pg, const struct pb_database_options *given,
                        struct pb_error *err)
{
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(given->address, &why);
    int r = -1;

    if (!options) { /* libpq's words would repeat the address, password and all */
        PQfreemem(why);
        return pb_fail_field(err, "database", "not an address of a PostgreSQL database");
    }
    if (take_hosts(pg, options, err) < 0 || take_parameters(pg, options, err) < 0)
        goto out;
    if (given->password_file && *given->password_file &&
        read_password(pg, given->password_file, err) < 0)
        goto out;
    for (size_t i = 0; i < pg->parameter_count; i++) {
        if (strcmp(pg->keywords[i], "password") == 0)
            pb_log_hide(pg->values[i]);
    }
    r = make_name(pg, err);
out:
    PQconninfoFree(options);
    return r;
}

void pb_pg_forget(struct pb_database *database)
{
    struct pb_pg *pg = (struct pb_pg *)database;

    for (size_t i = 0; i < pg->parameter_count; i++) {
        free(pg->keywords[i]);
        pb_wipe_free(pg->values[i]);
    }
    for (size_t i = 0; i < PB_PG_HOSTS_MAX; i++) {
        free(pg->hosts[i].name);
        free(pg->hosts[i].address);
        free(pg->hosts[i].port);
    }
    pthread_mutex_destroy(&pg->lock);
    free(pg);
}

struct pb_database *pb_postgres_database(const struct pb_database_options *options,
                                         struct pb_error *err)
{
    struct pb_pg *pg = calloc(1, sizeof(*pg));

    if (!pg) {
        pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    pg->base.engine = &PB_PG_ENGINE;
    pg->reply_ms = options->reply_ms > 0 ? options->reply_ms : REPLY_MS;
    pb_ulid(pg->writer);
    pthread_mutex_init(&pg->lock, NULL);
    if (read_address(pg, options, err) == 0)
        return &pg->base;
    pb_database_free(&pg->base);
    return NULL;
}
