"""Smart HTTP for bare repositories below a folder, as GitHub speaks it: Basic authentication, the token as password.

python3 git_http.py ROOT TOKEN     prints its port; ends with its standard input

/moved/NAME redirects to /NAME, /elsewhere/NAME to the port in ROOT/elsewhere. Each request is a line in ROOT/requests:
method, path, Authorization.
"""

import base64
import http.server
import os
import subprocess
import sys
import threading

ROOT, TOKEN = sys.argv[1:3]
ENVIRONMENT = {
    "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "GIT_PROJECT_ROOT": ROOT,
    "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": "bot", "GIT_CONFIG_COUNT": "3",
    "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
    "GIT_CONFIG_KEY_1": "http.receivepack", "GIT_CONFIG_VALUE_1": "true",
    "GIT_CONFIG_KEY_2": "uploadpack.allowAnySHA1InWant", "GIT_CONFIG_VALUE_2": "true",
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        whole = b""
        while size := int(self.rfile.readline(), 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def handle_one(self):
        path, _, query = self.path.partition("?")
        given = self.headers.get("Authorization", "")
        with open(f"{ROOT}/requests", "a") as log:
            log.write(f"{self.command} {self.path} {given}\n")
        body = self.body()
        if path.startswith("/moved/"):
            return self.answer(301, Location=self.path[len("/moved"):])
        if path.startswith("/elsewhere/"):
            with open(f"{ROOT}/elsewhere") as file:
                return self.answer(301, Location=f"http://127.0.0.1:{file.read()}{self.path[len('/elsewhere'):]}")
        if given != "Basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode():
            return self.answer(401, b"Repository not found.\n", WWW_Authenticate='Basic realm="GitHub"')
        if not os.path.isdir(ROOT + "/" + path.split("/")[1]):
            return self.answer(404, b"Repository not found.\n")
        environment = {
            **ENVIRONMENT, "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "REMOTE_ADDR": "127.0.0.1"}
        if self.headers.get("Content-Encoding"):
            environment["HTTP_CONTENT_ENCODING"] = self.headers["Content-Encoding"]
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True)
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.answer(int(fields.pop("Status", "200").split()[0]), rest, **{k: v for k, v in fields.items()})

    do_GET = do_POST = handle_one

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
