"""Executions with a node that is a Python object: assignment, live log, results, fences, loss."""

import contextlib
import hashlib
import time

import pytest

from rig import until
from server_rig import Refused, Server, ref

pytestmark = pytest.mark.both_engines


@pytest.fixture
def node(server):
    """A node that runs project app."""
    server.project()
    node = server.node()
    node.hello()
    node.runner()
    return node


def test_only_known_keys_connect(server):
    with pytest.raises(Refused) as refused:
        server.node("ppn_" + "x" * 43)
    assert refused.value.status == 401


def test_the_hello_is_answered_with_what_should_run(server):
    server.project("one")
    server.project("two", start=False)
    node = server.node()
    welcome = node.hello()
    assert welcome["protocol"] == 1 and welcome["offline_limit_ms"] == 35 * 60 * 1000
    assert [wish["id"] for wish in node.wishes["projects"]] == ["one"]
    server.ok("POST", "/api/projects/two/start")
    assert node.expect("project_start")["id"] == "two"
    server.ok("POST", "/api/projects/one/stop")
    assert node.expect("project_stop")["id"] == "one"
    server.ok("POST", "/api/projects/two/restart")
    assert node.expect("project_restart")["id"] == "two"
    server.api("DELETE", "/api/projects/two")
    assert node.expect("project_remove")["id"] == "two"
    listed = server.ok("GET", "/api/nodes")["items"][0]
    assert listed["status"] == "online" and listed["name"] == "local" and listed["capacity"]["cpus"] == 2
    node.close()
    until("the node is offline", lambda: server.ok("GET", "/api/nodes")["items"][0]["status"] == "offline")


@pytest.mark.parametrize("message", ["node_status", "runner_hello", "attempt_result"])
def test_nothing_is_said_before_the_hello(server, message):
    node = server.node()
    node.send(message, {}, "" if message == "node_status" else "app")
    code, reason = node.expect_closed()
    assert code == 1008 and reason


def test_a_second_hello_and_platform_messages_close_the_link(server):
    node = server.node()
    node.hello()
    node.send("hello", {"protocol_min": 1, "protocol_max": 1})
    assert node.expect_closed()[0] == 1008
    node = server.node()
    node.hello()
    node.send("welcome", {})
    assert node.expect_closed()[0] == 1008
    node = server.node()
    node.send("hello", {"protocol_min": 7, "protocol_max": 9})
    assert node.expect_closed()[0] == 1008


def test_an_execution_from_start_to_result(server, node):
    run = server.run(title="Say hello", prompt="please")
    start = node.take(execution=run["id"])
    assert (start["attempt"], start["fence"], start["driver"], start["prompt"]) == (1, 1, "noop", "please")
    assert start["item"] == "task-1" and start["repo"]["branch"] == "poppo/task-1" and start["session"] == {"id": None, "resume": False}
    node.state(start, "preparing")
    assert server.wait(run["id"], "preparing")["started_at"]
    node.state(start, "running", session_id="5e55-10n")
    node.lines(start, 0, "hello", "world")
    assert node.expect("log_ack", execution=run["id"])["seq"] == 2
    node.send("usage", {**ref(start), "calls": 2, "input_tokens": 100, "output_tokens": 50, "cache_read_tokens": 0, "cache_write_tokens": 0, "cost_micro_usd": 2500}, "app")
    until("the cost shows", lambda: server.execution(run["id"])["cost_usd"] == 0.0025)
    node.result(start, summary="All good", last_line=2)
    node.expect("result_ack", execution=run["id"])
    done = server.wait(run["id"], "succeeded")
    assert done["summary"] == "All good" and done["no_changes"] and done["session_id"] == "5e55-10n" and done["reason"] is None
    assert done["cost_usd"] == 0.0015 and done["usage"]["input_tokens"] == 10 and done["completed_at"] and done["log"]["complete"]
    assert [a["outcome"] for a in done["attempts"]] == ["succeeded"]
    lines = server.lines(run["id"])
    assert lines[0] == "queued by admin (ui)" and lines[-1] == "attempt 1 ended: succeeded" and lines[1:-1] == ["hello", "world"]
    counts = server.ok("GET", "/api/projects/app")["counts"]
    assert counts == {"queued": 0, "running": 0, "waiting": 0, "succeeded": 1, "failed": 0}
    stats = server.ok("GET", "/api/stats")
    assert stats["succeeded_24h"] == 1 and stats["agents_running"] == 1 and stats["cost_usd_24h"] == 0.0015


