"""2,000 WebSocket subscribers: what they add to the memory, and how long one message takes to all of them; against the peers
with `ws`. Then ten of them stop reading, and it must not be felt.

A message is the event of a project that was given another name: the time runs from the moment its PUT is sent (so it
contains the commit to disk) until the last subscriber has read the event.
"""

import subprocess
import time

from bench.processes import Peer, Platform, own, temporary
from bench.report import Row, median, percentile
from bench.store import copy, keep_session

SUBSCRIBERS = 2000
SLOW = 10
MEMORY_MB = 20
REACH_MS = 30
TICKETS = 15  # asked for at once; a session may have some unused ones
PER_SESSION = 90  # connections; then the next person signs in
WATCH_MS = 5000
PROJECT = {"github_owner": "acme", "github_repo": "app", "driver": "noop"}
BULK = "x" * 20_000  # makes an event of its project large


class Subscribers:
    """The client program; see subscribers.c."""

    def __init__(self, setting, server):
        token = [server.token] if isinstance(server, Peer) else []
        self.server = server
        self.process = subprocess.Popen([setting.place / "programs" / "subscribers", str(server.port), *token],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)

    def say(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # why is read below

    def hear(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.process.stderr.read().strip() or "the subscribers' program ended")
        return line.split()

    def paths(self, count):
        """Where to connect: ours wants a ticket for each connection."""
        if isinstance(self.server, Peer):
            return ["/api/ws"] * count
        client = self.server.client()
        paths = [f"/api/ws?ticket={client.call('POST', '/api/ws/ticket')['ticket']}" for _ in range(count)]
        client.close()
        return paths

    def add(self, count, topics, verb="connect"):
        for first in range(0, count, TICKETS):
            if first % PER_SESSION == 0:
                self.server.sign_in()
            batch = self.paths(min(TICKETS, count - first))
            for path in batch:
                self.say(f"{verb} {path} {topics}")
            for _ in batch:
                self.hear()

    def watch(self, mark):
        self.say(f"watch {mark} {WATCH_MS}")
        if self.hear() != ["watching"]:
            raise RuntimeError("the subscribers' program is out of step")

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()
        self.process.stderr.close()


class Publisher:
    """Renames a project; each name is a mark of its own."""

    def __init__(self, server):
        self.client, self.number = server.client(), 0

    def rename(self, project, **more):
        self.number += 1
        mark = f"mark-{self.number:06}"
        return mark, self.client.request("PUT", f"/api/projects/{project}", {"name": mark, **more})

    def publish(self, request):
        status, _, body = self.client.exchange(request)
        if status != 200:
            raise RuntimeError(f"PUT: {status} {body[:200]}")


def deliver(subscribers, publisher, count):
    """Milliseconds from the PUT to the last one, and from the first one to the last, of each message."""
    reached, spread = [], []
    for _ in range(count):
        mark, request = publisher.rename("app")
        subscribers.watch(mark)
        sent = time.monotonic_ns()
        publisher.publish(request)
        got, first, _, last = map(int, subscribers.hear())
        if got != SUBSCRIBERS:
            raise AssertionError(f"{got} of {SUBSCRIBERS} got {mark} within {WATCH_MS} ms")
        reached.append((last - sent) / 1e6)
        spread.append((last - first) / 1e6)
        time.sleep(0.1)  # changes that come quickly become one event
    return reached, spread


def measure(setting, server, topic):
    publisher = Publisher(server)
    subscribers = Subscribers(setting, server)
    try:
        publisher.publish(publisher.rename("app")[1])  # whatever is made at the first time
        server.settle()
        before = server.rss()
        subscribers.add(SUBSCRIBERS, topic)
        server.settle()
        connected = server.rss()
        cpu = server.cpu()
        count = 10 if setting.brief else 50
        reached, spread = deliver(subscribers, publisher, count)
        figures = {"before": before, "connected": connected - before, "reached": reached, "spread": spread,
                   "cpu": (server.cpu() - cpu) / count / SUBSCRIBERS * 1e6, "used": server.rss() - before}
        if isinstance(server, Platform):
            figures["slow"] = with_slow(setting, server, subscribers, publisher, count)
        return figures
    finally:
        subscribers.close()
        publisher.client.close()


def with_slow(setting, server, subscribers, publisher, count):
    """Ten that never read, while 8 MB of events go their way."""
    subscribers.add(SLOW, "project:app,project:bulk", "slow")
    before = server.rss()
    for _ in range(60 if setting.brief else 420):
        publisher.publish(publisher.rename("bulk", instructions=BULK)[1])
        time.sleep(0.055)  # one event each
    reached, _ = deliver(subscribers, publisher, count)
    return {"reached": reached, "memory": server.rss() - before}


def rows_of(name, figures, judged):
    rows = [Row(f"{name}: memory added by {SUBSCRIBERS:,} subscribers", max(figures["connected"], figures["used"]), "MB",
                ("<=", MEMORY_MB) if judged else None, f"{figures['before']:.1f} MB before; {figures['connected']:.1f} MB until the first message"),
            Row(f"{name}: change sent until all have it, p50", median(figures["reached"]), "ms", ("<=", REACH_MS) if judged else None,
                f"p99 {percentile(figures['reached'], 99):.1f} ms of {len(figures['reached'])}"),
            Row(f"{name}: first to last subscriber, p50", median(figures["spread"]), "ms", None,
                f"p99 {percentile(figures['spread'], 99):.1f} ms; {figures['cpu']:.1f} us of processor for each of them")]
    if "slow" in figures:
        slow = figures["slow"]
        rows += [Row(f"{name}: the same with {SLOW} that never read, p50", median(slow["reached"]), "ms", ("<=", REACH_MS),
                     f"p99 {percentile(slow['reached'], 99):.1f} ms"),
                 Row(f"{name}: memory the {SLOW} added", slow["memory"], "MB", ("<=", MEMORY_MB))]
    return rows


def make_projects(server):
    client = server.client()
    for name in ("app", "bulk"):
        client.call("POST", "/api/projects", {**PROJECT, "id": name, "github_repo": name})
        client.call("POST", f"/api/projects/{name}/stop")
    client.close()


def run(setting):
    folder = temporary(setting.run)
    own(folder)
    ours = Platform(setting.prefix, folder)
    servers = [ours]
    try:
        ours.start()
        ours.sign_in()
        make_projects(ours)
        ours.stop()
        copies = {name: copy(folder, temporary(setting.run)) for name in ("express", "fastify")}
        ours.start()
        ours.sign_in()
        rows = rows_of("platform", measure(setting, ours, "project:app"), True)
        for name, path in copies.items():
            database = path / "data" / "platform" / "poppo.db"
            peer = Peer(name, setting.place, path, database, keep_session(database, ours), {})
            servers.append(peer)
            peer.start()
            rows += rows_of(name, measure(setting, peer, "projects"), False)
            peer.stop()
        return rows
    finally:
        for server in servers:
            server.stop()
