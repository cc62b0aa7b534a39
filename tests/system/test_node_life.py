"""A node from outside: what it says, starts, restarts, and survives."""
import os
import pathlib
import signal
import subprocess

import pytest

from node_rig import Node, Platform, wait_until
from rig import files_with

MODES = ["user"] + (["root"] if os.geteuid() == 0 else [])


@pytest.fixture
def platform():
    platform = Platform()
    yield platform
    platform.close()


@pytest.fixture(params=MODES)
def node(request, platform):
    node = Node(platform, request.param == "root")
    try:
        yield node.start()
    finally:
        node.end()


@pytest.fixture
def project(platform, node):
    platform.wait(lambda: platform.connection, "the node dials")
    platform.wish("p1")
    platform.wait_running("p1")
    return "p1"


WAIT = "while [ ! -e go ]; do sleep 0.02; done; "  # of a task, until go_on()


def go_on(node, project):
    (node.project(project) / "workspace" / "issue-12" / "go").touch()


def expect_lines(attempt, count):
    assert attempt.texts() == [f"line {i} of {count}" for i in range(1, count + 1)]


def test_a_node_says_hello_and_how_it_is(platform, node):
    hello = platform.wait(lambda: next((m for m in platform.messages if m.type == "hello"), None), "hello").body
    assert hello["protocol_min"] == 1 and hello["protocol_max"] == 1
    assert hello["uid_mode"] == ("root" if node.as_root else "user")
    assert hello["isolation"] in (("basic",) if node.as_root else ("minimal", "none"))
    assert hello["capacity"]["cpus"] >= 1 and hello["capacity"]["memory_bytes"] > 1 << 20
    status = platform.wait(lambda: next((m for m in platform.messages if m.type == "node_status"), None), "status").body
    assert status["disk_free_bytes"] > 0 and status["projects"] == []


def test_a_noop_execution_goes_from_start_to_result(platform, node, project):
    attempt = platform.start(project, command=["lines=500", "ms=300"])
    result = platform.wait_result(attempt)
    assert result["outcome"] == "succeeded"
    assert attempt.accepted == 1 and "running" in attempt.states
    expect_lines(attempt, 500)
    wait_until(lambda: not list((node.project(project) / "data" / "attempts").iterdir()), "the attempt is forgotten")


def test_a_command_runs_as_the_task_user_in_its_workspace(platform, node, project):
    script = "pwd; id -u; cat; echo oops >&2; env | sort | cut -d= -f1 | tr '\\n' ' '; ls -d /proc/[0-9]* | wc -l; exit 3"
    attempt = platform.start(project, driver="command", command=["/bin/sh", "-c", script], prompt="the prompt\n")
    result = platform.wait_result(attempt)
    lines = attempt.texts()
    assert lines[0] == str(node.project(project) / "workspace" / "issue-12")
    assert int(lines[1]) == (node.uid_base + 3 if node.as_root else node.uid)
    assert lines[2] == "the prompt"
    assert attempt.texts("e") == ["oops"]
    assert lines[3].startswith("HOME LANG PATH POPPO_EXECUTION POPPO_ISSUE PWD") and "TMPDIR" in lines[3]
    assert (result["outcome"], result["kind"], result["exit_code"]) == ("failed", "cli_crashed", 3)


def test_a_line_of_100_mb_nul_bytes_and_what_is_no_text_reach_the_log_as_text(platform, node, project):
    script = "head -c 100000000 /dev/zero | tr '\\0' x; echo; printf 'a\\000b\\377c\\n'; echo end"
    attempt = platform.start(project, driver="command", command=["/bin/sh", "-c", script])
    assert platform.wait_result(attempt)["outcome"] == "succeeded"
    long, odd, last = attempt.texts()
    assert long.startswith("x" * 16000) and len(long) < 17000 and not long.endswith("x")
    assert (odd, last) == ("ab\ufffdc", "end")  # a NUL shows nothing


