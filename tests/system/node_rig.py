"""A platform that speaks only the node protocol, and a real node beside it.

`Platform` is the server end of /api/node/ws (docs/protocol.md) on nothing but
the standard library: it welcomes, wishes, acknowledges and remembers. `Node`
runs poppo-boxd, poppo-agent and what they start from the build folder.
Nothing here sleeps: everything waits for an event with a deadline.
"""
import base64
import collections
import hashlib
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import rig

DEADLINE = 30
TYPES = {
    1: "hello", 2: "node_status", 20: "welcome", 21: "project_start", 22: "project_stop", 23: "project_restart",
    24: "project_wishes", 25: "project_remove", 40: "runner_hello", 41: "attempt_accepted", 42: "attempt_refused",
    43: "attempt_state", 44: "log_chunk", 45: "usage", 46: "credential_request", 47: "attempt_result", 48: "agent_log",
    60: "attempt_start", 61: "attempt_cancel", 62: "agent_log_read", 63: "agent_log_data", 64: "credential",
    65: "log_ack", 66: "result_ack", 67: "attempt_discard", 68: "settings",
}
NUMBERS = {name: number for number, name in TYPES.items()}

Message = collections.namedtuple("Message", "type project body blob")
_ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid():
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return "".join(_ULID[value >> (5 * i) & 31] for i in reversed(range(26)))


