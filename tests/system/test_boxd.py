"""poppo-boxd as root, asked by its own protocol, among folders whose owners are hostile."""

import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile

import pytest

import rig

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

SLOT = 2801
BASE = rig.uids_of(rig.free_ports())  # nobody else's here
RUNNER, TASK = BASE + 2 * SLOT, BASE + 2 * SLOT + 1
PREPARE, SPAWN_SHIM, REMOVE = 1, 3, 5
INVALID, DENIED = 1, 3  # enum pb_error_code

ASK = """
import socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
try:
    s.send(struct.pack("=IIIiQ64s", 1, int(sys.argv[2]), int(sys.argv[3]), 0, 0, sys.argv[4].encode()))
    reply = s.recv(1000)
except OSError:
    reply = b""
print(struct.unpack("=Ii", reply[:8])[1] if reply else "dropped")
"""


# Connects until it is told to stop by a closed standard input; prints every errno but those of one that is away.
CONNECT = """
import errno, os, select, socket, sys
print("begun", flush=True)
strange = set()
while not select.select([0], [], [], 0)[0]:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        s.connect(sys.argv[1])
    except OSError as problem:
        if problem.errno not in (errno.ENOENT, errno.ECONNREFUSED, errno.EAGAIN):
            strange.add(os.strerror(problem.errno))
    s.close()
print(sorted(strange))
"""


class Boxd:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="poppo-boxd-"))
        self.folder.chmod(0o755)
        self.socket = self.folder / "run" / "boxd.sock"
        self.project = self.folder / "data" / "projects" / "app"
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [rig.prefix() / "bin" / "poppo-boxd", f"--data-dir={self.folder}/data", f"--run-dir={self.folder}/run",
             f"--uid-base={BASE}", "--node-user=nobody"], stderr=subprocess.DEVNULL)
        rig.until("boxd listens", self.socket.exists, 20)

    def ask(self, op, slot=SLOT, project="app", uid=0):
        """The reply's code, 0 = done; None when the connection was dropped without a word."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(20)
            if uid:
                code = subprocess.run(as_user(uid) + ["/usr/bin/python3", "-c", ASK, self.socket, str(op), str(slot), project],
                                      capture_output=True, text=True, check=True).stdout.strip()
                return None if code == "dropped" else int(code)
            connection.connect(str(self.socket))
            connection.send(struct.pack("=IIIiQ64s", 1, op, slot, 0, 0, project.encode()))
            return struct.unpack("=Ii", connection.recv(1000)[:8])[1]

    def shell(self, uid, script):
        subprocess.run(as_user(uid) + ["sh", "-ec", script], cwd="/", check=True)


def as_user(uid):
    return ["setpriv", f"--reuid={uid}", f"--regid={RUNNER}", "--clear-groups"]


@pytest.fixture
def boxd():
    made = Boxd()
    yield made
    made.process.terminate()
    made.process.wait(10)
    rig.remove_tree(made.folder)


def test_links_that_a_project_plants_are_not_followed_by_root(boxd):
    canary = boxd.folder / "canary"
    canary.write_text("alive")
    before = boxd.folder.stat()
    assert boxd.ask(PREPARE) == 0
    boxd.shell(TASK, f"cd {boxd.project}/workspace; ln -s {boxd.folder} out; ln {boxd.project}/workspace/out hard; "
                     "mkdir -p a/b/c; ln -s ../../../../../../canary a/b/c/up; chmod 0 a")
    boxd.shell(RUNNER, f"cd {boxd.project}; ! mv temp temp2 2>&-; rmdir data/attempts; ln -s {boxd.folder} data/attempts")
    assert boxd.ask(PREPARE) != 0
    after = boxd.folder.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert boxd.ask(REMOVE) == 0
    assert not boxd.project.exists() and canary.read_text() == "alive"


def test_a_project_id_is_never_a_path(boxd):
    (boxd.folder / "data" / "projects").mkdir(parents=True)
    for name in ("..", ".", "../x", "a/b", "", "/etc", "a" * 64, "A"):
        assert boxd.ask(PREPARE, project=name) == INVALID, name
        assert boxd.ask(REMOVE, project=name) == INVALID, name
    assert boxd.folder.exists() and not list((boxd.folder / "data" / "projects").iterdir())


def test_nobody_of_a_removed_project_lives_on_even_if_it_fights_back(boxd):
    assert boxd.ask(PREPARE) == 0
    fighter = subprocess.Popen(as_user(TASK) + ["/usr/bin/python3", "-c", """
import os
for _ in range(3):
    os.fork()
while True:
    try:
        os.kill(-1, 9)  # everybody of our user but ourselves
    except OSError:
        pass
"""])
    sleeper = subprocess.Popen(as_user(RUNNER) + ["sleep", "1000"])
    try:
        rig.until("they run", lambda: alive(TASK) and alive(RUNNER), 10)
        assert boxd.ask(REMOVE) == 0
        rig.until("all have ended", lambda: fighter.poll() is not None and sleeper.poll() is not None, 10)
        rig.until("who was killed is gone", lambda: not alive(TASK) and not alive(RUNNER), 10)
    finally:
        for process in (fighter, sleeper):
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait(10)


def test_one_that_was_killed_and_is_back_refuses_nobody_who_may_ask(boxd):
    assert boxd.ask(PREPARE) == 0
    asker = subprocess.Popen(as_user(RUNNER) + ["/usr/bin/python3", "-c", CONNECT, boxd.socket], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
    try:
        assert asker.stdout.readline() == "begun\n"
        for _ in range(20):
            boxd.process.kill()
            boxd.process.wait()
            boxd.socket.unlink()
            boxd.start()
    finally:
        said, _ = asker.communicate(timeout=20)
    assert said == "[]\n"


def alive(uid):
    found = []
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        if f"\nUid:\t{uid}\t" in text and "\nState:\tZ" not in text:
            found.append(int(status.parent.name))
    return found


def test_a_task_and_other_runners_are_not_heard(boxd):
    assert boxd.ask(PREPARE) == 0
    assert boxd.ask(REMOVE, uid=RUNNER) == DENIED
    assert boxd.ask(SPAWN_SHIM, slot=SLOT + 1, uid=RUNNER) == DENIED
    assert boxd.ask(SPAWN_SHIM, uid=TASK) is None
    assert boxd.ask(PREPARE, uid=65533) is None
    assert boxd.project.exists()
