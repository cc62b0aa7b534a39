#!/usr/bin/env python3
"""A PostgreSQL of the tests' own: Debian's programs, a folder below /tmp, a UNIX socket, no network unless asked for.

    python3 postgres.py [--keep-fsync] PROGRAM [ARGUMENT…]

runs a program with POPPO_TEST_POSTGRES set to the address of a fresh server, and removes the server afterwards.
"""

import glob
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

OLDEST = 15
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


def programs():
    """The folder of the newest server that is installed; None if there is none that is new enough."""
    found = {int(re.search(r"/(\d+)/bin/", path)[1]): path for path in glob.glob("/usr/lib/postgresql/*/bin/initdb")}
    newest = max(found, default=0)
    return pathlib.Path(found[newest]).parent if newest >= OLDEST else None


def account():
    """The server refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("there is neither a user postgres nor a user nobody")


class Postgres:
    """fsync: off is several times faster; tests that pull the plug keep it on. port: listens on 127.0.0.1, too.
    password: of the user poppo, asked of everybody but us; None = nobody is asked. data: where its files are."""

    def __init__(self, fsync=False, port=None, password=None, data=None):
        self.bin = programs()
        assert self.bin, f"no PostgreSQL {OLDEST} or newer: apt-get install postgresql"
        self.user = account()
        self.port = port or 5432
        self.name = "poppo"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="poppo-pg-"))
        self.folder.chmod(0o755)
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.process = None
        self.data = pathlib.Path(data) if data else self.folder / "data"
        # A language that sorts as people do: what we compare byte by byte must not depend on it.
        self.run("initdb", "-D", self.data, "-U", "poppo", "-E", "UTF8", "--locale=C.UTF-8", "--locale-provider=icu",
                 "--icu-locale=en-US", "-A", "trust", "--no-sync")
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write(f"unix_socket_directories = '{self.folder}'\nport = {self.port}\n"
                       f"listen_addresses = '{'127.0.0.1' if port else ''}'\nfsync = {'on' if fsync else 'off'}\n"
                       "shared_buffers = 16MB\nmax_connections = 60\nautovacuum_naptime = 5s\n"
                       "log_min_messages = warning\nmax_wal_size = 256MB\n")
        self.start()
        if password:
            self.sql(f"ALTER USER poppo PASSWORD '{password}'; CREATE USER us SUPERUSER")
            (self.data / "pg_hba.conf").write_text("local all us trust\nlocal all poppo scram-sha-256\n"
                                                   "host all poppo 127.0.0.1/32 scram-sha-256\n")
            self.sql("SELECT pg_reload_conf()")
            self.name = "us"

    def identity(self):
        return {} if not self.user else {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def run(self, program, *words):
        ended = subprocess.run([str(self.bin / program), *map(str, words)], cwd="/", text=True, stdin=subprocess.DEVNULL,
                               env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **self.identity())
        assert ended.returncode == 0, f"{program}: {ended.stdout}"
        return ended.stdout

    def spawn(self):
        """Starts it without waiting until it answers."""
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen([str(self.bin / "postgres"), "-D", str(self.data)], cwd="/", stdout=log, env=ENVIRONMENT,
                                            stderr=log, stdin=subprocess.DEVNULL, **self.identity())

    def start(self):
        self.spawn()
        end = time.monotonic() + 60
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log()[-3000:]
            if subprocess.run([str(self.bin / "pg_isready"), "-q", "-h", str(self.folder), "-p", str(self.port)],
                              cwd="/", env=ENVIRONMENT).returncode == 0:
                return self
            time.sleep(0.02)
        raise AssertionError(f"it does not start: {self.log()[-3000:]}")

    def log(self):
        return (self.folder / "server.log").read_text(errors="replace")

    def address(self, name="poppo", host=None, port=None, **options):
        words = "&".join([f"host={host or self.folder}", f"port={port or self.port}",
                          *(f"{key}={value}" for key, value in options.items())])
        return f"postgresql://poppo@/{name}?{words}"

    def sql(self, text, name="postgres"):
        """Columns are separated by \\x1f, rows by \\x1e."""
        return self.run("psql", "-X", "-A", "-t", "-q", "-F", "\x1f", "-R", "\x1e", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", self.port, "-U",
                        self.name, "-d", name, "-c", text).strip()

    def create(self, name="poppo"):
        """An empty database; its address."""
        self.sql(f'CREATE DATABASE "{name}"')
        return self.address(name)

    def drop(self, name):
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def stop(self, how=signal.SIGINT):
        """SIGINT ends its sessions and writes everything down; SIGQUIT does not."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.crash()

    def crash(self):
        """Everything at once, as when the machine loses its power; what it had written to the kernel stays."""
        head = self.process.pid
        children = [int(stat.split()[0]) for stat in self.stats() if int(stat.rsplit(")", 1)[1].split()[1]) == head]
        for pid in [head, *children]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(10)

    @staticmethod
    def stats():
        for path in glob.glob("/proc/[0-9]*/stat"):
            try:
                yield pathlib.Path(path).read_text(errors="replace")
            except OSError:
                continue

    def remove(self):
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)


def main(words):
    fsync = words[:1] == ["--keep-fsync"]
    words = words[1:] if fsync else words
    if not programs():
        print("1..0 # SKIP no PostgreSQL server is installed (apt-get install postgresql)")
        return 0
    server = Postgres(fsync=fsync)
    child = None

    def stop(*_):  # meson's deadline: the server must not stay behind
        if child:
            child.kill()

    signal.signal(signal.SIGTERM, stop)
    try:
        server.create()
        child = subprocess.Popen(words, env={**os.environ, "POPPO_TEST_POSTGRES": server.address()})
        return child.wait()
    finally:
        server.remove()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
