"""`poppo` against a real platform: what it prints, what it keeps, and what its exit code tells scripts."""

import json
import os
import re
import subprocess

import pytest
from rig import GitHub, Installation, Messages, free_ports, prefix

PASSWORD = "correct horse battery"


class Cli:
    """The command with a home of its own."""

    def __init__(self, home):
        self.home = home
        self.file = home / "poppo-builder" / "cli.json"

    def start(self, *words, language="C.UTF-8"):
        environment = {"PATH": os.environ["PATH"], "LC_ALL": language, "XDG_CONFIG_HOME": str(self.home)}
        return subprocess.Popen([prefix() / "bin" / "poppo", *map(str, words)], env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __call__(self, *words, stdin="", code=0, language="C.UTF-8", timeout=90):
        """What it printed, after checking its exit code."""
        process = self.start(*words, language=language)
        out, self.errors = process.communicate(stdin, timeout)
        assert process.returncode == code, f"{words}: exit {process.returncode}\n{out[-2000:]}\n{self.errors}"
        return out

    def login(self, platform):
        self("login", "--url", platform.url, "-u", platform.username, stdin=PASSWORD + "\n")
        return self

    @property
    def session(self):
        return json.loads(self.file.read_text())


@pytest.fixture(scope="module")
def github(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli-github")
    stand_in = GitHub(folder, openapi=False)
    yield stand_in
    stand_in.stop()


@pytest.fixture(scope="module")
def platform(github):
    messages = Messages()
    made = Installation(github, messages).start().setup(password=PASSWORD)
    made.project()
    yield made
    made.remove()
    messages.stop()


@pytest.fixture
def cli(platform, tmp_path):
    return Cli(tmp_path).login(platform)


def test_a_session_is_kept_for_its_owner_alone(platform, tmp_path):
    cli = Cli(tmp_path)
    assert "signed in as admin" in cli("login", "--url", platform.url, "-u", "admin", stdin=PASSWORD)
    assert cli.file.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in cli.file.read_text()


def test_a_wrong_password_signs_nobody_in(platform, tmp_path):
    cli = Cli(tmp_path)
    cli("login", "--url", platform.url, "-u", "admin", stdin="not the password\n", code=1)
    assert "wrong" in cli.errors and not cli.file.exists()
    cli("projects", code=1)
    assert "poppo login" in cli.errors


def test_exit_codes_tell_what_kind_of_failure_it_was(cli, tmp_path):
    cli("projects", "frob", code=2)
    cli("logs", code=2)
    cli("executions", "--limit", "0", code=2)
    cli("projects", "show", "nope", code=1)
    cli("executions", "show", "app#999999", code=1)
    Cli(tmp_path / "other")("login", "--url", f"http://127.0.0.1:{free_ports()}", "-u", "a", stdin="b\n", code=3)
    Cli(tmp_path / "plain")("login", "--url", "http://example.com", "-u", "a", stdin="b\n", code=1)


def test_another_server_is_not_taken_for_a_platform(github, tmp_path):
    cli = Cli(tmp_path)
    cli("login", "--url", github.url, "-u", "a", stdin="b\n", code=3)
    assert not cli.file.exists()


def test_projects_are_listed_shown_stopped_and_started(cli, platform):
    assert re.search(r"^app +active ", cli("projects"), re.M)
    assert "octo/app" in cli("projects", "show", "app")
    assert "stopped" in cli("projects", "stop", "app")
    assert platform.api("GET", "/api/projects/app")["status"] == "stopped"
    assert "active" in cli("projects", "start", "app")
    assert json.loads(cli("projects", "show", "app", "--json"))["id"] == "app"
    assert re.search(r"^local +online ", cli("nodes"), re.M)


def test_run_and_follow_ends_with_the_result(cli, platform, github):
    number = github.issue("Please write a note", labels=())
    name = re.match(r"(app#\d+): \w+\n", cli("run", "app", number, "--follow"))[1]
    row = json.loads(cli("executions", "show", name, "--json"))
    shown = cli("executions", "show", row["id"])
    assert "succeeded" in shown and row["branch"] in shown and "Summary:" in shown
    assert "成功" in cli("executions", "show", name, language="ja_JP.UTF-8")
    assert re.search(rf"^{name} +succeeded +#{number} ", cli("executions", "--project", "app"), re.M)
    assert name not in cli("executions", "--status", "failed,running")


def test_a_long_log_is_printed_once_and_whole(cli, platform, github):
    platform.api("PUT", "/api/projects/app", {"driver": "command", "command": ["seq", "1", "5000"]})
    try:
        out = cli("run", "app", github.issue("Count", labels=()), "--follow")
    finally:
        platform.api("PUT", "/api/projects/app", {"driver": "claude"})
    first, lines = out.split("\n", 1)
    name = first.split(":")[0]
    assert [line for line in lines.splitlines() if line.isdigit()] == [str(n) for n in range(1, 5001)]
    row = json.loads(cli("executions", "show", name, "--json"))
    texts = [line.split(" ", 2)[2] for line in platform.all_lines(row)]
    assert lines == "".join(text + "\n" for text in texts)
    assert cli("logs", name) == lines == cli("logs", row["id"], "-f")
    assert cli("logs", name, "--tail", 2500) == "".join(lines.splitlines(True)[-2500:])


def test_a_log_is_searched_by_text_and_by_expression(cli, platform, github):
    platform.api("PUT", "/api/projects/app", {"driver": "command", "command": ["seq", "-f", "Value %g of 3000", "1", "3000"]})
    try:
        name = cli("run", "app", github.issue("Count", labels=()), "--follow").split(":")[0]
    finally:
        platform.api("PUT", "/api/projects/app", {"driver": "claude"})
    lines = cli("logs", name).splitlines()
    at = lines.index("Value 2999 of 3000") + 1
    assert cli("logs", name, "--search", "value 2999 ") == f"{at}: Value 2999 of 3000\n"
    assert cli("logs", name, "--search", "value 2999 ", "--case") == ""
    found = cli("logs", name, "--search", r"^Value [12]\d\d\d? of", "--regex").splitlines()
    assert len(found) == 200 + 2000 and found[0].endswith(": Value 100 of 3000")
    assert re.fullmatch(rf"{at}: \d\d:\d\d:\d\d Value 2999 of 3000\n", cli("logs", name, "--search", "2999", "--times"))
    assert [json.loads(page)["items"][0]["line"] for page in cli("logs", name, "--search", "2999", "--json").splitlines()] == [at - 1]
    cli("logs", name, "--search", "(", "--regex", code=1)
    assert "parenthesis" in cli.errors
    cli("logs", name, "--search", "x", "--tail", 5, code=2)


def test_a_run_that_asks_ends_the_following_without_success(cli, github):
    number = github.issue("Decide [[poppo-rig: ask]]", labels=())
    out = cli("run", "app", f"#{number}", "-f", code=1)
    assert "waits for an answer" in cli.errors and "waiting for answer" in cli.errors
    name = re.match(r"app#\d+", out)[0]
    row = json.loads(cli("executions", "show", name, "--json"))
    shown = cli("executions", "show", name)
    assert "poppo-question" in row["summary"] and "poppo-question" not in shown
    assert shown.count(row["question"].splitlines()[0]) == 1


def test_a_run_is_cancelled(cli, platform, github):
    number = github.issue("Wait [[poppo-rig: sleep=300]]", labels=())
    name = cli("run", "app", number).split(":")[0]
    platform.wait(int(name.split("#")[1]), "running")
    assert "cancelling" in cli("cancel", name)
    platform.wait(int(name.split("#")[1]), "cancelled")
    assert "cancelled" in cli("cancel", name)  # twice is fine


def test_the_queue_pauses_and_what_waits_says_why_and_how_urgent_it_is(cli, platform, github):
    assert "paused by admin" in cli("queue", "pause", "New disks")
    try:
        assert "Note            New disks" in cli("queue")
        name = cli("run", "app", github.issue("First", labels=()), "--priority", "low").split(":")[0]
        other = cli("run", "app", github.issue("Second", labels=()), "--deadline", "2026-12-01T18:00:00+09:00").split(":")[0]
        shown = cli("executions", "show", name)
        assert "paused" in shown and "New disks" in shown and "Priority        low" in shown
        assert "Deadline        2026-12-01 09:00:00 UTC" in cli("executions", "show", other)
        assert f"{name}: queued" in cli("executions", "change", name, "--priority", "critical")
        assert "優先度          最優先" in cli("executions", "show", name, language="ja_JP.UTF-8")
        cli("executions", "change", other, "--deadline", "none")
        assert "Deadline" not in cli("executions", "show", other)
        cli("executions", "change", name, "--priority", "urgent", code=1)
        assert "priority" in cli.errors
        cli("executions", "change", name, code=2)
    finally:
        assert "open" in cli("queue", "resume")
    for waiting in (name, other):
        platform.wait(int(waiting.split("#")[1]), "succeeded")
    assert "paused" in cli("projects", "pause", "app")
    assert "active" in cli("projects", "start", "app")


def test_schedules_are_listed_run_and_switched(cli, platform, github):
    wish = {"name": "every night", "cron": "30 2 * * *", "time_zone": "Asia/Tokyo", "issue_number": github.issue("Tidy up", labels=())}
    made = platform.api("POST", "/api/projects/app/schedules", wish)
    assert re.search(r"^every night +on +30 2 \* \* \* +Asia/Tokyo +\d{4}-\d\d-\d\d 17:30:00 UTC", cli("schedules", "list", "app"), re.M)
    name = re.match(r"(app#\d+): queued\n", cli("schedules", "run", "app", "every night"))[1]
    assert "schedule" in cli("executions", "show", name)
    platform.wait(int(name.split("#")[1]), "succeeded")
    assert cli("schedules", "off", "app", "every night") == "every night: off\n"
    assert not platform.api("GET", f"/api/schedules/{made['id']}")["enabled"]
    assert "17:30:00 UTC" in cli("schedules", "on", "app", made["id"])
    cli("schedules", "run", "app", "every day", code=1)
    assert "every day" in cli.errors
    platform.api("DELETE", f"/api/schedules/{made['id']}")


def test_what_is_over_is_neither_cancelled_nor_changed_and_its_name_is_said(cli, github):
    name = cli("run", "app", github.issue("A note", labels=()), "-f").split(":")[0]
    row = json.loads(cli("executions", "show", name, "--json"))
    for word in (name, row["id"]):
        for command in (("cancel", word), ("executions", "change", word, "--priority", "low")):
            cli(*command, code=1)
            assert cli.errors == f"poppo: {name} has already ended: succeeded\n"
    cli("cancel", row["id"], code=1, language="ja_JP.UTF-8")
    assert cli.errors == f"poppo: {name} はすでに終了しています: 成功\n"


def test_what_is_not_there_is_named(cli):
    cli("executions", "show", "app#99999", code=1)
    assert cli.errors.startswith("poppo: the project 'app' has no execution #99999\n")
    for command in (("logs",), ("cancel",), ("executions", "show")):
        cli(*command, "nope#1", code=1)
        assert cli.errors.startswith("poppo: there is no project 'nope'\n")
    cli("executions", "show", "app#99999", code=1, language="ja_JP.UTF-8")
    assert cli.errors.startswith("poppo: プロジェクト 'app' に実行 #99999 はありません\n")
    cli("executions", "show", "01J00000000000000000000000", code=1, language="ja_JP.UTF-8")
    assert cli.errors.startswith("poppo: 01J00000000000000000000000: この実行はありません\n")


def test_refusals_of_the_platform_are_read_in_japanese(cli, platform, github):
    number = github.issue("Not now", labels=())
    ja = {"code": 1, "language": "ja_JP.UTF-8"}
    cli("projects", "show", "nope", **ja)
    assert cli.errors.startswith("poppo: nope: このプロジェクトはありません\n")
    cli("executions", "--status", "done", **ja)
    assert "入力に誤りがあります" in cli.errors
    cli("run", "app", number, "--priority", "urgent", **ja)
    assert "priority: 正しくありません（" in cli.errors
    cli("run", "app", 99999, **ja)
    assert cli.errors == "poppo: この番号の Issue は、リポジトリにありません\n"


def test_titles_cannot_drive_the_terminal(cli, github):
    number = github.issue("evil \x1b]0;owned\x07\x1b[2Jtitle \u202e", labels=())
    name = cli("run", "app", number).split(":")[0]
    for words in (("executions",), ("executions", "show", name)):
        assert "\x1b" not in cli(*words) and "\u202e" not in cli(*words)


def test_commands_that_run_at_once_share_one_refresh(cli):
    old = cli.session
    cli.file.write_text(json.dumps({**old, "access_until_ms": 0}))
    running = [cli.start("nodes") for _ in range(5)]
    assert [process.wait(30) for process in running] == [0] * 5
    assert cli.session["cookie"] != old["cookie"]
    cli("nodes")


def test_a_token_the_platform_refuses_is_replaced(cli):
    cli.file.write_text(json.dumps({**cli.session, "access_token": "no such token"}))
    cli("nodes")


def test_signing_out_ends_the_session_there_too(cli):
    old = cli.file.read_text()
    cli("logout")
    assert not cli.file.exists()
    cli("logout")
    cli.file.write_text(old)
    cli.file.chmod(0o600)
    cli("nodes", code=1)
    assert "poppo login" in cli.errors
