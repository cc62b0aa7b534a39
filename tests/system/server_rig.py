"""The server alone, as a black box: `poppo-platform serve` in a folder of its own, a node that is a Python object
speaking the node protocol, and a browser's live connection."""

import asyncio
import concurrent.futures
import hashlib
import http.cookies
import json
import os
import pathlib
import queue
import signal
import sqlite3
import struct
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import openapi
from rig import KEY, TOKEN, prefix, remove_tree, until
from websockets.exceptions import ConnectionClosed

try:  # websockets 14 and later
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus

    OPTIONS = {"proxy": None}
    HEADERS = "additional_headers"
except ImportError:
    from websockets import connect
    from websockets.exceptions import InvalidStatusCode as InvalidStatus

    OPTIONS = {}
    HEADERS = "extra_headers"

engine = None  # the PostgreSQL that servers get a database of (conftest.py); None = SQLite in their folder
NODE_KEY = "ppn_" + "n" * 43
PASSWORD = "correct horse battery"
SESSION_ENDED = 4401  # PB_CLOSE_SESSION_ENDED

# platform/wire/message.h
TYPES = {
    "hello": 1, "node_status": 2, "welcome": 20, "project_start": 21, "project_stop": 22, "project_restart": 23,
    "project_wishes": 24, "project_remove": 25, "runner_hello": 40, "attempt_accepted": 41, "attempt_refused": 42,
    "attempt_state": 43, "log_chunk": 44, "usage": 45, "credential_request": 46, "attempt_result": 47, "agent_log": 48,
    "attempt_start": 60, "attempt_cancel": 61, "agent_log_read": 62, "agent_log_data": 63, "credential": 64,
    "log_ack": 65, "result_ack": 66, "attempt_discard": 67, "settings": 68,
}
NAMES = {number: name for name, number in TYPES.items()}


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Server:
    """settings: more settings of the platform, by name."""

    def __init__(self, **settings):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="poppo-server-"))
        self.folder.chmod(0o755)
        self.user = 65534 if os.geteuid() == 0 else None
        if self.user is not None:
            os.chown(self.folder, self.user, self.user)
        self.log_path = self.folder / "platform.log"
        self.process = None
        self.url = None
        self.access = None
        self.cookie = None
        self.nodes = []
        self.browsers = []
        self.tls = None
        self.environment = {}
        self.settings = {
            "listen": "127.0.0.1:0", "data_dir": self.folder / "data", "key_file": self.folder / "keys/master.key",
            "run_dir": self.folder / "run", "min_poll_interval": "200ms", "github_api_url": "http://127.0.0.1:1",
            "local_node_key_sha256": hashlib.sha256(NODE_KEY.encode()).hexdigest(), "log_level": "debug", **settings,
        }
        self.engine = engine
        if engine and "database" not in settings:
            self.settings["database"] = engine.create(self.folder.name)

    def command(self, verb="serve"):
        words = [f"--{name.replace('_', '-')}={value}" for name, value in self.settings.items()]
        return [str(prefix() / "bin" / "poppo-platform"), *([verb] if verb else []), *words]

    def spawn(self):
        mark = self.log_path.stat().st_size if self.log_path.exists() else 0
        log = open(self.log_path, "ab")
        identity = {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}
        self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/",
                                        env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.environment}, **identity)
        log.close()
        return mark

    def start(self, ready=True):
        mark = self.spawn()

        def listening():
            text = self.log_path.read_text()[mark:]
            if "listening on " in text:
                return text.rsplit("listening on ", 1)[1].split()[0]
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{text[-3000:]}"
            return None

        try:
            self.url = until("the platform listens", listening, 20)
            if "base_url" in self.settings:  # what others type; we go straight there
                self.url = f"http://{self.settings['listen']}"
            if ready:
                until("the platform is ready", lambda: self.call("GET", "/readyz").status == 200, 20)
        except BaseException:
            self.remove()
            raise
        return self

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self):
        """SIGTERM; says how long it took."""
        began = time.monotonic()
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        return time.monotonic() - began

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def remove(self):
        try:
            for connection in self.nodes + self.browsers:
                connection.close()
            self.stop()
            log = self.log()
        finally:
            remove_tree(self.folder)
            if self.engine:
                self.engine.drop(self.folder.name)
        assert not any(word in log for word in ("Sanitizer", "runtime error")), log[-8000:]

    # -- behind its back ---------------------------------------------------

    def sql(self, text):
        """Rows of texts."""
        if self.engine:
            return [tuple(row.split("\x1f")) for row in self.engine.sql(text, self.folder.name).split("\x1e") if row]
        with sqlite3.connect(self.folder / "data/platform/poppo.db", timeout=10) as db:
            rows = [tuple("" if value is None else str(value) for value in row) for row in db.execute(text)]
        db.close()
        return rows

    # -- HTTP --------------------------------------------------------------

    def call(self, method, path, body=None, headers=None, raw=None):
        data = raw if raw is not None else (None if body is None else json.dumps(body).encode())
        request = urllib.request.Request(self.url + path, data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=30, context=self.tls) as reply:
                answer = Answer(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as refusal:
            answer = Answer(refusal.code, refusal.headers, refusal.read())
        if method != "HEAD":
            openapi.check(method, path, answer.status, answer.headers.get("Content-Type"), answer.body)
        return answer

    def api(self, method, path, body=None, **headers):
        if self.access:
            headers.setdefault("Authorization", f"Bearer {self.access}")
        return self.call(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})

    def ok(self, method, path, body=None, **headers):
        answer = self.api(method, path, body, **headers)
        assert answer.status < 300, answer
        return answer.json if answer.body else None

    def keep_cookie(self, answer):
        jar = http.cookies.SimpleCookie(answer.headers.get("Set-Cookie", ""))
        for name, morsel in jar.items():
            self.cookie = f"{name}={morsel.value}"
        return answer

    def setup_token(self):
        until("the setup link is told", lambda: "/setup#" in self.log())
        return self.log().rsplit("/setup#", 1)[1].split()[0]

    def setup(self, username="admin"):
        answer = self.keep_cookie(self.call("POST", "/api/setup", {
            "token": self.setup_token(), "username": username, "password": PASSWORD, "language": "en"}))
        assert answer.status == 201, answer
        self.access = answer.json["access_token"]
        return self

    def login(self, username="admin", password=PASSWORD):
        answer = self.call("POST", "/api/auth/login", {"username": username, "password": password})
        if answer.status == 200:
            self.keep_cookie(answer)
            self.access = answer.json["access_token"]
        return answer

    # -- things ------------------------------------------------------------

    def project(self, id="app", **fields):
        return self.ok("POST", "/api/projects", {
            "id": id, "github_owner": "octo", "github_repo": id, "github_token": TOKEN, "anthropic_api_key": KEY,
            "driver": "noop", **fields})

    def run(self, project="app", title="do it", prompt="do it now", **fields):
        return self.ok("POST", f"/api/projects/{project}/executions", {"title": title, "prompt": prompt, **fields})

    def execution(self, id):
        return self.ok("GET", f"/api/executions/{id}")

    def wait(self, id, *statuses):
        def probe():
            now = self.execution(id)
            return now if now["status"] in statuses else None

        return until(f"execution is {' or '.join(statuses)}", probe, 20)

    def lines(self, id):
        return [line.split(" ", 2)[2] for line in self.api("GET", f"/api/executions/{id}/log").text.splitlines()]

    def node(self, key=NODE_KEY):
        node = FakeNode(self, key)
        self.nodes.append(node)
        return node

    def browser(self):
        browser = Browser(self)
        self.browsers.append(browser)
        return browser


