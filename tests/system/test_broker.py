"""The broker between a real client and a real upstream, each in all its moods."""

import http.client
import http.server
import json
import os
import pathlib
import select
import signal
import socket
import statistics
import subprocess
import threading
import time

import pytest

import rig

KEY = "sk-ant-api03-TheRealKeyNobodyMayEverSee0123456789"
DUMMY = "sk-ant-poppo-DummyOfTheFirstAttempt0123456789"
ATTEMPT = "01JABCDEFGHJKMNPQRSTVWXYZ0.1"


def event(name, **data):
    return f"event: {name}\ndata: {json.dumps({'type': name, **data}, ensure_ascii=False)}\n\n".encode()


STREAM = (
    event("message_start", message={"id": "msg_1", "model": "claude-opus-5-5", "content": [],
                                    "usage": {"input_tokens": 100, "output_tokens": 1, "cache_read_input_tokens": 50,
                                              "cache_creation_input_tokens": 10}})
    + event("content_block_delta", index=0, delta={"type": "text_delta", "text": "こんにちは 👩‍💻"})
    + event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 20})
    + event("message_stop")
)
WHOLE = {"type": "message", "model": "claude-opus-5-5", "content": [], "usage": {"input_tokens": 7, "output_tokens": 8}}
COST = 100 * 4 + 20 * 20 + 50 // 5 + 10 * 5  # micro dollars


