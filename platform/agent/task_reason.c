/* By itself, so that the shim is not linked with what the runner needs. */
#include "agent/task.h"
#include "base/text.h"

static const struct {
    enum pb_task_reason reason;
    const char *name;
} REASONS[] = {
    {PB_TASK_EXITED, "exited"},
    {PB_TASK_KILLED, "killed"},
    {PB_TASK_WALL_CLOCK, "wall_clock"},
    {PB_TASK_ASKED, "asked"},
    {PB_TASK_OUTPUT_LIMIT, "output_limit"},
    {PB_TASK_DISK_FULL, "disk_full"},
    {PB_TASK_LOST, "lost"},
};

const char *pb_task_reason_name(enum pb_task_reason reason)
{
    for (size_t i = 0; i < sizeof(REASONS) / sizeof(REASONS[0]); i++) {
        if (REASONS[i].reason == reason)
            return REASONS[i].name;
    }
    return "lost";
}

enum pb_task_reason pb_task_reason_named(const char *name)
{
    for (size_t i = 0; i < sizeof(REASONS) / sizeof(REASONS[0]); i++) {
        if (pb_text_equal(REASONS[i].name, name))
            return REASONS[i].reason;
    }
    return PB_TASK_LOST;
}
