"""Stores with history: the real server makes the schema and the administrator, rows are written straight into it.

Made once for each size and kept; a run works on a copy. What is counted elsewhere in the schema (execution_counts) is
written with the rows, so that a server sees nothing it would not have made itself.
"""

import collections
import contextlib
import hashlib
import itertools
import pathlib
import random
import shutil
import sqlite3
import time

from bench.processes import Platform, own, temporary

MINUTE = 60_000
YEAR = 365 * 24 * 60 * MINUTE
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SEED = 20261122

# per mille of all executions, and the failure kinds that go with them
ENDS = [("succeeded", 780, [None]), ("failed", 140, ["cli_crashed", "auth", "rate_limit", "push_rejected", "network"]),
        ("timed_out", 30, ["wall_clock"]), ("budget_exhausted", 10, ["budget"]), ("cancelled", 40, ["cancelled"])]
REASONS = sorted({kind for _, _, kinds in ENDS for kind in kinds if kind})

VERBS = ["Fix", "Add", "Remove", "Rename", "Document", "Speed up", "Test", "Translate", "Simplify", "Update"]
THINGS = ["login form", "price table", "CSV export", "retry of uploads", "date picker", "search index", "mail template",
          "settings page", "error message", "dark mode", "cache of thumbnails", "release notes"]
PLACES = ["on small screens", "in the admin area", "for Japanese names", "when offline", "after the upgrade", "in Safari"]
PROMPT = ("The issue says what is wrong and how to see it. Find the cause, change as little as possible, add a test that "
          "fails before and passes after, and say in the summary what was done and what was checked. ")
SUMMARY = "Found the cause in the form's validation, changed two functions and added a test. All 214 tests pass. "