def test_logs_are_read_by_line(server, node):
    run = server.run()
    start = node.take()
    node.lines(start, 0, *[f"line {n}" for n in range(1000)])
    node.lines(start, 1000, *[f"line {n}" for n in range(1000, 1500)])
    node.expect("log_ack", seq=1500)
    part = server.api("GET", f"/api/executions/{run['id']}/log?from=1&count=3")
    assert [line.split(" ", 2)[1:] for line in part.text.splitlines()] == [["o", "line 0"], ["o", "line 1"], ["o", "line 2"]]
    assert part.headers["X-Log-Lines"] == "1501" and part.headers["X-Log-From"] == "1" and part.headers["X-Log-Complete"] == "false"
    tail = server.api("GET", f"/api/executions/{run['id']}/log?tail=2")
    assert tail.text.splitlines()[-1].endswith("line 1499") and tail.headers["X-Log-From"] == "1499"
    assert server.api("GET", f"/api/executions/{run['id']}/log?from=9999").text == ""
    assert server.api("GET", f"/api/executions/{run['id']}/log?count=2001").json["field"] == "count"
    raw = server.api("GET", f"/api/executions/{run['id']}/log/raw")
    assert raw.text.splitlines()[1:] == [f"line {n}" for n in range(1500)]
    assert "attachment" in raw.headers["Content-Disposition"]


def test_lines_sent_again_are_there_once_and_gaps_are_refused(server, node):
    run = server.run()
    start = node.take()
    node.lines(start, 0, "a", "b")
    node.expect("log_ack", seq=2)
    node.lines(start, 0, "a", "b", "c")
    node.expect("log_ack", seq=3)
    node.lines(start, 7, "too far")
    assert node.expect("log_ack")["seq"] == 3
    assert server.lines(run["id"])[1:] == ["a", "b", "c"]


@pytest.mark.parametrize("blob, count", [(b"no newline", 1), (b"1 o a\n", 2), (b"x o a\n", 1), (b"1 ? a\n", 1), (b"", 1), (b"1 o a\n", 0), (b"1 o a\n", 2**63 - 1)])
def test_malformed_lines_close_the_link(server, node, blob, count):
    server.run()
    start = node.take()
    node.send("log_chunk", {**ref(start), "seq": 0, "count": count}, "app", blob)
    assert node.expect_closed()[0] == 1008


def test_a_project_runs_as_many_at_once_as_it_may_and_in_order(server, node):
    runs = [server.run(title=f"run {n}") for n in range(3)]
    first = node.take(execution=runs[0]["id"])
    until("the second waits", lambda: (server.execution(runs[1]["id"])["queued_reason"] or {}).get("code") == "project_full")
    node.result(first)
    node.expect("result_ack")
    second = node.take(execution=runs[1]["id"])
    server.ok("PUT", "/api/projects/app", {"max_concurrent": 2})
    assert node.expect("settings")["max_concurrent"] == 2
    third = node.take(execution=runs[2]["id"])
    for start in (third, second):
        node.result(start)
    for run in runs:
        server.wait(run["id"], "succeeded")


def test_cancelling_what_waits_and_what_runs(server, node):
    runs = [server.run(), server.run()]
    start = node.take(execution=runs[0]["id"])
    assert server.ok("POST", f"/api/executions/{runs[1]['id']}/cancel")["status"] == "cancelled"
    node.state(start, "preparing")
    node.state(start, "running")
    server.wait(runs[0]["id"], "running")
    assert server.ok("POST", f"/api/executions/{runs[0]['id']}/cancel")["status"] == "cancelling"
    assert node.expect("attempt_cancel")["execution"] == runs[0]["id"]
    assert server.api("POST", f"/api/executions/{runs[0]['id']}/cancel").status == 202
    node.result(start, "cancelled", kind="cancelled", reason="interrupted")
    done = server.wait(runs[0]["id"], "cancelled")
    assert done["reason"]["kind"] == "cancelled" and done["reason"]["detail"] == "cancelled by admin"
    late = server.api("POST", f"/api/executions/{runs[1]['id']}/cancel")
    assert late.status == 202  # cancelled twice is success
    finished = server.run()
    node.result(node.take(execution=finished["id"]))
    server.wait(finished["id"], "succeeded")
    late = server.api("POST", f"/api/executions/{finished['id']}/cancel")
    assert (late.status, late.json["code"]) == (409, "already_final")


