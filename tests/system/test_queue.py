"""The queue from outside: order, limits, reasons, pauses, retries, cancelling; and chaos."""

import contextlib
import datetime
import os
import queue
import random
import threading
import time

import pytest

from rig import until
from server_rig import Server, ref

pytestmark = pytest.mark.both_engines


def why(server, run):
    return server.execution(run["id"])["queued_reason"] or {}


def waits_for(server, run, code):
    return until(f"it waits: {code}", lambda: (reason := why(server, run)).get("code") == code and reason)


def in_hours(hours):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours)).isoformat()


@pytest.fixture
def node(server):
    """Ready for project app, which runs one at a time."""
    server.project("app")
    made = server.node()
    made.hello()
    made.runner("app")
    return made


# -- order -------------------------------------------------------------------


def test_urgency_decides_who_is_next_and_positions_are_said(server, node):
    running = server.run(title="first")
    start = node.take(execution=running["id"])
    plain, low, high = server.run(), server.run(priority="low"), server.run(priority="high")
    hurried = server.run(deadline_at=in_hours(3))
    waits_for(server, plain, "project_full")
    assert [why(server, run)["position"] for run in (hurried, high, plain, low)] == [1, 2, 3, 4]
    assert why(server, low)["queued"] == 4 and why(server, low)["en"] and why(server, low)["ja"]
    changed = server.ok("PATCH", f"/api/executions/{low['id']}", {"priority": "critical"})
    assert changed["priority"] == "critical"
    server.ok("PATCH", f"/api/executions/{hurried['id']}", {"deadline_at": None})
    order = []
    for _ in range(4):
        node.result(start)
        start = node.take()
        order.append(start["execution"])
    assert order == [run["id"] for run in (low, high, plain, hurried)]
    node.result(start)
    server.wait(hurried["id"], "succeeded")
    assert server.api("PATCH", f"/api/executions/{low['id']}", {"priority": "low"}).json["code"] == "already_final"


@pytest.mark.parametrize("body", [{"priority": "asap"}, {"deadline_at": "tomorrow"}, {"colour": "red"}, {"now": "yes"}])
@pytest.mark.usefixtures("node")
def test_urgency_that_means_nothing_is_refused(server, body):
    run = server.run()
    assert server.api("PATCH", f"/api/executions/{run['id']}", body).status == 400


# -- pauses ------------------------------------------------------------------


def test_a_pause_of_the_queue_survives_kill_9(server, node):
    shown = server.ok("POST", "/api/queue/pause", {"note": "moving house"})
    assert shown["paused"] and shown["pause"]["by"] == "admin" and shown["pause"]["note"] == "moving house"
    run = server.run()
    reason = waits_for(server, run, "queue_paused")
    assert reason["en"].endswith(" (moving house)") and reason["ja"].endswith("（moving house）")
    server.kill()
    server.start().login()
    again = server.node()
    again.hello()
    again.runner("app")
    waits_for(server, run, "queue_paused")
    assert server.ok("GET", "/api/queue")["paused"] and server.ok("GET", "/api/queue")["queued"] == 1
    assert not server.ok("POST", "/api/queue/resume")["paused"]
    again.take(execution=run["id"])


def test_a_paused_project_finishes_what_runs(server, node):
    first = server.run()
    start = node.take()
    assert server.ok("POST", "/api/projects/app/pause")["status"] == "paused"
    second = server.run()
    waits_for(server, second, "project_paused")
    node.result(start)
    server.wait(first["id"], "succeeded")
    assert server.execution(second["id"])["status"] == "queued"
    server.ok("POST", "/api/projects/app/start")
    node.take(execution=second["id"])


def test_outside_its_hours_a_project_says_when_it_starts(server, node):
    weekday = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=3)).strftime("%a").lower()
    changed = server.ok("PUT", "/api/projects/app", {"active_hours": f"{weekday} 09:00-10:00", "time_zone": "Asia/Tokyo"})
    assert changed["active_hours"] == f"{weekday} 09:00-10:00"
    run = server.run(priority="critical")
    reason = waits_for(server, run, "outside_hours")
    opens = datetime.datetime.fromisoformat(reason["until"].replace("Z", "+00:00"))
    assert (opens.hour, opens.minute) == (0, 0) and opens.strftime("%a").lower() == weekday
    server.ok("PUT", "/api/projects/app", {"active_hours": ""})
    node.take(execution=run["id"])
    for field, value in (("active_hours", "office hours"), ("time_zone", "Mars/Olympus"), ("queue_weight", 0), ("retry_limit", 21)):
        answer = server.api("PUT", "/api/projects/app", {field: value})
        assert answer.status == 400 and answer.json["errors"][0]["field"] == field, answer