def ulid(ms, rng):
    """As the server makes them: 48 bits of time, 80 of chance."""
    value = ms << 80 | rng.getrandbits(80)
    return "".join(ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def project_id(number):
    return f"p{number:05}"


class Fill:
    """All rows of one store."""

    def __init__(self, projects, executions, status, driver, command):
        self.projects, self.executions, self.status = projects, executions, status
        self.driver, self.command = driver, command
        self.rng = random.Random(SEED)
        self.now = int(time.time() * 1000)
        self.counts = collections.Counter()

    def title(self, number):
        return f"{VERBS[number % 10]} the {THINGS[number // 10 % 12]} {PLACES[number // 120 % 6]} ({number})"

    def project_rows(self):
        for number in range(self.projects):
            made = self.now - YEAR + number
            yield (project_id(number), f"Project {number:05}", "acme", f"repo-{number:05}", self.status, made, made,
                   "http://127.0.0.1:1", 24 * 60 * MINUTE, 60 * MINUTE, 10 * MINUTE, 100, self.driver, self.command, "en")

    def work_item_rows(self):
        for number in range(self.executions):
            project, issue = number % self.projects, number // self.projects + 1
            made = self.created_at(number)
            yield (number + 1, project_id(project), "issue", issue, f"issue-{issue}", self.title(number),
                   f"https://github.com/acme/repo-{project:05}/issues/{issue}", "octo", made, made)

    def created_at(self, number):
        """Spread evenly over a year; the last one an hour ago."""
        return self.now - 60 * MINUTE - (self.executions - number) * (YEAR - 120 * MINUTE) // max(1, self.executions)

    def execution_rows(self):
        statuses = [name for name, _, _ in ENDS]
        weights = list(itertools.accumulate(weight for _, weight, _ in ENDS))
        kinds = {name: kinds for name, _, kinds in ENDS}
        for number in range(self.executions):
            project, issue = project_id(number % self.projects), number // self.projects + 1
            status = self.rng.choices(statuses, cum_weights=weights)[0]
            kind = self.rng.choice(kinds[status])
            made = self.created_at(number)
            identity = ulid(made, self.rng)
            month = time.strftime("%Y-%m", time.gmtime(made / 1000))
            good = status == "succeeded"
            self.counts[project, status] += 1
            yield (identity, project, issue, status, made + 2000, made + 2000 + self.rng.randrange(5000, 20 * MINUTE),
                   f"segment:{month}/{identity}.log", issue, number + 1, self.title(number), "label", "octo", f"label:{issue}:1",
                   PROMPT, "claude", 1, 1, kind, "HTTP 401 from the provider" if kind else None, SUMMARY if good else None,
                   f"poppo/issue-{issue}" if good else None, f"{self.rng.getrandbits(160):040x}" if good else None,
                   issue + 100000 if good else None,
                   f"https://github.com/acme/repo-{number % self.projects:05}/pull/{issue + 100000}" if good else None,
                   self.rng.randrange(1, 9), self.rng.randrange(400), self.rng.randrange(200), self.rng.randrange(3, 60),
                   self.rng.randrange(3, 60), self.rng.randrange(100000), self.rng.randrange(20000), self.rng.randrange(900000),
                   self.rng.randrange(1000, 2000000), self.rng.randrange(20, 5000), self.rng.randrange(2000, 500000), made, made + 2000)

    def write(self, path):
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            self.pragmas(db)
            indexes = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL").fetchall()
            db.execute("BEGIN")
            for name, _ in indexes:
                db.execute(f'DROP INDEX "{name}"')
            insert(db, "projects", "id name github_owner github_repo status created_at updated_at github_api_url poll_interval_ms "
                                   "wall_ms silence_ms max_concurrent driver command language", self.project_rows())
            insert(db, "work_items", "id project_id kind number item title url author created_at updated_at", self.work_item_rows())
            insert(db, "executions",
                   "id project_id issue_number status started_at completed_at logs number work_item_id title trigger requested_by "
                   "dedupe_key prompt driver fence attempt_count reason_kind reason summary branch head_sha pr_number pr_url "
                   "files_changed insertions deletions num_turns calls input_tokens output_tokens cache_read_tokens cost_micro_usd "
                   "log_lines log_bytes created_at updated_at", self.execution_rows())
            db.execute("INSERT INTO trigger_keys (project_id, dedupe_key, execution_id, created_at) "
                       "SELECT project_id, dedupe_key, id, created_at FROM executions")
            db.execute("INSERT INTO attempts (execution_id, number, fence, node_id, status, outcome, assigned_at, started_at, ended_at, "
                       "reason_kind, reason, cost_micro_usd) SELECT id, 1, 1, 'n1', 'ended', status, started_at, started_at, completed_at, "
                       "reason_kind, reason, cost_micro_usd FROM executions")
            insert(db, "execution_counts", "project_id status count", ((*key, count) for key, count in self.counts.items()))
            for _, sql in indexes:
                db.execute(sql)
            db.execute("COMMIT")

    @staticmethod
    def pragmas(db):
        db.execute("PRAGMA journal_mode = OFF").fetchall()
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -262144")


def insert(db, table, columns, rows):
    names = columns.split()
    db.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", rows)


def to_wal(path):
    """As the server left it; SQLite forgets the mode when the journal is switched off."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL").fetchall()


def fresh(setting, folder):
    """An empty store with an administrator in this folder, as this build of the server makes it; gives what its schema is."""
    platform = Platform(setting.prefix, folder)
    platform.start()
    platform.sign_in()
    platform.stop()
    platform.log_path.unlink()
    with contextlib.closing(sqlite3.connect(platform.database)) as db:
        return platform.database, repr(db.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").fetchall())


def store(setting, projects, executions, status="active", driver="claude", command=None):
    """The folder with a filled store of that size, made if it is not there: for each schema, and each version of this file,
    another one. A platform's `folder` is a copy of it."""
    base = temporary(setting.run)
    own(base)
    database, schema = fresh(setting, base)
    words = (projects, executions, status, driver, command, schema)
    key = hashlib.sha256(repr(words).encode() + pathlib.Path(__file__).read_bytes()).hexdigest()[:12]
    folder = setting.place / "stores" / f"{projects}-{executions}-{key}"
    if not (folder / "done").exists():
        setting.say(f"making a store of {projects:,} projects and {executions:,} executions")
        Fill(projects, executions, status, driver, command).write(database)
        to_wal(database)
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(exist_ok=True)
        shutil.copytree(base, folder)
        (folder / "done").touch()
        own(folder)
    shutil.rmtree(base)
    return folder


def copy(source, target):
    """A copy that shares blocks with the original where the file system can."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    own(target)
    return target


def keep_session(database, platform):
    """Gives a copy the session the platform is signed in with, whose row the peers look up; says which."""
    session, user = platform.session()
    with contextlib.closing(sqlite3.connect(f"file:{platform.database}?mode=ro", uri=True)) as ours:
        ours.row_factory = sqlite3.Row
        row = dict(ours.execute("SELECT * FROM sessions WHERE id = ?", (session,)).fetchone())
    with contextlib.closing(sqlite3.connect(database)) as db, db:
        insert(db, "sessions", " ".join(row), [tuple(row.values())])
    own(database.parent)
    return session, user