def test_a_failure_has_a_sentence_and_a_next_step_in_both_languages(server, node):
    run = server.run()
    node.result(node.take(), "failed", kind="auth", reason="HTTP 401 from the API", http_status=401, exit_code=1)
    reason = server.wait(run["id"], "failed")["reason"]
    assert reason["kind"] == "auth" and reason["detail"] == "HTTP 401 from the API"
    assert reason["en"] and reason["ja"] and reason["next"]["en"] and reason["next"]["ja"]


def test_a_retry_is_a_new_execution_of_the_same_work(server, node):
    run = server.run()
    assert server.api("POST", f"/api/executions/{run['id']}/retry", {"session": "same"}).json["code"] == "not_final"
    node.result(node.take(), "failed", kind="silent", session_id="s-1")
    server.wait(run["id"], "failed")
    same = server.ok("POST", f"/api/executions/{run['id']}/retry", {"session": "same"})
    assert same["trigger"] == "retry" and same["number"] == 2
    start = node.take(execution=same["id"])
    assert start["session"] == {"id": "s-1", "resume": True} and start["item"] == "task-1" and start["prompt"] == "do it now"
    node.result(start, "waiting_input", question="Which colour?")
    waiting = server.wait(same["id"], "waiting_input")
    assert waiting["question"] == "Which colour?"
    fresh = server.ok("POST", f"/api/executions/{same['id']}/retry", {"session": "fresh"})
    assert server.execution(same["id"])["status"] == "cancelled"
    assert node.take(execution=fresh["id"])["session"] == {"id": None, "resume": False}


def test_waiting_for_quota_goes_on_by_itself_with_its_session(server, node):
    run = server.run()
    start = node.take()
    node.result(start, "waiting_quota", kind="rate_limit", session_id="s-9", resume_at_ms=int(time.time() * 1000) + 300)
    node.expect("result_ack")
    again = node.expect("attempt_start", timeout=30, execution=run["id"])  # ten seconds are the shortest wait
    assert again["attempt"] == 2 and again["session"] == {"id": "s-9", "resume": True}


def test_an_idempotency_key_starts_once(server, node):
    one = server.ok("POST", "/api/projects/app/executions", {"title": "t", "prompt": "p"}, Idempotency_Key="abc")
    two = server.ok("POST", "/api/projects/app/executions", {"title": "t", "prompt": "p"}, Idempotency_Key="abc")
    assert one["id"] == two["id"]
    long = server.api("POST", "/api/projects/app/executions", {"title": "t", "prompt": "p"}, Idempotency_Key="k" * 101)
    assert (long.status, long.json["field"]) == (400, "Idempotency-Key")
    both = server.api("POST", "/api/projects/app/executions", {"title": "t", "prompt": "p", "issue_number": 3})
    assert both.json["field"] == "issue_number"
    none = server.api("POST", "/api/projects/app/executions", {})
    assert {e["field"] for e in none.json["errors"]} == {"title", "prompt"}


def test_the_environment_goes_along_in_plain(server, node):
    server.ok("PUT", "/api/projects/app/env", {"items": [{"key": "A", "value": "1"}, {"key": "B", "value": "two", "encrypted": True}]})
    server.run()
    start = node.take()
    assert start["env"] == {"A": "1", "B": "two"} and start["env_secrets"] == ["B"]
    node.send("credential_request", {**ref(start), "request": "again", "purpose": "env"}, "app")
    again = node.expect("credential", request="again")
    assert again["env"] == {"A": "1", "B": "two"} and again["env_secrets"] == ["B"]


