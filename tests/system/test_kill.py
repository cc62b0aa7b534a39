"""kill -9 of every process at every stage: no work lost, nothing done twice, no acknowledged log line gone."""

import itertools

import pytest
from rig import Messages, until

PROGRAMS = ["poppo-platform", "poppo-agent", "poppo-boxd", "poppo-link", "poppo-runner", "poppo-broker", "poppo-shim", "claude"]
STAGES = ["queued", "running", "publishing"]
SHORT = {("poppo-platform", "running"), ("poppo-agent", "running"), ("poppo-runner", "running"), ("poppo-shim", "running"), ("poppo-link", "queued"), ("poppo-broker", "running"), ("poppo-runner", "publishing"), ("poppo-platform", "publishing"), ("poppo-boxd", "running")}
CASES = [pytest.param(p, s, marks=[] if (p, s) in SHORT else [pytest.mark.long]) for p, s in itertools.product(PROGRAMS, STAGES)]


@pytest.fixture(scope="module")
def messages():
    stand_in = Messages(pace=5)
    yield stand_in
    stand_in.stop()


def reach(platform, stage):
    if stage == "queued":
        return platform.execution(1)
    if stage == "running":
        running = platform.wait(1, "running", "succeeded")
        until("the tool runs", lambda: platform.processes("tail") or platform.execution(1)["status"] == "succeeded")
        return running
    return until("it publishes", lambda: next((e for e in [platform.execution(1)] if e["head_sha"] or e["status"] == "succeeded" or any(a["status"] in ("publishing", "ended") for a in e.get("attempts", []))), None), 60)


@pytest.mark.parametrize("program, stage", CASES)
def test_nothing_is_lost_or_doubled(platform, github, program, stage):
    platform.project()
    number = github.issue("Work [[poppo-rig: sleep=4]]")
    reach(platform, stage)
    acked = platform.lines(platform.execution(1))
    platform.kill(program, but=[platform.launcher.pid])
    done = platform.wait(1, "succeeded", deadline=120)
    settled(github, number)
    assert platform.lines(done)[: len(acked)] == acked, "an acknowledged line is gone or changed"
    assert len(platform.executions()) == 1
    assert github.git("show", f"{done['branch']}:notes/issue-{number}.md").splitlines().count("slept") >= 1
    until("nothing is left", lambda: not platform.processes("claude") and not platform.processes("tail"))


def settled(github, number):
    until(
        "one pull request, one comment, done",
        lambda: len(github.pulls()) == 1 and len(github.comments(number)) == 1 and "poppo:done" in github.labels(number) and "poppo:working" not in github.labels(number),
        40,
    )


def test_the_launcher_may_die_and_another_takes_over(platform, github):
    platform.project()
    number = github.issue("Work [[poppo-rig: sleep=6]]")
    platform.wait(1, "running")
    platform.launcher.kill()
    platform.launcher.wait()
    platform.start()
    platform.login()
    platform.wait(1, "succeeded", deadline=120)
    settled(github, number)


def test_the_platform_may_be_away_while_claude_works(platform, github):
    platform.project()
    number = github.issue("Work [[poppo-rig: sleep=3]]")
    platform.wait(1, "running")
    until("the tool runs", lambda: platform.processes("tail"))
    platform.stop()
    until("the run goes on to its end", lambda: not platform.processes("claude"), 60)
    platform.start()
    platform.login()
    platform.wait(1, "succeeded", deadline=60)
    settled(github, number)
