"""Chaos: people ask, cancel, retry and pause all at once, nodes play badly, the platform is killed in the middle. Nothing is lost, and
nothing starts twice."""

import contextlib
import http.client
import os
import queue
import random
import threading
import time

import pytest
import websockets.exceptions

from rig import until
from server_rig import Server, ref

pytestmark = pytest.mark.both_engines

PROJECTS = {"one": 1, "two": 2, "five": 5}
KINDS = ["network", "overloaded", "command", "disk"]
PRIORITIES = ["low", "normal", "high", "critical"]
OPEN = "queued,assigned,preparing,running,waiting_input,waiting_quota,cancelling"
MOST_QUEUED = 80  # so that the end is near
CUT = (OSError, http.client.HTTPException)  # the platform died under a request
LINK_ENDED = (AssertionError, RuntimeError, OSError, websockets.exceptions.ConnectionClosed)


class Thread(threading.Thread):
    """What goes wrong on it is raised by whoever ends it."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.problem = work, None
        self.start()

    def run(self):
        try:
            self.work()
        except Exception as problem:  # raised below
            self.problem = problem

    def end(self):
        self.join(30)
        assert not self.is_alive(), "a thread of the test hangs"
        if self.problem:
            raise self.problem


class Worker:
    """A node that runs nothing, and not always well. It plays on a thread of its own until it is gone."""

    def __init__(self, server, chance):
        self.chance = chance
        self.held = {}  # (execution, attempt) → (project, start)
        self.fences, self.twice = set(), []
        self.good = False
        self.lock = threading.Lock()
        self.connect(server)

    def connect(self, server):
        self.node = server.node()
        self.node.hello(projects=list(PROJECTS))
        for project in PROJECTS:
            with self.lock:
                mine = [{**ref(start), "state": "running", "last_seq": 0} for p, start in self.held.values() if p == project]
            self.node.runner(project, mine)
        for got, project, body in self.node.seen:  # what came on the way
            self.handle(got, project, body)
        self.thread = Thread(lambda node=self.node: self.play(node))

    def gone(self):
        self.node.abort()
        self.thread.end()

    def play(self, node):
        with contextlib.suppress(*LINK_ENDED):
            while True:
                try:
                    frame = node.next(timeout=0.02)
                except queue.Empty:
                    self.work()
                    continue
                self.handle(*frame)

    def handle(self, got, project, body):
        key = (body.get("execution"), body.get("attempt"))
        if got == "attempt_start":
            self.start(project, body, key)
        elif got in ("attempt_discard", "result_ack"):
            with self.lock:
                self.held.pop(key, None)
        elif got == "attempt_cancel" and (self.good or self.chance.random() < 0.7):
            with self.lock:
                mine = self.held.get(key)
            if mine:
                self.node.result(mine[1], "cancelled", project)

    def start(self, project, body, key):
        fence = (body["execution"], body["fence"])
        self.twice += [fence] if fence in self.fences else []
        self.fences.add(fence)
        luck = 1 if self.good else self.chance.random()
        if luck < 0.05:
            return  # never says a word
        if luck < 0.1:
            self.node.send("attempt_refused", {**ref(body), "kind": "busy", "reason": "no room"}, project)
            return
        with self.lock:
            self.held[key] = (project, body)
        self.node.send("attempt_accepted", ref(body), project)

    def work(self):
        with self.lock:
            mine = list(self.held.values())
        for project, start in mine:
            luck = 1 if self.good else self.chance.random()
            if luck < 0.3:
                continue
            if luck < 0.5:
                self.node.result(start, "failed", project, kind=self.chance.choice(KINDS), reason="chaos")
            elif luck < 0.55:
                self.node.result(start, "lost", project, reason="chaos")
            elif luck < 0.6:
                self.node.result(start, "waiting_quota", project, kind="rate_limit", resume_at_ms=int(time.time() * 1000) + 50)
            else:
                self.node.result(start, "succeeded", project)


class People:
    """Several at once, until they are told to stop. What was answered is known; a request that was cut may have counted."""

    def __init__(self, server, seed, count):
        self.server = server
        self.taken, self.cut = [], []
        self.queued = 0
        self.up, self.over = threading.Event(), threading.Event()
        self.up.set()
        self.threads = [Thread(lambda chance=random.Random(seed + i): self.ask(chance)) for i in range(count)]

    def ask(self, chance):
        while not self.over.is_set():
            try:
                self.one(chance)
            except CUT:
                assert self.up.wait(60), "the platform does not come back"

    def one(self, chance):
        what = chance.random()
        some = chance.choice(self.taken) if self.taken else None
        if what < 0.4 and self.queued < MOST_QUEUED:
            self.enqueue(f"/api/projects/{chance.choice(list(PROJECTS))}/executions", {"title": "do it", "prompt": "do it now", "priority": chance.choice(PRIORITIES)})
        elif 0.5 < what < 0.55 and some:
            self.may("POST", f"/api/executions/{some}/cancel")
        elif 0.55 < what < 0.6 and some:
            self.enqueue(f"/api/executions/{some}/retry", {"session": "fresh"}, 409)
        elif 0.6 < what < 0.7 and some:
            self.may("PATCH", f"/api/executions/{some}", {"priority": "critical", "now": True})
        elif 0.7 < what < 0.73:
            self.server.ok("POST", "/api/queue/pause", {})
            self.server.ok("POST", "/api/queue/resume")
        else:
            self.queued = self.server.ok("GET", "/api/queue")["queued"]

    def enqueue(self, path, body, *refusals):
        try:
            answer = self.server.api("POST", path, body)
        except CUT:
            self.cut.append(path)
            raise
        assert answer.status in (201, *refusals), answer
        if answer.status == 201:
            self.taken.append(answer.json["id"])
            self.queued += 1

    def may(self, method, path, body=None):
        answer = self.server.api(method, path, body)
        assert answer.status < 300 or answer.status == 409, answer

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.end()


def crash(server, people, worker):
    """kill -9 while requests are on the way, and up again."""
    people.up.clear()
    server.kill()
    worker.gone()
    server.start()
    assert server.login().status == 200
    worker.connect(server)
    people.up.set()


def check_limits(server):
    for project, most in PROJECTS.items():
        counts = server.ok("GET", f"/api/projects/{project}")["counts"]
        assert counts["running"] <= most, (project, counts)


def wait_for_the_end(server, worker, seconds):
    def nothing_is_open():
        totals = server.ok("GET", "/api/queue")
        return totals["queued"] + totals["running"] + totals["waiting"] == 0

    worker.good = True
    server.ok("POST", "/api/queue/resume")  # whoever had paused it may have been cut off
    try:
        until("everything has ended", nothing_is_open, seconds, 0.1)
    except AssertionError as late:
        still = server.ok("GET", f"/api/executions?status={OPEN}&limit=20")["items"]
        raise AssertionError(f"{late}; {[(e['project']['id'], e['status'], e['queued_reason']) for e in still]}") from None


def check_books(server, people, worker):
    """What was taken has ended, once; the counters never lost step; every start had a fence of its own."""
    by_status = {status: int(count) for status, count in server.sql("SELECT status, count(*) FROM executions GROUP BY status")}
    total = sum(by_status.values())
    assert len(people.taken) <= total <= len(people.taken) + len(people.cut), (by_status, len(people.taken), people.cut)
    assert len(set(people.taken)) == len(people.taken)
    assert set(people.taken) <= {row[0] for row in server.sql("SELECT id FROM executions")}
    assert set(by_status) <= {"succeeded", "failed", "cancelled"}, by_status
    counted = server.sql("SELECT status, sum(count) FROM execution_counts GROUP BY status HAVING sum(count) <> 0")
    assert {status: int(count) for status, count in counted} == by_status
    assert server.sql("SELECT execution_id FROM attempts WHERE status NOT IN ('ended', 'lost')") == []
    assert server.sql("SELECT execution_id, fence FROM attempts GROUP BY execution_id, fence HAVING count(*) > 1") == []
    assert worker.twice == []
    return by_status


def chaos(seconds):
    seed = int(os.environ.get("POPPO_CHAOS_SEED", random.SystemRandom().randrange(1 << 30)))
    print(f"seed {seed}")
    chance = random.Random(seed)
    server = Server(accept_timeout="400ms", cancel_timeout="600ms", retry_percent=0).start().setup()
    kills = 0
    try:
        for project, most in PROJECTS.items():
            server.project(project, max_concurrent=most)
        server.ok("PUT", "/api/queue/limits", {"limits": [{"kind": "node", "subject": "*", "max": 6}]})
        worker = Worker(server, random.Random(seed + 1))
        people = People(server, seed + 2, 3)
        end = time.monotonic() + seconds
        next_kill = time.monotonic() + 2
        while time.monotonic() < end:
            check_limits(server)
            if chance.random() < 0.05:
                worker.gone()
                worker.connect(server)
            if time.monotonic() > next_kill:
                crash(server, people, worker)
                kills += 1
                next_kill = time.monotonic() + chance.uniform(1, 5)
        people.end()
        wait_for_the_end(server, worker, 60)
        worker.gone()
        assert kills > 0 and len(people.taken) > 20
        by_status = check_books(server, people, worker)
        print(f"{len(people.taken)} executions and {len(people.cut)} cut requests, {len(worker.fences)} starts, {kills} kills: {by_status}")
    finally:
        server.remove()


def test_chaos_loses_nothing_and_starts_nothing_twice():
    chaos(10)


@pytest.mark.long
def test_ten_minutes_of_chaos():
    chaos(600)
