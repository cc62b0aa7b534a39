"""From the start of the program to its first good answer, on an empty store, on a large one, and after a kill."""

import signal

from bench import store
from bench.processes import Platform, own, temporary
from bench.report import Row, median

LIMIT_MS = 200


def starts(platform, times, number):
    """Starts it so often, ending it in this way before; milliseconds of each."""
    took = []
    for _ in range(times):
        platform.stop(number)
        took.append(platform.start() * 1000)
    return took


def row(name, took):
    return Row(name, median(took), "ms", ("<=", LIMIT_MS), f"median of {len(took)}; {min(took):.0f} to {max(took):.0f}")


def run(setting):
    times = 5 if setting.brief else 15
    empty = temporary(setting.run)
    own(empty)
    fresh = Platform(setting.prefix, empty)
    rows = [Row("start, first ever (makes the schema)", fresh.start() * 1000, "ms", ("<=", LIMIT_MS), "once")]
    fresh.sign_in()
    rows.append(row("start, empty", starts(fresh, times, signal.SIGTERM)))
    fresh.stop()
    size = 100_000 if setting.brief else 1_000_000
    large = Platform(setting.prefix, store.copy(store.store(setting, 10_000, size), temporary(setting.run)))
    large.start()
    rows.append(row(f"start, 10,000 projects and {size:,} executions", starts(large, times, signal.SIGTERM)))
    rows.append(row(f"start, {size:,} executions, after kill -9", starts(large, times, signal.SIGKILL)))
    large.stop()
    return rows
