"""The world a system test runs in: the stand-ins, and an installation of the real programs.

Nothing here waits for time to pass: everything is asked for until it is so, with a deadline.
"""

import contextlib
import json
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from http.client import HTTPException

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".poppo" / "cache"
TOKEN = "ghp_TestTokenOnlyForStandIns0123456789abcd"
KEY = "sk-ant-test-OnlyForStandIns0123456789abcdef"
NODE = shutil.which("node")
READY = "listening on http"  # what the platform's log says once it serves


class Refused(Exception):
    """An HTTP answer that is no success; .status and .problem say what."""

    def __init__(self, status, body):
        super().__init__(f"{status}: {body[:500]}")
        self.status = status
        try:
            self.problem = json.loads(body)
        except ValueError:
            self.problem = {"detail": body}


def http(method, url, body=None, headers=None, timeout=20):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=dict(headers or {}))
    if data is not None:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.headers, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        raise Refused(refusal.code, refusal.read().decode()) from None


def until(what, probe, deadline=30, every=0.05):
    """Asks probe() until it gives something true; fails with `what` and the last answer."""
    end = time.monotonic() + deadline
    last = None
    while time.monotonic() < end:
        try:
            last = probe()
        except (Refused, OSError, HTTPException) as problem:  # the last: killed while it answered
            last = problem
            if isinstance(problem, Refused) and problem.status not in (401, 404, 409, 502, 503):
                raise
        else:
            if last:
                return last
        time.sleep(every)
    raise AssertionError(f"not within {deadline} s: {what}; last: {last!r}")


PORTS = 10  # in one block
claims = []  # kept until this process ends


def free_ports():
    """The first of ten free ports in a row that no other test gets, below those that connections take for themselves."""
    for first in random.sample(range(10_000, 32_000, PORTS), 200):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0poppo-test-ports-{first}")  # whoever has the name has the ports
            for port in range(first, first + PORTS):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        claims.append(claim)
        return first
    raise RuntimeError("no free ports")


class StandIn:
    """One stand-in as a process of its own; .url is where it serves."""

    def __init__(self, *command, member):
        self.process = subprocess.Popen([NODE, *command], stdout=subprocess.PIPE, text=True, cwd=ROOT / "tests" / "rig")
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"stand-in did not start: {command}")
        self.url = json.loads(line)[member]

    def control(self, action, /, **body):
        headers, text = http("POST", f"{self.url}/_rig/{action}", body)
        return json.loads(text)

    def ask(self, name):
        return json.loads(http("GET", f"{self.url}/_rig/{name}")[1])

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class GitHub(StandIn):
    """The stand-in GitHub with one repository octo/app, its owner octo, a writer and a stranger."""

    def __init__(self, folder, files=None, repo="app", openapi=True):
        command = ["github/server.mjs", "--state", str(folder)]
        if openapi:
            command += ["--openapi", fetch_openapi()]
        super().__init__(*command, member="github_url")
        self.name = f"octo/{repo}"
        self.control("user", login="octo", token=TOKEN)
        self.control("user", login="writer")
        self.control("user", login="stranger")
        self.control("repo", owner="octo", name=repo, files={"README.md": "# app\n"} if files is None else files)
        self.control("collaborator", repo=self.name, login="writer", permission="write")

    def issue(self, title, body="", labels=("poppo",), login="octo"):
        made = self.control("issue", repo=self.name, login=login, title=title, body=body)
        for label in labels:
            self.control("label", repo=self.name, number=made["number"], label=label, login=login)
        return made["number"]

    def comment(self, number, body, login="octo"):
        return self.control("comment", repo=self.name, number=number, login=login, body=body)

    @property
    def repo(self):
        return self.ask("state")["repos"][self.name]

    def labels(self, number):
        return set(self.repo["issues"][str(number)]["labels"])

    def comments(self, number, by="octo"):
        return [c for c in self.repo["comments"] if c["number"] == number and "<!-- poppo:" in c["body"]]

    def pulls(self):
        return list(self.repo["pulls"].values())

    def git(self, *args):
        return self.control("git", repo=self.name, args=list(args))["out"]

    def check_contract(self):
        found = self.ask("violations")
        assert found["request"] == [], found["request"][:5]
        assert found["response"] == [], found["response"][:5]


class Messages(StandIn):
    def __init__(self, pace=0, key=KEY):
        super().__init__("messages/server.mjs", "--key", key, "--pace", str(pace), member="messages_url")


