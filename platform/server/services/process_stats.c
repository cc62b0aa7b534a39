#include "server/services/process_stats.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"

enum {
    STAT_MAX = 4096,
    /* fields of /proc/self/stat, counted as proc(5) does */
    STATE = 3,
    START_TIME = 22, /* in ticks since the machine's start */
    VIRTUAL_SIZE = 23,
    RESIDENT_PAGES = 24,
};

/* `behind` is what follows the program's name, which may hold anything. */
static uint64_t field(const char *behind, int number)
{
    for (int i = STATE; i < number && *behind; i++)
        behind += 1 + strcspn(behind + 1, " ");
    return strtoull(behind, NULL, 10);
}

/* When the machine started, in seconds since 1970. */
static double boot_seconds(void)
{
    struct timespec wall, up;

    (void)clock_gettime(CLOCK_REALTIME, &wall);
    (void)clock_gettime(CLOCK_BOOTTIME, &up);
    return (double)(wall.tv_sec - up.tv_sec) + (double)(wall.tv_nsec - up.tv_nsec) / 1e9;
}

static void read_stat(struct pb_process_stats *stats)
{
    struct pb_error err;
    struct pb_buf text;
    const char *behind;

    pb_buf_init(&text, STAT_MAX);
    if (pb_fs_read(AT_FDCWD, "/proc/self/stat", &text, &err) == 0 &&
        (behind = strrchr(pb_buf_string(&text), ')')) != NULL) {
        behind++;
        stats->start_seconds =
            boot_seconds() + (double)field(behind, START_TIME) / (double)sysconf(_SC_CLK_TCK);
        stats->virtual_bytes = field(behind, VIRTUAL_SIZE);
        stats->resident_bytes = field(behind, RESIDENT_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    pb_buf_release(&text);
}

static uint64_t count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t count = 0;

    if (!dir)
        return 0;
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        count += entry->d_name[0] != '.';
    (void)closedir(dir);
    return count > 0 ? count - 1 : 0; /* the folder itself */
}

static double in_seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

void pb_process_stats(struct pb_process_stats *ret_stats)
{
    struct rlimit limit;
    struct rusage used;

    *ret_stats = (struct pb_process_stats){0};
    read_stat(ret_stats);
    ret_stats->open_fds = count_fds();
    if (getrusage(RUSAGE_SELF, &used) == 0)
        ret_stats->cpu_seconds = in_seconds(used.ru_utime) + in_seconds(used.ru_stime);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        ret_stats->max_fds = limit.rlim_cur;
}
