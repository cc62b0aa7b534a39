"""Log lines: 1,000 running executions that write 100 lines a second each, over the real node link; the store alone; and a log
of 1,000,000 lines: its first page when nothing of it is in memory, and a search in it.

A line counts when the platform has acknowledged it, which it does when it is on disk. Chunks have ten lines of 100 bytes, what
a runner makes of 100 lines a second.
"""

import json
import os
import pathlib
import re
import selectors
import subprocess
import time
import urllib.parse

import yaml

from bench import node as wire
from bench import store
from bench.processes import Platform, temporary
from bench.report import Row, median

AGENTS = 1000
RATE = 100_000
CHUNK = 10
BIG_CHUNK = 4000
WINDOW = 1 << 20  # bytes an agent sends before it waits for acknowledgements, as runners do
CORES = 0.5
LINES = 1_000_000
FIRST_MS, SEARCH_MS = 20, 200
NEEDLE = "the needle of line"
IN_FLIGHT = 40_000  # lines; the platform's queue holds four times as much
TICK = 0.02


def line(number, text="compiling module and running its tests, all is well so far; this goes on for some time"):
    return f"1795339123456 o {number:08} {text}"[:99] + "\n"


class Agent:
    """One running execution. `seq` lines were sent, `acked` are durable."""

    def __init__(self, project, start):
        self.project, self.ref = project, wire.ref(start)
        self.head = json.dumps(self.ref, separators=(",", ":"))[:-1]
        self.seq = self.acked = 0
        self.is_over = False

    def chunk(self, count, blob):
        body = f'{self.head},"seq":{self.seq},"count":{count}}}'.encode()
        self.seq += count
        return wire.frame(wire.LOG_CHUNK, body, self.project, blob)


class Runners:
    """A node with one running execution for each project."""

    def __init__(self, platform, projects):
        self.platform, self.agents = platform, {}
        self.node = wire.Node(platform.port)
        self.node.hello(projects)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.node, selectors.EVENT_READ)
        client = platform.client()
        for project in projects:
            client.call("POST", f"/api/projects/{project}/executions", {"title": "writes lines", "prompt": "write"})
            self.listen(0)
        client.close()
        self.until("every project has its execution", lambda: len(self.agents) == len(projects))

    def until(self, what, condition, deadline=60):
        end = time.monotonic() + deadline
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"not within {deadline} s: {what}")
            self.listen(0.05)

    def listen(self, wait):
        """Writes what is to be written, takes what has come."""
        if not self.node.flush():
            self.selector.modify(self.node, selectors.EVENT_READ | selectors.EVENT_WRITE)
        else:
            self.selector.modify(self.node, selectors.EVENT_READ)
        if not self.selector.select(wait):
            return
        self.node.flush()
        for kind, project, body in self.node.messages():
            if kind == wire.LOG_ACK:
                ack = json.loads(body)
                self.agents[ack["execution"]].acked = ack["seq"]
            elif kind == wire.RESULT_ACK:
                self.agents[json.loads(body)["execution"]].is_over = True
            elif kind == wire.START:
                self.accept(project, json.loads(body))
            elif kind in (wire.REFUSED, wire.DISCARD):
                raise RuntimeError(f"the platform gives up an attempt: {body!r}")

    def accept(self, project, start):
        agent = Agent(project, start)
        self.agents[agent.ref["execution"]] = agent
        self.node.send(wire.ACCEPTED, agent.ref, project)
        self.node.send(wire.STATE, {**agent.ref, "state": "running", "detail": "", "session_id": None}, project)

    def finish(self):
        """Everybody's result; the logs get no more lines then."""
        for agent in self.agents.values():
            self.node.send(wire.RESULT, {**agent.ref, "outcome": "succeeded", "kind": None, "reason": None, "summary": "",
                                         "no_changes": True, "pushed": False, "session_id": None, "num_turns": 0, "usage": {},
                                         "exit_code": 0, "signal": -1, "last_line": agent.seq}, agent.project)
        self.until("every result is taken", lambda: all(agent.is_over for agent in self.agents.values()))

    def close(self):
        self.selector.close()
        self.node.close()


# --- ingest ------------------------------------------------------------------------------------------------------


