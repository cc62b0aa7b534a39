"""No-op executions from the request that asks for one to its stored result, a second: all changes durable, the log closed.

Twice: with a node in this process that answers at once, which shows the platform alone; and with the real node daemon, its
link and one runner for each project, which run the `noop` driver (no process, one line).
"""

import importlib.util
import json
import os
import selectors
import time

from bench import node as wire
from bench.processes import NODE_KEY, NOBODY, TICKS, Platform, Process, own, temporary, wait_for
from bench.report import Row, median, percentile

PROJECTS = 20
CONCURRENT = 100
CONNECTIONS = 32
PER_SECOND = {"sqlite": 300, "postgresql": 500}
DEADLINE = 300
SINGLES = 100

PROJECT = {"github_owner": "acme", "driver": "noop", "command": ["lines=1", "ms=0"], "max_concurrent": CONCURRENT}
TASK = {"title": "nothing to do", "prompt": "do nothing"}


class Asker:
    """Asks for executions on many connections at once, in a loop that others share."""

    def __init__(self, selector, platform, count):
        self.selector, self.left, self.answered, self.first = selector, count, 0, None
        self.clients = [platform.client() for _ in range(min(CONNECTIONS, count))]
        self.requests = [self.clients[0].request("POST", f"/api/projects/p{number}/executions", TASK) for number in range(PROJECTS)]

    def begin(self):
        self.first = time.monotonic()
        for client in self.clients:
            client.connect()
            client.got = b""
            self.selector.register(client.socket, selectors.EVENT_READ, client)
            self.ask(client)

    def ask(self, client):
        if self.left > 0:
            self.left -= 1
            client.socket.sendall(self.requests[self.left % PROJECTS])

    def on_readable(self, client):
        data = client.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the platform closed a connection")
        client.got += data
        head, found, rest = client.got.partition(b"\r\n\r\n")
        if not found or len(rest) < int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
            return
        if not head.startswith(b"HTTP/1.1 201 "):
            raise RuntimeError(f"an execution is refused: {client.got[:600]!r}")
        client.got = b""
        self.answered += 1
        self.ask(client)

    def close(self):
        for client in self.clients:
            if client.socket:
                self.selector.unregister(client.socket)
            client.close()


def make_projects(platform):
    client = platform.client()
    names = [f"p{number}" for number in range(PROJECTS)]
    for name in names:
        client.call("POST", "/api/projects", {**PROJECT, "id": name, "github_repo": name})
    client.close()
    return names


def succeeded(platform):
    client = platform.client()
    total = sum(client.get(f"/api/projects/p{number}")["counts"]["succeeded"] for number in range(PROJECTS))
    client.close()
    return total


# --- the node in this process ------------------------------------------------------------------------------------


class Instant:
    """Accepts what it is given and reports success in the same breath."""

    def __init__(self, node):
        self.node, self.acked, self.started, self.discarded = node, 0, {}, set()

    def on_readable(self):
        for kind, project, body in self.node.messages():
            if kind == wire.START:
                self.run(project, json.loads(body))
            elif kind == wire.RESULT_ACK:
                self.acked += 1
            elif kind == wire.DISCARD:
                self.discarded.add(json.loads(body)["execution"])
        self.node.flush()

    def run(self, project, start):
        ref = wire.ref(start)
        self.started[ref["execution"]] = time.monotonic()
        self.node.send(wire.ACCEPTED, ref, project)
        self.node.send(wire.STATE, {**ref, "state": "preparing", "detail": "", "session_id": None}, project)
        self.node.send(wire.STATE, {**ref, "state": "running", "detail": "", "session_id": None}, project)
        self.node.send(wire.RESULT, {**ref, "outcome": "succeeded", "kind": None, "reason": None, "summary": "done", "no_changes": True,
                                     "pushed": False, "session_id": None, "num_turns": 0, "usage": {}, "exit_code": 0, "signal": -1,
                                     "last_line": 0}, project)


def one_by_one(platform, instant, selector, count):
    """Milliseconds from the request to the assignment on the node, the platform having nothing else to do."""
    took = []
    client = platform.client()
    for number in range(count):
        began = time.monotonic()
        identity = client.call("POST", f"/api/projects/p{number % PROJECTS}/executions", TASK)["id"]
        while identity not in instant.started or instant.acked <= number:
            if not selector.select(10):
                raise TimeoutError(f"execution {identity} is not given to the node")
            instant.on_readable()
        took.append((instant.started[identity] - began) * 1000)
    client.close()
    return took


def platform_alone(platform, count):
    names = make_projects(platform)
    node = wire.Node(platform.port)
    node.hello(names)
    instant = Instant(node)
    selector = selectors.DefaultSelector()
    selector.register(node, selectors.EVENT_READ, None)
    single = one_by_one(platform, instant, selector, SINGLES)
    done, cpu = instant.acked, platform.cpu()
    asker = Asker(selector, platform, count)
    asker.begin()
    while instant.acked < done + count:
        for key, _ in selector.select(30) or [(None, 0)]:
            if key is None:
                raise TimeoutError(f"{instant.acked - done} of {count} ended, {asker.answered} were asked for; then nothing for 30 s")
            if key.data:
                asker.on_readable(key.data)
            else:
                instant.on_readable()
    took = time.monotonic() - asker.first
    cpu = platform.cpu() - cpu
    asker.close()
    node.close()
    if (there := succeeded(platform)) != done + count:
        raise AssertionError(f"{there} executions succeeded, not {done + count}")
    return {"rate": count / took, "cpu": cpu / count * 1e6, "single": single, "lost": len(instant.discarded)}