def fetch_openapi():
    script = ROOT / "tests" / "rig" / "github" / "fetch-openapi.mjs"
    return subprocess.run([NODE, script, CACHE], check=True, capture_output=True, text=True).stdout.strip()


def prefix():
    found = os.environ.get("POPPO_TEST_PREFIX")
    if not found:
        raise RuntimeError("POPPO_TEST_PREFIX must name a staged installation; ./dev test makes one")
    return pathlib.Path(found)


def claude(version="current"):
    folder = {"current": "claude", "previous": "claude-previous"}[version]
    return prefix() / "lib" / folder / "claude"


class Installation:
    """A platform with its local node, started by the launcher, in a folder of its own.

    user: None = as the caller is; a uid = as that ordinary user (only root can do that).
    """

    def __init__(self, github, messages, folder=None, user=None, claude_path=None, **settings):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="poppo-"))
        self.folder.chmod(0o755)
        self.user = user
        self.port = free_ports()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = self.folder / "data"
        self.log_path = self.folder / "platform.log"
        self.access = None
        self.launcher = None
        if user is not None:
            os.chown(self.folder, user, user)
        self.settings = {  # users and ports of their own, so that installations do not meet
            "listen": f"127.0.0.1:{self.port}", "data_dir": self.data, "key_file": self.folder / "keys" / "master.key",
            "run_dir": self.folder / "run", "github_api_url": github.url, "github_git_url": github.url,
            "anthropic_base_url": messages.url, "claude_path": claude_path or claude(), "min_poll_interval": "200ms",
            "retry_percent": 0,
            "uid_base": uids_of(self.port), "port_base": free_ports(), **settings,
        }

    def start(self):
        before = self.log().count(READY) if self.log_path.exists() else 0
        self.launcher = self.launch(self.log_path)
        try:
            until("the platform serves", lambda: self._serves() and self.log().count(READY) > before, 30)
        except BaseException:
            self.remove()
            raise
        return self

    def launch(self, log_path):
        """Starts the launcher with its output in a file; the process."""
        log = open(log_path, "ab")
        command = [str(prefix() / "bin" / "poppo-platform")]
        for name, value in self.settings.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        identity = {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.folder)}
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, cwd="/", **identity)
        log.close()
        return process

    def _serves(self):
        if self.launcher.poll() is not None:
            raise AssertionError(f"the launcher ended with {self.launcher.returncode}:\n{self.log()[-3000:]}")
        return http("GET", f"{self.url}/readyz")

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self, grace=20):
        if self.launcher and self.launcher.poll() is None:
            self.launcher.send_signal(signal.SIGTERM)
            self.launcher.wait(grace)

    def remove(self):
        try:
            self.stop()
        finally:
            until("all its processes are gone", lambda: not self.kill())
            remove_tree(self.folder)

    # -- processes ---------------------------------------------------------

    def processes(self, name=None):
        """Pids of everything that belongs to this installation (by its folder in the command line or cwd, by the users
        of its projects, and their descendants), or of the programs of that name among them."""
        table = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                stat = (entry / "stat").read_text()
                comm = stat[stat.index("(") + 1 : stat.rindex(")")]
                parent = int(stat[stat.rindex(")") + 2 :].split()[1])
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
                try:
                    cwd = os.readlink(entry / "cwd")
                except OSError:
                    cwd = ""
                state = stat[stat.rindex(")") + 2]
                uid = uid_of(entry)
            except (FileNotFoundError, ProcessLookupError):
                continue
            table[int(entry.name)] = (comm, parent, words, cwd, state, uid)
        mark = str(self.folder)
        first = self.settings["uid_base"]
        ours = {
            pid for pid, row in table.items()
            if mark in row[2] or row[3].startswith(mark) or first <= row[5] < first + 6000 or row[5] == self.user
        }
        grown = True
        while grown:
            more = {pid for pid, row in table.items() if row[1] in ours} - ours
            grown = bool(more)
            ours |= more
        ours.discard(os.getpid())
        alive = [pid for pid in sorted(ours) if table[pid][4] != "Z"]
        if name is None:
            return alive
        return [pid for pid in alive if table[pid][0] == name[:15]]

    def kill(self, name=None, number=signal.SIGKILL, but=()):
        """Signals every program of that name (or all); tells how many there were. One that ended meanwhile does not count."""
        killed = 0
        for pid in self.processes(name):
            with contextlib.suppress(ProcessLookupError):
                if pid not in but:
                    os.kill(pid, number)
                    killed += 1
        return killed

    # -- API ---------------------------------------------------------------

    def api(self, method, path, body=None, **headers):
        if self.access:
            headers["Authorization"] = f"Bearer {self.access}"
        try:
            return self._answer(method, path, body, headers)
        except Refused as refusal:
            if refusal.status != 401 or not self.access:
                raise
            self.login()
            headers["Authorization"] = f"Bearer {self.access}"
            return self._answer(method, path, body, headers)

    def _answer(self, method, path, body, headers):
        got, text = http(method, self.url + path, body, headers)
        if "json" in (got.get("Content-Type") or ""):
            return json.loads(text)
        return text

    def setup_token(self):
        marker = "/setup#"
        return until("the setup link is printed", lambda: marker in self.log() and self.log().rsplit(marker, 1)[1].split()[0])

    def setup(self, username="admin", password="correct horse battery"):
        self.username, self.password = username, password
        answer = self.api("POST", "/api/setup", {"token": self.setup_token(), "username": username, "password": password, "language": "en"})
        self.access = answer["access_token"]
        return self

    def login(self):
        self.access = None
        answer = self.api("POST", "/api/auth/login", {"username": self.username, "password": self.password})
        self.access = answer["access_token"]

    def project(self, id="app", **fields):
        body = {
            "id": id, "name": id, "github_owner": "octo", "github_repo": "app", "github_token": TOKEN, "anthropic_api_key": KEY,
            "poll_interval_seconds": 0.2, "start": True, **fields,
        }
        return self.api("POST", "/api/projects", body)

    def executions(self, **query):
        words = "&".join(f"{key}={value}" for key, value in query.items())
        return self.api("GET", f"/api/executions?{words}")["items"]

    def execution(self, number=1, deadline=30):
        """The execution of that number (they count from 1 in a project), as soon as it exists."""
        row = until(f"execution {number} exists", lambda: next((e for e in self.executions() if e["number"] == number), None), deadline)
        return self.api("GET", f"/api/executions/{row['id']}")

    def wait(self, number, *statuses, deadline=60):
        """Waits until execution `number` has one of the statuses; says where it stopped otherwise."""
        def probe():
            now = self.execution(number)
            return now if now["status"] in statuses else None

        try:
            return until(f"execution {number} is {' or '.join(statuses)}", probe, deadline)
        except AssertionError as late:
            now = self.execution(number)
            tail = self.lines(now, tail=30)
            raise AssertionError(f"{late}\nstatus {now['status']} {now['reason']} {now['queued_reason']}\n" + "\n".join(tail) + "\n" + self.log()[-4000:]) from None

    def lines(self, execution, tail=None, start=0, count=2000):
        query = f"tail={tail}" if tail else f"from={start}&count={count}"
        return self.api("GET", f"/api/executions/{execution['id']}/log?{query}").splitlines()

    def all_lines(self, execution):
        got = []
        while True:
            more = self.lines(execution, start=len(got))
            if not more:
                return got
            got += more


