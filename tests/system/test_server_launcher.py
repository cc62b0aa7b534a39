"""One command: the launcher keeps its programs alive, takes over what a killed one left, and stops in order."""

import os
import signal
import subprocess

import pytest

from rig import Installation, ordinary_user, until


class Nowhere:
    url = "http://127.0.0.1:1"


@pytest.fixture(params=["user", "root"])
def installation(request):
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("needs root")
    user = ordinary_user() if request.param == "user" else None
    made = Installation(Nowhere, Nowhere, user=user, claude_path="/nonexistent")
    yield made.start()
    made.remove()


def servers(installation):
    return [pid for pid in installation.processes("poppo-platform") if pid != installation.launcher.pid]


def again(installation, **settings):
    """A second launcher on the same folder, to its end."""
    identity = {} if installation.user is None else {"user": installation.user, "group": installation.user, "extra_groups": []}
    words = [f"--{name.replace('_', '-')}={value}" for name, value in {**installation.settings, **settings}.items()]
    program = os.path.join(os.environ["POPPO_TEST_PREFIX"], "bin", "poppo-platform")
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=30, cwd="/", env={"HOME": str(installation.folder), "PATH": os.environ["PATH"]}, **identity)


def uid(pid):
    return os.stat(f"/proc/{pid}").st_uid


def test_everyone_runs_as_who_they_should(installation):
    launcher = uid(installation.launcher.pid)
    [server] = until("the server runs", lambda: servers(installation))
    [agent] = until("the node daemon runs", lambda: installation.processes("poppo-agent"))
    if launcher == 0:
        assert len({0, uid(server), uid(agent)}) == 3
        [boxd] = installation.processes("poppo-boxd")
        assert uid(boxd) == 0
        assert all(uid(pid) != 0 for pid in installation.processes("poppo-link"))
    else:
        assert {uid(server), uid(agent)} == {launcher} and installation.processes("poppo-boxd") == []
    data = installation.data
    assert (data / "platform").stat().st_mode & 0o777 == 0o700 and (data / "node").stat().st_mode & 0o777 == 0o700
    assert (data / "node/node.key").stat().st_mode & 0o777 == 0o600 and (data / "node/node.key").stat().st_uid == uid(agent)
    for pid in installation.processes():
        environment = open(f"/proc/{pid}/environ", "rb").read() if os.geteuid() == 0 else b""
        assert b"ppn_" not in environment


def test_a_second_one_says_where_the_first_serves(installation):
    second = again(installation)
    assert second.returncode == 1
    assert f"already running at {installation.url} (pid {installation.launcher.pid})" in second.stderr


@pytest.mark.parametrize("name", ["poppo-platform", "poppo-agent", "poppo-boxd"])
def test_what_dies_is_started_again(installation, name):
    before = servers(installation) if name == "poppo-platform" else installation.processes(name)
    if not before:
        pytest.skip("does not run here")
    for pid in before:
        os.kill(pid, signal.SIGKILL)

    def new():
        now = servers(installation) if name == "poppo-platform" else installation.processes(name)
        return now and set(now).isdisjoint(before)

    until("it runs again", new)
    until("it serves", installation._serves)


def test_a_killed_launchers_children_are_taken_over(installation):
    installation.setup()
    installation.launcher.kill()
    installation.launcher.wait(10)
    orphans = set(installation.processes())
    assert orphans
    installation.start()
    until("only the new ones are left", lambda: orphans.isdisjoint(servers(installation) + installation.processes("poppo-agent") + installation.processes("poppo-boxd")) and servers(installation))
    until("it serves", installation._serves)
    installation.login()
    assert installation.api("GET", "/api/me")["username"] == "admin"


def test_stopping_leaves_nobody(installation):
    installation.stop()
    assert installation.launcher.returncode == 0
    assert installation.processes() == []


def test_a_port_in_use_is_said_and_ends_it(installation):
    other = again(installation, data_dir=str(installation.folder / "other"), run_dir=str(installation.folder / "other-run"), key_file=str(installation.folder / "keys" / "other.key"))
    assert other.returncode == 1
    assert "listen on '127.0.0.1" in other.stderr and "someone else does already" in other.stderr


@pytest.mark.parametrize("settings, words", [
    ({"listen": "3000"}, "HOST:PORT"), ({"data_dir": "relative"}, "absolute"), ({"user": "no-such-user"}, "no user 'no-such-user'"),
    ({"handler_threads": "0"}, "handler_threads"), ({"tls_key": "/x"}, "go together"), ({"log_level": "loud"}, "log_level"),
    ({"uid_base": "4294967000"}, "uid_base"), ({"uid_base": "-1"}, "smaller ids belong to the system"), ({"nonsense": "1"}, "nonsense"),
    ({"uid_base": "64000"}, "the user id 65534 of 'nobody'"), ({"port_base": "60000"}, "port_base must be from 1024 to 36775"),
    ({"min_poll_interval": "0s"}, "min_poll_interval must be from 100ms"), ({"claude_path": "bin/claude"}, "claude_path must be an absolute path"),
    ({"web_dir": "/" + "x" * 600}, "web_dir is too long"), ({"base_url": "poppo.example.com"}, "base_url must be what people type"),
    ({"base_url": "https://"}, "base_url must be"), ({"base_url": "https://me@poppo"}, "base_url must be"),
])
def test_wrong_settings_are_said_in_words(installation, settings, words):
    if installation.user is not None and ("user" in settings or settings.get("uid_base") == "64000"):
        pytest.skip("only root changes users")
    wrong = again(installation, **settings)
    assert wrong.returncode != 0 and words in wrong.stderr
