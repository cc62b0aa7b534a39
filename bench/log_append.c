/*
 * The log store alone, without the node link in front of it.
 *
 *   log-append FOLDER EXECUTIONS LINES_PER_SECOND SECONDS
 *
 * Each execution brings chunks of ten lines in turn, evenly over time; LINES_PER_SECOND 0 = as fast as the store takes
 * them. Prints "<lines acknowledged> <wall seconds> <processor seconds>"; lines that were refused for good, or not
 * acknowledged at the end, make it fail.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/id.h"
#include "server/store/log_store.h"

enum { LINES = 10, LINE_BYTES = 100, TICK_NS = 10000000, IN_FLIGHT_MAX = 20000 };

struct execution {
    char id[PB_ULID_TEXT];
    uint64_t seq;
};

static atomic_ullong acked_lines;
static atomic_uint in_flight;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)fputs("log-append: ", stderr);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void wait_ns(int64_t ns)
{
    struct timespec rest = {ns / 1000000000, ns % 1000000000};

    while (ns > 0 && clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, &rest) != 0)
        continue;
}

static double cpu_seconds(void)
{
    struct rusage used;

    (void)getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void on_done(void *arg, const struct pb_log_ack *ack, const struct pb_error *err)
{
    (void)arg;
    if (err)
        die("a chunk was refused: %s", err->message);
    atomic_fetch_add(&acked_lines, ack->stored);
    atomic_fetch_sub(&in_flight, 1);
}

static size_t make_chunk(char chunk[LINES * LINE_BYTES])
{
    for (int i = 0; i < LINES; i++) {
        char *line = chunk + i * LINE_BYTES;

        memset(line, 'x', LINE_BYTES - 1);
        memcpy(line, "1795339123456 o line ", 21);
        line[LINE_BYTES - 1] = '\n';
    }
    return (size_t)LINES * LINE_BYTES;
}

static void append(struct pb_log_store *logs, struct execution *execution, const char *data,
                   size_t len)
{
    struct pb_log_chunk chunk = {.execution = execution->id,
                                 .attempt = 1,
                                 .seq = execution->seq,
                                 .count = LINES,
                                 .data = data,
                                 .len = len};
    struct pb_error err;

    while (atomic_load(&in_flight) >= IN_FLIGHT_MAX)
        wait_ns(100000);
    atomic_fetch_add(&in_flight, 1);
    while (pb_log_append(logs, &chunk, on_done, NULL, &err) < 0) {
        if (strcmp(err.reason, "busy") != 0)
            die("%s", err.message);
        wait_ns(100000);
    }
    execution->seq += LINES;
}

/* The number of lines sent. */
static unsigned long long send_all(struct pb_log_store *logs, struct execution *executions,
                                   size_t count, long rate, long seconds)
{
    char chunk[LINES * LINE_BYTES];
    size_t len = make_chunk(chunk);
    int64_t began = now_ns(), until = began + (int64_t)seconds * 1000000000;
    unsigned long long sent = 0;

    for (int64_t now = began; now < until; now = now_ns()) {
        unsigned long long due =
            rate ? (unsigned long long)((double)(now - began) / 1e9 * (double)rate) : sent + 10000;

        while (sent + LINES <= due) {
            append(logs, &executions[sent / LINES % count], chunk, len);
            sent += LINES;
        }
        if (rate)
            wait_ns(TICK_NS);
    }
    return sent;
}

int main(int argc, char **argv)
{
    struct execution *executions;
    struct pb_log_store *logs;
    unsigned long long sent;
    struct pb_error err;
    int64_t began;
    double used;
    size_t count;

    if (argc != 5)
        die("usage: log-append FOLDER EXECUTIONS LINES_PER_SECOND SECONDS");
    count = strtoul(argv[2], NULL, 10);
    executions = calloc(count ? count : 1, sizeof(*executions));
    logs = pb_log_store_open(&(struct pb_log_store_options){.dir = argv[1]}, &err);
    if (!logs || !executions)
        die("%s", logs ? "no memory" : err.message);
    for (size_t i = 0; i < count; i++)
        pb_ulid(executions[i].id);
    used = cpu_seconds();
    began = now_ns();
    sent = send_all(logs, executions, count, strtol(argv[3], NULL, 10), strtol(argv[4], NULL, 10));
    while (atomic_load(&in_flight) > 0)
        wait_ns(100000);
    if (atomic_load(&acked_lines) != sent)
        die("%llu lines were sent, %llu acknowledged", sent, (unsigned long long)acked_lines);
    (void)printf("%llu %.3f %.3f\n", sent, (double)(now_ns() - began) / 1e9, cpu_seconds() - used);
    pb_log_store_close(logs);
    free(executions);
    return 0;
}
