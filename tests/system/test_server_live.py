"""Live data in the browser: topics, numbers, resuming, logs, and the end of the session they belong to."""

import json
import socket

import pytest

from server_rig import SESSION_ENDED, Refused, Socket
from test_server_node import node  # noqa: F401 (a fixture)

pytestmark = pytest.mark.both_engines


def test_a_ticket_is_good_once(server):
    ticket = server.ok("POST", "/api/ws/ticket")
    assert ticket["expires_in"] == 30
    url = f"{server.url.replace('http', 'ws')}/api/ws?ticket="
    Socket(url + ticket["ticket"]).close()
    for used in (ticket["ticket"], "", "x"):
        with pytest.raises(Refused) as refused:
            Socket(url + used)
        assert refused.value.status == 401
    ticket = server.ok("POST", "/api/ws/ticket")["ticket"]
    with pytest.raises(Refused) as refused:
        Socket(url + ticket, {"Origin": "https://evil.example"})
    assert refused.value.status == 403


def change(server, sql):
    """Behind the platform's back."""
    server.sql(sql)


def test_signing_out_closes_the_sessions_sockets_and_no_others(server):
    mine = [server.browser() for _ in range(2)]
    mine[0].subscribe("projects")
    ticket = server.ok("POST", "/api/ws/ticket")["ticket"]
    cookie = server.cookie
    assert server.login().status == 200
    other = server.browser()
    other.subscribe("projects")
    assert server.call("POST", "/api/auth/logout", headers={"Cookie": cookie}).status == 204
    for browser in mine:
        assert browser.expect_closed() == (SESSION_ENDED, "the session has ended; sign in again")
    with pytest.raises(Refused) as refused:
        Socket(f"{server.url.replace('http', 'ws')}/api/ws?ticket={ticket}")
    assert refused.value.status == 401
    server.project("after")
    assert other.expect(type="event", topic="projects")["data"]["id"] == "after"


def test_a_copied_cookie_closes_the_sessions_sockets(server):
    browser = server.browser()
    first = server.cookie
    for _ in range(2):
        server.keep_cookie(server.call("POST", "/api/auth/refresh", headers={"Cookie": server.cookie}))
    assert server.call("POST", "/api/auth/refresh", headers={"Cookie": first}).json["code"] == "session_reused"
    assert browser.expect_closed()[0] == SESSION_ENDED


@pytest.mark.parametrize("sql", ["UPDATE users SET disabled = 1", "UPDATE sessions SET revoked_at = 1", "UPDATE sessions SET expires_at = 1", "DELETE FROM sessions"])
def test_a_session_that_ends_in_any_other_way_loses_its_sockets_too(server, sql):
    browser = server.browser()
    browser.subscribe("projects")
    ticket = server.ok("POST", "/api/ws/ticket")["ticket"]
    change(server, sql)
    with pytest.raises(Refused) as refused:
        Socket(f"{server.url.replace('http', 'ws')}/api/ws?ticket={ticket}")
    assert refused.value.status == 401
    assert browser.expect_closed()[0] == SESSION_ENDED


def test_one_session_has_at_most_a_hundred_connections(server):
    first = [server.browser() for _ in range(100)]
    with pytest.raises(Refused) as refused:
        server.browser()
    assert refused.value.status == 429
    assert server.login().status == 200
    server.browser().subscribe("projects")
    first[0].subscribe("projects")


def test_one_session_cannot_use_up_the_tickets_of_others(server):
    mine = server.ok("POST", "/api/ws/ticket")["ticket"]
    assert server.login().status == 200
    many = [server.ok("POST", "/api/ws/ticket")["ticket"] for _ in range(1100)]
    url = f"{server.url.replace('http', 'ws')}/api/ws?ticket="
    Socket(url + mine).close()
    Socket(url + many[-1]).close()
    with pytest.raises(Refused):
        Socket(url + many[-30])


def test_a_browser_that_asks_without_end_is_sent_away(server):
    browser = server.browser()
    for number in range(601):
        browser.send({"op": "unsubscribe", "topic": f"project:p{number}"})
    code, reason = browser.expect_closed()
    assert code == 1008 and "too many messages" in reason


def test_an_execution_is_watched_from_queue_to_end(server, node):  # noqa: F811
    browser = server.browser()
    for topic in ("executions", "projects", "project:app", "nodes"):
        browser.subscribe(topic)
    run = server.run()
    seen = browser.expect(topic="executions", event="execution", where=lambda m: m["data"]["status"] == "assigned")["data"]
    assert seen["id"] == run["id"] and seen["project"]["id"] == "app"
    start = node.take()
    browser.subscribe(f"log:{run['id']}")
    head = browser.expect(type="log_head")
    assert head["lines"] == 1 and head["complete"] is False
    node.lines(start, 0, "one", "two")
    log = browser.expect(type="log", topic=f"log:{run['id']}")
    assert (log["from"], log["count"]) == (1, 2) and log["text"] == "1000 o one\n1001 o two\n"
    node.result(start)
    last = browser.expect(topic="project:app", event="execution", where=lambda m: m["data"]["status"] == "succeeded")["data"]
    assert last == server.execution(run["id"])
    browser.expect(topic="projects", event="project", where=lambda m: m["data"]["counts"]["succeeded"] == 1)


