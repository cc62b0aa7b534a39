/*
 * poppo-shim: owns one task. Started by poppo-boxd as root with the ids to
 * change to, or by the runner as itself (then --detach leaves it to init).
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/shim.h"
#include "base/text.h"

static bool read_id(const char *text, const char *name, unsigned *ret_id)
{
    uint64_t value;

    if (!pb_text_starts(text, name) || !pb_parse_u64(text + strlen(name), UINT32_MAX - 1, &value))
        return false;
    *ret_id = (unsigned)value;
    return true;
}

static bool read_arguments(int argc, char **argv, struct pb_box_user *user, bool *detach)
{
    bool known = argc > 1;

    for (int i = 1; known && i < argc; i++) {
        if (pb_text_equal(argv[i], "--detach"))
            *detach = true;
        else
            known = read_id(argv[i], "--runner-uid=", &user->runner_uid) ||
                    read_id(argv[i], "--task-uid=", &user->task_uid) ||
                    read_id(argv[i], "--gid=", &user->gid);
    }
    user->switches = user->runner_uid != 0;
    return known && (*detach ? !user->switches : user->runner_uid && user->task_uid && user->gid);
}

int main(int argc, char **argv)
{
    struct pb_box_user user = {0};
    bool detach = false;

    if (!read_arguments(argc, argv, &user, &detach)) {
        (void)fprintf(stderr, "poppo-shim is started by poppo-runner and poppo-boxd only\n");
        return 2;
    }
    if (detach) {
        pid_t pid = fork();

        if (pid != 0)
            return pid < 0 ? 1 : 0;
        (void)setsid();
    }
    return pb_shim_run(&user);
}