class Upstream(http.server.ThreadingHTTPServer):
    """The API, played by a function per test: play(handler, body)."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        self.seen = []
        self.play = None
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_one(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                upstream.seen.append((self.command, self.path, list(self.headers.items()), body))
                upstream.play(self, body)

            do_GET = do_POST = do_HEAD = handle_one

            def log_message(self, *args):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


def send_json(handler, status, value, **headers):
    body = json.dumps(value).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    for name, text in headers.items():
        handler.send_header(name.replace("_", "-"), text)
    handler._headers_buffer.append(b"\r\n" + body)  # in one packet, or the kernel waits for an acknowledgement
    handler.flush_headers()


def begin_stream(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream; charset=utf-8")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()


def send_piece(handler, data):
    handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
    handler.wfile.flush()


def stream_whole(handler, body):
    begin_stream(handler)
    send_piece(handler, STREAM)
    handler.wfile.write(b"0\r\n\r\n")


class Broker:
    def __init__(self, folder):
        self.folder = folder
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.processes = []
        self.start()

    def start(self):
        path = self.folder / "broker.sock"
        path.unlink(missing_ok=True)
        control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.bind(str(path))
        control.listen(8)
        self.process = self.spawn(self.listener, control)
        control.close()
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(10)
        self.control.connect(str(path))

    def spawn(self, listener, control):
        def place():
            # Above 4 first: the descriptors may be 3 and 4 in the other order.
            here, there = os.dup2(listener.fileno(), 50), os.dup2(control.fileno(), 51)
            os.dup2(here, 3)
            os.dup2(there, 4)

        process = subprocess.Popen(
            [rig.prefix() / "bin" / "poppo-broker"], preexec_fn=place, pass_fds=(3, 4), env={},
            stderr=open(self.folder / "broker.err", "ab"))
        self.processes.append(process)
        return process

    def ask(self, **request):
        self.control.send(json.dumps(request).encode())
        return json.loads(self.control.recv(1 << 16))

    def register(self, base_url, attempt=ATTEMPT, dummy=DUMMY, key=KEY):
        answer = self.ask(op="attempt", attempt=attempt, dummy=dummy, key=key, base_url=base_url,
                          usage_file=str(self.folder / "usage.jsonl"))
        assert answer == {"ok": True}

    def usage(self):
        path = self.folder / "usage.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
            process.wait(20)
        said = (self.folder / "broker.err").read_text()
        assert "Sanitizer" not in said and "runtime error" not in said, said
        self.listener.close()


@pytest.fixture
def upstream():
    server = Upstream()
    server.play = stream_whole
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def broker(tmp_path, upstream):
    made = Broker(tmp_path)
    made.register(upstream.url)
    yield made
    made.close()


def call(broker, method="POST", path="/v1/messages?beta=true", body=b"{}", key=DUMMY, headers=None, timeout=30):
    connection = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=timeout)
    connection.request(method, path, body, {"X-Api-Key": key, **(headers or {})} if key else headers or {})
    return connection.getresponse()


def test_a_call_goes_through_as_it_came_with_the_real_key(broker, upstream):
    body = json.dumps({"messages": [{"role": "system", "content": "é 日本"}]}).encode() + b"  \n"
    answer = call(broker, body=body, headers={
        "anthropic-beta": "some-new-beta-2099-01-01,another", "anthropic-version": "2023-06-01",
        "Content-Type": "application/json", "X-Stainless-Retry-Count": "0", "User-Agent": "claude-cli/2.1.330",
        "Connection": "keep-alive", "Accept-Encoding": "gzip, br", "TE": "trailers"})
    assert answer.status == 200
    assert answer.read() == STREAM
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    method, path, headers, got = upstream.seen[0]
    names = {name.lower(): value for name, value in headers}
    assert (method, path, got) == ("POST", "/v1/messages?beta=true", body)
    assert names["x-api-key"] == KEY
    assert names["anthropic-beta"] == "some-new-beta-2099-01-01,another"
    assert names["user-agent"] == "claude-cli/2.1.330"
    assert names["x-stainless-retry-count"] == "0"
    assert names["accept-encoding"] == "identity"
    assert "te" not in names and "expect" not in names and "authorization" not in names
    assert DUMMY not in str(headers)
    assert len([name for name, _ in headers if name.lower() == "user-agent"]) == 1


def test_answers_that_are_not_streamed_keep_status_and_headers(broker, upstream):
    def play(handler, body):
        if handler.path == "/v1/messages":
            send_json(handler, 200, WHOLE, request_id="req_7")
        elif handler.path == "/v1/messages/count_tokens":
            send_json(handler, 200, {"input_tokens": 3})
        elif handler.path == "/v1/models/claude-opus-5-5":
            send_json(handler, 200, {"id": "claude-opus-5-5"})
        else:
            send_json(handler, 429, {"type": "error"}, retry_after="7", anthropic_ratelimit_requests_limit="50")

    upstream.play = play
    answer = call(broker, path="/v1/messages")
    assert json.load(answer) == WHOLE and answer.headers["request-id"] == "req_7"
    assert json.load(call(broker, path="/v1/messages/count_tokens")) == {"input_tokens": 3}
    assert json.load(call(broker, "GET", "/v1/models/claude-opus-5-5", None)) == {"id": "claude-opus-5-5"}
    answer = call(broker)
    assert answer.status == 429 and answer.headers["retry-after"] == "7"
    assert answer.headers["anthropic-ratelimit-requests-limit"] == "50"
    answer.read()
    usage = broker.usage()
    assert [(line["status"], line["input"], line["complete"]) for line in usage] == [(200, 7, True), (429, 0, True)]


def test_only_a_running_attempt_s_key_opens(broker, upstream):
    for key in (None, "", "wrong", DUMMY[:-1], DUMMY + "x", KEY):
        answer = call(broker, key=key)
        assert answer.status == 401
        assert json.load(answer)["error"]["type"] == "authentication_error"
    assert upstream.seen == []
    answer = call(broker, key=None, headers={"Authorization": f"Bearer {DUMMY}"})
    assert answer.status == 200
    answer.read()
    assert dict(upstream.seen[0][2])["X-Api-Key"] == KEY


def test_an_oauth_token_goes_as_bearer(broker, upstream):
    broker.register(upstream.url, key="sk-ant-oat01-token0123456789")
    call(broker).read()
    headers = {name.lower(): value for name, value in upstream.seen[0][2]}
    assert headers["authorization"] == "Bearer sk-ant-oat01-token0123456789" and "x-api-key" not in headers


def test_nothing_but_the_messages_api_exists(broker, upstream):
    for method, path in (("GET", "/"), ("POST", "/v1/messages/batches"), ("POST", "/v1/files"), ("GET", "/v1/messages"),
                         ("GET", "/v1/models/../files"), ("GET", "/v1/models/%2e%2e/files"), ("GET", "/v1/models/.%2E/files"),
                         ("GET", "/v1/models/x%2f..%5Cfiles"), ("GET", "/v1/models/x%252e"), ("DELETE", "/v1/models/x"), ("POST", "/v1/messagesx")):
        answer = call(broker, method, path)
        assert answer.status == 404, (method, path)
        assert json.load(answer)["error"]["type"] == "not_found_error"
    assert call(broker, "HEAD", "/", None, key=None).status == 200
    assert upstream.seen == []


def test_a_stream_cut_into_single_bytes_is_read_and_counted_all_the_same(broker, upstream):
    def play(handler, body):
        begin_stream(handler)
        for i in range(len(STREAM)):
            send_piece(handler, STREAM[i:i + 1])
        handler.wfile.write(b"0\r\n\r\n")

    upstream.play = play
    answer = call(broker)
    assert answer.read() == STREAM
    (line,) = broker.usage()  # written before the reply ended
    assert line["model"] == "claude-opus-5-5" and line["complete"] and line["streamed"] and line["status"] == 200
    assert (line["input"], line["output"], line["cache_read"], line["cache_write_5m"]) == (100, 20, 50, 10)
    assert line["cost_micro_usd"] == COST


def test_pieces_arrive_as_they_are_sent(broker, upstream):
    go_on = threading.Event()

    def play(handler, body):
        begin_stream(handler)
        send_piece(handler, STREAM[:100])
        assert go_on.wait(20)
        send_piece(handler, STREAM[100:])
        handler.wfile.write(b"0\r\n\r\n")

    upstream.play = play
    answer = call(broker)
    assert answer.read(100) == STREAM[:100]
    go_on.set()
    assert answer.read() == STREAM[100:]


@pytest.mark.parametrize("upto", [0, 60, STREAM.index(b"message_delta") + 5, len(STREAM) - 3])
def test_an_upstream_that_cuts_is_a_cut_for_the_client(broker, upstream, upto):
    def play(handler, body):
        begin_stream(handler)
        if upto:
            send_piece(handler, STREAM[:upto])
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    upstream.play = play
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        call(broker).read()
    (line,) = rig.until("the usage line", broker.usage)
    assert not line["complete"]
    assert line["input"] == (100 if upto > 300 else 0)


def test_a_client_that_leaves_stops_the_upstream(broker, upstream):
    left = threading.Event()

    def play(handler, body):
        begin_stream(handler)
        send_piece(handler, STREAM[:400])
        ready, _, _ = select.select([handler.connection], [], [], 20)
        if ready and not handler.connection.recv(1):
            left.set()
        handler.close_connection = True

    upstream.play = play
    answer = call(broker)
    assert answer.read(10) == STREAM[:10]
    answer.close()
    assert left.wait(20)
    (line,) = rig.until("the usage line", broker.usage)
    assert not line["complete"] and line["input"] == 100


def test_errors_of_the_way_have_the_api_s_shape(broker, upstream):
    broker.register("http://127.0.0.1:1")
    answer = call(broker)
    problem = json.load(answer)
    assert answer.status == 502
    assert problem["type"] == "error" and problem["error"]["type"] == "api_error" and problem["error"]["message"]
    assert broker.usage()[-1]["status"] == 0

    def play(handler, body):
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    upstream.play = play
    broker.register(upstream.url)
    assert call(broker).status == 502


def test_bodies_up_to_32_mib_pass_and_larger_ones_do_not(broker, upstream):
    body = b'{"x":"' + os.urandom(16 << 10).hex().encode() * 1023 + b'"}'
    body += b" " * ((32 << 20) - len(body))
    answer = call(broker, body=body, timeout=120)
    assert answer.status == 200
    answer.read()
    assert upstream.seen[0][3] == body
    # The refusal may come while the body is still being sent.
    try:
        assert call(broker, body=body + b" ", timeout=120).status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert len(upstream.seen) == 1


def test_twenty_streams_run_side_by_side(broker, upstream):
    together = threading.Barrier(20)

    def play(handler, body):
        begin_stream(handler)
        send_piece(handler, STREAM[:200])
        together.wait(30)
        send_piece(handler, STREAM[200:])
        handler.wfile.write(b"0\r\n\r\n")

    upstream.play = play
    results = []
    threads = [threading.Thread(target=lambda: results.append(call(broker).read())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [STREAM] * 20
    assert len(broker.usage()) == 20


def test_a_slow_reader_slows_the_upstream_down(broker, upstream):
    piece = b"event: content_block_delta\ndata: " + b"x" * 65400 + b"\n\n"
    count, sent = 1600, []

    def play(handler, body):
        begin_stream(handler)
        for _ in range(count):
            send_piece(handler, piece)
            sent.append(1)
        handler.wfile.write(b"0\r\n\r\n")

    upstream.play = play
    answer = call(broker, timeout=60)
    assert answer.read(1) == b"e"

    def still():
        before = len(sent)
        for _ in range(200):  # each answer is a turn of its loop in which it could have read on
            broker.ask(op="status")
        return len(sent) == before

    rig.until("nothing moves any more", still)
    assert len(sent) * len(piece) < 30 << 20  # of 105 MB: sockets' own buffers and our 512 KiB
    assert b"e" + answer.read() == piece * count
    peak = pathlib.Path(f"/proc/{broker.process.pid}/status").read_text().split("VmHWM:")[1].split()[0]
    if "asan" not in pathlib.Path(f"/proc/{broker.process.pid}/maps").read_text():
        assert int(peak) < 64 << 10


def test_the_end_of_an_attempt_is_the_end_of_its_calls(broker, upstream):
    entered = threading.Event()

    def play(handler, body):
        begin_stream(handler)
        send_piece(handler, STREAM[:400])
        entered.set()
        select.select([handler.connection], [], [], 20)
        handler.close_connection = True

    upstream.play = play
    broker.register(upstream.url, attempt="other.1", dummy="sk-ant-poppo-another-dummy-key")
    answer = call(broker)
    assert entered.wait(20)
    assert broker.ask(op="status")["attempts"] == [{"attempt": "other.1", "calls": 0}, {"attempt": ATTEMPT, "calls": 1}]
    assert broker.ask(op="end", attempt=ATTEMPT) == {"ok": True}
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
    assert call(broker).status == 401
    upstream.play = stream_whole
    assert call(broker, key="sk-ant-poppo-another-dummy-key").read() == STREAM
    assert broker.ask(op="end", attempt="unknown") == {"ok": True}


def test_requests_it_does_not_understand_are_refused_with_words(broker, tmp_path):
    good = {"op": "attempt", "attempt": "a.1", "dummy": DUMMY, "key": "k" * 20, "base_url": "https://x",
            "usage_file": str(tmp_path / "u")}
    for change in ({"op": "nonsense"}, {"attempt": ""}, {"attempt": "x" * 64}, {"dummy": "short"}, {"key": ""},
                   {"key": "a\nb"}, {"base_url": "file:///etc/passwd"}, {"usage_file": "/nonexistent/u"}, {"key": 7}):
        answer = broker.ask(**{**good, **change})
        assert answer["ok"] is False and answer["error"], change
    broker.control.send(b"not json")
    assert json.loads(broker.control.recv(4096))["ok"] is False
    os.symlink("/etc/passwd", tmp_path / "link")
    assert broker.ask(**{**good, "usage_file": str(tmp_path / "link")})["ok"] is False
    assert [a["attempt"] for a in broker.ask(op="status")["attempts"]] == [ATTEMPT]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_strangers_get_no_word_at_the_control_socket(broker):
    os.chmod(broker.folder, 0o755)
    os.chmod(broker.folder / "broker.sock", 0o777)
    for folder in broker.folder.parents:
        if not os.stat(folder).st_mode & 1:
            os.chmod(folder, os.stat(folder).st_mode | 0o011)
    child = subprocess.run(
        ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "/usr/bin/python3", "-c",
         "import socket, sys\n"
         "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.settimeout(10); s.connect(sys.argv[1])\n"
         "try:\n    s.send(b'{\"op\":\"status\"}'); sys.exit(1 if s.recv(10) else 0)\n"
         "except (BrokenPipeError, ConnectionResetError):\n    sys.exit(0)\n",
         str(broker.folder / "broker.sock")])
    assert child.returncode == 0
    assert broker.ask(op="status")["ok"]


def test_the_key_is_in_memory_only(broker, upstream):
    call(broker).read()
    broker.register("http://127.0.0.1:1")
    call(broker).read()
    proc = pathlib.Path(f"/proc/{broker.process.pid}")
    for name in ("environ", "cmdline"):
        assert KEY.encode() not in (proc / name).read_bytes()
    for path in broker.folder.iterdir():
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
    assert "Max core file size        0                    0" in (proc / "limits").read_text()
    if os.geteuid() == 0:  # not dumpable: its /proc files belong to root, whoever it runs as
        assert os.stat(proc / "mem").st_uid == 0


def test_a_dead_broker_s_calls_wait_for_the_next_one(broker, upstream):
    broker.process.kill()
    broker.process.wait()
    broker.control.close()
    results = []
    waiting = threading.Thread(target=lambda: results.append(call(broker).read()))
    waiting.start()  # the listener is held elsewhere too: connected, not refused
    broker.start()
    broker.register(upstream.url)
    # The call may have been read before the registration: then it was told 401 and is tried again.
    waiting.join(30)
    assert results and (results[0] == STREAM or b"authentication_error" in results[0])
    assert call(broker).read() == STREAM


def test_it_ends_when_told(broker):
    assert broker.ask(op="stop") == {"ok": True}
    assert broker.process.wait(10) == 0
    broker.start()
    assert broker.ask(op="status")["pid"] == broker.process.pid
    broker.process.send_signal(signal.SIGTERM)
    assert broker.process.wait(10) == 0


def test_an_attempt_whose_folder_is_gone_is_over(broker, upstream):
    call(broker).read()
    (broker.folder / "usage.jsonl").unlink()
    rig.until("the attempt is forgotten", lambda: broker.ask(op="status")["attempts"] == [], 30)
    assert call(broker).status == 401


@pytest.mark.long
def test_it_ends_when_nobody_has_an_attempt_for_a_minute(broker):
    started = time.monotonic()
    broker.ask(op="end", attempt=ATTEMPT)
    assert broker.process.wait(90) == 0
    assert 55 < time.monotonic() - started < 80


def test_it_costs_little(broker, upstream):
    upstream.play = lambda handler, body: send_json(handler, 200, WHOLE)

    def median(port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        taken = []
        for _ in range(200):
            start = time.perf_counter()
            connection.request("POST", "/v1/messages", b"{}", {"X-Api-Key": DUMMY})
            connection.getresponse().read()
            taken.append(time.perf_counter() - start)
        return statistics.median(taken) * 1000

    pairs = [(median(broker.port), median(upstream.server_address[1])) for _ in range(3)]
    least, direct = min((through - direct, direct) for through, direct in pairs)
    print(f"the broker adds {least:.2f} ms to {direct:.2f} ms")
    if "asan" not in pathlib.Path(f"/proc/{broker.process.pid}/maps").read_text():
        assert least < max(2, 2 * direct)