class Refused(Exception):
    """The upgrade was answered with another status."""

    def __init__(self, status):
        super().__init__(f"refused with {status}")
        self.status = status


class Socket:
    """A WebSocket on a thread of its own; what comes is queued."""

    def __init__(self, url, headers=None):
        self.inbox = queue.Queue()
        self.closed = None
        self.sending, self.over = None, False
        ready = queue.Queue()
        self.thread = threading.Thread(target=self._run, args=(url, headers or {}, ready), daemon=True)
        self.thread.start()
        problem = ready.get(timeout=15)
        if problem:
            raise problem

    def _run(self, url, headers, ready):
        asyncio.run(self._serve(url, headers, ready))  # ends what is still pending then
        self.over = True
        if self.sending:
            self.sending.cancel()  # too late for it

    async def _serve(self, url, headers, ready):
        self.loop = asyncio.get_running_loop()
        try:
            self.ws = await connect(url, **{HEADERS: headers}, max_size=2 << 20, ping_interval=None, **OPTIONS)
        except InvalidStatus as refused:
            ready.put(Refused(refused.status_code if hasattr(refused, "status_code") else refused.response.status_code))
            return
        except Exception as problem:  # handed to whoever made us
            ready.put(problem)
            return
        ready.put(None)
        try:
            async for message in self.ws:
                self.inbox.put(message)
        except ConnectionClosed:
            pass
        self.closed = (self.ws.close_code, self.ws.close_reason)
        self.inbox.put(None)

    def send(self, message):
        words = self.ws.send(message)
        try:
            self.sending = asyncio.run_coroutine_threadsafe(words, self.loop)
            if self.over:
                self.sending.cancel()
            self.sending.result(10)
        except (RuntimeError, concurrent.futures.CancelledError):  # the loop has ended, or ends without doing it
            words.close()
            raise RuntimeError("the connection has ended") from None

    def flood(self, messages):
        """Sends without waiting for anything, and without the work of masking: it is done with zeros."""
        for message in messages:
            size = len(message)
            head = struct.pack(">B", 0x80 | size) if size < 126 else struct.pack(">BH", 0x80 | 126, size) if size < 65536 else struct.pack(">BQ", 0x80 | 127, size)
            frame = b"\x82" + head + bytes(4) + message
            self.loop.call_soon_threadsafe(self.ws.transport.write, frame)

    def close(self):
        self._end(lambda: self.loop.create_task(self.ws.close()))

    def abort(self):
        """Goes without a word, as a killed node does."""
        self._end(self.ws.transport.abort)

    def _end(self, how):
        try:
            self.loop.call_soon_threadsafe(how)
        except RuntimeError:
            pass  # the loop has ended already
        self.thread.join(20)
        assert not self.thread.is_alive(), "the connection does not end"