# --- credentials and fences ---------------------------------------------------


def test_credentials_are_given_while_the_fence_holds(server, node):
    run = server.run()
    start = node.take()
    for purpose, secret in (("git_fetch", "ghp_"), ("git_push", "ghp_"), ("anthropic", "sk-ant-")):
        node.send("credential_request", {**ref(start), "request": purpose, "purpose": purpose}, "app")
        assert node.expect("credential", request=purpose)["secret"].startswith(secret)
    node.send("credential_request", {**ref(start), "fence": 99, "request": "old", "purpose": "git_push"}, "app")
    refused = node.expect("credential", request="old")
    assert "secret" not in refused and refused["kind"] == "node_lost" and refused["error"]
    server.ok("POST", f"/api/executions/{run['id']}/cancel")
    node.expect("attempt_cancel")
    node.send("credential_request", {**ref(start), "request": "late", "purpose": "git_push"}, "app")
    assert node.expect("credential", request="late")["kind"] == "cancelled"


def two_nodes(server):
    """Two nodes with keys of their own: the local one runs project app, the other nothing."""
    server.project()
    node = server.node()
    node.hello()
    node.runner()
    key = "ppn_" + "o" * 43
    server.sql("INSERT INTO nodes (id, name, key_sha256, created_at) VALUES "
               f"('other', 'other', '{hashlib.sha256(key.encode()).hexdigest()}', 1)")
    other = server.node(key)
    other.hello()
    return node, other


@pytest.fixture
def pair(server):
    return two_nodes(server)


def test_a_node_has_no_say_in_what_another_one_runs(server, pair):
    node, other = pair
    run = server.run()
    start = node.take()
    for purpose in ("git_push", "anthropic", "env"):
        other.send("credential_request", {**ref(start), "request": purpose, "purpose": purpose}, "app")
        refused = other.expect("credential", request=purpose)
        assert refused["kind"] == "node_lost" and not {"secret", "env"} & set(refused)
    for name, more in (("attempt_state", {"state": "running"}), ("attempt_result", {"outcome": "failed", "kind": "cli"}),
                       ("usage", {"calls": 9, "cost_micro_usd": 9}), ("log_chunk", {"seq": 0, "count": 1})):
        other.send(name, {**ref(start), **more}, "app", b"1 o forged\n" if name == "log_chunk" else b"")
        other.expect("attempt_discard", execution=run["id"])
    assert server.execution(run["id"])["status"] == "assigned"
    assert not any("forged" in line for line in server.lines(run["id"]))
    node.send("credential_request", {**ref(start), "request": "own", "purpose": "git_push"}, "app")
    assert node.expect("credential", request="own")["secret"]


def test_a_node_cannot_take_another_ones_project(server, pair):
    node, other = pair
    before = server.ok("GET", "/api/projects/app")["agent"]
    for state in ("running", "degraded"):
        other.status("app", state=state)
    claimed = {"execution": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "attempt": 1, "fence": 1, "state": "running", "next_line": 0, "finished": False}
    other.send("runner_hello", {"attempts": [claimed]}, "app")
    other.expect("attempt_discard", execution=claimed["execution"])
    other.send("agent_log_data", {"request": "x", "total": 1, "from": 0, "lines": ["forged"]}, "app")
    until("the refusals are in the log", lambda: all(f"node=other project=app {what} refused" in server.log()
                                                     for what in ("in node_status", "runner_hello", "agent_log_data")))
    assert server.ok("GET", "/api/projects/app")["agent"] == before
    run = server.run()
    node.take(execution=run["id"])  # still asked of the node on which it is placed
    assert "attempt_start" not in [name for name, _, _ in other.seen]


def test_a_node_cannot_accept_what_was_given_to_another_one():
    server = Server(accept_timeout="700ms").start().setup()
    try:
        node, other = two_nodes(server)
        server.project("mine")
        other.expect("project_start", id="mine")  # it has the fewest
        run = server.run()
        start = node.expect("attempt_start")
        for project in ("app", "mine"):
            other.send("attempt_accepted", ref(start), project)
            other.expect("attempt_discard", execution=run["id"])
        assert node.expect("attempt_discard")["execution"] == run["id"]  # nobody who may has accepted it
        assert node.take(execution=run["id"])["attempt"] == 2
    finally:
        server.remove()