# -- limits ------------------------------------------------------------------


def test_limits_of_people_and_nodes_are_said_and_kept(server, node):
    server.ok("PUT", "/api/projects/app", {"max_concurrent": 5})
    limits = [{"kind": "node", "project": None, "subject": "local", "max": 2}, {"kind": "user", "project": "app", "subject": "*", "max": 1}]
    assert server.ok("PUT", "/api/queue/limits", {"limits": limits})["limits"] == limits
    runs = [server.run() for _ in range(3)]
    start = node.take(execution=runs[0]["id"])
    waits_for(server, runs[1], "user_full")
    server.ok("PUT", "/api/queue/limits", {"limits": limits[:1]})
    node.take(execution=runs[1]["id"])
    waits_for(server, runs[2], "node_full")
    node.result(start)
    node.take(execution=runs[2]["id"])


@pytest.mark.parametrize("limit", [
    {"kind": "label", "subject": "*", "max": 1}, {"kind": "node", "project": "app", "subject": "local", "max": 1}, {"kind": "user", "subject": "a"},
    {"kind": "cpu", "subject": "a", "max": 1}, {"kind": "user", "subject": "", "max": 1}, {"kind": "user", "subject": "a", "max": -1},
    {"kind": "user", "project": "No Slug", "subject": "a", "max": 1}, {"kind": "user", "subject": "a", "max": 1, "colour": "red"},
])
def test_limits_that_mean_nothing_are_refused(server, limit):
    answer = server.api("PUT", "/api/queue/limits", {"limits": [limit]})
    assert answer.status == 400 and "limits" in {e["field"] for e in answer.json["errors"]}, answer
    twice = [{"kind": "user", "subject": "a", "max": 1}] * 2
    assert server.api("PUT", "/api/queue/limits", {"limits": twice}).status == 400
    assert server.ok("GET", "/api/queue")["limits"] == []


# -- another try -------------------------------------------------------------


def test_a_failure_that_passes_is_tried_again_by_itself(server, node):
    run = server.run()
    start = node.take()
    node.result(start, "failed", kind="network", reason="no route")
    reason = waits_for(server, run, "not_yet")
    assert reason["until"] and reason["position"] is None
    shown = server.execution(run["id"])
    assert shown["attempts"][0]["reason"]["kind"] == "network" and shown["reason"] is None
    until("it is noted", lambda: server.lines(run["id"])[-1] == "attempt 1 ended: failed network; it is tried again")
    server.ok("PATCH", f"/api/executions/{run['id']}", {"now": True})  # who cannot wait
    assert node.take(execution=run["id"])["attempt"] == 2
    start = {**start, "attempt": 2, "fence": 2}
    node.result(start, "failed", kind="command", reason="exit 1")
    done = server.wait(run["id"], "failed")
    assert done["reason"]["kind"] == "command" and done["attempt_count"] == 2
    server.ok("PUT", "/api/projects/app", {"retry_limit": 0})
    again = server.run()
    node.result(node.take(execution=again["id"]), "failed", kind="network", reason="no route")
    server.wait(again["id"], "failed")


# -- cancelling --------------------------------------------------------------


def test_a_cancelling_that_no_node_confirms_is_over_in_time():
    server = Server(cancel_timeout="700ms").start().setup()
    try:
        server.project("app")
        node = server.node()
        node.hello()
        node.runner("app")
        run = server.run()
        start = node.take()
        node.state(start, "running")
        server.wait(run["id"], "running")
        began = time.monotonic()
        assert server.ok("POST", f"/api/executions/{run['id']}/cancel")["status"] == "cancelling"
        node.expect("attempt_cancel", execution=run["id"])
        done = server.wait(run["id"], "cancelled")
        assert 0.5 < time.monotonic() - began < 10
        assert done["reason"]["kind"] == "cancelled" and done["attempts"][0]["outcome"] == "cancelled"
        node.expect("attempt_discard", execution=run["id"])
        node.result(start)  # too late
        node.expect("attempt_discard", execution=run["id"])
        second = server.run()
        node.take(execution=second["id"])  # the place is free
        assert server.execution(run["id"])["status"] == "cancelled"
    finally:
        server.remove()


# -- chaos -------------------------------------------------------------------

PROJECTS = {"one": 1, "two": 2, "five": 5}
KINDS = ["network", "overloaded", "command", "disk"]


