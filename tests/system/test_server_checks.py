"""The live check of a Claude key against an API that answers as it is told."""

import http.server
import json
import threading

import pytest

KEY = "sk-ant-live-check-0123456789"
MODELS = {"data": [{"id": "claude-sonnet-4-5"}, {"id": "claude-haiku-4-5"}]}


def problem(kind, words):
    return {"type": "error", "error": {"type": kind, "message": words}}


@pytest.fixture
def api():
    """replies: path → (status, body); asked: what came."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            size = int(self.headers.get("Content-Length") or 0)
            path = self.path.split("?")[0]
            self.server.asked.append((self.command, path, dict(self.headers), self.rfile.read(size)))
            status, body = self.server.replies.get(path, (404, {}))
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    stand_in = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.replies, stand_in.asked = {}, []
    stand_in.url = f"http://127.0.0.1:{stand_in.server_address[1]}"
    threading.Thread(target=stand_in.serve_forever, daemon=True).start()
    yield stand_in
    stand_in.shutdown()
    stand_in.server_close()


def check(server, api, **more):
    found = server.ok("POST", "/api/checks/claude", {"anthropic_api_key": KEY, "anthropic_base_url": api.url + "/", **more})
    return found, {row["name"]: row["state"] for row in found["checks"]}


def test_a_key_that_works_shows_its_models(server, api):
    api.replies["/v1/models"] = (200, MODELS)
    found, rows = check(server, api, model="claude-haiku-4-5")
    assert found["ok"] and rows == {"reachable": "ok", "key": "ok", "model": "ok"}
    assert found["models"] == ["claude-sonnet-4-5", "claude-haiku-4-5"]
    headers = {name.lower(): value for name, value in api.asked[0][2].items()}
    assert headers["x-api-key"] == KEY and headers["anthropic-version"] == "2023-06-01"
    assert [path for _, path, _, _ in api.asked] == ["/v1/models"]  # no message was paid for


@pytest.mark.parametrize("status, body, expected", [
    (401, problem("authentication_error", "invalid x-api-key"), {"reachable": "ok", "key": "error"}),
    (403, problem("permission_error", "no"), {"reachable": "ok", "key": "error"}),
    (400, problem("invalid_request_error", "Your credit balance is too low to access the Anthropic API."), {"reachable": "ok", "credit": "error"}),
    (402, problem("billing_error", "no credit"), {"reachable": "ok", "credit": "error"}),
    (429, problem("rate_limit_error", "slow down"), {"reachable": "ok", "credit": "warning"}),
    (529, problem("overloaded_error", "busy"), {"reachable": "warning"}),
    (200, b"<html>hello</html>", {"reachable": "error"}),
    (200, {"data": "x"}, {"reachable": "error"}),
    (302, {}, {"reachable": "error"}),
])
def test_what_the_api_says_is_said_in_words(server, api, status, body, expected):
    api.replies["/v1/models"] = (status, body)
    found, rows = check(server, api)
    assert rows == expected and found["ok"] == ("error" not in expected.values())
    assert all(row["message"]["en"] and row["message"]["ja"] and (row["state"] == "ok" or row["fix"]["ja"]) for row in found["checks"])
    assert KEY not in json.dumps(found) and KEY not in server.log()


@pytest.mark.parametrize("status, body, expected", [
    (200, {"id": "msg"}, {"reachable": "ok", "key": "ok", "model": "ok"}),
    (404, problem("not_found_error", "model: claude-x"), {"reachable": "ok", "key": "ok", "model": "error"}),
    (401, problem("authentication_error", "no"), {"reachable": "ok", "key": "error"}),
])
def test_where_there_is_no_list_the_smallest_message_is_tried(server, api, status, body, expected):
    api.replies["/v1/messages"] = (status, body)
    _, rows = check(server, api, model="claude-x")
    assert rows == expected
    method, path, _, sent = api.asked[-1]
    assert (method, path) == ("POST", "/v1/messages") and json.loads(sent)["max_tokens"] == 1 and json.loads(sent)["model"] == "claude-x"


def test_a_model_that_is_not_in_the_list(server, api):
    api.replies["/v1/models"] = (200, MODELS)
    _, rows = check(server, api, model="claude-gone")
    assert rows["model"] == "error"
    _, rows = check(server, api, model="sonnet")  # the CLI's own names are in no list
    assert rows["model"] == "ok"


def test_what_cannot_be_a_key_or_an_address(server, api):
    found = server.ok("POST", "/api/checks/claude", {"anthropic_api_key": "two words", "anthropic_base_url": api.url})
    assert found["checks"][0]["name"] == "key" and api.asked == []
    answer = server.api("POST", "/api/checks/claude", {"anthropic_api_key": KEY, "anthropic_base_url": "file:///etc/passwd"})
    assert (answer.status, answer.json["field"]) == (400, "anthropic_base_url")
