"""/metrics: what Prometheus reads, judged by its own promtool."""

import os
import re
import subprocess

import pytest

from postgres import Postgres
from rig import until
from server_rig import Server


def samples(text):
    """{'name{labels}': value} of every line that is no comment."""
    return {name: float(value) for name, value in re.findall(r"^([a-z_]+(?:\{.*\})?) (\S+)$", text, re.M)}


def is_judged_well(text):
    tool = os.environ.get("POPPO_PROMTOOL")
    if not tool:
        pytest.skip("POPPO_PROMTOOL names no promtool; ./dev test system does")
    judged = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert (judged.returncode, judged.stdout + judged.stderr) == (0, "")


def busy(server):
    """Something of each kind has happened."""
    server.project(github_token="ghp_SecretOfMetrics0123456789abcdefghijkl")
    node = server.node()
    node.hello()
    node.runner()
    server.run(title='a "name"\n with everything')
    start = node.take()
    node.lines(start, 0, "one", "two")
    node.result(start, last_line=2)
    server.wait(start["execution"], "succeeded")
    until("its end is counted", lambda: samples(server.api("GET", "/metrics").text)['poppo_executions_ended_total{status="succeeded"}'] == 1)
    server.api("GET", "/api/projects/none")
    server.api("GET", "/nowhere")
    return node


@pytest.mark.both_engines
def test_what_it_says_is_good_and_true(server):
    node = busy(server)
    text = server.api("GET", "/metrics").text
    now = samples(text)
    assert any(name.startswith("poppo_build_info{") for name in now) and now['poppo_ready{check="database"}'] == 1
    assert now['poppo_executions_ended_total{status="succeeded"}'] == 1 and now['poppo_executions{status="queued"}'] == 0
    assert now["poppo_nodes_connected"] == 1 and now["poppo_scheduler_starts_total"] == 1
    assert now['poppo_http_requests_total{method="GET",path="/api/projects/{id}",status="404"}'] == 1
    counted = 'poppo_http_request_duration_seconds_{}{{method="GET",path="/api/projects/{{id}}"{}}}'
    assert now[counted.format("bucket", ',le="+Inf"')] == now[counted.format("count", "")] >= 1
    assert now["poppo_log_lines_total"] >= 2 and now["poppo_database_commits_total"] > 3
    assert 1e6 < now["process_resident_memory_bytes"] < 1e9 and 0 < now["process_open_fds"] < now["process_max_fds"]
    assert "ghp_" not in text and "everything" not in text
    server.run()
    later = samples(server.api("GET", "/metrics").text)
    assert later['poppo_executions{status="queued"}'] + later['poppo_executions{status="assigned"}'] == 1
    assert all(later[name] >= value for name, value in now.items() if name.split("{")[0].endswith("_total"))
    node.close()
    is_judged_well(text)  # last: without promtool the rest was looked at


def test_only_administrators_and_the_token_may_read_it(server):
    token = server.folder / "metrics.token"
    server.stop()
    server.settings["metrics_token_file"] = token
    server.start().login()

    def status(shown):
        return server.call("GET", "/metrics", headers={"Authorization": f"Bearer {shown}"} if shown is not None else {}).status

    assert server.api("GET", "/metrics").status == 200
    assert status(None) == status("") == status("wrong") == 401  # there is no file yet
    token.write_text("first-token-0123456789\nnot this line\n")
    assert status("first-token-0123456789") == 200
    assert [status(shown) for shown in ("first-token-012345678", "first-token-01234567890", "not this line", "")] == [401] * 4
    token.write_text("second-token-0123456789")  # no restart
    assert status("second-token-0123456789") == 200 and status("first-token-0123456789") == 401
    token.write_text("\n")
    assert status("") == 401
    token.write_text("x" * 5000)
    assert status("x" * 5000) == 401 and "metrics_token_file" in server.log()
    token.write_text("nineteen-characters")
    assert status("nineteen-characters") == 401
    assert "second-token" not in server.log()


def test_it_answers_while_the_database_does_not():
    database = Postgres()
    server = Server(database=database.create(), database_timeout="1s")
    token = server.folder / "token"
    token.write_text("scrape-0123456789-0123")
    server.settings["metrics_token_file"] = token

    def scrape():
        answer = server.call("GET", "/metrics", headers={"Authorization": "Bearer scrape-0123456789-0123"})
        assert answer.status == 200
        return samples(answer.text)

    try:
        server.start()
        assert 'poppo_executions{status="queued"}' in scrape()
        database.stop()
        blind = until("it says that the database is gone", lambda: (now := scrape())['poppo_ready{check="database"}'] == 0 and now)
        assert 'poppo_executions{status="queued"}' not in blind and blind["process_open_fds"] > 0
        database.start()
        until("all is back", lambda: 'poppo_executions{status="queued"}' in scrape())
    finally:
        server.remove()
        database.remove()


def test_a_route_nobody_asked_for_has_no_rows(server):
    text = server.api("GET", "/metrics").text
    assert "/api/schedules" not in text and len(text) < 40_000
