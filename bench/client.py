"""A small HTTP client on one kept connection: what it adds to a request is some tens of microseconds."""

import json
import socket
import time


class Refused(Exception):
    """An answer that is no success."""


class Client:
    def __init__(self, port, token=None):
        self.address = ("127.0.0.1", port)
        self.token = token
        self.socket = None
        self.rest = b""

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None
        self.rest = b""

    def request(self, method, path, body=None, headers=()):
        """The bytes of a request."""
        data = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.address[1]}", *headers]
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + data

    def connect(self):
        self.socket = socket.create_connection(self.address, timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, data):
        """Sends a request's bytes; gives status, headers by lower-case name, body."""
        if self.socket is None:
            self.connect()
        self.socket.sendall(data)
        head = self._until(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("transfer-encoding", "") == "chunked":
            body = self._chunks()
        else:
            body = self._bytes(int(headers.get("content-length", 0)))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return int(first.split()[1]), headers, body

    def call(self, method, path, body=None, headers=()):
        """The parsed answer; anything but success is an error."""
        status, _, data = self.exchange(self.request(method, path, body, headers))
        if status >= 300:
            raise Refused(f"{method} {path}: {status} {data[:300].decode(errors='replace')}")
        return json.loads(data) if data else None

    def get(self, path):
        return self.call("GET", path)

    def timed(self, path):
        """Milliseconds from the first byte sent to the last byte of the body, and the body."""
        data = self.request("GET", path)
        began = time.perf_counter()
        status, _, body = self.exchange(data)
        took = (time.perf_counter() - began) * 1000
        if status != 200:
            raise Refused(f"GET {path}: {status} {body[:300].decode(errors='replace')}")
        return took, body

    def _more(self):
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.rest += data

    def _until(self, mark):
        while mark not in self.rest:
            self._more()
        found, _, self.rest = self.rest.partition(mark)
        return found

    def _bytes(self, count):
        parts, have = [self.rest[:count]], min(count, len(self.rest))
        self.rest = self.rest[count:]
        while have < count:
            data = self.socket.recv(min(1 << 20, count - have))
            if not data:
                raise ConnectionError("the server closed the connection")
            parts.append(data)
            have += len(data)
        return b"".join(parts)

    def _chunks(self):
        parts = []
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            parts.append(self._bytes(size))
            self._until(b"\r\n")
        self._until(b"\r\n")
        return b"".join(parts)
