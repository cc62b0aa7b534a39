"""Projects over the API: every refusal in words, versions, secrets that never come back."""

import re

import pytest

from rig import KEY, TOKEN, files_with, until

pytestmark = pytest.mark.both_engines


def test_a_project_gets_sensible_defaults(server):
    made = server.ok("POST", "/api/projects", {"github_owner": "octo", "github_repo": "Payments.API"})
    assert made["id"] == "payments-api" and made["name"] == "octo/Payments.API" and made["status"] == "active"
    assert made["trigger_label"] == "poppo" and made["poll_interval_seconds"] == 60 and made["max_concurrent"] == 1
    assert made["driver"] == "claude" and made["permission_mode"] == "acceptEdits" and "Bash" in made["allowed_tools"]
    assert made["secrets"]["github_token"] == {"set": False, "updated_at": None}
    assert made["agent"]["state"] == "stopped" and made["last_execution"] is None and made["max_budget_usd"] is None
    again = server.ok("POST", "/api/projects", {"github_owner": "other", "github_repo": "payments-api"})
    assert again["id"] == "payments-api-2"


@pytest.mark.parametrize("field, value", [
    ("github_owner", "-bad-"), ("github_owner", ""), ("github_repo", "a b"), ("github_repo", ".."), ("id", "Bad Id"), ("id", "-x"),
    ("github_api_url", "ftp://x"), ("github_api_url", "http://user:pw@x"), ("anthropic_base_url", "nonsense"), ("github_git_url", "x"),
    ("trigger_label", ""), ("trigger_label", "l" * 51), ("poll_interval_seconds", 0.01), ("poll_interval_seconds", "soon"),
    ("timeout_seconds", 0), ("timeout_seconds", 1.5), ("silence_timeout_seconds", 1), ("max_concurrent", 0), ("max_concurrent", 1000),
    ("driver", "magic"), ("model", "a b"), ("permission_mode", "yolo"), ("allowed_tools", "Bash"), ("allowed_tools", [1]),
    ("max_turns", -1), ("max_budget_usd", -1), ("max_budget_usd", 1e9), ("language", "fr"), ("allow_workflow_files", "yes"),
    ("github_token", "with space"), ("anthropic_api_key", "ключ"), ("name", "n" * 101), ("instructions", "i" * 40000),
])
def test_what_is_wrong_with_a_field_is_said_in_words(server, field, value):
    body = {"github_owner": "octo", "github_repo": "app", field: value}
    answer = server.api("POST", "/api/projects", body)
    assert answer.status == 400, answer
    assert field in {e["field"] for e in answer.json["errors"]}, answer
    for error in answer.json["errors"]:
        assert error["detail"] and error["code"]
    if field.endswith(("token", "key")):
        assert value not in answer.text


def test_all_findings_come_at_once_and_strangers_are_named(server):
    answer = server.api("POST", "/api/projects", {"github_owner": "-", "github_repo": "a b", "language": "fr", "colour": "red"})
    found = {e["field"]: e["code"] for e in answer.json["errors"]}
    assert found["colour"] == "unknown_member" and "language" in found
    answer = server.api("POST", "/api/projects", {"github_repo": "x"})
    assert answer.json["errors"] == [{"field": "github_owner", "code": "required", "detail": "Github_owner is required"}]


@pytest.mark.parametrize("raw, content_type, status", [
    (b"{", "application/json", 400), (b'{"a":1,"a":2}', "application/json", 400), (b"[]", "application/json", 400),
    (b"\xff\xfe", "application/json", 400), (b"{}", "text/plain", 415), (b'{"github_owner":' + b"[" * 3000, "application/json", 400),
    (b'{"name":"' + b"x" * (2 << 20) + b'"}', "application/json", 413),
])
def test_bodies_that_are_no_bodies(server, raw, content_type, status):
    answer = server.call("POST", "/api/projects", raw=raw, headers={"Authorization": f"Bearer {server.access}", "Content-Type": content_type})
    assert answer.status == status and answer.json["code"], answer


def test_one_repository_has_one_project(server):
    server.project("app")
    answer = server.api("POST", "/api/projects", {"id": "two", "github_owner": "OCTO", "github_repo": "App"})
    assert (answer.status, answer.json["code"], answer.json["field"]) == (409, "repository_taken", "github_repo")
    answer = server.api("POST", "/api/projects", {"id": "app", "github_owner": "octo", "github_repo": "two"})
    assert (answer.status, answer.json["code"], answer.json["field"]) == (409, "project_exists", "id")


def test_a_change_names_the_version_it_was_based_on(server):
    made = server.project()
    shown = server.api("GET", "/api/projects/app")
    tag = shown.headers["ETag"]
    assert tag == f'"{made["version"]}"'
    changed = server.api("PUT", "/api/projects/app", {"max_concurrent": 3}, If_Match=tag)
    assert changed.status == 200 and changed.json["max_concurrent"] == 3 and changed.json["trigger_label"] == made["trigger_label"]
    late = server.api("PUT", "/api/projects/app", {"max_concurrent": 4}, If_Match=tag)
    assert (late.status, late.json["code"]) == (412, "changed_meanwhile")
    assert server.ok("PUT", "/api/projects/app", {"name": "Mine"})["name"] == "Mine"


