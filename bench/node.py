"""A node in this process: speaks the node's half of docs/protocol.md with as little work as it can, so that what is measured
is the platform. Frames are masked with zeros, which leaves their bytes as they are."""

import json
import socket
import struct

from bench.processes import NODE_KEY

HELLO, NODE_STATUS, WELCOME, PROJECT_WISHES = 1, 2, 20, 24
RUNNER_HELLO, ACCEPTED, REFUSED, STATE, LOG_CHUNK, RESULT = 40, 41, 42, 43, 44, 47
START, LOG_ACK, RESULT_ACK, DISCARD = 60, 65, 66, 67

CONTINUE, CLOSE, PING = 0, 8, 9
STATUS_BATCH = 1000


def frame(kind, body, project="", blob=b""):
    """One message as bytes for the socket."""
    text = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    name = project.encode()
    data = b"".join((struct.pack(">cBHI", b"P", kind, len(name), len(text)), name, text, blob))
    return websocket(0x82, data)


def websocket(first, data):
    size = len(data)
    if size < 126:
        head = struct.pack(">BB", first, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack(">BBH", first, 0x80 | 126, size)
    else:
        head = struct.pack(">BBQ", first, 0x80 | 127, size)
    return b"".join((head, b"\0\0\0\0", data))


def ref(start):
    return {name: start[name] for name in ("execution", "attempt", "fence")}


class Node:
    """A connection that never blocks for writing; `messages()` gives what has come."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""
        self.out = bytearray()
        self.socket.sendall((f"GET /api/node/ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer {NODE_KEY}\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.rest:
            self.rest += self.receive()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise RuntimeError(f"the node is refused: {head[:200]}")

    def receive(self):
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the platform closed the node's link")
        return data

    def fileno(self):
        return self.socket.fileno()

    def send(self, kind, body, project="", blob=b""):
        self.out += frame(kind, body, project, blob)

    def flush(self):
        """Writes what the socket takes; True when nothing is left."""
        if self.out:
            try:
                sent = self.socket.send(self.out)
            except BlockingIOError:
                return False
            del self.out[:sent]
        return not self.out

    def hello(self, projects, boot_id="bench"):
        """As a node that runs all these projects, whose runners have nothing to do. Blocks until the platform has them."""
        self.send(HELLO, {"protocol_min": 1, "protocol_max": 1, "name": "local", "version": "bench", "boot_id": boot_id,
                          "capacity": {"cpus": 2, "memory_bytes": 1 << 30, "slots": 10000}, "isolation": "none", "uid_mode": "user",
                          "projects": []})
        self.drain()
        self.expect(WELCOME)
        self.expect(PROJECT_WISHES)
        for first in range(0, len(projects), STATUS_BATCH):
            self.send(NODE_STATUS, {"load1": 0, "memory_free_bytes": 1 << 30, "disk_free_bytes": 1 << 34, "projects": [
                {"id": project, "state": "running", "pid": 1, "slot": 1, "restarts": 0, "rss_bytes": 1 << 20, "last_error": None, "since_ms": 1}
                for project in projects[first:first + STATUS_BATCH]]})
        for project in projects:
            self.send(RUNNER_HELLO, {"attempts": []}, project)
        self.drain()
        self.socket.setblocking(False)

    def drain(self):
        self.socket.sendall(self.out)
        self.out.clear()

    def expect(self, kind):
        while True:
            for got in self.parse(self.receive() if not self.has_frame() else b""):
                if got[0] == kind:
                    return got

    def has_frame(self):
        return next(self.split(self.rest), None) is not None

    @staticmethod
    def split(data):
        """(first byte, where the payload begins, where it ends) of each whole frame."""
        at = 0
        while len(data) - at >= 2:
            size, begin = data[at + 1], at + 2
            if size == 126 and len(data) - at >= 4:
                size, begin = struct.unpack_from(">H", data, at + 2)[0], at + 4
            elif size == 127 and len(data) - at >= 10:
                size, begin = struct.unpack_from(">Q", data, at + 2)[0], at + 10
            elif size > 125:
                return
            if len(data) < begin + size:
                return
            yield data[at], begin, begin + size
            at = begin + size

    def parse(self, data):
        """(message type, project, body as bytes) of what is whole now."""
        self.rest += data
        end, found = 0, []
        for first, begin, end in self.split(self.rest):
            if first & 0x0F == CLOSE:
                raise ConnectionError(f"the platform closes the link: {self.rest[begin + 2:end].decode(errors='replace')}")
            if first & 0x0F == PING:
                self.out += websocket(0x8A, self.rest[begin:end])
                continue
            kind, name, body = struct.unpack_from(">xBHI", self.rest, begin)
            at = begin + 8 + name
            found.append((kind, self.rest[begin + 8:at].decode(), self.rest[at:at + body]))
        self.rest = self.rest[end:]
        return found

    def messages(self):
        """Everything that has come by now, without waiting."""
        found = []
        while True:
            try:
                found += self.parse(self.receive())
            except BlockingIOError:
                return found

    def close(self):
        self.socket.close()