def message(name, body=None, project="", blob=b""):
    text = json.dumps(body or {}).encode()
    return struct.pack(">cBHI", b"P", TYPES[name], len(project), len(text)) + project.encode() + text + blob


class FakeNode:
    """Speaks the node's half of the protocol; keeps every message it got."""

    def __init__(self, server, key):
        self.server = server
        self.socket = Socket(server.url.replace("http", "ws") + "/api/node/ws", {"Authorization": f"Bearer {key}"})
        self.seen = []

    def send(self, name, body=None, project="", blob=b""):
        self.socket.send(message(name, body, project, blob))

    def next(self, timeout=10):
        frame = self.socket.inbox.get(timeout=timeout)
        assert frame is not None, f"the link was closed: {self.socket.closed}"
        _, kind, project_len, body_len = struct.unpack(">cBHI", frame[:8])
        project = frame[8 : 8 + project_len].decode()
        body = json.loads(frame[8 + project_len : 8 + project_len + body_len])
        self.seen.append((NAMES[kind], project, body))
        return self.seen[-1]

    def expect(self, name, timeout=10, **members):
        """The next message of that name whose members are these; others on the way are only kept."""
        while True:
            try:
                got, project, body = self.next(timeout)
            except queue.Empty:
                raise AssertionError(f"no {name} {members} came; seen {self.seen}\n{self.server.log()[-3000:]}") from None
            if got == name and all(body.get(key) == value for key, value in members.items()):
                return body

    def expect_closed(self, timeout=10):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.socket.inbox.get(timeout=timeout) is None:
                return self.socket.closed
        raise AssertionError("the link stays open")

    def hello(self, boot_id="boot-1", projects=(), **more):
        self.send("hello", {"protocol_min": 1, "protocol_max": 1, "name": "local", "version": "test", "boot_id": boot_id,
                            "capacity": {"cpus": 2, "memory_bytes": 1 << 30, "slots": 10}, "isolation": "basic",
                            "uid_mode": "user", "projects": [{"id": p, "slot": 1, "state": "running"} for p in projects], **more})
        welcome = self.expect("welcome")
        self.wishes = self.expect("project_wishes")
        return welcome

    def status(self, *projects, state="running"):
        self.send("node_status", {"load1": 0.5, "memory_free_bytes": 1 << 29, "disk_free_bytes": 1 << 33, "projects": [
            {"id": p, "state": state, "pid": 4242, "slot": 1, "restarts": 0, "rss_bytes": 1 << 20, "last_error": None, "since_ms": 1} for p in projects]})

    def runner(self, project="app", attempts=()):
        self.status(project)
        self.send("runner_hello", {"attempts": list(attempts)}, project)
        self.expect("settings")

    def take(self, project="app", **members):
        """Waits for an assignment and accepts it."""
        start = self.expect("attempt_start", **members)
        self.send("attempt_accepted", ref(start), project)
        return start

    def state(self, start, state, project="app", **more):
        self.send("attempt_state", {**ref(start), "state": state, "detail": "", "session_id": None, **more}, project)

    def lines(self, start, first, *texts, project="app", stream="o"):
        self.socket.send(log_chunk(start, first, *texts, project=project, stream=stream))

    def result(self, start, outcome="succeeded", project="app", **more):
        self.send("attempt_result", {
            **ref(start), "outcome": outcome, "kind": None, "reason": None, "summary": "done", "no_changes": True, "pushed": False,
            "session_id": None, "num_turns": 1, "usage": {"calls": 1, "input_tokens": 10, "output_tokens": 5, "cache_read_tokens": 0,
            "cache_write_tokens": 0, "cost_micro_usd": 1500}, "exit_code": 0, "signal": -1, "last_line": 0, **more}, project)

    def close(self):
        self.socket.close()

    def abort(self):
        self.socket.abort()


