"""Live data as server-sent events: the same topics and messages, ids that resume, and an end that is noticed."""

import http.client
import json

import openapi
import pytest

from rig import until
from test_server_node import node  # noqa: F401 (a fixture)

pytestmark = pytest.mark.both_engines


class Stream:
    """A reader of /api/events; `id` is what an EventSource would send as Last-Event-ID."""

    def __init__(self, server, topics, since=None, ticket=None, headers=None, timeout=10, method="GET"):
        self.id = since
        headers = dict(headers or {})
        path = f"/api/events?topics={topics}"
        if ticket:
            path += f"&ticket={ticket}"
        else:
            headers.setdefault("Authorization", f"Bearer {server.access}")
        if since is not None:
            headers["Last-Event-ID"] = since
        self.connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=timeout)
        self.connection.request(method, path, headers=headers)
        self.reply = self.connection.getresponse()
        self.status = self.reply.status
        server.streams.append(self)

    def block(self):
        """The lines up to the next empty one; None at the end of the stream."""
        lines = []
        while line := self.reply.readline().decode().rstrip("\n"):
            lines.append(line)
        return lines if lines or not self.reply.isclosed() else None

    def next(self):
        while (lines := self.block()) is not None:
            for line in lines:
                if line.startswith("id: "):
                    self.id = line[4:]
            data = [line[6:] for line in lines if line.startswith("data: ")]
            if data:
                message = json.loads("\n".join(data))
                wrong = openapi.findings(message, {"$ref": "#/components/schemas/LiveMessage"})
                assert not wrong, wrong
                return message
        return None

    def expect(self, where=None, **members):
        while message := self.next():
            if all(message.get(key) == value for key, value in members.items()) and (where is None or where(message)):
                return message
        raise AssertionError(f"the stream ended before {members}")

    def close(self):
        self.connection.close()
        self.reply.close()


@pytest.fixture(autouse=True)
def streams(server):
    server.streams = []
    yield
    for stream in server.streams:
        stream.close()


def seq(message):
    return message["seq"]


def test_events_come_as_over_the_websocket(server):
    stream = Stream(server, "projects,executions")
    assert stream.status == 200
    assert stream.reply.headers["Content-Type"] == "text/event-stream"
    assert stream.reply.headers["Cache-Control"] == "no-store" and stream.reply.headers["X-Accel-Buffering"] == "no"
    assert stream.block() == ["retry: 2000"]
    first = stream.expect(type="subscribed", topic="projects")
    assert stream.id == str(seq(first))
    second = stream.expect(type="subscribed", topic="executions")
    assert stream.id == f"{seq(first)}.{seq(second)}"
    browser = server.browser()
    browser.subscribe("projects")
    server.project()
    event = stream.expect(type="event", topic="projects")
    assert event == browser.expect(type="event", topic="projects")
    assert seq(event) == seq(first) + 1 and stream.id == f"{seq(event)}.{seq(second)}"


