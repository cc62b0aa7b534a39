"""The programs under test as processes: this server, the peers, a node; their memory and processor time."""

import base64
import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

from bench.client import Client

NODE_KEY = "ppn_" + "b" * 43
PASSWORD = "correct horse battery"
USERNAME = "bench"
NOBODY = 65534
START_DEADLINE = 120
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, probe, deadline=60, every=0.01):
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        if value := probe():
            return value
        time.sleep(every)
    raise TimeoutError(f"not within {deadline} s: {what}")


def own(path):
    """As root the programs run as nobody: gives it what is below path."""
    if os.geteuid() != 0:
        return
    for folder, _, files in os.walk(path):
        for name in [".", *files]:
            os.chown(os.path.join(folder, name), NOBODY, NOBODY, follow_symlinks=False)


def temporary(base):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=base))
    folder.chmod(0o755)
    return folder


class Process:
    """One program; `port` is where it serves."""

    name = ""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.log_path = self.folder / f"{self.name}.log"
        self.process = None

    def spawn(self, command, env=None):
        identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            cwd="/", env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **(env or {})}, **identity)

    def start(self, command, env=None):
        """Seconds from the call to the first good answer of /healthz."""
        began = time.perf_counter()
        self.spawn(command, env)
        request = Client(self.port).request("GET", "/healthz")
        while True:
            client = Client(self.port)
            try:
                if client.exchange(request)[0] == 200:
                    return time.perf_counter() - began
            except OSError:
                pass
            finally:
                client.close()
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.log()[-2000:]}")
            if time.perf_counter() - began > START_DEADLINE:
                raise TimeoutError(f"{self.name} does not serve:\n{self.log()[-2000:]}")
            time.sleep(0.001)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self, number=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
                raise TimeoutError(f"{self.name} did not stop within 30 s") from None

    @property
    def pid(self):
        return self.process.pid

    def cpu(self):
        """Processor seconds so far, of all its threads."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss(self):
        """Resident memory in MB (10^6 bytes), libraries included."""
        return self._kib(f"/proc/{self.pid}/status", "VmRSS:")

    def pss(self):
        """Its share of the resident memory, in MB; None where the kernel does not tell us."""
        try:
            return self._kib(f"/proc/{self.pid}/smaps_rollup", "Pss:")
        except PermissionError:
            return None

    @staticmethod
    def _kib(path, name):
        for line in pathlib.Path(path).read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024 / 1e6
        raise RuntimeError(f"{path} has no {name}")

    def settle(self, quiet_for=1.0, deadline=90):
        """Waits until it uses less than 2 % of a processor; says how long that took."""
        began = time.monotonic()
        while time.monotonic() - began < deadline:
            before = self.cpu()
            time.sleep(quiet_for)
            if self.cpu() - before < 0.02 * quiet_for:
                return time.monotonic() - began - quiet_for
        raise TimeoutError(f"{self.name} is still busy after {deadline} s")


class Platform(Process):
    """This server: `poppo-platform serve` of an installation, with an administrator signed in."""

    name = "platform"

    def __init__(self, prefix, folder, **settings):
        super().__init__(folder)
        self.bin = pathlib.Path(prefix) / "bin"
        self.settings = {"data_dir": self.folder / "data", "key_file": self.folder / "master.key", "run_dir": self.folder / "run",
                         "github_api_url": "http://127.0.0.1:1", "log_level": "warn",
                         "local_node_key_sha256": hashlib.sha256(NODE_KEY.encode()).hexdigest(), **settings}
        self.token = None

    @property
    def database(self):
        return self.folder / "data" / "platform" / "poppo.db"

    def start(self):
        settings = {"listen": f"127.0.0.1:{self.port}", **self.settings}
        took = super().start([self.bin / "poppo-platform", "serve",
                              *(f"--{name.replace('_', '-')}={value}" for name, value in settings.items())])
        return took

    def sign_in(self):
        """A fresh access token (good for ten minutes), of the first administrator, who is made if there is none."""
        client = Client(self.port)
        account = {"username": USERNAME, "password": PASSWORD}
        if client.get("/api/setup")["required"]:
            wait_for("the setup link is printed", lambda: "/setup#" in self.log())
            token = self.log().rsplit("/setup#", 1)[1].split()[0]
            answer = client.call("POST", "/api/setup", {**account, "token": token, "language": "en"})
        else:
            answer = client.call("POST", "/api/auth/login", account)
        client.close()
        self.token = answer["access_token"]
        return self.token

    def client(self):
        return Client(self.port, self.token)

    def session(self):
        """The session its token belongs to, and its user."""
        payload = self.token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return claims["sid"], claims["sub"]


class Peer(Process):
    """The plan's own stack on a copy of the same database."""

    def __init__(self, name, place, folder, database, session, reasons):
        self.name = name
        super().__init__(folder)
        self.command = [place / "node", place / "peers" / f"{name}.mjs"]
        self.env = {"NODE_ENV": "production", "PORT": str(self.port), "DATABASE": str(database), "SESSION": session[0],
                    "USER_ID": str(session[1]), "REASONS": json.dumps(reasons)}
        self.token = None

    def start(self):
        took = super().start(self.command, self.env)
        self.token = self.log().split("token=", 1)[1].split()[0]
        return took

    def sign_in(self):
        return self.token

    def client(self):
        return Client(self.port, self.token)

