"""Requests a second of this server against Express 4 and Fastify 5, on the same data and with the same answers.

Interleaved: in every round each server takes each kind of request in turn, so that a machine whose speed drifts is the same
for all; the figure is the median of the rounds' ratios. The list without a cache goes through all projects, whose pages
together are larger than any cache a server may keep; the hot list is one address all the time.
"""

import pathlib
import re
import subprocess

from bench import store
from bench.processes import Peer, Platform, temporary
from bench.report import Row, median

PROJECTS = 10_000
EXECUTIONS = 250_000
CONNECTIONS = 64
PEERS = ("express", "fastify")
SAMPLES = 40

SCRIPT = pathlib.Path(__file__).with_name("requests.lua")
TARGETS = {("health", "express"): 10, ("list", "express"): 5, ("hot list", "express"): 20}


def pages():
    """One page of 20 rows for each project: 25 it has, so there is a next one."""
    return [f"/api/executions?project={store.project_id(number)}&limit=20" for number in range(PROJECTS)]


WORKLOADS = {"health": (["/healthz"], False), "list": (pages(), True), "hot list": ([pages()[17]], True)}


def sentences(client):
    """The failure reasons as this server words them, so that the peers can say the same."""
    found = {}
    for path in pages():
        for item in client.get(path)["items"]:
            if item["reason"]:
                found.setdefault(item["reason"]["kind"], {name: item["reason"][name] for name in ("kind", "en", "ja", "next")})
        if len(found) == len(store.REASONS):
            return found
    raise AssertionError(f"the store has failures of {sorted(found)} only")


def lacks(mine, theirs, where):
    """Names of what this answer has and the peer's has not. Whatever the peer has must be equal."""
    if isinstance(mine, dict) and isinstance(theirs, dict) and not theirs.keys() - mine.keys():
        missing = [f"{where}.{name}".strip(".") for name in mine.keys() - theirs.keys()]
        return missing + [word for name in theirs for word in lacks(mine[name], theirs[name], f"{where}.{name}")]
    if isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        return [word for pair in zip(mine, theirs) for word in lacks(*pair, where)]
    if mine == theirs or (where == ".next_cursor" and mine and theirs):  # a cursor is opaque
        return []
    raise AssertionError(f"{where}: ours is {str(mine)[:200]}, the peer's {str(theirs)[:200]}")


def check_same(ours, peer):
    """The peers say what this server says. What it has learned to say since they were written is work for it alone; it is named."""
    mine, theirs = ours.client(), peer.client()
    missing = set()
    for path in ["/healthz", *pages()[:: PROJECTS // SAMPLES]]:
        missing |= set(lacks(mine.get(path), theirs.get(path), ""))
    if len(mine.get(pages()[0])["items"]) != 20:
        raise AssertionError("a page has not 20 rows")
    mine.close()
    theirs.close()
    return missing


def refuses_strangers(server):
    client = server.client()
    client.token = None
    status, _, _ = client.exchange(client.request("GET", pages()[0]))
    client.close()
    if status != 401:
        raise AssertionError(f"{server.name} answers {status} without a token")


class Load:
    """wrk with a list of paths; one run is one figure."""

    def __init__(self, folder, seconds):
        self.folder, self.seconds = folder, seconds

    def run(self, server, paths, signed_in):
        listed = self.folder / "paths"
        listed.write_text("\n".join(paths) + "\n")
        env = {"PATHS": str(listed), "TOKEN": server.sign_in() if signed_in else "", "PATH": "/usr/local/bin:/usr/bin:/bin"}
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{self.seconds}s", "--latency", "--timeout", "30s", "-s", str(SCRIPT), f"http://127.0.0.1:{server.port}"]
        before = server.cpu()
        said = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        cpu = server.cpu() - before
        found = re.search(r"^RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$", said.stdout, re.M)
        if not found:
            raise RuntimeError(f"wrk failed: {said.stdout[-500:]}{said.stderr[-500:]}")
        requests, micros, p50, p99, wrong, errors = map(int, found.groups())
        if wrong or errors or requests == 0:
            raise AssertionError(f"{server.name}: of {requests} requests {wrong} were not answered with 200, {errors} failed")
        return {"rate": requests / micros * 1e6, "cpu": cpu / requests * 1e6, "p50": p50 / 1000, "p99": p99 / 1000}


def ratio_rows(figures, name, peer):
    pairs = list(zip(figures[name, "platform"], figures[name, peer]))
    wall = median([ours["rate"] / theirs["rate"] for ours, theirs in pairs])
    used = median([theirs["cpu"] / ours["cpu"] for ours, theirs in pairs if ours["cpu"] > 0])
    target = TARGETS.get((name, peer))
    return [Row(f"{name}: times {peer}", wall, "x", (">=", target) if target else None, "requests/s, median of the rounds"),
            Row(f"{name}: processor time, {peer} over ours", used, "x")]


def measure(setting, servers):
    load = Load(setting.run, 1 if setting.brief else 4)
    figures = {(name, server.name): [] for name in WORKLOADS for server in servers}
    for turn in range(2 if setting.brief else 7):
        setting.say(f"round {turn + 1}")
        for name, (paths, signed_in) in WORKLOADS.items():
            for server in servers:
                figures[name, server.name].append(load.run(server, paths, signed_in))
    return figures


def report(figures, servers):
    rows = []
    for name in WORKLOADS:
        for server in servers:
            runs = figures[name, server.name]
            rows.append(Row(f"{name}: {server.name}", median([run["rate"] for run in runs]), "req/s", None,
                            f"{median([run['cpu'] for run in runs]):.1f} us of processor each, "
                            f"p50 {median([run['p50'] for run in runs]):.2f} ms, p99 {median([run['p99'] for run in runs]):.2f} ms"))
        for peer in PEERS:
            rows += ratio_rows(figures, name, peer)
    return rows


def run(setting):
    source = store.store(setting, PROJECTS, EXECUTIONS, status="paused")
    folders = {name: store.copy(source, temporary(setting.run)) for name in ("platform", *PEERS)}
    ours = Platform(setting.prefix, folders["platform"])
    servers = [ours]
    missing = set()
    try:
        ours.start()
        ours.sign_in()
        client = ours.client()
        reasons = sentences(client)
        client.close()
        for name in PEERS:
            database = folders[name] / "data" / "platform" / "poppo.db"
            peer = Peer(name, setting.place, folders[name], database, store.keep_session(database, ours), reasons)
            servers.append(peer)
            peer.start()
            missing |= check_same(ours, peer)
        for server in servers:
            refuses_strangers(server)
        said = [Row("members that only we send", len(missing), "", None, ", ".join(sorted(missing)))]
        return report(measure(setting, servers), servers) + said
    finally:
        for server in servers:
            server.stop()
