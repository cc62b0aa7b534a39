#include "agent/git_progress.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"

enum { LINES_MAX = 100 };

void pb_git_progress_init(struct pb_git_progress *progress, struct pb_step *step)
{
    *progress = (struct pb_git_progress){.step = step, .said_ms = pb_clock_steady_ms()};
}

/* "Receiving objects: 100% (5/5), 1.2 MiB, done." is worth a line, the percents before it now and then. */
static void end_line(struct pb_git_progress *progress)
{
    int64_t now = pb_clock_steady_ms();
    size_t len = progress->len;

    progress->len = 0;
    while (len > 0 && progress->line[len - 1] == ' ')
        len--;
    progress->line[len] = '\0';
    if (len == 0 || progress->said >= LINES_MAX || !pb_utf8_valid(progress->line, len))
        return;
    if (!strstr(progress->line, ", done.") && now - progress->said_ms < PB_GIT_PROGRESS_EVERY_MS)
        return;
    progress->said++;
    progress->said_ms = now;
    pb_step_log(progress->step, 's', "%s", progress->line);
}

void pb_git_progress_feed(struct pb_git_progress *progress, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\r' || data[i] == '\n')
            end_line(progress);
        else if (progress->len < sizeof(progress->line) - 1)
            progress->line[progress->len++] = data[i];
    }
}
