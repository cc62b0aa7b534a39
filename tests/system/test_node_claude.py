"""The claude driver inside a node: recorded output, a real repository, a program with bad manners."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

from node_rig import Node, Platform, wait_until

TESTS = pathlib.Path(__file__).resolve().parents[1]
RECORDED = TESTS / "data" / "stream-json" / "badtool.330.out"
TOKEN = "ghp_SystemTestOnly0123456789"
GIT = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent", "GIT_AUTHOR_NAME": "a",
       "GIT_AUTHOR_EMAIL": "a@x", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@x"}


def git(folder, *words):
    return subprocess.run(["git", "-C", folder, *words], env=GIT, check=True, capture_output=True, text=True).stdout


class Repository:
    """octo/app with one commit, over smart HTTP."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="poppo-git-"))
        work = self.root / "work"
        work.mkdir()
        git(work, "init", "-q", "-b", "main")
        (work / "README.md").write_text("# app\n")
        git(work, "add", ".")
        git(work, "commit", "-q", "-m", "first")
        git(self.root, "clone", "-q", "--bare", "work", "app.git")
        self.server = subprocess.Popen([sys.executable, TESTS / "unit" / "agent" / "git_http.py", self.root, TOKEN],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.server.stdout.readline())}/app.git"

    def plan(self):
        return {"driver": "claude", "repo": {"url": self.url, "base_branch": "main", "branch": "poppo/issue-12",
                                             "default_branch": "main"}}

    def file(self, branch, name):
        return git(self.root / "app.git", "show", f"{branch}:{name}")

    def branches(self):
        return git(self.root / "app.git", "branch", "--format=%(refname:short)").split()

    def commits(self, branch):
        return int(git(self.root / "app.git", "rev-list", "--count", f"main..{branch}"))

    def close(self):
        self.server.stdin.close()
        self.server.wait(10)
        shutil.rmtree(self.root)


@pytest.fixture
def platform():
    platform = Platform()
    platform.credentials = {"git_fetch": {"username": "x-access-token", "secret": TOKEN},
                            "git_push": {"username": "x-access-token", "secret": TOKEN},
                            "anthropic": {"username": "", "secret": "sk-ant-real-key-0123456789"}}
    yield platform
    platform.close()


@pytest.fixture
def repository():
    repository = Repository()
    yield repository
    repository.close()


@pytest.fixture
def world(platform, repository):
    """start(script): a node whose claude is this shell script; OUTPUT stands for a recorded success."""
    nodes = []

    def start(script):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="poppo-claude-"))
        folder.chmod(0o755)
        shutil.copy(RECORDED, folder / "output")
        (folder / "claude").write_text("#!/bin/sh\n" + script.replace("OUTPUT", str(folder / "output")))
        (folder / "claude").chmod(0o755)
        node = Node(platform, os.geteuid() == 0, folder / "claude")
        nodes.append((node, folder))
        node.start()
        platform.wait(lambda: platform.connection, "the node dials")
        platform.wish("p1")
        platform.wait_running("p1")
        return node

    yield start
    for node, folder in nodes:
        try:
            node.end()
        finally:
            shutil.rmtree(folder)


def test_a_program_that_stays_after_its_last_word_is_ended_and_its_work_counts(platform, repository, world):
    world("cat > prompt.txt; cat OUTPUT; exec sleep 300\n")
    attempt = platform.start("p1", prompt="the prompt", **repository.plan())
    result = platform.wait_result(attempt, 60)
    assert result["outcome"] == "succeeded", result
    assert result["pushed"] and result["branch"] == "poppo/issue-12" and result["commits"] == 1
    assert result["changed_files"] == ["prompt.txt"]
    assert repository.file("poppo/issue-12", "prompt.txt") == "the prompt"
    assert any("last word" in text for text in attempt.texts("w"))