def test_a_node_cannot_fill_the_log_or_the_memory(server, pair):
    _, other = pair
    for _ in range(30):
        other.status("app")
    other.status(*[f"made-up-{n}" for n in range(4097)])
    assert other.expect_closed()[0] == 1008
    assert server.log().count("node=other project=app in node_status refused") == 20
    assert "more of these are not logged" in server.log()
    back = server.node("ppn_" + "o" * 43)
    back.hello()
    with contextlib.suppress(Exception):  # it is closed on the way
        for n in range(5000):
            back.send("agent_log", {}, f"made-up-{n}")
    assert back.expect_closed() == (1013, "busy, or of too many projects")


@pytest.mark.parametrize("member", ["cost_micro_usd", "input_tokens", "calls"])
def test_numbers_no_work_can_reach_break_no_sum(server, node, member):
    for _ in range(2):
        run = server.run()
        start = node.take(execution=run["id"])
        usage = {"calls": 1, "input_tokens": 1, "output_tokens": 1, "cache_read_tokens": 0, "cache_write_tokens": 0, "cost_micro_usd": 1, member: 2**63 - 1}
        node.send("usage", {**ref(start), **usage}, "app")
        node.result(start, usage=usage, num_turns=2**63 - 1, last_line=2**63 - 1)
        node.expect("result_ack", execution=run["id"])
        server.wait(run["id"], "succeeded")
    server.ok("GET", "/api/stats")
    server.ok("GET", "/api/projects/app")


def test_a_session_id_is_cut_to_a_length(server, node):
    run = server.run()
    start = node.take()
    node.state(start, "running", session_id="s" * 100_000)
    until("it is known", lambda: server.execution(run["id"])["session_id"] == "s" * 100)


def test_a_state_we_do_not_know_ends_nothing(server, node):
    node.status("app", state="stopping")
    until("it is known as stopped", lambda: server.ok("GET", "/api/projects/app")["agent"]["state"] == "stopped")
    node.status("app", state="dancing")
    until("it is known as not well", lambda: server.ok("GET", "/api/projects/app")["agent"]["state"] == "degraded")
    node.status("app")
    until("it runs", lambda: server.ok("GET", "/api/projects/app")["agent"]["state"] == "running")


def test_a_missing_secret_has_its_own_kind(server):
    server.ok("POST", "/api/projects", {"id": "bare", "github_owner": "octo", "github_repo": "bare", "driver": "noop"})
    node = server.node()
    node.hello()
    node.runner("bare")
    server.run("bare")
    start = node.take("bare")
    node.send("credential_request", {**ref(start), "request": "r", "purpose": "anthropic"}, "bare")
    assert node.expect("credential")["kind"] == "auth"