def test_what_is_temporary_is_the_attempt_s_own_and_goes_with_it(platform, node, project):
    script = "mkdir -p $TMPDIR/a/b; touch $TMPDIR/a/b/c; chmod 0 $TMPDIR/a; echo $TMPDIR; exec sleep 300"
    both = [platform.start(project, item=item, driver="command", command=["/bin/sh", "-c", script]) for item in ("issue-1", "issue-2")]
    platform.wait(lambda: all(attempt.texts() for attempt in both), "both run")
    temps = [pathlib.Path(attempt.texts()[0]) for attempt in both]
    assert temps[0] != temps[1] and {path.parent for path in temps} == {node.project(project) / "temp"}
    assert {path.stat().st_uid for path in temps} == {node.uid_base + 3 if node.as_root else node.uid}
    for attempt in both:
        platform.send("attempt_cancel", project, {**attempt.ref, "reason": ""})
    wait_until(lambda: not list((node.project(project) / "temp").iterdir()), "both folders are gone")


def test_what_a_killed_runner_left_behind_goes_at_the_next_start(platform, node, project):
    temp = node.project(project) / "temp"
    left, other = temp / "0G1F2E3D.1", temp / "not-ours"
    for folder in (left, left / "a", other):
        folder.mkdir(0o700)
        if os.geteuid() == 0:
            os.chown(folder, *[node.uid_base + 3 if node.as_root else node.uid] * 2)
    os.kill(node.pid("runner", project), signal.SIGKILL)
    wait_until(lambda: not left.exists(), "it is gone")
    assert other.exists()


def test_the_projects_variables_reach_the_command_and_secret_ones_are_masked(platform, node, project):
    attempt = platform.start(project, driver="command", command=["/bin/sh", "-c", "echo $PLAIN; echo $TOKEN"],
                             env={"PLAIN": "visible-value", "TOKEN": "very-secret-value"}, env_secrets=["TOKEN"])
    assert platform.wait_result(attempt)["outcome"] == "succeeded"
    assert attempt.texts() == ["visible-value", "***"]
    wait_until(lambda: not list((node.project(project) / "data" / "attempts").iterdir()), "the attempt is forgotten")
    assert files_with(node.project(project), "very-secret-value") == []


def test_cancelling_interrupts_first_and_kills_in_the_end(platform, node, project):
    polite = platform.start(project, item="issue-1", driver="command",
                            command=["/bin/sh", "-c", "trap 'echo bye; exit 0' INT; echo up; while :; do sleep 0.05; done"])
    platform.wait(lambda: polite.texts() == ["up"], "it runs")
    platform.send("attempt_cancel", project, {**polite.ref, "reason": "enough"})
    assert platform.wait_result(polite)["outcome"] == "cancelled"
    assert polite.texts() == ["up", "bye"]
    stubborn = platform.start(project, item="issue-2", driver="command",
                              command=["/bin/sh", "-c", "trap '' INT TERM; echo up; while :; do sleep 0.05; done"])
    platform.wait(lambda: stubborn.texts() == ["up"], "it runs")
    platform.send("attempt_cancel", project, {**stubborn.ref, "reason": ""})
    assert platform.wait_result(stubborn)["outcome"] == "cancelled"


def test_silence_and_the_wall_clock_end_a_run(platform, node, project):
    silent = platform.start(project, item="issue-1", driver="command", command=["sleep", "300"], silence_ms=1500)
    slow = platform.start(project, item="issue-2", driver="command",
                          command=["/bin/sh", "-c", "while :; do echo x; sleep 0.2; done"], wall_ms=1500)
    assert (platform.wait_result(silent)["outcome"], silent.result["kind"]) == ("timed_out", "silent")
    assert (platform.wait_result(slow)["outcome"], slow.result["kind"]) == ("timed_out", "wall_clock")