# --- the real node ----------------------------------------------------------------------------------------------------


class Daemon(Process):
    """poppo-agent with its link and runners, as an ordinary user's."""

    name = "node"

    def __init__(self, platform):
        super().__init__(platform.folder)
        data = platform.folder / "data"
        (data / "node").mkdir(mode=0o700, exist_ok=True)
        (data / "projects").mkdir(mode=0o755, exist_ok=True)
        key = data / "node" / "node.key"
        key.write_text(NODE_KEY)
        key.chmod(0o600)
        if os.geteuid() == 0:
            for path in (data / "node", data / "projects", key):
                os.chown(path, NOBODY, NOBODY)
        self.command = [platform.bin / "poppo-agent", f"--data-dir={data}", f"--run-dir={platform.folder / 'run'}", "--boxd=no",
                        "--log-level=warn", f"--platform-url=ws://127.0.0.1:{platform.port}/api/node/ws"]

    def start(self):
        self.spawn(self.command)

    def processes(self):
        """The daemon and whatever it started, and they."""
        children = {}
        for entry in filter(str.isdigit, os.listdir("/proc")):
            if fields := self.stat(entry):
                children.setdefault(int(fields[1]), []).append(int(entry))
        found, more = [], [self.pid]
        while more:
            found.append(more.pop())
            more += children.get(found[-1], [])
        return found

    @staticmethod
    def stat(pid):
        """What follows the name in /proc/PID/stat; nothing when it is gone."""
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                return file.read().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return []

    def cpu_of_all(self):
        return sum((int(fields[11]) + int(fields[12])) / TICKS for pid in self.processes() if (fields := self.stat(pid)))

    def stop(self, *number):
        mine = self.processes()
        super().stop(*number)
        wait_for("the node's processes have ended", lambda: not any(self.stat(pid) for pid in mine), 30)


def all_run(platform):
    client = platform.client()
    try:
        return all(client.get(f"/api/projects/p{number}")["agent"]["state"] == "running" for number in range(PROJECTS))
    finally:
        client.close()


def ended(client, count):
    stats = client.get("/api/stats")
    return stats["succeeded_24h"] + stats["failed_24h"] >= count


def with_daemon(platform, count):
    make_projects(platform)
    daemon = Daemon(platform)
    daemon.start()
    try:
        wait_for("all runners run", lambda: all_run(platform), 60, 0.1)
        cpu, node_cpu = platform.cpu(), daemon.cpu_of_all()
        selector = selectors.DefaultSelector()
        asker = Asker(selector, platform, count)
        asker.begin()
        while asker.answered < count:
            for key, _ in selector.select(30):
                asker.on_readable(key.data)
        watcher = platform.client()
        wait_for(f"all {count} have ended", lambda: ended(watcher, count), DEADLINE, 0.01)
        took = time.monotonic() - asker.first
        watcher.close()
        figures = {"rate": count / took, "cpu": (platform.cpu() - cpu) / count * 1e6, "node_cpu": (daemon.cpu_of_all() - node_cpu) / count * 1e6}
        asker.close()
        if (there := succeeded(platform)) != count:
            raise AssertionError(f"{there} executions succeeded, not {count}\n{daemon.log()[-2000:]}")
        return figures
    finally:
        daemon.stop()


def on_fresh(setting, measure, count, database):
    folder = temporary(setting.run)
    own(folder)
    platform = Platform(setting.prefix, folder, **({"database": database} if database else {}))
    try:
        platform.start()
        platform.sign_in()
        return measure(platform, count)
    finally:
        platform.stop()


def rows_of(engine, count, alone, real):
    target = (">=", PER_SECOND[engine])
    return [Row(f"{engine}: no-op executions, platform alone", alone["rate"], "/s", target,
                f"{alone['cpu']:.0f} us of processor each, {count} of them"),
            Row(f"{engine}: attempts given up although the node had answered", alone["lost"], "", ("<=", 0)),
            Row(f"{engine}: asked for until given to the node, p50", median(alone["single"]), "ms", None,
                f"p99 {percentile(alone['single'], 99):.1f} ms; one at a time"),
            Row(f"{engine}: no-op executions, with the node daemon", real["rate"], "/s", target,
                f"{real['cpu']:.0f} us of processor each in the platform, {real['node_cpu']:.0f} us in the node")]


def own_postgres(root):
    """The tests' way to a PostgreSQL of one's own; it writes to disk here."""
    spec = importlib.util.spec_from_file_location("postgres", root / "tests" / "system" / "postgres.py")
    postgres = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(postgres)
    return postgres.Postgres(fsync=True)


def on_postgres(setting, count):
    server = own_postgres(setting.root)
    try:
        alone = on_fresh(setting, platform_alone, count, server.create("alone"))
        return rows_of("postgresql", count, alone, on_fresh(setting, with_daemon, count, server.create("real")))
    finally:
        server.remove()


def run(setting):
    count = 600 if setting.brief else 6000
    setting.say("SQLite")
    rows = rows_of("sqlite", count, on_fresh(setting, platform_alone, count, None), on_fresh(setting, with_daemon, count, None))
    setting.say("PostgreSQL")
    return rows + on_postgres(setting, count)