class Worker:
    """A node that runs nothing, and not always well. It plays on a thread of its own until it is closed."""

    def __init__(self, server, chance, record):
        self.chance, self.record = chance, record
        self.held = {}  # (execution, attempt) → (project, start)
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
        self.thread = threading.Thread(target=self.play, args=(self.node,), daemon=True)
        self.thread.start()

    def play(self, node):
        with contextlib.suppress(Exception):  # the link ends when the platform does
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
        with self.lock:
            self.record["twice"] += [fence] if fence in self.record["fences"] else []
            self.record["fences"].add(fence)
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

    def gone(self):
        self.node.abort()
        self.thread.join(10)


def check_counts(server):
    for project, most in PROJECTS.items():
        counts = server.ok("GET", f"/api/projects/{project}")["counts"]
        assert counts["running"] <= most, (project, counts)


def chaos(seconds, seed):
    print(f"seed {seed}")
    chance = random.Random(seed)
    record = {"fences": set(), "twice": []}
    server = Server(accept_timeout="400ms", cancel_timeout="600ms", retry_percent=0).start().setup()
    taken, kills = [], 0
    try:
        for project, most in PROJECTS.items():
            server.project(project, max_concurrent=most)
        server.ok("PUT", "/api/queue/limits", {"limits": [{"kind": "node", "subject": "*", "max": 6}]})
        worker = Worker(server, random.Random(seed + 1), record)
        end = time.monotonic() + seconds
        next_kill = time.monotonic() + 2
        while time.monotonic() < end:
            what = chance.random()
            with contextlib.suppress(OSError):
                if what < 0.5:
                    taken.append(server.run(chance.choice(list(PROJECTS)), priority=chance.choice(["low", "normal", "high", "critical"]))["id"])
                elif what < 0.6 and taken:
                    server.api("POST", f"/api/executions/{chance.choice(taken)}/cancel")
                elif what < 0.65 and taken:
                    answer = server.api("POST", f"/api/executions/{chance.choice(taken)}/retry", {"session": "fresh"})
                    if answer.status == 201:
                        taken.append(answer.json["id"])
                elif what < 0.7 and taken:
                    server.api("PATCH", f"/api/executions/{chance.choice(taken)}", {"priority": "critical", "now": True})
                elif what < 0.73:
                    server.ok("POST", "/api/queue/pause", {})
                    server.ok("POST", "/api/queue/resume")
                elif what < 0.76:
                    worker.gone()
                    worker.connect(server)
                else:
                    check_counts(server)
            if time.monotonic() > next_kill:
                server.kill()
                worker.gone()
                server.start()
                assert server.login().status == 200
                worker.connect(server)
                kills += 1
                next_kill = time.monotonic() + chance.uniform(1.5, 6)
        worker.good = True

        def nothing_is_open():
            totals = server.ok("GET", "/api/queue")
            return totals["queued"] + totals["running"] + totals["waiting"] == 0

        try:
            until("everything has ended", nothing_is_open, 60 + seconds, 0.2)
        except AssertionError as late:
            still = server.ok("GET", "/api/executions?status=queued,assigned,preparing,running,waiting_input,waiting_quota,cancelling&limit=20")["items"]
            raise AssertionError(f"{late}; node {worker.thread.is_alive()}, {[(e['project']['id'], e['status'], e['queued_reason']) for e in still]}") from None
        worker.gone()
        assert kills > 0 and len(taken) > 20 and record["twice"] == []
        by_status = dict(server.sql("SELECT status, count(*) FROM executions GROUP BY status"))
        assert sum(map(int, by_status.values())) == len(taken), (by_status, len(taken))
        assert set(by_status) <= {"succeeded", "failed", "cancelled"}, by_status
        counted = server.sql("SELECT status, sum(count) FROM execution_counts GROUP BY status HAVING sum(count) <> 0")
        assert dict(counted) == by_status  # the counters never lose step
        missing = set(taken) - {row[0] for row in server.sql("SELECT id FROM executions")}
        assert not missing
        assert server.sql("SELECT execution_id FROM attempts WHERE status NOT IN ('ended', 'lost')") == []
        doubled = server.sql("SELECT execution_id, fence FROM attempts GROUP BY execution_id, fence HAVING count(*) > 1")
        assert doubled == []
        print(f"{len(taken)} executions, {len(record['fences'])} starts, {kills} kills: {by_status}")
    finally:
        server.remove()


def test_chaos_loses_nothing_and_starts_nothing_twice():
    chaos(float(os.environ.get("POPPO_CHAOS_SECONDS", 12)), int(os.environ.get("POPPO_CHAOS_SEED", random.SystemRandom().randrange(1 << 30))))


@pytest.mark.long
def test_ten_minutes_of_chaos():
    chaos(600, int(os.environ.get("POPPO_CHAOS_SEED", random.SystemRandom().randrange(1 << 30))))