def wait_until(condition, what, seconds=DEADLINE, step=0.01):
    """For things without an event of their own (a process is gone): looks again until the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        threading.Event().wait(step)


def encode(kind, project="", body=None, blob=b""):
    text = json.dumps(body or {}).encode()
    name = project.encode()
    return struct.pack(">BBHI", ord("P"), NUMBERS[kind], len(name), len(text)) + name + text + blob


def decode(frame):
    magic, number, project_len, body_len = struct.unpack(">BBHI", frame[:8])
    assert magic == ord("P"), frame[:8]
    at = 8 + project_len
    return Message(TYPES[number], frame[8:at].decode(), json.loads(frame[at:at + body_len]), frame[at + body_len:])


class Closed(Exception):
    pass


class Connection:
    """One WebSocket, server side."""

    def __init__(self, sock):
        self.sock = sock
        self.lock = threading.Lock()
        self.said = None  # the peer's close frame: code and reason

    def read(self, count):
        data = b""
        while len(data) < count:
            try:
                part = self.sock.recv(count - len(data))
            except OSError:
                part = b""
            if not part:
                raise Closed
            data += part
        return data

    def shake_hands(self, key):
        """False: that was not a node with this key, and it has been told."""
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.read(1)
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:] if ":" in line)}
        if "/api/node/ws" not in lines[0] or headers.get("authorization") != "Bearer " + key:
            self.sock.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return False
        accept = hashlib.sha1((headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode())
        self.sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          b"Sec-WebSocket-Accept: " + base64.b64encode(accept.digest()) + b"\r\n\r\n")
        return True

    def receive(self):
        """The next whole binary message; pings are answered."""
        data = b""
        while True:
            first, second = self.read(2)
            length = second & 127
            if length == 126:
                length, = struct.unpack(">H", self.read(2))
            elif length == 127:
                length, = struct.unpack(">Q", self.read(8))
            mask = self.read(4)
            payload = self.read(length)
            if length:
                key = (mask * (length // 4 + 1))[:length]
                payload = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")
            kind = first & 15
            if kind == 8:
                self.said = (int.from_bytes(payload[:2], "big"), payload[2:].decode()) if payload else (1005, "")
                raise Closed
            if kind == 9:
                self.write(10, payload)
            elif kind in (0, 2):
                data += payload
                if first & 128:
                    return data

    def write(self, kind, payload):
        length = len(payload)
        head = bytes([128 | kind])
        if length < 126:
            head += bytes([length])
        elif length < 65536:
            head += struct.pack(">BH", 126, length)
        else:
            head += struct.pack(">BQ", 127, length)
        with self.lock:
            try:
                self.sock.sendall(head + payload)
            except OSError:
                pass

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


class Attempt:
    """What the platform knows of one attempt."""

    def __init__(self, execution, number, fence):
        self.execution, self.number, self.fence = execution, number, fence
        self.lines = []
        self.states = []
        self.accepted = 0
        self.refused = None
        self.results = []
        self.usage = None

    @property
    def key(self):
        return self.execution, self.number

    @property
    def ref(self):
        return {"execution": self.execution, "attempt": self.number, "fence": self.fence}

    @property
    def result(self):
        return self.results[-1] if self.results else None

    def texts(self, streams="o"):
        return [line.split(" ", 2)[2] for line in self.lines if line.split(" ", 2)[1] in streams]


class Platform:
    def __init__(self):
        self.key = "ppn_" + secrets.token_urlsafe(32)
        self.changed = threading.Condition()
        self.messages = []
        self.states = {}  # rows of node_status
        self.attempts = {}
        self.wishes = {}
        self.connection = None
        self.connections = 0
        self.refused = 0  # connections without the right key
        self.ends = []  # the node's close frames: (code, reason) or None
        self.is_away = False
        self.ack_lines = True
        self.ack_results = True
        self.credentials = {}
        self.problems = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    # --- the wire

    def accept(self):
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            if self.is_away:
                sock.close()
                continue
            threading.Thread(target=self.serve, args=(Connection(sock),), daemon=True).start()

    def serve(self, connection):
        try:
            if not connection.shake_hands(self.key):
                with self.changed:
                    self.refused += 1
                return
            with self.changed:
                self.connection = connection
                self.connections += 1
            while True:
                self.on_message(decode(connection.receive()))
        except (Closed, OSError):
            pass
        finally:
            connection.close()
            with self.changed:
                if self.connection is connection:
                    self.connection = None
                    self.ends.append(connection.said)
                self.changed.notify_all()

    def on_message(self, message):
        with self.changed:
            self.messages.append(message)
            handler = getattr(self, "on_" + message.type, None)
            if handler:
                handler(message)
            self.changed.notify_all()

    def send(self, kind, project="", body=None, blob=b""):
        connection = self.connection
        if connection:
            connection.write(2, encode(kind, project, body, blob))

    def wait(self, condition, what, seconds=DEADLINE):
        deadline = time.monotonic() + seconds
        with self.changed:
            while True:
                assert not self.problems, self.problems
                value = condition()
                if value:
                    return value
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"not within {seconds} s: {what}")
                self.changed.wait(left)

    # --- what nodes say

    def on_hello(self, message):
        self.send("welcome", body={"protocol": 1, "node_id": "n1", "server_time_ms": time.time_ns() // 1_000_000,
                                   "offline_limit_ms": 2100000})
        self.send_wishes()

    def on_runner_hello(self, message):
        listed = {(a["execution"], a["attempt"]) for a in message.body["attempts"]}
        for execution, number in listed - set(self.attempts):
            self.send("attempt_discard", message.project, {"execution": execution, "attempt": number})
        for key, attempt in self.attempts.items():
            if key in listed or attempt.project != message.project or attempt.results or attempt.refused:
                continue
            if attempt.accepted:
                self.problems.append(f"{key} was accepted and is forgotten")
            else:
                self.send("attempt_start", message.project, attempt.plan)

    def find(self, body):
        return self.attempts.get((body["execution"], body["attempt"]))

    def on_attempt_accepted(self, message):
        self.find(message.body).accepted += 1

    def on_attempt_refused(self, message):
        self.find(message.body).refused = message.body

    def on_attempt_state(self, message):
        if attempt := self.find(message.body):
            attempt.states.append(message.body["state"])

    def on_usage(self, message):
        if attempt := self.find(message.body):
            attempt.usage = message.body

    def on_log_chunk(self, message):
        attempt, body = self.find(message.body), message.body
        lines = message.blob.decode().split("\n")
        if attempt is None:
            return
        if lines.pop() != "" or len(lines) != body["count"]:
            self.problems.append(f"chunk of {body['count']} has {len(lines)} lines")
            return
        have = len(attempt.lines)
        if body["seq"] > have:
            self.problems.append(f"gap: have {have}, got {body['seq']}")
            return
        for number, line in enumerate(lines, body["seq"]):
            if number >= have:
                attempt.lines.append(line)
            elif line != attempt.lines[number]:
                self.problems.append(f"line {number} was '{attempt.lines[number][:100]}' and is '{line[:100]}'")
                return
        if self.ack_lines:
            self.send("log_ack", message.project, {**attempt.ref, "seq": len(attempt.lines)})

    def on_credential_request(self, message):
        answer = self.credentials.get(message.body["purpose"])
        if answer is not None:
            self.send("credential", message.project, {"request": message.body["request"],
                                                      "purpose": message.body["purpose"], **answer})

    def on_attempt_result(self, message):
        attempt = self.find(message.body)
        if attempt is None:
            return
        if message.body["last_line"] != len(attempt.lines):
            self.problems.append(f"result before its lines: {message.body['last_line']} / {len(attempt.lines)}")
        attempt.results.append(message.body)
        if self.ack_results:
            self.send("result_ack", message.project, attempt.ref)

    # --- what tests say

    def send_wishes(self):
        self.send("project_wishes", body={"projects": [{"id": p, "settings": s} for p, s in self.wishes.items()]})

    def wish(self, project, max_concurrent=4):
        self.wishes[project] = {"max_concurrent": max_concurrent}
        self.send("project_start", body={"id": project, "settings": self.wishes[project]})

    def state_of(self, project):
        """The last that was said of it; None when it is not there or has stopped."""
        row = self.states.get(project)
        return row if row and row["state"] != "stopped" else None

    def on_node_status(self, message):
        self.states.update({row["id"]: row for row in message.body["projects"]})

    def wait_running(self, project, seconds=DEADLINE):
        return self.wait(lambda: (row := self.state_of(project)) and row["state"] == "running" and row,
                         f"project {project} runs", seconds)

    def start(self, project, execution=None, number=1, fence=1, **plan):
        attempt = Attempt(execution or ulid(), number, fence)
        attempt.project = project
        attempt.plan = {
            **attempt.ref, "number": 12, "item": "issue-12", "title": "t", "prompt": "do it", "system_prompt": "",
            "session": {"id": None, "resume": False}, "repo": None, "driver": "noop", "model": "", "max_turns": 0,
            "max_budget_usd": 0, "permission_mode": "", "allowed_tools": [], "disallowed_tools": [], "command": [],
            "wall_ms": 0, "silence_ms": 0, "author": {"name": "n", "email": "e@x"}, "requested_by": "me", "env": {},
            **plan}
        with self.changed:
            self.attempts[attempt.key] = attempt
        self.send("attempt_start", project, attempt.plan)
        return attempt

    def wait_result(self, attempt, seconds=DEADLINE):
        return self.wait(lambda: attempt.result, f"result of {attempt.key}", seconds)

    def away(self):
        """Gone, as if killed: connections are cut and new ones refused."""
        self.is_away = True
        if connection := self.connection:
            connection.close()
        self.wait(lambda: self.connection is None, "the connection is cut")

    def back(self):
        self.is_away = False

    def close(self):
        self.is_away = True
        self.server.close()
        if self.connection:
            self.connection.close()


def find_programs():
    """POPPO_BIN_DIR (a build folder) or the staged installation all system tests use."""
    folder = os.environ.get("POPPO_BIN_DIR")
    prefix = os.environ.get("POPPO_TEST_PREFIX")
    if not folder and not prefix:
        raise AssertionError("POPPO_TEST_PREFIX must name a staged installation; ./dev test makes one")
    return pathlib.Path(folder) if folder else pathlib.Path(prefix) / "bin"


PROGRAMS = ["agent", "link", "runner", "shim", "boxd", "broker"]


class Node:
    """as_root: with poppo-boxd and users of its own; else everything under one ordinary user."""

    def __init__(self, platform, as_root, claude=None):
        self.platform = platform
        self.as_root = as_root
        self.claude = claude
        self.uid = 65534 if as_root else 30_000 + os.getpid() % 20_000
        self.port_base = rig.free_ports()  # other tests on the same machine have other ports and users
        self.uid_base = rig.uids_of(self.port_base)
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="poppo-node-"))
        self.data = self.base / "data"
        self.run = self.base / "run"
        self.bin = self.base / "bin"
        self.log = open(self.base / "log", "ab")
        self.procs = {}
        self.base.chmod(0o755)
        self.bin.mkdir()
        for name in PROGRAMS:
            source = find_programs() / f"poppo-{name}"
            if source.exists():
                shutil.copy2(source, self.bin / source.name)
        for folder, mode in ((self.data, 0o755), (self.run, 0o755), (self.data / "node", 0o700),
                             (self.data / "projects", 0o755)):
            folder.mkdir(mode=mode)
            folder.chmod(mode)
        key = self.data / "node" / "node.key"
        key.write_text(platform.key)
        key.chmod(0o600)
        own = [self.data / "node", key] + ([] if as_root else [self.data, self.data / "projects", self.run])
        if os.geteuid() == 0:
            for path in own:
                os.chown(path, self.uid, self.uid)

    def drop(self):
        if os.geteuid() != 0:
            return []
        return ["setpriv", "--reuid", str(self.uid), "--regid", str(self.uid), "--clear-groups"]

    def spawn(self, name, argv):
        # our processes are not dumpable, which the search for leaks does not get along with
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "POPPO_LOG_LEVEL": "debug",
               "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1", "UBSAN_OPTIONS": "halt_on_error=1"}
        self.procs[name] = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                            cwd="/", start_new_session=True)

    def start_boxd(self, *prefix):
        self.spawn("boxd", [*prefix, self.bin / "poppo-boxd", f"--data-dir={self.data}", f"--run-dir={self.run}",
                            f"--uid-base={self.uid_base}", "--node-user=nobody"])
        wait_until(lambda: (self.run / "boxd.sock").exists(), "boxd listens")

    def start_agent(self):
        self.spawn("agent", self.drop() + [
            self.bin / "poppo-agent", f"--data-dir={self.data}", f"--run-dir={self.run}",
            f"--uid-base={self.uid_base}", f"--port-base={self.port_base}",
            f"--boxd={'yes' if self.as_root else 'no'}",
            f"--claude-path={self.claude or '/nowhere/claude'}",
            f"--platform-url=ws://127.0.0.1:{self.platform.port}/api/node/ws"])

    def start(self):
        if self.as_root:
            self.start_boxd()
        self.start_agent()
        return self

    def kill(self, name, number=signal.SIGKILL):
        process = self.procs.pop(name)
        process.send_signal(number)
        process.wait(DEADLINE)

    # --- looking at processes

    def pids(self, program, project=None):
        """Processes of ours that run this program."""
        name = f"poppo-{program}"
        return [pid for pid, exe, comm, args in self.processes() if exe == str(self.bin / name) and comm == name
                and (project is None or f"--project={project}" in args)]

    def commands(self, *words):
        """Processes of ours with this command line."""
        return [pid for pid, _, _, args in self.processes() if args == list(words)]

    def processes(self):
        """Pid, program, name and command line of everything that is ours."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                exe = os.readlink(entry / "exe")
                args = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
                comm = (entry / "comm").read_text().strip()
                if self.owns(entry):
                    found.append((int(entry.name), exe, comm, args))
            except OSError:  # it has ended, or is a stranger's
                continue
        return found

    def owns(self, entry):
        """Is this process of our installation, and not of one that another test runs beside it?"""
        line = next(line for line in (entry / "status").read_text().splitlines() if line.startswith("Uid:"))
        uid = int(line.split()[1])
        if self.uid_base <= uid < self.uid_base + 6000 or (uid == self.uid and not self.as_root):
            return True
        mark = str(self.base).encode()
        return any(mark in (entry / file).read_bytes() for file in ("cmdline", "environ"))

    def pid(self, program, project=None):
        return wait_until(lambda: self.pids(program, project), f"poppo-{program} runs")[0]

    def project(self, name):
        return self.data / "projects" / name

    def stop(self):
        for name in ("agent", "boxd"):
            if name in self.procs:
                self.kill(name, signal.SIGTERM)
        for pid in [p for program in PROGRAMS for p in self.pids(program)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_until(lambda: not any(self.pids(p) for p in PROGRAMS), "everything has ended")

    def end(self):
        """Stops everything, removes it, and complains about what the sanitizers found."""
        try:
            self.stop()
            print(self.logs()[-20000:])  # shown when the test has failed
            findings = self.findings()
        finally:
            self.log.close()
            rig.remove_tree(self.base)
        assert not findings, findings

    def findings(self):
        """What the sanitizers said, in a build that has them."""
        return [line for line in self.logs().splitlines() if "Sanitizer" in line or "runtime error" in line]

    def logs(self):
        text = (self.base / "log").read_text(errors="replace")
        for project, _ in sorted(rig.walk(self.data / "projects", deep=False)):
            for path, _ in sorted(rig.walk(project / "logs", deep=False)):
                try:
                    text += f"\n--- {path}\n" + path.read_text(errors="replace")
                except FileNotFoundError:  # its project was removed
                    pass
        return text