def send_evenly(runners, seconds, rate, blob):
    """Each agent in turn, `rate` lines a second together; 0 = as many as are acknowledged, IN_FLIGHT at once. Gives the lines
    acknowledged in that time."""
    agents = list(runners.agents.values())
    began, sent = time.monotonic(), 0
    while (now := time.monotonic() - began) < seconds:
        due = int(now * rate) if rate else sum(agent.acked for agent in agents) + IN_FLIGHT
        while sent + CHUNK <= due:
            runners.node.out += agents[sent // CHUNK % len(agents)].chunk(CHUNK, blob)
            sent += CHUNK
        runners.listen(TICK)
    return sum(agent.acked for agent in agents)


def check_stored(platform, runners):
    """The platform has as many lines as were sent, and one more of its own at most."""
    client = platform.client()
    for agent in list(runners.agents.values())[:: AGENTS // 20]:
        _, headers, body = client.exchange(client.request("GET", f"/api/executions/{agent.ref['execution']}/log?tail=2000"))
        ours = int(headers["x-log-lines"]) - agent.seq
        if not 0 <= ours <= 5 or body.count(b" o ") == 0:
            raise AssertionError(f"{agent.seq} lines were acknowledged, {headers['x-log-lines']} are there")
    client.close()


def ingest(setting, platform, rate, projects):
    runners = Runners(platform, projects)
    blob = "".join(line(number) for number in range(CHUNK)).encode()
    try:
        before, began = platform.cpu(), time.monotonic()
        lines = send_evenly(runners, 4 if setting.brief else 15, rate, blob)
        used, took = platform.cpu() - before, time.monotonic() - began
        agents = runners.agents.values()
        runners.until("every line is acknowledged", lambda: all(agent.acked == agent.seq for agent in agents))
        check_stored(platform, runners)
        runners.finish()
        return {"rate": lines / took, "cores": used / took, "each": used / lines * 1e6}
    finally:
        runners.close()


def store_alone(setting, rate):
    """Lines, wall seconds and processor seconds of the program log-append."""
    folder = temporary(setting.run)
    seconds = 4 if setting.brief else 15
    said = subprocess.run([setting.place / "programs" / "log-append", folder, str(AGENTS), str(rate), str(seconds)],
                          capture_output=True, text=True, check=False)
    if said.returncode != 0:
        raise RuntimeError(said.stderr.strip())
    lines, wall, used = map(float, said.stdout.split())
    return {"rate": lines / wall, "cores": used / wall, "each": used / lines * 1e6}


# --- one large log -----------------------------------------------------------------------------------------------------


def write_large(runners):
    agent = next(iter(runners.agents.values()))
    while agent.seq < LINES:
        first = agent.seq
        blob = "".join(line(number, f"{NEEDLE} 987654" if number == 987654 else "building, nothing to see here, all is well so far and goes on")
                       for number in range(first, first + BIG_CHUNK)).encode()
        runners.node.out += agent.chunk(BIG_CHUNK, blob)
        while (agent.seq - agent.acked) * 100 > WINDOW:
            runners.listen(0.05)
    runners.until("the large log is acknowledged", lambda: agent.acked == agent.seq)
    runners.finish()
    return agent.ref["execution"]


def forget(platform):
    """Puts what the kernel keeps of the log's files out of memory."""
    os.sync()
    for path in pathlib.Path(platform.folder / "data" / "platform" / "logs").rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def first_reads(setting, platform, execution):
    """Milliseconds of a page from its beginning, its end and its middle, each with nothing of the log in memory."""
    took = []
    for turn in range(4 if setting.brief else 12):
        platform.stop()
        forget(platform)
        platform.start()
        platform.sign_in()
        client = platform.client()
        client.get("/api/me")
        range_ = ("from=0&count=500", "tail=500", f"from={LINES // 2}&count=500")[turn % 3]
        ms, body = client.timed(f"/api/executions/{execution}/log?{range_}")
        if body.count(b"\n") != 500:
            raise AssertionError(f"a page of 500 lines has {body.count(chr(10).encode())}")
        took.append(ms)
        client.close()
    return took


def search_route(setting):
    """The API's search in a log, as its contract has it: (path, name of the parameter); None if there is none."""
    contract = yaml.safe_load((setting.root / "platform" / "server" / "api" / "openapi.yaml").read_text(encoding="utf-8"))
    for path, methods in contract["paths"].items():
        if path.startswith("/api/executions/{id}/log"):
            for parameter in methods.get("get", {}).get("parameters", []):
                if parameter.get("name") in ("q", "query", "search", "text", "pattern"):
                    return path, parameter["name"]
    return None


def searches(setting, platform, execution):
    route = search_route(setting)
    if not route:
        return None
    path = route[0].replace("{id}", execution) + f"?{route[1]}=" + urllib.parse.quote(NEEDLE)
    took = []
    client = platform.client()
    for _ in range(5 if setting.brief else 20):
        ms, body = client.timed(path)
        if not re.search(rb"98765[345]", body):
            raise AssertionError(f"the search does not find line 987654: {body[:300]!r}")
        took.append(ms)
    client.close()
    return took


def large(setting, platform, project):
    runners = Runners(platform, [project])
    began = time.monotonic()
    execution = write_large(runners)
    took = time.monotonic() - began
    runners.close()
    reads = first_reads(setting, platform, execution)
    found = searches(setting, platform, execution)
    return [Row(f"{LINES:,} lines of one execution, over the link", LINES / took, "lines/s"),
            Row(f"first page of a log of {LINES:,} lines", median(reads), "ms", ("<=", FIRST_MS), f"nothing of it in memory; {min(reads):.1f} to {max(reads):.1f}"),
            Row(f"search in a log of {LINES:,} lines", median(found or []), "ms", ("<=", SEARCH_MS),
                f"{min(found):.0f} to {max(found):.0f}" if found else "the API has no search in a log")]


def run(setting):
    folder = store.copy(store.store(setting, AGENTS, 0, driver="noop"), temporary(setting.run))
    projects = [store.project_id(number) for number in range(AGENTS)]
    platform = Platform(setting.prefix, folder)
    try:
        platform.start()
        platform.sign_in()
        platform.settle()
        even = ingest(setting, platform, RATE, projects)
        platform.sign_in()
        most = ingest(setting, platform, 0, projects)
        alone, alone_most = store_alone(setting, RATE), store_alone(setting, 0)
        platform.sign_in()
        rows = [Row(f"{AGENTS:,} agents, over the link: lines acknowledged", even["rate"], "/s", (">=", RATE * 0.99), "none lost"),
                Row(f"{AGENTS:,} agents, over the link: processor", even["cores"], "cores", ("<=", CORES), f"{even['each']:.2f} us a line"),
                Row("as many as it takes, over the link", most["rate"], "/s", None, f"{most['cores']:.2f} cores, {most['each']:.2f} us a line"),
                Row(f"the store alone, {RATE:,} lines/s: processor", alone["cores"], "cores", None,
                    f"{alone['rate']:,.0f} lines/s, {alone['each']:.2f} us a line"),
                Row("the store alone, as many as it takes", alone_most["rate"], "/s", None,
                    f"{alone_most['cores']:.2f} cores, {alone_most['each']:.2f} us a line")]
        return rows + large(setting, platform, projects[0])
    finally:
        platform.stop()
