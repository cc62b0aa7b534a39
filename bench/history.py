"""10,000 projects with 0, 10,000 and 1,000,000 executions: memory after the start and after use, and how long every kind of
page takes.

One client asks, one request at a time. A page's time is from the first byte sent to the last one of the body. Pages are read
in every combination of filters that the API offers, from the start and deep inside.
"""

import json
import urllib.parse

from bench import store
from bench.processes import Platform, temporary
from bench.report import Row, median, percentile

PROJECTS = 10_000
SIZES = (0, 10_000, 1_000_000)
BRIEF_SIZES = (0, 10_000, 100_000)
STATUSES = ("queued", "assigned", "preparing", "running", "waiting_input", "waiting_approval", "waiting_quota", "cancelling",
            "succeeded", "failed", "timed_out", "budget_exhausted", "cancelled")
PROJECT = store.project_id(42)

PAGE_MS = 10
MEMORY_MB = 40
SAMPLES, SECONDS = 200, 4.0  # of each kind of page: so many, or as many as this time allows
WALK_STEP = 200

# name, path of the first page
EXECUTIONS = [
    ("executions", ""),
    *((f"executions, {status}", f"status={status}") for status in STATUSES),
    ("executions, three statuses", "status=succeeded,failed,cancelled"),
    ("executions, all that wait", "status=queued,waiting_input,waiting_approval,waiting_quota"),
    ("executions, all statuses", f"status={','.join(STATUSES)}"),
    ("executions of a project", f"project={PROJECT}"),
    ("executions of a project, failed", f"project={PROJECT}&status=failed"),
    ("executions of a project, three statuses", f"project={PROJECT}&status=succeeded,failed,cancelled"),
    ("search a common word", "q=login"),
    ("search several words", "q=" + urllib.parse.quote("price table in the admin")),
    ("search a rare word", "q=" + urllib.parse.quote("(777)")),
    ("search a word that is nowhere", "q=unobtainium"),
    ("search an issue number", "q=%2342"),
    ("search, failed", "q=login&status=failed"),
    ("search, nowhere, failed", "q=unobtainium&status=failed"),
    ("search in a project", f"project={PROJECT}&q=login"),
]
OTHERS = [
    ("projects", "/api/projects?limit=50"),
    ("projects, active", "/api/projects?limit=50&status=active"),
    ("projects, stopped", "/api/projects?limit=50&status=stopped"),
    ("projects, search", "/api/projects?limit=50&q=0042"),
    ("projects, search, nowhere", "/api/projects?limit=50&q=unobtainium"),
    ("project", f"/api/projects/{PROJECT}"),
    ("dashboard counts", "/api/stats"),
    ("nodes", "/api/nodes"),
]


def path_of(query, cursor=None, limit=50):
    words = [query] if query else []
    words.append(f"limit={limit}")
    if cursor:
        words.append(f"cursor={urllib.parse.quote(cursor)}")
    return "/api/executions?" + "&".join(words)


class Reader:
    """Asks, and keeps the times of each kind of page."""

    def __init__(self, platform):
        self.platform, self.client, self.times, self.cpu = platform, platform.client(), {}, {}

    def page(self, name, path):
        took, body = self.client.timed(path)
        if name:
            self.times.setdefault(name, []).append(took)
        return took, json.loads(body)

    def renew(self):
        """Tokens end after ten minutes."""
        self.client.close()
        self.platform.sign_in()
        self.client = self.platform.client()

    def many(self, name, path):
        self.page(None, path)  # the first one fills the caches of the file system
        spent, before = 0.0, self.platform.cpu()
        for turn in range(SAMPLES):  # each is another address, so that no reply is kept for the next
            spent += self.page(name, f"{path}{'&' if '?' in path else '?'}turn={turn}")[0] / 1000
            if spent > SECONDS:
                break
        self.cpu[name] = (self.platform.cpu() - before) * 1000 / len(self.times[name])

    def walk(self, name, query):
        """To the end of the list; in between, pages of the usual size at where it is. Says how many rows there were."""
        cursor, rows, steps = None, 0, 0
        while True:
            _, page = self.page(None, path_of(query, cursor, WALK_STEP))
            rows += len(page["items"])
            steps += 1
            cursor = page["next_cursor"]
            if not cursor:
                return rows
            if steps % 10 == 0:
                self.page(name, path_of(query, cursor))
            if steps % 2000 == 0:
                self.renew()