def test_secrets_go_in_and_never_come_out(server):
    made = server.project()
    assert made["secrets"]["github_token"]["set"] and made["secrets"]["anthropic_api_key"]["set"]
    kept = server.ok("PUT", "/api/projects/app", {"github_token": None, "name": "x"})
    assert kept["secrets"]["github_token"] == made["secrets"]["github_token"]
    server.ok("PUT", "/api/projects/app/env", {"items": [{"key": "OPEN", "value": "seen"}, {"key": "HIDDEN", "value": "s3cret-value", "encrypted": True}]})
    env = server.ok("GET", "/api/projects/app/env")["items"]
    assert env == [{"key": "HIDDEN", "value": None, "encrypted": True}, {"key": "OPEN", "value": "seen", "encrypted": False}]
    kept = server.ok("PUT", "/api/projects/app/env", {"items": [{"key": "HIDDEN", "value": None, "encrypted": True}]})
    assert kept["items"] == [{"key": "HIDDEN", "value": None, "encrypted": True}]
    missing = server.api("PUT", "/api/projects/app/env", {"items": [{"key": "NEW", "value": None, "encrypted": True}]})
    assert missing.status == 400 and "NEW" in missing.json["detail"]
    assert server.api("PUT", "/api/projects/app/env", {"items": [{"key": "A B", "value": "x"}]}).status == 400
    assert server.api("PUT", "/api/projects/app/env", {"items": [{"key": "A", "value": "x", "x": 1}]}).status == 400
    server.stop()
    assert files_with(server.folder, TOKEN, KEY, "s3cret-value") == []


def test_every_change_leaves_an_audit_row(server):
    server.project()
    server.ok("POST", "/api/projects/app/stop")
    server.stop()
    rows = server.sql("SELECT actor, action, object, address FROM audit_log")
    assert ("user:admin", "project.create", "project:app", "127.0.0.1") in rows
    assert ("user:admin", "project.stop", "project:app", "127.0.0.1") in rows


def test_start_stop_and_delete(server):
    server.project()
    stopped = server.api("POST", "/api/projects/app/stop")
    assert stopped.status == 202 and stopped.json["status"] == "stopped" and stopped.json["health"] == "stopped"
    waiting = server.run()
    assert server.ok("GET", f"/api/executions/{waiting['id']}")["status"] == "queued"
    until("its reason is said", lambda: (server.execution(waiting["id"])["queued_reason"] or {}).get("code") == "project_stopped")
    assert server.ok("POST", "/api/projects/app/start")["status"] == "active"
    until("there is no node", lambda: (server.execution(waiting["id"])["queued_reason"] or {}).get("code") == "no_node")
    assert server.api("DELETE", "/api/projects/app").status == 204
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/start"), ("GET", "/env")):
        answer = server.api(method, f"/api/projects/app{path}")
        assert (answer.status, answer.json["code"]) == (404, "project_not_found")
    assert server.execution(waiting["id"])["status"] == "cancelled"
    assert server.ok("GET", "/api/projects")["items"] == []