def test_a_ticket_is_good_once_and_only_for_our_own_pages(server):
    ticket = server.ok("POST", "/api/ws/ticket")["ticket"]
    assert Stream(server, "projects", ticket=ticket).expect(type="subscribed")
    for used in (ticket, "x"):
        assert Stream(server, "projects", ticket=used).status == 401
    assert Stream(server, "projects", headers={"Authorization": "Bearer nonsense"}).status == 401
    assert Stream(server, "projects", headers={"Origin": "https://evil.example"}).status == 403
    assert Stream(server, "projects", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
    assert server.call("GET", "/api/events?topics=projects").status == 401


def test_what_is_no_topic_is_said_before_the_stream_begins(server):
    for path, code in (("/api/events", "invalid"), ("/api/events?topics=secrets", "unknown_topic"), ("/api/events?topics=log:x", "unknown_topic"),
                       ("/api/events?topics=projects,projects", "invalid"), ("/api/events?topics=projects@x", "invalid"),
                       ("/api/events?topics=projects@-1", "invalid"), ("/api/events?topics=projects,,nodes", "unknown_topic"),
                       ("/api/events?topics=" + ",".join(f"project:p{number}" for number in range(101)), "invalid")):
        answer = server.api("GET", path)
        assert answer.status == 400 and answer.json["code"] == code, answer
    assert Stream(server, ",".join(f"project:p{number}" for number in range(100))).expect(topic="project:p99")
    assert Stream(server, "").block() == ["retry: 2000"]
    assert Stream(server, "projects", method="HEAD").reply.headers["Content-Type"] == "text/event-stream"


def test_the_last_id_resumes_every_topic_without_a_loss(server):
    stream = Stream(server, "projects,project:app,nodes")
    stream.expect(type="subscribed", topic="nodes")
    server.project()
    numbers = {"projects": [], "project:app": []}
    for count in range(6):
        server.ok("PUT", "/api/projects/app", {"name": f"name {count}"}, If_Match=f'"{server.ok("GET", "/api/projects/app")["version"]}"')
        for topic in numbers:
            numbers[topic].append(seq(stream.expect(type="event", topic=topic)))
        stream.close()
        stream = Stream(server, "projects,project:app,nodes", since=stream.id)
    server.ok("PUT", "/api/projects/app", {"name": "last"}, If_Match=f'"{server.ok("GET", "/api/projects/app")["version"]}"')
    for topic, seen in numbers.items():
        event = stream.expect(type="event", topic=topic, where=lambda m: m["data"]["name"] == "last")
        assert seen == sorted(set(seen)) and seq(event) > seen[-1]
    again = Stream(server, "projects", since=str(numbers["projects"][0] - 1))
    missed = []
    while not missed or missed[-1]["data"]["name"] != "last":
        missed.append(again.expect(type="event", topic="projects"))
    assert [seq(event) for event in missed] == list(range(numbers["projects"][0], seq(missed[-1]) + 1))


def test_a_position_in_the_address_resumes_too(server):
    stream = Stream(server, "projects")
    since = seq(stream.expect(type="subscribed"))
    server.project()
    last = seq(stream.expect(type="event", where=lambda m: m["data"]["id"] == "app"))
    again = Stream(server, f"projects@{since},nodes")
    assert [seq(again.expect(type="event", topic="projects")) for _ in range(last - since)] == list(range(since + 1, last + 1))
    older = Stream(server, f"projects@{since}", since=str(last))  # what was seen last wins
    assert seq(older.expect(type="subscribed")) >= last
    server.project("other")
    assert seq(older.expect(type="event")) == last + 1


@pytest.mark.parametrize("id", ["5", "x", "1.2.3", "99999999999999999999", "."])
def test_an_id_that_cannot_be_resumed_means_refetch(server, id):
    stream = Stream(server, "projects,executions", since=id)
    assert stream.expect(type="subscribed", topic="projects")
    stream.expect(type="refetch", topic="projects")


def test_a_logs_lines_come_and_its_end(server, node):  # noqa: F811
    run = server.run()
    start = node.take()
    stream = Stream(server, f"log:{run['id']},execution:{run['id']}")
    head = stream.expect(type="log_head")
    assert head["lines"] >= 1 and head["complete"] is False
    node.lines(start, 0, "one", "two")
    assert stream.expect(type="log")["text"] == "1000 o one\n1001 o two\n"
    node.result(start)
    stream.expect(type="event", event="execution", where=lambda m: m["data"]["status"] == "succeeded")


def test_a_stream_ends_with_its_session(server):
    stream = Stream(server, "projects")
    stream.expect(type="subscribed")
    assert server.call("POST", "/api/auth/logout", headers={"Cookie": server.cookie}).status == 204
    assert stream.next() is None, "the reply must end properly"


@pytest.mark.parametrize("sql", ["UPDATE users SET disabled = 1", "UPDATE sessions SET expires_at = 1"])
def test_a_session_that_ends_behind_our_back_ends_its_streams(server, sql):
    stream = Stream(server, "projects")
    stream.expect(type="subscribed")
    server.sql(sql)
    assert stream.next() is None
    assert Stream(server, "projects").status == 401


def test_who_leaves_makes_room(server):
    many = [Stream(server, "projects") for _ in range(100)]
    for stream in many:
        stream.expect(type="subscribed")
    assert Stream(server, "projects").status == 429
    for stream in many:
        stream.close()

    def has_room():
        stream = Stream(server, "projects")
        return stream.status == 200 and stream

    assert until("a place becomes free", has_room, 10).expect(type="subscribed")


def test_a_reader_that_does_not_read_loses_text_and_is_told_which(server, node):  # noqa: F811
    run = server.run()
    start = node.take()
    slow = Stream(server, f"log:{run['id']}")
    slow.expect(type="log_head")
    lines, chunk = 0, ["x" * 1000] * 200
    for _ in range(60):  # 12 MB: more than any queue between us
        node.lines(start, lines, *chunk)
        lines += len(chunk)
        node.expect("log_ack", seq=lines)
    known, gaps = 0, 0
    while known < lines:
        message = slow.expect(where=lambda m: m["type"] in ("log", "gap"))
        assert message["from"] == known + 1 or known == 0, "lines came out of order"
        known = message["from"] + message["count"] - 1 if message["type"] == "log" else message["to"] - 1
        gaps += message["type"] == "gap"
    assert gaps > 0


def test_a_quiet_stream_is_kept_open(server):
    stream = Stream(server, "nodes", timeout=25)
    stream.expect(type="subscribed")
    assert stream.block() == [":"]


def test_the_platform_stops_in_spite_of_streams(server):
    streams = [Stream(server, "projects") for _ in range(3)]
    for stream in streams:
        stream.expect(type="subscribed")
    assert server.stop() < 4
    for stream in streams:
        assert stream.next() is None
