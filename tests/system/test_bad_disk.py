"""A disk that is slow, full or failing under the platform: what waits, what is refused, and what is never lost."""

import pathlib
import subprocess
import tempfile

import pytest

from rig import until
from server_rig import Server, log_chunk, ref

LINES = 200_000
CHUNK = 1000
JOURNAL = "platform/logs/journal-"


@pytest.fixture(scope="module")
def library():
    """The bad disk, to be preloaded, where the server's user can read it."""
    with tempfile.TemporaryDirectory(prefix="poppo-bad-disk-") as folder:
        path = pathlib.Path(folder, "bad_disk.so")
        path.parent.chmod(0o755)
        source = pathlib.Path(__file__).with_name("bad_disk.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-D_GNU_SOURCE", "-o", path, source, "-ldl"], check=True, timeout=60)
        yield path


class BadDisk(Server):
    def __init__(self, library, **settings):
        super().__init__(**settings)
        self.control = self.folder / "bad-disk"
        self.environment = {"LD_PRELOAD": str(library), "POPPO_BAD_DISK": str(self.control)}

    def start(self, ready=True):
        super().start(ready)
        assert "cannot be preloaded" not in self.log()
        return self

    def make(self, how, part, ms=0):
        """At once: the file is there as a whole or not at all."""
        new = self.control.with_name("bad-disk.new")
        new.write_text(f"{how} {part} {ms}")
        new.rename(self.control)

    def mend(self):
        self.control.unlink()

    def refused_syncs(self):
        noted = self.control.with_name("bad-disk.syncs")
        return noted.stat().st_size if noted.exists() else 0

    def peak(self):
        """The most memory it ever had, in bytes; from here on it is measured anew."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5", encoding="ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024


@pytest.fixture
def disk(library, engine):
    server = BadDisk(library)
    yield server.start().setup()
    server.remove()


@pytest.fixture
def node(disk):
    disk.project()
    node = disk.node()
    node.hello()
    node.runner()
    return node


def back(server, start, next_line):
    """The node again, after the link was closed."""
    node = server.node()
    node.hello(projects=["app"])
    node.runner(attempts=[{**ref(start), "state": "running", "next_line": next_line, "finished": False}])
    return node


def text(number):
    return f"{number:08} " + "all is well so far, and goes on " * 20


@pytest.mark.parametrize("log_store, part", [("files", JOURNAL), ("database", "poppo.db-wal")])
def test_lines_that_outrun_the_disk_wait_and_none_is_lost(library, log_store, part):
    server = BadDisk(library, log_store=log_store)
    try:
        server.start().setup().project()
        node = server.node()
        node.hello()
        node.runner()
        run = server.run()
        start = node.take()
        node.lines(start, 0, text(0))
        node.expect("log_ack", seq=1)
        server.peak()
        before = server.peak()
        server.make("slow", part, 1500)
        node.socket.flood([log_chunk(start, first, *map(text, range(first, min(first + CHUNK, LINES)))) for first in range(1, LINES, CHUNK)])
        node.expect("log_ack")  # some are stored: 130 MB have come meanwhile, or wait for the reading to go on
        assert node.socket.inbox.qsize() < LINES // CHUNK // 2
        server.mend()
        node.expect("log_ack", 60, seq=LINES)
        assert server.peak() - before < 100_000_000

        path = f"/api/executions/{run['id']}/log"
        ours = server.execution(run["id"])["log"]["lines"] - LINES
        assert 1 <= ours <= 3
        numbers = (line[:8] for line in server.api("GET", f"{path}/raw").text.splitlines() if line[9:12] == "all")
        assert all(int(number) == expected for expected, number in enumerate(numbers))
        assert server.api("GET", f"{path}?tail=1").text.rstrip().endswith(text(LINES - 1).rstrip())
        node.result(start, last_line=LINES)
        server.wait(run["id"], "succeeded")  # over the link it began on
    finally:
        server.remove()


def test_with_a_full_disk_of_the_logs_everything_else_goes_on_until_there_is_room(disk, node):
    run = disk.run()
    start = node.take()
    node.lines(start, 0, "before")
    node.expect("log_ack", seq=1)
    process = disk.process.pid
    disk.make("full", "platform/logs/")
    node.lines(start, 1, "while it is full")
    assert node.expect_closed() == (1013, "log lines cannot be stored now")
    assert "before" in disk.lines(run["id"]) and "while it is full" not in disk.lines(run["id"])
    assert disk.run(title="another")["status"] == "queued"
    node = back(disk, start, 1)
    node.lines(start, 1, "while it is full")
    assert node.expect_closed() == (1013, "log lines cannot be stored now")

    disk.mend()
    node = back(disk, start, 1)
    node.lines(start, 1, "while it is full", "and then")
    node.expect("log_ack", seq=3)
    assert [line for line in disk.lines(run["id"]) if line in ("before", "while it is full", "and then")] == ["before", "while it is full", "and then"]
    assert disk.process.pid == process and disk.process.poll() is None


def test_with_a_full_disk_of_the_database_changes_are_refused_reads_go_on_and_it_recovers(disk, node):
    run = disk.run()
    disk.make("full", "platform/poppo.db")
    for _ in range(2):
        refused = disk.api("POST", "/api/projects/app/executions", {"title": "more", "prompt": "more"})
        assert (refused.status, refused.json["code"]) == (503, "disk_full") and int(refused.headers["Retry-After"]) >= 1
        until("it says so", lambda: disk.call("GET", "/readyz").status == 503)
        assert [item["id"] for item in disk.ok("GET", "/api/executions")["items"]] == [run["id"]]
    disk.mend()
    until("it is ready by itself", lambda: disk.call("GET", "/readyz").status == 200, 20)
    assert disk.run(title="more")["number"] == 2


def test_a_sync_that_fails_ends_the_platform_and_is_never_tried_again(disk, node):
    run = disk.run()
    start = node.take()
    node.lines(start, 0, "safe")
    node.expect("log_ack", seq=1)
    disk.make("broken", JOURNAL)
    node.lines(start, 1, "not safe")
    assert disk.process.wait(20) != 0
    assert disk.refused_syncs() == 1
    assert "stopping, to be started again" in disk.log()
    assert [body["seq"] for name, _, body in node.seen if name == "log_ack"] == [1]

    disk.mend()
    disk.start()
    assert "safe" in disk.lines(run["id"])
    node = back(disk, start, 1)
    node.lines(start, 1, "not safe")
    node.expect("log_ack", seq=2)
    assert disk.lines(run["id"]).count("not safe") == 1
