"""What the platform says of itself: the same request id everywhere, and what took long."""

import json
import re

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


def test_a_line_of_a_request_names_it_also_as_json(server):
    server.stop()
    server.settings["log_json"] = "true"
    server.spawn()
    until("it listens again", lambda: '"message":"' in server.log() and server.log().count("listening on ") == 2, 20)
    server.url = "http://" + server.log().rsplit("listening on http://", 1)[1].split('"')[0]
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