def test_numbers_count_up_and_what_was_missed_comes_again(server):
    browser = server.browser()
    since = browser.subscribe("projects")
    server.project("one")
    first = browser.expect(type="event", topic="projects")
    assert first["seq"] == since + 1
    browser.close()
    server.project("two")
    back = server.browser()
    assert back.subscribe("projects", since=first["seq"]) >= first["seq"]
    seen = [back.expect(type="event", topic="projects")]
    while seen[-1]["data"]["id"] != "two":
        seen.append(back.expect(type="event", topic="projects"))
    assert [message["seq"] for message in seen] == list(range(first["seq"] + 1, first["seq"] + 1 + len(seen)))


def test_who_was_away_too_long_fetches_again(server):
    browser = server.browser()
    browser.send({"op": "subscribe", "topic": "executions", "since": 5})
    assert browser.expect(type="subscribed", topic="executions")["seq"] > 5
    browser.expect(type="refetch", topic="executions")


def test_deleting_is_told(server):
    server.project()
    browser = server.browser()
    browser.subscribe("projects")
    server.api("DELETE", "/api/projects/app")
    assert browser.expect(event="deleted")["data"] == {"kind": "project", "id": "app"}


def test_nonsense_is_answered_and_the_rest_goes_on(server):
    browser = server.browser()
    for message, code in (({"op": "subscribe", "topic": "secrets"}, "unknown_topic"), ({"op": "dance", "topic": "projects"}, "invalid"),
                          ({"op": "subscribe"}, "invalid"), ({"op": "subscribe", "topic": "log:x"}, "unknown_topic")):
        browser.send(message)
        assert browser.expect(type="error")["code"] == code
    browser.subscribe("projects")
    browser.send({"op": "unsubscribe", "topic": "projects"})
    browser.subscribe("executions")
    server.project()
    assert browser.socket.inbox.empty() or browser.next()["topic"] == "executions"


def test_what_is_no_json_ends_the_connection(server):
    for message in ("{", b"\x00"):
        browser = server.browser()
        browser.socket.send(message)
        assert browser.socket.inbox.get(timeout=5) is None
        assert browser.socket.closed[0] == 1008


def test_at_most_a_hundred_topics(server):
    browser = server.browser()
    for number in range(101):
        browser.send({"op": "subscribe", "topic": f"project:p{number}"})
    assert browser.expect(type="error")["code"] == "limited"


class SlowBrowser:
    """Opens the socket by hand and then reads nothing for as long as it likes."""

    def __init__(self, server, topic):
        host, port = server.url.removeprefix("http://").split(":")
        ticket = server.ok("POST", "/api/ws/ticket")["ticket"]
        self.raw = socket.create_connection((host, int(port)), 10)
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        self.raw.sendall(f"GET /api/ws?ticket={ticket} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.raw.recv(4096)
        self.buffer = self.buffer.split(b"\r\n\r\n", 1)[1]
        text = json.dumps({"op": "subscribe", "topic": topic}).encode()
        self.raw.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)

    def take(self, count):
        while len(self.buffer) < count:
            part = self.raw.recv(1 << 16)
            assert part, "the connection ended"
            self.buffer += part
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def next(self):
        while True:
            first, length = self.take(2)
            if length == 126:
                length = int.from_bytes(self.take(2), "big")
            elif length == 127:
                length = int.from_bytes(self.take(8), "big")
            body = self.take(length)
            if first & 15 == 1:
                return json.loads(body)


def test_a_browser_that_does_not_read_loses_text_and_is_told_which(server, node):  # noqa: F811
    run = server.run()
    start = node.take()
    slow = SlowBrowser(server, f"log:{run['id']}")
    quick = server.browser()
    quick.subscribe(f"log:{run['id']}")
    lines, chunk = 0, ["x" * 1000] * 200
    for _ in range(60):  # 12 MB: more than any queue between us
        node.lines(start, lines, *chunk)
        lines += len(chunk)
        node.expect("log_ack", seq=lines)
    got = 0
    while got < lines:  # who reads is not held up
        message = quick.expect(topic=f"log:{run['id']}", where=lambda m: m["type"] in ("log", "gap"))
        got = message["from"] + message["count"] - 1 if message["type"] == "log" else message["to"] - 1
    known, gaps = 0, 0
    while known < lines:
        message = slow.next()
        if message["type"] == "log":
            assert message["from"] == known + 1 or known == 0, "lines came out of order"
            known = message["from"] + message["count"] - 1
        elif message["type"] == "gap":
            assert message["from"] == known + 1
            known, gaps = message["to"] - 1, gaps + 1
    assert gaps > 0