def test_what_cannot_work_is_refused_with_a_reason(platform, node, project):
    attempt = platform.start(project, driver="nonsense")
    refused = platform.wait(lambda: attempt.refused, "a refusal")
    assert refused["kind"] == "invalid_settings" and "nonsense" in refused["reason"]
    attempt = platform.start(project, driver="command", command=["/nowhere/tool"])
    assert platform.wait_result(attempt)["kind"] == "cli_missing"
    busy = [platform.start(project, item=f"issue-{i}", command=["lines=1", "ms=60000"]) for i in range(4)]
    platform.wait(lambda: all(a.accepted for a in busy), "four run")
    fifth = platform.start(project, item="issue-9", command=["lines=1"])
    assert platform.wait(lambda: fifth.refused, "a refusal")["kind"] == "busy"
    for attempt in busy:
        platform.send("attempt_cancel", project, {**attempt.ref, "reason": ""})
    for attempt in busy:
        assert platform.wait_result(attempt)["outcome"] == "cancelled"


def test_an_attempt_said_twice_runs_once(platform, node, project):
    command = ["/bin/sh", "-c", "echo once; " + WAIT]
    attempt = platform.start(project, driver="command", command=command)
    platform.wait(lambda: attempt.texts() == ["once"], "it runs")
    platform.send("attempt_start", project, attempt.plan)
    platform.wait(lambda: attempt.accepted == 2, "it is accepted again")
    go_on(node, project)
    assert platform.wait_result(attempt)["outcome"] == "succeeded"
    assert attempt.texts() == ["once"]


def test_a_discarded_attempt_is_killed_and_says_nothing_more(platform, node, project):
    attempt = platform.start(project, driver="command", command=["/bin/sh", "-c", "echo up; sleep 300"])
    platform.wait(lambda: attempt.texts() == ["up"], "it runs")
    platform.send("attempt_discard", project, attempt.ref)
    wait_until(lambda: not node.pids("shim"), "its shim has ended")
    wait_until(lambda: not list((node.project(project) / "data" / "attempts").iterdir()), "the attempt is forgotten")
    assert attempt.result is None


def test_a_newer_attempt_waits_until_the_older_is_dead(platform, node, project):
    take = "exec 9>$HOME/lock; flock -n 9 && echo alone || echo together; "
    older = platform.start(project, driver="command", command=["/bin/sh", "-c", take + "trap '' INT TERM; while :; do sleep 1; done"])
    platform.wait(lambda: older.texts() == ["alone"], "it runs")
    newer = platform.start(project, execution=older.execution, number=2, fence=2, driver="command", command=["/bin/sh", "-c", take])
    assert platform.wait_result(newer)["outcome"] == "succeeded"
    assert newer.texts() == ["alone"] and older.result is None


def test_attempts_at_one_item_follow_each_other_and_a_waiting_one_can_be_cancelled(platform, node, project):
    first = platform.start(project, driver="command", command=["/bin/sh", "-c", "echo up; sleep 300"])
    platform.wait(lambda: first.texts() == ["up"], "it runs")
    second, third = (platform.start(project, command=["lines=2"]) for _ in range(2))
    platform.wait(lambda: second.accepted and third.accepted, "both are taken")
    platform.send("attempt_cancel", project, {**second.ref, "reason": ""})
    assert platform.wait_result(second)["outcome"] == "cancelled"
    assert third.lines == []
    os.kill(node.pid("runner", project), signal.SIGKILL)
    platform.wait(lambda: platform.connection and [m for m in platform.messages if m.type == "runner_hello"][1:], "it is back")
    platform.send("attempt_cancel", project, {**first.ref, "reason": ""})
    assert platform.wait_result(first)["outcome"] == "cancelled"
    assert platform.wait_result(third)["outcome"] == "succeeded"


