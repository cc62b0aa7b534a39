"""The queue from outside: order, limits, reasons, pauses, retries, cancelling."""

import datetime
import time

import pytest

from rig import until
from server_rig import Server

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
    for method, path, more in (("PATCH", f"/api/executions/{run['id']}", {}), ("POST", "/api/projects/app/executions", {"title": "do it", "prompt": "now"})):
        answer = server.api(method, path, {**more, **body})
        assert answer.status == 400 and answer.json["errors"][0]["field"] == next(iter(body)), answer


@pytest.mark.usefixtures("node")
def test_an_execution_is_found_by_its_number(server):
    server.project("other")
    made = [server.run() for _ in range(3)]
    server.run("other")
    path = "/api/executions?project=app&number=2"
    assert [e["id"] for e in server.ok("GET", path)["items"]] == [made[1]["id"]]
    assert [e["number"] for e in server.ok("GET", f"{path}&q=do&status=queued,assigned")["items"]] == [2]
    assert server.ok("GET", f"{path}&status=failed")["items"] == []
    assert server.ok("GET", "/api/executions?project=app&number=4")["items"] == []
    assert server.api("GET", "/api/executions?number=1").json["field"] == "number"  # of which project?
    for wrong in ("0", "-1", "two", "1e3"):
        assert server.api("GET", f"/api/executions?number={wrong}").json["field"] == "number"


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