def test_lists_are_paged_by_cursor_and_filtered(server):
    for number in range(7):
        server.project(f"p{number}", start=number % 2 == 0)
    seen, cursor = [], ""
    while True:
        page = server.ok("GET", f"/api/projects?limit=3{cursor}")
        seen += [p["id"] for p in page["items"]]
        if not page["next_cursor"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [f"p{n}" for n in range(7)]
    assert [p["id"] for p in server.ok("GET", "/api/projects?status=stopped")["items"]] == ["p1", "p3", "p5"]
    assert [p["id"] for p in server.ok("GET", "/api/projects?q=octo%2Fp4")["items"]] == ["p4"]
    assert server.api("GET", "/api/projects?status=odd").json["field"] == "status"
    assert server.api("GET", "/api/projects?limit=0").json["field"] == "limit"
    assert server.api("GET", "/api/projects?cursor=garbage").status == 400


def ended(server, title):
    made = server.ok("POST", "/api/projects/app/executions", {"title": title, "prompt": "p"})
    server.ok("POST", f"/api/executions/{made['id']}/cancel")
    return made["id"]


def test_a_list_that_is_asked_for_again_is_never_an_old_one(server):
    server.project("app")
    ended(server, "First")
    path = "/api/executions?project=app&limit=20"
    shown = [server.api("GET", path) for _ in range(4)]
    assert {(a.status, a.text, a.headers["ETag"]) for a in shown} == {(200, shown[0].text, shown[0].headers["ETag"])}
    kept = re.search(r"^poppo_http_kept_replies_total (\d+)$", server.api("GET", "/metrics").text, re.M)
    assert int(kept[1]) == (0 if server.engine else 2)
    assert len({a.headers["X-Request-Id"] for a in shown}) == 4 and shown[3].headers["Cache-Control"] == "no-store"
    same = server.api("GET", path, If_None_Match=shown[0].headers["ETag"])
    assert (same.status, same.text, same.headers["ETag"]) == (304, "", shown[0].headers["ETag"])
    for number in range(5):
        newest = ended(server, f"Number {number}")
        for _ in range(3):
            answer = server.api("GET", path, If_None_Match=shown[0].headers["ETag"])
            assert answer.status == 200 and answer.json["items"][0]["id"] == newest and len(answer.json["items"]) == number + 2
    server.ok("PUT", "/api/projects/app", {"name": "Renamed"})
    assert server.api("GET", path).json["items"][0]["project"]["name"] == "Renamed"
    queued = server.ok("POST", "/api/projects/app/executions", {"title": "Waits", "prompt": "p"})
    answer = server.api("GET", path)
    assert answer.json["items"][0]["id"] == queued["id"] and "ETag" not in answer.headers
    server.ok("POST", f"/api/executions/{queued['id']}/cancel")
    assert [server.api("GET", path).status for _ in range(3)] == [200] * 3
    assert server.call("GET", path).status == 401
    assert server.call("POST", "/api/auth/logout", headers={"Cookie": server.cookie}).status == 204
    assert server.api("GET", path).json["code"] == "session_ended"


def test_unknown_addresses_and_methods(server):
    assert server.api("GET", "/api/nothing").json["code"] == "not_found"
    assert server.api("PATCH", "/api/projects").json["code"] == "method_not_allowed"
    assert server.api("GET", "/api/projects/no-such").json["code"] == "project_not_found"
    assert server.api("GET", "/api/executions/01ARZ3NDEKTSV4RRFFQ69G5FAV").json["code"] == "execution_not_found"
    assert server.api("GET", "/api/executions/nonsense").status == 404
    assert server.api("GET", "/api/executions/nonsense/log").status in (400, 404)


def test_everything_is_there_after_a_kill(server):
    made = server.project()
    run = server.run(title="survives")
    server.kill()
    server.start()
    assert server.login().status == 200
    again = server.ok("GET", "/api/projects/app")
    assert {**again, "updated_at": 0, "counts": 0, "last_execution": 0, "health_reason": 0, "health": 0} == {**made, "updated_at": 0, "counts": 0, "last_execution": 0, "health_reason": 0, "health": 0}
    assert server.execution(run["id"])["title"] == "survives"
    assert "queued by admin (ui)" in server.lines(run["id"])


def test_a_saved_secret_is_tried_only_where_its_project_says(server):
    server.project(anthropic_base_url="http://127.0.0.1:9")
    answer = server.api("POST", "/api/checks/claude", {"project": "app", "anthropic_base_url": "http://127.0.0.1:10"})
    assert (answer.status, answer.json["code"]) == (400, "secret_needed")
    tried = server.ok("POST", "/api/checks/claude", {"project": "app"})
    assert tried["ok"] is False and tried["checks"][0]["name"] == "reachable" and tried["checks"][0]["fix"]["ja"]
    assert server.ok("POST", "/api/checks/claude", {})["checks"][0]["name"] == "key"


def test_a_saved_secret_does_not_follow_its_project_to_another_address(server):
    project = server.project(anthropic_base_url="http://127.0.0.1:9")
    for field, secret in (("github_api_url", "github_token"), ("github_git_url", "github_token"),
                          ("anthropic_base_url", "anthropic_api_key")):
        answer = server.api("PUT", "/api/projects/app", {field: "http://127.0.0.1:10", "name": "moved"})
        assert (answer.status, answer.json["code"], answer.json["field"]) == (400, "secret_needed", secret), field
        assert server.ok("GET", "/api/projects/app")[field] == project[field]
    assert server.ok("GET", "/api/projects/app")["name"] == project["name"]
    same = server.ok("PUT", "/api/projects/app", {"anthropic_base_url": "http://127.0.0.1:9/", "name": "stays"})
    assert same["name"] == "stays"
    moved = server.ok("PUT", "/api/projects/app", {"anthropic_base_url": "http://127.0.0.1:10", "anthropic_api_key": KEY})
    assert moved["anthropic_base_url"] == "http://127.0.0.1:10"


def test_a_number_without_its_project_is_refused(server):
    server.project()
    answer = server.api("GET", "/api/executions?number=1")
    assert (answer.status, answer.json["field"]) == (400, "number")
    run = server.run()
    once = "&status=queued,assigned,preparing,running,succeeded,failed"
    assert [e["id"] for e in server.ok("GET", f"/api/executions?project=app&number={run['number']}{once},{once[8:]}")["items"]] == [run["id"]]