def test_a_discarded_attempt_stays_discarded_when_its_runner_dies(platform, node, project):
    attempt = platform.start(project, driver="command", command=["/bin/sh", "-c", "echo up; sleep 300"])
    platform.wait(lambda: attempt.texts() == ["up"], "it runs")
    platform.send("attempt_discard", project, attempt.ref)
    for pid in node.pids("runner"):
        os.kill(pid, signal.SIGKILL)
    platform.attempts.clear()  # and whatever it says of it is answered with another discard
    wait_until(lambda: not node.pids("shim"), "its shim has ended")
    wait_until(lambda: not list((node.project(project) / "data" / "attempts").iterdir()), "the attempt is forgotten")
    assert attempt.result is None


def test_lines_wait_for_the_platform_and_come_once(platform, node, project):
    attempt = platform.start(project, driver="command",
                             command=["/bin/sh", "-c", "echo line 1 of 2000; " + WAIT
                                      + "for i in $(seq 2 2000); do echo line $i of 2000; done; exit 0"])
    platform.wait(lambda: attempt.lines, "lines come")
    platform.away()
    shim = node.pid("shim")
    go_on(node, project)
    wait_until(lambda: not node.pids("shim"), f"the run (shim {shim}) ends without the platform")
    platform.back()
    assert platform.wait_result(attempt)["outcome"] == "succeeded"
    expect_lines(attempt, 2000)


def test_a_result_not_acknowledged_is_said_again(platform, node, project):
    platform.ack_results = False
    attempt = platform.start(project, command=["lines=3"])
    platform.wait_result(attempt)
    platform.away()
    platform.back()
    platform.wait(lambda: len(attempt.results) >= 2, "the result again")
    platform.ack_results = True
    platform.send("result_ack", project, attempt.ref)
    wait_until(lambda: not list((node.project(project) / "data" / "attempts").iterdir()), "the attempt is forgotten")


def test_the_agents_log_can_be_read_from_afar(platform, node, project):
    platform.send("agent_log_read", project, {"request": "r1", "from": -5, "count": 5})
    data = platform.wait(lambda: next((m.body for m in platform.messages if m.type == "agent_log_data"), None), "log")
    assert data["request"] == "r1" and data["total"] >= 1 and len(data["lines"]) == min(5, data["total"])


def test_a_project_is_stopped_started_and_removed(platform, node, project):
    platform.wishes.pop(project)
    platform.send("project_stop", body={"id": project})
    wait_until(lambda: not node.pids("runner"), "its runner has ended")
    assert node.project(project).exists()
    platform.wish(project)
    platform.wait_running(project)
    attempt = platform.start(project, driver="command", command=["/bin/sh", "-c", "echo up; exec sleep 300"])
    platform.wait(lambda: attempt.texts() == ["up"], "it runs")
    platform.wishes.pop(project)
    platform.send("project_remove", body={"id": project})
    wait_until(lambda: not node.project(project).exists(), "its data is gone")
    wait_until(lambda: not node.pids("shim") and not node.pids("runner"), "its processes are gone")


def test_a_project_starts_from_the_nodes_own_list_while_the_platform_is_away(platform, node, project):
    runner = node.pid("runner", project)
    platform.away()
    node.kill("agent")
    wait_until(lambda: runner not in node.pids("runner"), "its runner goes with the supervisor")
    node.start_agent()
    node.pid("runner", project)
    platform.back()
    platform.wait_running(project)


@pytest.mark.parametrize("victim", ["runner", "link", "agent", "boxd"])
def test_nothing_is_lost_or_doubled_when_a_process_is_killed(platform, node, project, victim):
    if victim == "boxd" and not node.as_root:
        pytest.skip("there is no boxd without root")
    script = "for i in $(seq 1 150); do echo line $i of 150; sleep 0.01; done; exit 0"
    for round_number in range(3):
        attempt = platform.start(project, item=f"issue-{round_number}", driver="command", command=["/bin/sh", "-c", script])
        platform.wait(lambda: len(attempt.lines) >= 20 * round_number, "it runs")
        if victim in ("agent", "boxd"):
            node.kill(victim)
            (node.start_agent if victim == "agent" else node.start_boxd)()
        else:
            os.kill(node.pid(victim), signal.SIGKILL)
        assert platform.wait_result(attempt)["outcome"] == "succeeded", attempt.result
        expect_lines(attempt, 150)