def test_the_program_sees_a_dummy_key_and_no_token(platform, repository, world):
    world("cat >/dev/null; env > seen.txt; cat OUTPUT\n")
    result = platform.wait_result(platform.start("p1", **repository.plan()), 60)
    assert result["outcome"] == "succeeded", result
    seen = repository.file("poppo/issue-12", "seen.txt")
    assert "ANTHROPIC_BASE_URL=http://127.0.0.1:" in seen
    assert "sk-ant-real-key" not in seen and TOKEN not in seen


@pytest.mark.parametrize("stage", ["running", "publishing"])
@pytest.mark.parametrize("victim", ["runner", "agent", "broker"])
def test_a_branch_is_pushed_once_whoever_dies(platform, repository, world, victim, stage):
    if (victim, stage) == ("broker", "publishing"):
        pytest.skip("it has nothing to do then")
    node = world("cat > prompt.txt; cat OUTPUT; while test -e ../../temp/slow; do sleep 0.05; done; exit 0\n")
    slow = node.project("p1") / "temp" / "slow"
    if stage == "publishing":
        platform.credentials.pop("git_push")  # it waits there
    else:
        slow.touch()
    attempt = platform.start("p1", prompt="the prompt", **repository.plan())
    platform.wait(lambda: stage in attempt.states, stage)
    if stage == "publishing":
        platform.wait(lambda: pushes(platform, attempt), "it asks for the push")
    platform.credentials["git_push"] = {"username": "x-access-token", "secret": TOKEN}
    if victim == "agent":
        node.kill("agent")
        node.start_agent()
    else:
        os.kill(node.pid(victim), signal.SIGKILL)
    slow.unlink(missing_ok=True)
    result = platform.wait_result(attempt, 60)
    assert (result["outcome"], result["pushed"]) == ("succeeded", True), result
    assert repository.commits("poppo/issue-12") == 1
    assert sorted(repository.branches()) == ["main", "poppo/issue-12"]
    wait_until(lambda: not list((node.project("p1") / "data" / "attempts").iterdir()), "the attempt is forgotten")


def test_a_broker_that_dies_after_its_runner_is_replaced(platform, repository, world):
    """The port stays open in the shim, so the next runner can listen there only with the shim's own socket."""
    node = world("cat > prompt.txt; while test -e ../../temp/slow; do sleep 0.05; done; cat OUTPUT\n")
    slow = node.project("p1") / "temp" / "slow"
    slow.write_text("")
    attempt = platform.start("p1", prompt="the prompt", **repository.plan())
    platform.wait(lambda: "running" in attempt.states, "running")
    asked = keys_asked(platform, attempt)
    runner, broker = node.pid("runner"), node.pid("broker")
    os.kill(runner, signal.SIGKILL)
    os.kill(broker, signal.SIGKILL)
    platform.wait(lambda: keys_asked(platform, attempt) > asked, "the next runner asks for the key again")
    second = wait_until(lambda: [pid for pid in node.pids("broker") if pid != broker], "the next broker runs")[0]
    os.kill(second, signal.SIGKILL)
    wait_until(lambda: [pid for pid in node.pids("broker") if pid not in (broker, second)], "and the one after it")
    slow.unlink()
    result = platform.wait_result(attempt, 60)
    assert (result["outcome"], result["pushed"]) == ("succeeded", True), result


def keys_asked(platform, attempt):
    return len([m for m in platform.messages if m.type == "credential_request" and m.body["purpose"] == "anthropic"
                and m.body["execution"] == attempt.execution])


def pushes(platform, attempt):
    return [m for m in platform.messages if m.type == "credential_request" and m.body["purpose"] == "git_push"
            and m.body["execution"] == attempt.execution]


def test_a_stale_attempt_may_not_publish(platform, repository, world):
    world("cat > prompt.txt; cat OUTPUT\n")
    platform.credentials["git_push"] = {"error": "the fence is not yours any more", "kind": "node_lost"}
    result = platform.wait_result(platform.start("p1", **repository.plan()), 60)
    assert (result["outcome"], result["kind"]) == ("failed", "node_lost"), result
    assert repository.branches() == ["main"]