def test_reports_with_an_old_fence_change_nothing(server, node):
    run = server.run()
    start = node.take()
    old = {**start, "fence": start["fence"] + 5}
    node.result(old)
    assert node.expect("attempt_discard")["execution"] == run["id"]
    node.lines(old, 0, "not mine")
    node.expect("attempt_discard")
    other = {**start, "execution": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
    node.result(other)
    assert node.expect("attempt_discard")["execution"] == other["execution"]
    assert server.execution(run["id"])["status"] == "assigned" and server.lines(run["id"]) == ["queued by admin (ui)"]


def test_another_projects_runner_cannot_speak_for_an_attempt(server, node):
    server.project("other")
    node.expect("project_start", id="other")
    node.runner("other")
    run = server.run()
    start = node.take()
    node.result(start, project="other")
    assert node.expect("attempt_discard")["execution"] == run["id"]
    assert server.execution(run["id"])["status"] == "assigned"
    node.send("credential_request", {**ref(start), "request": "x", "purpose": "git_push"}, "other")
    assert "secret" not in node.expect("credential", request="x")


def test_a_result_sent_again_is_acknowledged_again(server, node):
    run = server.run()
    start = node.take()
    node.result(start)
    node.expect("result_ack")
    node.result(start, "failed", kind="silent")
    node.expect("result_ack")
    assert server.execution(run["id"])["status"] == "succeeded" and server.execution(run["id"])["attempt_count"] == 1


# --- loss ---------------------------------------------------------------------


def test_an_assignment_nobody_accepts_goes_back_to_the_queue():
    server = Server(accept_timeout="300ms").start().setup()
    try:
        server.project()
        node = server.node()
        node.hello()
        node.runner()
        run = server.run()
        first = node.expect("attempt_start")
        assert node.expect("attempt_discard")["attempt"] == 1
        second = node.take(execution=run["id"])
        assert (second["attempt"], second["fence"]) == (2, 2)
        node.send("attempt_accepted", ref(first), "app")
        node.expect("attempt_discard", attempt=1)
        node.result(second)
        assert server.wait(run["id"], "succeeded")["attempts"][0]["outcome"] == "lost"
    finally:
        server.remove()


def test_a_refusal_is_tried_again_or_ends_by_its_kind(server, node):
    run = server.run()
    start = node.expect("attempt_start")
    node.send("attempt_refused", {**ref(start), "kind": "invalid_settings", "reason": "no command"}, "app")
    done = server.wait(run["id"], "failed")
    assert done["reason"]["kind"] == "invalid_settings" and "no command" in done["reason"]["detail"]


def test_runs_go_on_while_the_link_is_down(server, node):
    run = server.run()
    start = node.take()
    node.state(start, "preparing")
    node.state(start, "running")
    server.wait(run["id"], "running")
    node.abort()
    until("the node is offline", lambda: server.ok("GET", "/api/nodes")["items"][0]["status"] == "offline")
    assert server.ok("GET", "/api/projects/app")["agent"]["state"] == "unreachable"
    back = server.node()
    back.hello(projects=["app"])
    back.status("app")
    back.send("runner_hello", {"attempts": [{**ref(start), "state": "running", "next_line": 0, "finished": False}]}, "app")
    assert back.expect("log_ack")["seq"] == 0
    back.lines(start, 0, "still here")
    back.expect("log_ack", seq=1)
    back.result(start)
    back.expect("result_ack")
    assert server.wait(run["id"], "succeeded")["attempt_count"] == 1


def test_runs_go_on_while_the_platform_is_down(server, node):
    run = server.run()
    start = node.take()
    node.state(start, "running")
    server.wait(run["id"], "running")
    server.kill()
    server.start()
    server.login()
    back = server.node()
    back.hello(projects=["app"])
    back.status("app")
    back.send("runner_hello", {"attempts": [{**ref(start), "state": "running", "next_line": 0, "finished": True}]}, "app")
    back.expect("log_ack")
    back.result(start)
    back.expect("result_ack")
    assert server.wait(run["id"], "succeeded")["attempt_count"] == 1


def test_a_cancel_made_while_the_link_was_down_arrives(server, node):
    run = server.run()
    start = node.take()
    node.state(start, "running")
    server.wait(run["id"], "running")
    node.abort()
    until("the node is offline", lambda: server.ok("GET", "/api/nodes")["items"][0]["status"] == "offline")
    assert server.ok("POST", f"/api/executions/{run['id']}/cancel")["status"] == "cancelling"
    back = server.node()
    back.hello(projects=["app"])
    back.send("runner_hello", {"attempts": [{**ref(start), "state": "running", "next_line": 0, "finished": False}]}, "app")
    assert back.expect("attempt_cancel")["execution"] == run["id"]


def test_what_the_agent_no_longer_has_is_tried_again_with_its_session(server, node):
    run = server.run()
    start = node.take()
    node.state(start, "running", session_id="keep-me")
    server.wait(run["id"], "running")
    node.send("runner_hello", {"attempts": []}, "app")
    again = node.take(execution=run["id"])
    assert (again["attempt"], again["fence"]) == (2, 2) and again["session"] == {"id": "keep-me", "resume": True}
    node.result(start)
    node.expect("attempt_discard", attempt=1)
    node.result(again)
    done = server.wait(run["id"], "succeeded")
    assert [a["outcome"] for a in done["attempts"]] == ["lost", "succeeded"]


def test_a_node_with_a_new_boot_id_has_lost_everything(server, node):
    run = server.run()
    start = node.take()
    node.state(start, "running")
    server.wait(run["id"], "running")
    node.abort()
    back = server.node()
    back.hello(boot_id="boot-2")
    back.runner()
    assert back.take(execution=run["id"])["attempt"] == 2


def test_three_lost_attempts_are_a_failure(server, node):
    run = server.run()
    for number in (1, 2, 3):
        start = node.take(execution=run["id"])
        assert start["attempt"] == number
        node.send("runner_hello", {"attempts": []}, "app")
    done = server.wait(run["id"], "failed")
    assert done["reason"]["kind"] == "node_lost" and done["attempt_count"] == 3


def test_unknown_and_stale_attempts_are_discarded(server, node):
    run = server.run()
    start = node.take()
    node.result(start)
    node.expect("result_ack")
    stranger = {"execution": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "attempt": 1, "fence": 1, "state": "running", "next_line": 0, "finished": False}
    ended = {**ref(start), "state": "ended", "next_line": 0, "finished": True}
    node.send("runner_hello", {"attempts": [stranger, ended]}, "app")
    node.expect("attempt_discard", execution=stranger["execution"])
    node.expect("result_ack", execution=run["id"])


def test_a_silent_node_keeps_its_work_only_so_long():
    server = Server(offline_limit="1s", offline_grace="500ms").start().setup()
    try:
        server.project()
        node = server.node()
        assert node.hello()["offline_limit_ms"] == 1000
        node.runner()
        run = server.run()
        start = node.take()
        node.state(start, "running")
        server.wait(run["id"], "running")
        gone = time.monotonic()
        node.abort()
        until("the node is offline", lambda: server.ok("GET", "/api/nodes")["items"][0]["status"] == "offline")
        assert server.execution(run["id"])["status"] == "running"
        server.wait(run["id"], "queued")
        assert time.monotonic() - gone >= 1.4
        back = server.node()  # which went on all the time
        back.hello(projects=["app"])
        back.status("app")
        back.send("runner_hello", {"attempts": [{**ref(start), "state": "running", "next_line": 0, "finished": False}]}, "app")
        back.expect("attempt_discard", execution=run["id"], attempt=1)
        assert back.take(execution=run["id"])["fence"] == 2
    finally:
        server.remove()


def test_a_stopped_project_keeps_its_agent_until_its_runs_have_ended(server, node):
    run = server.run()
    start = node.take()
    node.state(start, "running")
    server.wait(run["id"], "running")
    server.ok("POST", "/api/projects/app/stop")
    assert node.expect("attempt_cancel")["execution"] == run["id"]
    assert not any(name == "project_stop" for name, _, _ in node.seen)
    node.result(start, "cancelled")
    assert node.expect("project_stop")["id"] == "app"


def test_the_agents_log_is_read_from_its_node(server, node):
    import threading

    answers = []
    asking = threading.Thread(target=lambda: answers.append(server.api("GET", "/api/projects/app/logs?tail=2")))
    asking.start()
    read = node.expect("agent_log_read")
    assert (read["from"], read["count"]) == (-2, 2)
    node.send("agent_log_data", {"request": "of somebody else", "total": 1, "lines": ["no"]}, "app")
    node.send("agent_log_data", {"request": read["request"], "total": 10, "from": 8, "lines": ["nine", "ten"]}, "app")
    asking.join(10)
    assert answers[0].text == "nine\nten\n" and answers[0].headers["X-Log-Lines"] == "10" and answers[0].headers["X-Log-From"] == "8"
    node.close()
    until("nobody answers", lambda: server.api("GET", "/api/projects/app/logs").json.get("code") == "agent_offline")


def test_a_newer_link_of_the_same_node_replaces_the_older(server, node):
    newer = server.node()
    newer.hello(projects=["app"])
    assert node.expect_closed()[0] == 1000
    newer.runner()
    run = server.run()
    newer.take(execution=run["id"])