def test_a_noop_run_goes_on_after_its_runner_was_killed(platform, node, project):
    attempt = platform.start(project, command=["lines=400", "ms=3000"])
    platform.wait(lambda: len(attempt.lines) > 50, "it runs")
    os.kill(node.pid("runner", project), signal.SIGKILL)
    assert platform.wait_result(attempt)["outcome"] == "succeeded"
    expect_lines(attempt, 400)


def test_an_attempt_whose_shim_was_killed_is_lost_and_its_processes_are_dead(platform, node, project):
    attempt = platform.start(project, driver="command",
                             command=["/bin/sh", "-c", "setsid sleep 4711.0815 & echo up; exec sleep 300"])
    platform.wait(lambda: attempt.texts() == ["up"], "it runs")
    os.kill(node.pid("shim"), signal.SIGKILL)
    result = platform.wait_result(attempt)
    assert (result["outcome"], result["kind"]) == ("lost", "node_lost")

    wait_until(lambda: not node.commands("sleep", "4711.0815"), "what it had left behind is dead")


def test_a_program_killed_from_outside_is_lost_and_may_be_tried_again(platform, node, project):
    attempt = platform.start(project, driver="command", command=["/bin/sh", "-c", "echo $$; exec sleep 4711"])
    [pid] = wait_until(lambda: node.commands("sleep", "4711"), "it runs")
    os.kill(pid, signal.SIGKILL)
    result = platform.wait_result(attempt)
    assert (result["outcome"], result["kind"]) == ("lost", "node_lost")


def test_what_ended_while_nobody_watched_is_reported(platform, node, project):
    attempt = platform.start(project, driver="command", command=["/bin/sh", "-c", "echo a; " + WAIT + "echo b; exit 0"])
    platform.wait(lambda: attempt.texts() == ["a"], "it runs")
    shim = node.pid("shim")
    node.kill("agent")
    go_on(node, project)
    wait_until(lambda: shim not in node.pids("shim"), "it ends by itself")
    node.start_agent()
    assert platform.wait_result(attempt)["outcome"] == "succeeded"
    assert attempt.texts() == ["a", "b"]


