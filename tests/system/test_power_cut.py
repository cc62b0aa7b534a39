"""The power goes while changes are written: what was acknowledged is there afterwards, and nothing is damaged.

A file system on a loop device is told to forget at once all that it has not written to the device (EXT4_IOC_SHUTDOWN), which is
what a disk without power does. Only root can do that.
"""

import fcntl
import os
import pathlib
import shutil
import sqlite3
import struct
import subprocess
import tempfile
import threading
import uuid

import pytest

import postgres
from rig import until
from server_rig import Server

FORGET = 0x8004587D  # _IOR('X', 125, u32)
NO_FLUSH = struct.pack("I", 2)
BEFORE = 40  # acknowledgements before the power goes


class Disk:
    """A disk whose plug can be pulled, mounted at .path."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="poppo-disk-"))
        self.folder.chmod(0o755)
        self.image, self.path = self.folder / "image", self.folder / "mounted"
        self.path.mkdir()
        self.is_mounted = False
        with open(self.image, "wb") as image:
            image.truncate(512 << 20)
        self.call("mkfs.ext4", "-q", self.image)
        self.plug_in()
        self.path.chmod(0o777)

    @staticmethod
    def call(*words):
        subprocess.run([str(word) for word in words], check=True, capture_output=True)

    def plug_in(self):
        """Replays what its journal holds, as after any such end. In a file of its own each time: somebody else's mount
        namespace may still hold the old one, and would hand out its dead file system again."""
        before, self.image = self.image, self.folder / f"image-{uuid.uuid4().hex}"
        self.call("cp", "--sparse=always", before, self.image)
        before.unlink()
        self.call("mount", "-o", "loop", self.image, self.path)
        self.is_mounted = True

    def pull_plug(self):
        handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, FORGET, NO_FLUSH)
        finally:
            os.close(handle)

    def unplug(self):
        """Once nobody uses it any more."""
        if self.is_mounted:
            until("the disk is free", lambda: subprocess.run(["umount", str(self.path)], capture_output=True).returncode == 0)
        self.is_mounted = False

    def remove(self):
        self.unplug()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def disk():
    if os.geteuid() != 0:
        pytest.skip("only root can pull the plug")
    try:
        made = Disk()
    except (OSError, subprocess.CalledProcessError) as problem:
        pytest.skip(f"no disk of our own here: {problem}")
    yield made
    made.remove()


def ask_until_dark(server, acknowledged):
    """Several at once, until nothing is answered any more."""
    def ask(number):
        try:
            while (answer := server.api("POST", "/api/projects/app/executions", {"title": f"job {number}", "prompt": "x"})).status == 201:
                acknowledged[answer.json["id"]] = answer.json["number"]
        except OSError:
            pass

    threads = [threading.Thread(target=ask, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    return threads


def play(server, disk, rows, kill, restart, rounds):
    """rows() gives {id: number} of what is stored."""
    acknowledged = {}
    server.start().setup()
    server.project()
    for _ in range(rounds):
        before = len(acknowledged)
        threads = ask_until_dark(server, acknowledged)
        until("some are acknowledged", lambda before=before: len(acknowledged) > before + BEFORE)
        disk.pull_plug()
        kill()
        for thread in threads:
            thread.join(30)
        disk.unplug()
        disk.plug_in()
        restart()
        stored = rows()
        lost = {id: number for id, number in acknowledged.items() if stored.get(id) != str(number)}
        assert not lost, f"{len(lost)} of {len(acknowledged)}"
        assert server.start().login().status == 200
    assert len(acknowledged) > rounds * BEFORE


@pytest.mark.parametrize("rounds", [2, pytest.param(12, marks=pytest.mark.long)])
def test_sqlite_keeps_what_it_acknowledged(disk, rounds):
    server = Server(data_dir=disk.path / "data")
    file = disk.path / "data/platform/poppo.db"

    def rows():
        with sqlite3.connect(file) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            found = {id: str(number) for id, number in db.execute("SELECT id, number FROM executions")}
        db.close()
        return found

    try:
        play(server, disk, rows, server.kill, lambda: None, rounds)
    finally:
        server.remove()


@pytest.mark.parametrize("rounds", [2, pytest.param(12, marks=pytest.mark.long)])
def test_postgresql_keeps_what_it_acknowledged(disk, rounds):
    plug = postgres.Postgres(fsync=True, data=disk.path / "postgres")
    server = Server(database=plug.create())
    disk.call("sync", "-f", disk.path)  # the installation itself is not what is tested

    def rows():
        plug.run("pg_amcheck", "-h", plug.folder, "-p", plug.port, "-U", "poppo", "--install-missing", "poppo")
        return dict(row.split("\x1f") for row in plug.sql("SELECT id, number FROM executions", "poppo").split("\x1e") if row)

    def kill():
        server.kill()
        plug.crash()

    try:
        play(server, disk, rows, kill, plug.start, rounds)
    finally:
        server.remove()
        plug.remove()