def log_chunk(start, first, *texts, project="app", stream="o"):
    blob = "".join(f"{1000 + i} {stream} {text}\n" for i, text in enumerate(texts)).encode()
    return message("log_chunk", {**ref(start), "seq": first, "count": len(texts)}, project, blob)


def ref(start):
    return {name: start[name] for name in ("execution", "attempt", "fence")}


class Browser:
    """A live connection as a page has it."""

    def __init__(self, server):
        ticket = server.ok("POST", "/api/ws/ticket")["ticket"]
        self.socket = Socket(f"{server.url.replace('http', 'ws')}/api/ws?ticket={ticket}")

    def subscribe(self, topic, since=None):
        message = {"op": "subscribe", "topic": topic}
        if since is not None:
            message["since"] = since
        self.send(message)
        return self.expect(type="subscribed", topic=topic)["seq"]

    def send(self, message):
        self.socket.send(json.dumps(message))

    def next(self, timeout=10):
        message = self.socket.inbox.get(timeout=timeout)
        assert message is not None, f"closed: {self.socket.closed}"
        message = json.loads(message)
        wrong = openapi.findings(message, {"$ref": "#/components/schemas/LiveMessage"})
        assert not wrong, wrong
        return message

    def expect_closed(self, timeout=10):
        while self.socket.inbox.get(timeout=timeout) is not None:
            pass
        return self.socket.closed

    def expect(self, timeout=10, where=None, **members):
        seen = []
        while True:
            try:
                message = self.next(timeout)
            except queue.Empty:
                raise AssertionError(f"no message {members}; seen {seen}") from None
            seen.append(message)
            if all(message.get(key) == value for key, value in members.items()) and (where is None or where(message)):
                return message

    def close(self):
        self.socket.close()
