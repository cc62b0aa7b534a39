#include "agent/agent_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lines.h"
#include "base/fs.h"
#include "base/log.h"

enum { PATH_TEXT = 600, READ_BYTES = 64 << 10, LINE_MAX_BYTES = 8 << 10, ANSWER_BYTES = 512 << 10 };

static void path_of(const char *folder, int age, char ret_path[PATH_TEXT])
{
    if (age == 0)
        (void)snprintf(ret_path, PATH_TEXT, "%s/runner.log", folder);
    else
        (void)snprintf(ret_path, PATH_TEXT, "%s/runner.log.%d", folder, age);
}

int pb_agent_log_open(const char *folder, struct pb_error *err)
{
    char path[PATH_TEXT];
    int fd;
    int r = 0;

    path_of(folder, 0, path);
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return pb_fail_errno(err, "open %s", path);
    if (dup2(fd, STDERR_FILENO) < 0)
        r = pb_fail_errno(err, "log to %s", path);
    pb_close(&fd);
    return r;
}

void pb_agent_log_rotate(const char *folder)
{
    struct pb_error err;
    struct stat st;

    if (fstat(STDERR_FILENO, &st) < 0 || st.st_size < PB_AGENT_LOG_BYTES)
        return;
    for (int age = PB_AGENT_LOG_OLDER; age > 0; age--) {
        char from[PATH_TEXT];
        char to[PATH_TEXT];

        path_of(folder, age - 1, from);
        path_of(folder, age, to);
        (void)rename(from, to); /* there may not be that many yet */
    }
    if (pb_agent_log_open(folder, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "log", &err, "begin a new file, going on in the old one");
}

/* ---- reading ---- */

struct reader {
    int64_t seen; /* lines so far */
    int64_t from; /* wanted: [from, to) */
    int64_t to;
    struct pb_json_writer *json; /* NULL: only count */
};

static void on_line(void *arg, const char *text, size_t len)
{
    struct reader *reader = arg;

    if (reader->json && reader->seen >= reader->from && reader->seen < reader->to &&
        reader->json->buf->len < ANSWER_BYTES)
        pb_json_put_bytes(reader->json, NULL, text, len);
    reader->seen++;
}

static int read_file(const char *path, struct reader *reader, struct pb_error *err)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct pb_lines lines;
    char data[READ_BYTES];
    ssize_t n;

    if (fd < 0)
        return errno == ENOENT ? 0 : pb_fail_errno(err, "open %s", path);
    pb_lines_init(&lines, LINE_MAX_BYTES);
    while ((n = read(fd, data, sizeof(data))) > 0)
        pb_lines_feed(&lines, data, (size_t)n, on_line, reader);
    pb_lines_finish(&lines, on_line, reader);
    pb_lines_release(&lines);
    pb_close(&fd);
    return 0;
}

static int read_all(const char *folder, struct reader *reader, struct pb_error *err)
{
    for (int age = PB_AGENT_LOG_OLDER; age >= 0; age--) {
        char path[PATH_TEXT];

        path_of(folder, age, path);
        if (read_file(path, reader, err) < 0)
            return -1;
    }
    return 0;
}

int pb_agent_log_read(const char *folder, int64_t from, int64_t count, struct pb_json_writer *json,
                      struct pb_error *err)
{
    struct reader counter = {0};
    struct reader reader = {.json = json};
    int r;

    if (read_all(folder, &counter, err) < 0)
        return -1;
    if (count < 0 || count > PB_AGENT_LOG_LINES_MAX)
        count = PB_AGENT_LOG_LINES_MAX;
    reader.from = from >= 0 ? from : counter.seen + from;
    if (reader.from < 0)
        reader.from = 0;
    reader.to = reader.from + count;
    pb_json_put_int(json, "total", counter.seen);
    pb_json_put_int(json, "from", reader.from);
    pb_json_begin_array(json, "lines");
    r = read_all(folder, &reader, err);
    pb_json_end_array(json);
    return r;
}