def walk(folder, deep=True):
    """Every path below a folder with its lstat(), leaving out what others remove meanwhile, and nothing else."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        path = pathlib.Path(folder, name)
        try:
            info = path.lstat()
        except FileNotFoundError:
            continue
        yield path, info
        if deep and stat.S_ISDIR(info.st_mode):
            yield from walk(path)


def files_with(folder, *secrets):
    """Files below a folder that hold one of these texts; one that is removed meanwhile holds none."""
    found = []
    for path, info in walk(folder):
        try:
            data = path.read_bytes() if stat.S_ISREG(info.st_mode) else b""
        except FileNotFoundError:
            continue
        if any(secret.encode() in data for secret in secrets):
            found.append(str(path))
    return found


def remove_tree(folder):
    """Removes a folder in which somebody may still be about to end."""
    def gone():
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            pass
        except PermissionError:  # a task locked itself out
            subprocess.run(["chmod", "-R", "u+rwX", folder], check=False, capture_output=True)
        return not os.path.lexists(folder)

    until(f"{folder} is removed", gone)


def uids_of(port):
    """The first of the user ids for a test that has these ports: nobody else's."""
    return 1_910_000_000 + port * 10_000


def uid_of(entry):
    """The user of a process; its folder in /proc belongs to root when it is not dumpable."""
    line = next(line for line in (entry / "status").read_text().splitlines() if line.startswith("Uid:"))
    return int(line.split()[1])


def ordinary_user():
    """A uid that is nobody's: an ordinary user for tests that run as root. None when we are no root."""
    if os.getuid() != 0:
        return None
    uid = 30_000 + os.getpid() % 20_000  # tests that run beside this one have another
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return uid
    return uid + 20_000
