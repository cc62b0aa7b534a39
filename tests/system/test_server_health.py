"""What the platform says of itself: the same request id everywhere, and what took long."""

import json
import re
import sqlite3

import pytest

from rig import until


def lines_of(server, id):
    return [line for line in server.log().splitlines() if re.search(rf"\brequest={re.escape(id)}\b", line)]


@pytest.mark.parametrize("given", ["trace-1.2_3", "a", "x" * 64])
def test_a_request_keeps_the_id_it_came_with(server, given):
    answer = server.api("GET", "/api/projects/none", X_Request_Id=given)
    assert answer.headers["X-Request-Id"] == given and answer.json["request_id"] == given
    assert any("GET /api/projects/{id} status=404" in line for line in lines_of(server, given))
    assert server.call("GET", "/api/nowhere", headers={"X-Request-Id": given}).json["request_id"] == given
    server.project(f"p{len(given)}")
    answer = server.api("DELETE", f"/api/projects/p{len(given)}", X_Request_Id=given)
    assert answer.status == 204 and answer.headers["X-Request-Id"] == given
    assert ("project.delete",) in server.sql(f"SELECT action FROM audit_log WHERE request_id = '{given}'")


@pytest.mark.parametrize("given", ["", "x" * 65, "two words", "a\tb", "é", "a;b", '"'])
def test_an_id_we_cannot_show_is_replaced(server, given):
    answer = server.call("GET", "/api/projects/none", headers={"X-Request-Id": given.encode().decode("latin-1")})
    made = answer.json["request_id"]
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{26}", made) and answer.headers["X-Request-Id"] == made


def restart(server, **settings):
    """Ready or not."""
    server.stop()
    server.settings.update(settings)
    before = server.log().count("listening on ")
    server.spawn()
    until("it listens again", lambda: server.log().count("listening on ") > before, 20)
    server.url = "http://" + re.split(r'[\s"]', server.log().rsplit("listening on http://", 1)[1])[0]


def test_a_line_of_a_request_names_it_also_as_json(server):
    restart(server, log_json="true")
    server.login()
    server.api("GET", "/api/projects/none", X_Request_Id="json-1")
    found = [json.loads(line) for line in server.log().splitlines() if '"request":"json-1"' in line]
    assert [line["message"] for line in found if line["component"] == "api"] == ["GET /api/projects/{id} status=404 code=project_not_found"]


def test_a_slow_request_is_named_with_its_route(bare):
    bare.stop()
    bare.settings["slow_request"] = "1ms"  # signing in takes longer on any machine
    bare.start().setup()
    assert bare.call("GET", "/healthz", headers={"X-Request-Id": "quick"}).status == 200
    answer = bare.call("POST", "/api/auth/login", {"username": "admin", "password": "not it"}, {"X-Request-Id": "slow-1"})
    assert answer.status == 401
    slow = [line for line in lines_of(bare, "slow-1") if "slow: POST /api/auth/login status=401" in line]
    assert len(slow) == 1 and int(re.search(r"took_ms=(\d+)", slow[0])[1]) >= 1 and "level=warn" in slow[0]
    bare.stop()
    bare.settings["slow_request"] = "0s"
    bare.start()
    assert bare.call("POST", "/api/auth/login", {"username": "admin", "password": "not it"}, {"X-Request-Id": "slow-2"}).status == 401
    assert not [line for line in lines_of(bare, "slow-2") if "slow:" in line]


def checks(answer):
    return {check["name"]: check["code"] for check in answer.json["checks"] if not check["ok"]}


def test_ready_says_what_was_looked_at(server):
    answer = server.call("GET", "/readyz")
    assert answer.status == 200 and answer.json["status"] == "ok" and not checks(answer)
    assert [check["name"] for check in answer.json["checks"]] == ["database", "log_writer", "disk"]
    assert server.call("GET", "/healthz").json["status"] == "ok"


def test_without_room_on_the_disk_it_is_alive_but_not_ready(server):
    restart(server, disk_floor="900000000g")
    answer = server.call("GET", "/readyz")
    assert answer.status == 503 and answer.headers["Retry-After"]
    assert answer.json["code"] == "disk_full" and checks(answer) == {"disk": "disk_full"}
    assert server.call("GET", "/healthz").status == 200
    restart(server, disk_floor="1k")
    assert server.call("GET", "/readyz").status == 200


def test_a_database_that_cannot_be_written_is_not_ready_until_it_can(server):
    other = sqlite3.connect(server.folder / "data/platform/poppo.db", timeout=10, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        answer = until("the write fails", lambda: (found := server.call("GET", "/readyz")).status == 503 and found, 30)
        assert list(checks(answer)) == ["database"]
        assert server.call("GET", "/healthz").status == 200
        assert "component=health" in server.log()
    finally:
        other.close()
    until("it is ready by itself", lambda: server.call("GET", "/readyz").status == 200, 20)