def test_variables_are_asked_for_again_after_a_restart(platform, node, project):
    platform.credentials["env"] = {"env": {"TOKEN": "very-secret-value"}}
    attempt = platform.start(project, driver="command",
                             command=["/bin/sh", "-c", "echo $TOKEN; " + WAIT + "echo again $TOKEN"],
                             env={"TOKEN": "very-secret-value"}, env_secrets=["TOKEN"])
    platform.wait(lambda: attempt.texts() == ["***"], "it runs")
    os.kill(node.pid("runner", project), signal.SIGKILL)
    platform.wait(lambda: [m for m in platform.messages if m.type == "runner_hello"][1:], "the next one says hello")
    go_on(node, project)
    assert platform.wait_result(attempt)["outcome"] == "succeeded"
    assert attempt.texts() == ["***", "again ***"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a disk of its own")
def test_a_full_disk_ends_the_run_and_is_told(platform):
    node = Node(platform, True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=755", "tmpfs", node.data / "projects"], check=True)
    try:
        node.start()
        platform.wait(lambda: platform.connection, "the node dials")
        platform.ack_lines = False  # what is stored stays stored
        platform.wish("p1")
        platform.wait_running("p1")
        attempt = platform.start("p1", driver="command", command=["/bin/sh", "-c", "yes 'many words' | head -c 40000000"])
        platform.wait(lambda: attempt.lines, "lines come")
        wait_until(lambda: not node.pids("shim"), "the run is ended", 60)
        platform.ack_lines = True
        platform.away()
        platform.back()
        result = platform.wait_result(attempt, 60)
        assert (result["outcome"], result["kind"]) == ("failed", "disk"), result
        assert "disk" in attempt.texts("x")[-1]
        # and there is room for the next one
        wait_until(lambda: not list((node.project("p1") / "data" / "attempts").iterdir()), "the attempt is forgotten")
        assert platform.wait_result(platform.start("p1", command=["lines=5"]))["outcome"] == "succeeded"
    finally:
        node.stop()
        print(node.logs()[-20000:])
        subprocess.run(["umount", "-l", node.data / "projects"], check=True)
        node.end()


def waiting_for_a_credential(platform, project):
    attempt = platform.start(project, driver="command", command=["true"],
                             repo={"url": "http://127.0.0.1:9/x.git", "base_branch": "main", "branch": "poppo/issue-12",
                                   "default_branch": "main"})
    platform.wait(lambda: asked(platform, attempt), "it asks")
    return attempt


def asked(platform, attempt):
    return [m.body for m in platform.messages if m.type == "credential_request" and m.body["execution"] == attempt.execution]


def test_a_question_without_an_answer_is_asked_again_and_can_be_cancelled(platform, node, project):
    attempt = waiting_for_a_credential(platform, project)
    platform.away()
    platform.back()
    platform.wait(lambda: len(asked(platform, attempt)) >= 2, "it asks again")
    os.kill(node.pid("runner", project), signal.SIGKILL)
    platform.wait(lambda: len(asked(platform, attempt)) >= 3, "its next life asks, too")
    platform.send("attempt_cancel", project, {**attempt.ref, "reason": ""})
    assert platform.wait_result(attempt)["outcome"] == "cancelled"


def test_a_no_is_told_with_its_kind(platform, node, project):
    attempt = waiting_for_a_credential(platform, project)
    platform.send("credential", project, {"request": asked(platform, attempt)[-1]["request"], "purpose": "git_fetch",
                                          "error": "there is no token", "kind": "github_auth"})
    result = platform.wait_result(attempt)
    assert (result["outcome"], result["kind"]) == ("failed", "github_auth") and "no token" in result["reason"]


def test_an_attempt_discarded_while_it_waits_says_nothing_more(platform, node, project):
    attempt = waiting_for_a_credential(platform, project)
    platform.send("attempt_discard", project, attempt.ref)
    wait_until(lambda: not list((node.project(project) / "data" / "attempts").iterdir()), "the attempt is forgotten")
    assert attempt.result is None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs users of its own")
def test_a_task_cannot_touch_what_the_runner_keeps(platform):
    node = Node(platform, True)
    try:
        node.start()
        platform.wait(lambda: platform.connection, "the node dials")
        platform.wish("p1")
        platform.wait_running("p1")
        script = ("D=" + str(node.project("p1")) + "; for f in $D/data/journal.db $D/data/attempts/*/run-1/output $D/logs/runner.log "
                  + str(node.data / "node" / "node.key") + "; do "
                  "cat $f >/dev/null 2>&1 && echo read $f; echo forged >> $f && echo wrote $f; done 2>/dev/null; "
                  "kill -9 -1 2>/dev/null; echo end; exit 0")
        attempt = platform.start("p1", driver="command", command=["/bin/sh", "-c", script])
        assert platform.wait_result(attempt)["outcome"] == "succeeded"
        assert attempt.texts() == ["end"]
    finally:
        node.end()


def test_a_runner_that_dies_at_once_again_and_again_is_called_degraded(platform, node, project):
    for crash in range(1, 6):
        os.kill(node.pid("runner", project), signal.SIGKILL)
        row = platform.wait(lambda: (row := platform.state_of(project)) and row["restarts"] >= crash
                            and row["state"] in ("running", "degraded") and row, "it is back, or given up")
    assert row["state"] == "degraded"
    platform.send("project_restart", body={"id": project})
    platform.wait_running(project)
