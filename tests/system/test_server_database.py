"""What the platform stands on: a database that is damaged, too new or killed in the middle, and a clock that jumps."""

import pathlib
import sqlite3
import subprocess
import tempfile
import threading

import pytest

from rig import prefix, until
from server_rig import Server

CANNOT_START = 78  # PB_EXIT_CANNOT_START: the launcher does not try again
PAGE = 4096
BEFORE = 30  # acknowledgements before the kill


def last_words(server):
    """Of a start that is refused."""
    server.spawn()
    assert server.process.wait(20) == CANNOT_START
    return server.log().splitlines()[-1]


# --- damaged, and too new ---------------------------------------------------------------------------


def zero_page(file, table):
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [table]).fetchone()[0]
    db.close()
    with open(file, "r+b") as data:
        data.seek((page - 1) * PAGE)
        data.write(bytes(PAGE))


def cut_in_half(file):
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    with open(file, "r+b") as data:
        data.truncate(file.stat().st_size // 2)


def overwrite_header(file):
    with open(file, "r+b") as data:
        data.write(b"not a database any more")


@pytest.mark.parametrize("damage", [cut_in_half, overwrite_header, *(lambda file, table=table: zero_page(file, table)
                                                                   for table in ("executions", "users", "schema_history"))],
                         ids=["half", "header", "executions", "users", "schema_history"])
def test_a_damaged_database_is_named_and_a_backup_brings_everything_back(server, damage):
    file = server.folder / "data/platform/poppo.db"
    server.project()
    run = server.run(title="from before")
    server.stop()
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    backup = file.read_bytes()
    damage(file)
    said = last_words(server)
    assert str(file) in said and "is damaged" in said and "restore a backup" in said and "docs/operations.md" in said
    file.write_bytes(backup)
    for other in ("-wal", "-shm"):
        file.with_name(file.name + other).unlink(missing_ok=True)
    assert server.start().login().status == 200
    assert server.execution(run["id"])["title"] == "from before"


@pytest.mark.both_engines
def test_a_database_of_a_newer_version_is_refused_and_left_alone(server):
    server.project()
    server.stop()
    change(server, "INSERT INTO schema_history (number, name, sha256, applied_at, app_version) VALUES (9000, 'later', 'x', 1, '99.1')")
    said = last_words(server)
    assert "a newer version (99.1)" in said and "9000" in said and "restore a backup" in said
    change(server, "DELETE FROM schema_history WHERE number = 9000")
    assert server.start().login().status == 200
    assert server.ok("GET", "/api/projects/app")["id"] == "app"


def change(server, statement):
    if server.engine:
        server.engine.sql(statement, server.folder.name)
        return
    with sqlite3.connect(server.folder / "data/platform/poppo.db") as db:
        db.execute(statement)
    db.close()


def test_the_manual_has_what_the_help_has():
    told = {verb: subprocess.run([str(prefix() / "bin/poppo-platform"), verb], capture_output=True, text=True, timeout=20, check=True).stdout
            for verb in ("help", "man")}
    page = told["man"].replace("\\-", "-").replace("\\e", "\\")
    assert page.startswith(".TH POPPO-PLATFORM 8") and not [line for line in page.splitlines() if line.startswith("'")]
    for line in told["help"].splitlines()[2:]:
        if line.startswith("Settings, "):  # the page has a head of its own there
            continue
        assert line.strip() in page, line
    for word in ("db copy --from DATABASE --to DATABASE", "--to-password-file", "--database-timeout", "78"):
        assert word in page


# --- killed -----------------------------------------------------------------------------------------


@pytest.mark.both_engines
def test_what_was_acknowledged_is_there_after_kill_9(server):
    acknowledged = {}
    server.project()

    def ask(number):
        try:
            while (answer := server.api("POST", "/api/projects/app/executions", {"title": f"job {number}", "prompt": "x"})).status == 201:
                acknowledged[answer.json["id"]] = str(answer.json["number"])
        except OSError:
            pass

    for _ in range(3):
        before = len(acknowledged)
        threads = [threading.Thread(target=ask, args=[number]) for number in range(4)]
        for thread in threads:
            thread.start()
        until("some are acknowledged", lambda before=before: len(acknowledged) > before + BEFORE)
        server.kill()
        for thread in threads:
            thread.join(30)
        server.start()
        assert server.login().status == 200
        stored = dict(server.sql("SELECT id, number FROM executions"))
        assert not {id for id, number in acknowledged.items() if stored.get(id) != number}
        assert sorted(map(int, stored.values())) == list(range(1, len(stored) + 1))  # no number twice, none left out
    if not server.engine:
        assert server.sql("PRAGMA integrity_check") == [("ok",)]


# --- a clock that jumps -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library():
    """The false clock, to be preloaded, where the server's user can read it."""
    with tempfile.TemporaryDirectory(prefix="poppo-clock-") as folder:
        path = pathlib.Path(folder, "false_clock.so")
        path.parent.chmod(0o755)
        source = pathlib.Path(__file__).with_name("false_clock.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-D_GNU_SOURCE", "-o", path, source, "-ldl"], check=True, timeout=60)
        yield path


class Jumping(Server):
    """jump() moves its wall clock while it runs."""

    def __init__(self, library):
        super().__init__()
        self.control = self.folder / "clock"
        self.jump(0)
        self.environment = {"LD_PRELOAD": str(library), "POPPO_FALSE_CLOCK": str(self.control)}

    def jump(self, seconds):
        new = self.control.with_name("clock.new")
        new.write_text(str(seconds))
        new.rename(self.control)


@pytest.mark.both_engines
@pytest.mark.parametrize("first, second", [(3600, -3600), (-3600, 3600)])
def test_a_clock_that_jumps_an_hour_loses_and_holds_up_nothing(library, engine, first, second):
    server = Jumping(library)
    try:
        server.start().setup()
        server.project(max_concurrent=3)
        node = server.node()
        node.hello()
        node.runner()
        at_work = server.run(title="at work all the time")
        start = node.take(execution=at_work["id"])
        node.state(start, "running")
        server.wait(at_work["id"], "running")
        for jump in (first, second):
            server.jump(jump)
            assert server.login().status == 200
            between = server.run(title=f"begun at {jump}")
            took = node.take(execution=between["id"])
            node.state(took, "running")
            node.lines(took, 0, "a line")
            node.expect("log_ack", execution=between["id"])
            node.result(took, last_line=1)
            done = server.wait(between["id"], "succeeded")
            assert done["attempt_count"] == 1 and done["started_at"] <= done["completed_at"]
            assert server.execution(at_work["id"])["status"] == "running"
            assert server.ok("GET", "/api/nodes")["items"][0]["status"] == "online"
        node.result(start)
        ended = server.wait(at_work["id"], "succeeded")
        assert ended["attempt_count"] == 1 and ended["started_at"] <= ended["completed_at"]
        assert ended["attempts"][0]["started_at"] <= ended["attempts"][0]["ended_at"] and ended["active_ms"] >= 0
        server.stop()
        server.jump(0)
        assert server.start().login().status == 200
        assert len(server.ok("GET", "/api/executions")["items"]) == 3
    finally:
        server.remove()
