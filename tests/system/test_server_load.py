"""Too much at once: too many clients, too few descriptors, clients that do not read, work that does not end. The server refuses
what it cannot do, says when to come again, and goes on for everybody else."""

import concurrent.futures
import contextlib
import json
import os
import socket
import sqlite3
import threading
import time

import pytest
from rig import until
from server_rig import Server, ref

THREADS = 8  # for what waits for others
HEALTHY = 5  # seconds in which an answer is "at once", on a machine that does other things too


@contextlib.contextmanager
def silent_host():
    """Takes connections and never says a word."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    kept = []

    def accept():
        with contextlib.suppress(OSError):
            while True:
                kept.append(listener.accept()[0])

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for connection in kept:
            connection.close()


def connect(server):
    port = int(server.url.rsplit(":", 1)[1])
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def send(client, server, method, path, body=b"", token=True):
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
    if token:
        head += f"Authorization: Bearer {server.access}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    client.sendall(head.encode() + b"\r\n" + body)


def reply(client):
    """Status and headers of the next reply; (0, {}) when there is none."""
    text = b""
    with contextlib.suppress(ConnectionResetError):
        while b"\r\n\r\n" not in text:
            more = client.recv(4096)
            if not more:
                break
            text += more
    if b"\r\n\r\n" not in text:
        return 0, {}
    first, *lines = text.split(b"\r\n\r\n")[0].decode().split("\r\n")
    return int(first.split()[1]), {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


def answers_at_once(server, path="/healthz"):
    began = time.monotonic()
    with contextlib.closing(connect(server)) as client:
        send(client, server, "GET", path)
        status, _ = reply(client)
    return status == 200 and time.monotonic() - began < HEALTHY


def rss(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) * 1024


def test_more_than_can_be_done_is_refused_with_503_and_the_rest_goes_on(server):
    """Checks of a host that never answers take all threads there are for them, and all places to wait."""
    with silent_host() as host, contextlib.ExitStack() as stack:
        body = json.dumps({"github_owner": "o", "github_repo": "r", "github_token": "t", "github_api_url": host}).encode()
        clients = [stack.enter_context(contextlib.closing(connect(server))) for _ in range(300)]
        for client in clients:
            send(client, server, "POST", "/api/checks/github", body)
        refused = []
        with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
            waiting = [pool.submit(reply, client) for client in clients]
            for _ in range(10):
                assert answers_at_once(server)
                assert answers_at_once(server, "/api/projects")
            done = concurrent.futures.as_completed(waiting)
            answered = [next(done).result() for _ in range(len(clients) - THREADS)]
            for client in clients:
                client.shutdown(socket.SHUT_RDWR)  # those at work wait for the host still
    assert {status for status, _ in answered} == {503}
    assert all(int(headers["retry-after"]) >= 1 for _, headers in answered)
    assert answers_at_once(server, "/api/projects")


def test_clients_that_never_read_cost_little_and_hold_up_nobody(server):
    for number in range(20):
        server.project(id=f"p{number}", github_repo=f"r{number}", instructions="あ" * 6000)
    size = len(server.api("GET", "/api/projects").body)
    assert size > 300_000
    before = rss(server)
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            client = stack.enter_context(contextlib.closing(socket.socket()))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(30)
            client.connect(("127.0.0.1", int(server.url.rsplit(":", 1)[1])))
            for _ in range(20):  # the replies to all of them would be 360 MB
                send(client, server, "GET", "/api/projects")
        for _ in range(10):
            assert answers_at_once(server)
            assert answers_at_once(server, "/api/projects")
        assert rss(server) - before < 150_000_000, (before, rss(server))
    assert answers_at_once(server, "/api/projects")


def test_a_request_that_never_ends_is_cut_and_holds_up_nobody(server):
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(contextlib.closing(connect(server))) for _ in range(100)]
        for client in slow:
            client.sendall(b"POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Ty")
        assert answers_at_once(server)
        assert answers_at_once(server, "/api/projects")
        assert reply(slow[0])[0] == 408
        large = stack.enter_context(contextlib.closing(connect(server)))
        large.sendall(b"POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2000000\r\n\r\n")
        assert reply(large)[0] == 413


class Poor(Server):
    """With 64 descriptors in all."""

    def command(self, verb="serve"):
        return ["prlimit", "--nofile=64:64", *super().command(verb)]


@pytest.fixture
def poor():
    made = Poor(handler_threads="8")
    yield made.start().setup()
    made.remove()


def test_with_64_descriptors_it_serves_a_few_and_recovers_from_many(poor):
    assert "file descriptors" in poor.log()
    poor.project()
    for _ in range(3):
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(contextlib.closing(connect(poor))) for _ in range(150)]
            for client in clients:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    send(client, poor, "GET", "/api/projects")
            statuses = [reply(client)[0] for client in clients]
            assert set(statuses) <= {0, 200, 503}, statuses
            assert 200 in statuses
        until("it serves again", lambda: answers_at_once(poor, "/api/projects"), 20)
    assert poor.call("GET", "/readyz").status == 200
    assert len(os.listdir(f"/proc/{poor.process.pid}/fd")) < 64


def test_every_processor_has_a_loop(bare):
    threads = [open(f"/proc/{bare.process.pid}/task/{task}/comm").read().strip() for task in os.listdir(f"/proc/{bare.process.pid}/task")]
    loops = 1 + sum(name.startswith("io-") for name in threads)
    assert loops == min(16, os.cpu_count()), threads


# --- a database that takes its time ------------------------------------------------------------------


@contextlib.contextmanager
def stuck(server):
    """Nothing can be written meanwhile."""
    db = sqlite3.connect(server.folder / "data/platform/poppo.db", isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        db.execute("ROLLBACK")
        db.close()


@pytest.fixture
def busy_node():
    """A server that waits two seconds for an acceptance, and the node of its project."""
    server = Server(accept_timeout="2s").start().setup()
    try:
        server.project(max_concurrent=3)
        node = server.node()
        node.hello()
        node.runner()
        yield server, node
    finally:
        server.remove()


def arrived(node):
    """What the node said before this has been received."""
    node.send("attempt_accepted", {"execution": "01J00000000000000000000000", "attempt": 1, "fence": 1}, "not-here")
    node.expect("attempt_discard", execution="01J00000000000000000000000")


def test_an_acceptance_that_waits_for_the_database_was_in_time(busy_node):
    server, node = busy_node
    runs = [server.run()["id"] for _ in range(3)]
    starts = [node.expect("attempt_start", execution=run) for run in runs]
    with stuck(server):
        for start in starts[:2]:  # the second waits for the first
            node.send("attempt_accepted", ref(start), "app")
        assert node.expect("attempt_discard")["execution"] == runs[2]  # which nobody accepts
    for run, start in zip(runs[:2], starts):
        node.result(start)
        assert server.wait(run, "succeeded")["attempt_count"] == 1


def test_what_a_runner_says_in_one_breath_is_one_change(busy_node):
    server, node = busy_node
    run = server.run()
    start = node.expect("attempt_start")
    version = f"SELECT version FROM executions WHERE id = '{run['id']}'"
    before = int(server.sql(version)[0][0])
    with stuck(server):
        node.send("attempt_accepted", ref(start), "app")
        node.state(start, "preparing")
        node.state(start, "running")
        node.result(start, session_id="5e55-10n")
        arrived(node)
    done = server.wait(run["id"], "succeeded")
    assert int(server.sql(version)[0][0]) == before + 1
    assert done["started_at"] and done["session_id"] == "5e55-10n" and done["attempts"][0]["started_at"]


def test_a_session_that_only_a_state_tells_is_not_skipped(busy_node):
    server, node = busy_node
    run = server.run()
    start = node.expect("attempt_start")
    with stuck(server):
        node.send("attempt_accepted", ref(start), "app")
        node.state(start, "running", session_id="5e55-10n")
        node.result(start)
        arrived(node)
    assert server.wait(run["id"], "succeeded")["session_id"] == "5e55-10n"
