#include "cli/cli_format.h"

#include "base/clock.h"
#include "cli/cli_words.h"

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

const char *pb_cli_duration(struct pb_arena *arena, int64_t ms)
{
    long long seconds = (long long)(ms > 0 ? ms / 1000 : 0);

    if (seconds >= 24 * 3600)
        return or_empty(pb_arena_format(arena, pb_say("%lld d %lld h", "%lld日%lld時間"),
                                        seconds / 86400, seconds % 86400 / 3600));
    if (seconds >= 3600)
        return or_empty(pb_arena_format(arena, pb_say("%lld h %lld min", "%lld時間%lld分"),
                                        seconds / 3600, seconds % 3600 / 60));
    if (seconds >= 60)
        return or_empty(pb_arena_format(arena, pb_say("%lld min %lld s", "%lld分%lld秒"),
                                        seconds / 60, seconds % 60));
    return or_empty(pb_arena_format(arena, pb_say("%lld s", "%lld秒"), seconds));
}

const char *pb_cli_ago(struct pb_arena *arena, const char *time, int64_t now_ms)
{
    long long seconds;
    int64_t at;

    if (!time || !pb_clock_parse(time, &at))
        return "";
    seconds = (long long)(now_ms > at ? (now_ms - at) / 1000 : 0);
    if (seconds >= 2 * 86400)
        return or_empty(
            pb_arena_format(arena, pb_say("%lld days ago", "%lld日前"), seconds / 86400));
    if (seconds >= 2 * 3600)
        return or_empty(pb_arena_format(arena, pb_say("%lld h ago", "%lld時間前"), seconds / 3600));
    if (seconds >= 60)
        return or_empty(pb_arena_format(arena, pb_say("%lld min ago", "%lld分前"), seconds / 60));
    return or_empty(pb_arena_format(arena, pb_say("%lld s ago", "%lld秒前"), seconds));
}

const char *pb_cli_worked(struct pb_arena *arena, int64_t active_ms, const char *active_since,
                          int64_t now_ms)
{
    int64_t since;

    if (active_since && pb_clock_parse(active_since, &since))
        return pb_cli_duration(arena, active_ms + (now_ms > since ? now_ms - since : 0));
    return active_ms > 0 ? pb_cli_duration(arena, active_ms) : "";
}

const char *pb_cli_time(struct pb_arena *arena, const char *time)
{
    char text[PB_CLOCK_TEXT];
    int64_t at;

    if (!time || !pb_clock_parse(time, &at))
        return "";
    pb_clock_format(at, text);
    return or_empty(pb_arena_format(arena, "%.10s %.8s UTC", text, text + 11));
}

const char *pb_cli_bytes(struct pb_arena *arena, int64_t bytes)
{
    static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;

    if (bytes < 0)
        return "";
    while (value >= 1024 && unit + 1 < sizeof(UNITS) / sizeof(UNITS[0])) {
        value /= 1024;
        unit++;
    }
    return or_empty(
        pb_arena_format(arena, value < 10 && unit > 0 ? "%.1f %s" : "%.0f %s", value, UNITS[unit]));
}

const char *pb_cli_count(struct pb_arena *arena, int64_t count)
{
    return count < 0 ? "" : or_empty(pb_arena_format(arena, "%lld", (long long)count));
}

const char *pb_cli_money(struct pb_arena *arena, const struct pb_json *object, const char *name)
{
    double value = pb_json_number(object, name, -1);

    return value < 0 ? "" : or_empty(pb_arena_format(arena, "$%.4f", value));
}