def use(reader, executions):
    """Everything there is to read, as often as it takes to say something about it."""
    for name, query in EXECUTIONS:
        reader.many(name, path_of(query))
        if name.endswith("nowhere, failed"):
            reader.renew()
    for name, path in OTHERS:
        reader.many(name, path)
    reader.renew()
    for name, query in (("executions, deep pages", ""), ("executions, deep pages, succeeded", "status=succeeded")):
        rows = reader.walk(name, query)
        if not query and rows != executions:
            raise AssertionError(f"the list has {rows} rows of {executions}")
    _, first = reader.page(None, path_of(""))
    if first["items"]:
        identity = first["items"][0]["id"]
        reader.many("execution", f"/api/executions/{identity}")
        reader.many("attempts", f"/api/executions/{identity}/attempts")


def check_counts(client, executions):
    """What the store counts agrees with what it holds: the rows were written by us."""
    stats = client.get("/api/stats")
    if stats["projects"] != PROJECTS:
        raise AssertionError(f"{stats['projects']} projects, not {PROJECTS}")
    counts = client.get(f"/api/projects/{store.project_id(0)}")["counts"]
    if counts["succeeded"] + counts["failed"] > -(-executions // PROJECTS):
        raise AssertionError(f"counts of one project are {counts}")


def measure(setting, executions):
    folder = store.copy(store.store(setting, PROJECTS, executions), temporary(setting.run))
    platform = Platform(setting.prefix, folder)
    try:
        started = platform.start() * 1000
        platform.sign_in()
        setting.say(f"{executions:,} executions: waiting until the projects have been looked at")
        quiet = platform.settle()
        memory = {"booted": platform.rss(), "booted_pss": platform.pss()}
        reader = Reader(platform)
        check_counts(reader.client, executions)
        setting.say(f"{executions:,} executions: reading")
        use(reader, executions)
        memory |= {"used": platform.rss(), "used_pss": platform.pss()}
        reader.client.close()
        return {"started": started, "quiet": quiet, "times": reader.times, "cpu": reader.cpu, **memory}
    finally:
        platform.stop()


def memory_rows(figures, sizes):
    rows = []
    for size in sizes:
        got = figures[size]
        for when in ("booted", "used"):
            share = f"; PSS {got[when + '_pss']:.1f} MB" if got[when + "_pss"] is not None else ""
            what = {"booted": "after the start", "used": "after use"}[when]
            rows.append(Row(f"memory, {size:,} executions, {what}", got[when], "MB", ("<=", MEMORY_MB) if size == sizes[-1] else None,
                            f"VmRSS{share}"))
    most, empty = figures[sizes[-1]], figures[sizes[0]]
    for when, what in (("booted", "after the start"), ("used", "after use")):
        rows.append(Row(f"memory, most against none, {what}", most[when] / empty[when], "x", ("<=", 1.1)))
    return rows


def page_rows(figures, sizes):
    most, cpu = figures[sizes[-1]]["times"], figures[sizes[-1]]["cpu"]
    rows = []
    for name, times in sorted(most.items(), key=lambda item: -percentile(item[1], 99)):
        few = figures[sizes[1]]["times"].get(name, [])
        rows.append(Row(f"page: {name}, p99", percentile(times, 99), "ms", ("<=", PAGE_MS),
                        f"p50 {median(times):.2f} ms of {len(times)}" + (f", {cpu[name]:.1f} ms of processor" if name in cpu else "")
                        + (f"; with {sizes[1]:,}: p50 {median(few):.2f}, p99 {percentile(few, 99):.2f} ms" if few else "")))
    return rows


def run(setting):
    sizes = BRIEF_SIZES if setting.brief else SIZES
    figures = {size: measure(setting, size) for size in sizes}
    rows = [Row(f"start to serving, {size:,} executions", figures[size]["started"], "ms", None,
                f"quiet {figures[size]['quiet']:.1f} s later") for size in sizes]
    return rows + memory_rows(figures, sizes) + page_rows(figures, sizes)
