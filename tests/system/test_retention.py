"""What is thrown away when it is old, and what stays."""

import pytest

from rig import until
from server_rig import Server

DAY = 24 * 60 * 60 * 1000


def finished(server, node, count):
    """Executions that succeeded, with a line each; oldest first."""
    runs = []
    for number in range(count):
        run = server.run(title=f"job {number}")
        start = node.take(execution=run["id"])
        node.lines(start, 0, f"line of {number}")
        node.expect("log_ack", seq=1)
        node.result(start, last_line=1)
        server.wait(run["id"], "succeeded")
        runs.append(run["id"])
    return runs


def age(server, id, days):
    server.sql(f"UPDATE executions SET completed_at = completed_at - {days * DAY}, created_at = created_at - {days * DAY} WHERE id = '{id}'")


def counts(server):
    """What the project is said to have, which must be what is there."""
    said = server.ok("GET", "/api/projects/app")["counts"]
    assert sum(int(count) for _, count in server.sql("SELECT status, count FROM execution_counts")) == int(server.sql("SELECT count(*) FROM executions")[0][0])
    return said


@pytest.mark.both_engines
@pytest.mark.parametrize("log_store", ["files", "database"])
def test_old_logs_and_executions_go_and_nothing_else(log_store):
    server = Server(log_store=log_store, tidy_interval="200ms", log_days=30, execution_days=60, execution_keep=2, audit_days=100).start()
    try:
        server.setup().project()
        node = server.node()
        node.hello()
        node.runner()
        gone, without_log, whole, newest = finished(server, node, 4)
        before = counts(server)
        server.stop()
        age(server, gone, 61)
        age(server, without_log, 31)
        age(server, newest, 1000)  # among the two newest: it stays, without its log
        server.sql(f"UPDATE audit_log SET at = at - {101 * DAY} WHERE id = 1")
        server.start()

        until("the old execution is gone", lambda: server.api("GET", f"/api/executions/{gone}").status == 404)
        for id in (without_log, newest):
            until("the old log is gone", lambda id=id: server.execution(id)["log"]["removed"])
            assert server.execution(id)["log"] == {"lines": 0, "bytes": 0, "complete": True, "removed": True}
            assert server.api("GET", f"/api/executions/{id}/log").body == server.api("GET", f"/api/executions/{id}/log/raw").body == b""
            assert server.execution(id)["status"] == "succeeded"
        until("the old entry of the audit is gone", lambda: server.sql("SELECT count(*) FROM audit_log WHERE id = 1") == [("0",)])

        assert "line of 2" in server.lines(whole) and server.execution(whole)["log"]["removed"] is False
        assert [item["id"] for item in server.ok("GET", "/api/executions")["items"]] == [whole, without_log, newest]
        assert counts(server)["succeeded"] == before["succeeded"] - 1 == 3
        assert server.sql(f"SELECT count(*) FROM attempts WHERE execution_id = '{gone}'") == [("0",)]
        if log_store == "files":
            assert {path.name.split(".")[0] for path in (server.folder / "data/platform/logs").glob("*/*")} == {whole}
        else:
            assert server.sql("SELECT execution_id FROM log_states") == [(whole,)]
        assert server.run()["number"] == 5
    finally:
        server.remove()


@pytest.mark.both_engines
def test_a_project_keeps_as_much_log_as_it_may():
    server = Server(tidy_interval="200ms", project_log_limit="1k").start()
    try:
        server.setup().project()
        node = server.node()
        node.hello()
        node.runner()
        first = finished(server, node, 1)[0]
        server.stop()
        server.sql(f"UPDATE executions SET log_bytes = 1000 WHERE id = '{first}'")
        server.start()
        node = server.node()
        node.hello(projects=["app"])
        node.runner()
        assert not server.execution(first)["log"]["removed"]
        second = finished(server, node, 1)[0]
        until("the older log makes room", lambda: server.execution(first)["log"]["removed"])
        assert "line of 0" in server.lines(second) and not server.execution(second)["log"]["removed"]
    finally:
        server.remove()


def test_lines_that_come_long_after_the_end_are_not_taken():
    server = Server().start().setup()
    try:
        server.project()
        node = server.node()
        node.hello()
        node.runner()
        run = server.run()
        start = node.take(execution=run["id"])
        node.result(start)
        server.wait(run["id"], "succeeded")
        node.lines(start, 0, "just in time")
        node.expect("log_ack", seq=1)
        server.stop()
        age(server, run["id"], 1)
        server.start().login()
        node = server.node()
        node.hello(projects=["app"])
        node.runner()
        node.lines(start, 1, "much later")
        node.expect("attempt_discard", execution=run["id"])
        assert "much later" not in server.lines(run["id"]) and "just in time" in server.lines(run["id"])
    finally:
        server.remove()
