/*
 * Runs a program to its end and collects what it prints, for tests. Its outputs are files in memory, so that neither
 * side ever waits for the other; what it leaves running is not waited for.
 */
#ifndef RUN_PROCESS_H
#define RUN_PROCESS_H

#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/process.h"
#include "pb_test.h"

static inline void run_collect(int fd, struct pb_buf *buf)
{
    char chunk[16384];
    off_t at = 0;
    ssize_t n;

    while (buf && (n = pread(fd, chunk, sizeof(chunk), at)) > 0) {
        pb_buf_bytes(buf, chunk, (size_t)n);
        at += n;
    }
}

/* The status as of waitpid(2). The spec lists no descriptors; input and buffers may be NULL. */
static inline int run_process(const struct pb_process_spec *spec, const struct pb_buf *input,
                              struct pb_buf *ret_out, struct pb_buf *ret_errors)
{
    int in = memfd_create("in", MFD_CLOEXEC);
    int out = memfd_create("out", MFD_CLOEXEC);
    int errors = memfd_create("errors", MFD_CLOEXEC);
    const struct pb_process_fd fds[] = {{out, 1}, {errors, 2}, {in, 0}};
    struct pb_process_spec with_files = *spec;
    struct pb_process process;
    struct pb_error err;
    int status = -1;

    assert_true(in >= 0 && out >= 0 && errors >= 0);
    if (input)
        assert_int_equal(pwrite(in, input->data, input->len, 0), input->len);
    with_files.fds = fds;
    with_files.fd_count = input ? 3 : 2;
    assert_ok(pb_process_spawn(&with_files, &process, &err), &err);
    assert_ok(pb_process_wait(&process, &status, &err), &err);
    run_collect(out, ret_out);
    run_collect(errors, ret_errors);
    pb_close(&in);
    pb_close(&out);
    pb_close(&errors);
    return status;
}

#endif
