"""The node's daemon, its link and its runners against a platform that speaks only the protocol."""
import json
import os
import pathlib
import resource
import signal
import subprocess

import pytest

from node_rig import Node, Platform, encode, wait_until

MODES = ["user"] + (["root"] if os.geteuid() == 0 else [])


@pytest.fixture
def platform():
    platform = Platform()
    yield platform
    platform.close()


def nodes(platform, mode):
    node = Node(platform, mode == "root")
    try:
        yield node
    finally:
        node.end()


@pytest.fixture(params=MODES)
def stopped(request, platform):
    """A node that does not run yet."""
    yield from nodes(platform, request.param)


@pytest.fixture(params=MODES)
def node(request, platform):
    for node in nodes(platform, request.param):
        node.start()
        platform.wait(lambda: count(platform, "node_status"), "the node is online")
        yield node


@pytest.fixture
def user_node(platform):
    """For what does not depend on the user."""
    for node in nodes(platform, "user"):
        node.start()
        platform.wait(lambda: count(platform, "node_status"), "the node is online")
        yield node


def count(platform, kind, project=""):
    return sum(m.type == kind and m.project == project for m in platform.messages)


def run_projects(platform, *projects):
    for project in projects:
        platform.wish(project)
    return [platform.wait_running(project) for project in projects]


def slots(node):
    return json.loads((node.data / "node" / "slots.json").read_text())


def states(platform, project):
    """Every state that was reported, without repetitions."""
    seen = []
    for message in platform.messages:
        for row in message.body["projects"] if message.type == "node_status" else []:
            if row["id"] == project and seen[-1:] != [row["state"]]:
                seen.append(row["state"])
    return seen


def of_users(first, last):
    """Processes that belong to these users."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and first <= entry.stat().st_uid <= last and "State:\tZ" not in (entry / "status").read_text():
                found.append(entry.name)
        except OSError:
            pass
    return found


def still_answers(platform, project, request):
    platform.send("agent_log_read", project, {"request": request, "from": 0, "count": 1})
    platform.wait(lambda: [m for m in platform.messages if m.type == "agent_log_data" and m.body["request"] == request], "an answer")


# --- wishes

def test_wishes_start_and_stop_agents(platform, node):
    one, two = run_projects(platform, "p1", "p2")
    assert (one["slot"], two["slot"]) == (1, 2) and one["pid"] == node.pid("runner", "p1") and one["restarts"] == 0
    platform.wishes = {"p2": platform.wishes["p2"], "p3": {"max_concurrent": 1}}
    platform.send_wishes()  # the whole list: p1 is not on it
    platform.wait_running("p3")
    platform.wait(lambda: platform.state_of("p1") is None, "p1 is gone")
    assert platform.state_of("p2")["pid"] == two["pid"], "what is wished for again is not touched"
    assert not node.pids("runner", "p1") and node.project("p1").exists()
    platform.send("project_stop", body={"id": "p2"})
    platform.wait(lambda: platform.state_of("p2") is None, "p2 is gone")
    assert json.loads((node.data / "node" / "wishes.json").read_text()) == [{"id": "p3", "settings": {"max_concurrent": 1}}]


def test_each_change_is_reported(platform, user_node):
    before = count(platform, "node_status")
    [row] = run_projects(platform, "p1")
    assert states(platform, "p1") in (["starting", "running"], ["running"])
    assert row["since_ms"] > 0 and row["rss_bytes"] > 1 << 18 and row["last_error"] is None
    attempt = platform.start("p1", command=["lines=1", "ms=60000"])
    platform.wait(lambda: platform.state_of("p1")["attempts"] == 1, "it works")
    platform.send("project_stop", body={"id": "p1"})
    platform.wait(lambda: platform.state_of("p1")["state"] == "stopping", "it leaves when its work is done")
    platform.send("attempt_cancel", "p1", {**attempt.ref, "reason": ""})
    platform.wait(lambda: platform.state_of("p1") is None, "it is gone")
    assert count(platform, "node_status") - before < 15, "not more than what changed"


def test_wanted_again_while_it_leaves_it_comes_back(platform, user_node):
    [row] = run_projects(platform, "p1")
    attempt = platform.start("p1", command=["lines=1", "ms=60000"])
    platform.wait(lambda: attempt.accepted, "it works")
    platform.send("project_stop", body={"id": "p1"})
    platform.wait(lambda: platform.state_of("p1")["state"] == "stopping", "it leaves")
    platform.wish("p1")
    platform.wait(lambda: (now := platform.state_of("p1")) and now["state"] == "running" and now["pid"] != row["pid"], "a new one")
    platform.send("attempt_cancel", "p1", {**attempt.ref, "reason": ""})
    assert platform.wait_result(attempt)["outcome"] == "cancelled"


def test_a_name_that_is_none_starts_nothing(platform, user_node):
    for name in ("../p1", "", "P 1", "x" * 300):
        platform.send("project_start", body={"id": name, "settings": {}})
    run_projects(platform, "p1")
    assert list(slots(user_node)) == ["p1"]
    assert [p.name for p in (user_node.data / "projects").iterdir()] == ["p1"]


def test_without_the_platform_the_last_wishes_hold(platform, stopped):
    stopped.start()
    platform.wait(lambda: platform.connection, "the node dials")
    run_projects(platform, "p1", "p2")
    platform.send("project_stop", body={"id": "p2"})
    platform.wait(lambda: platform.state_of("p2") is None, "p2 is gone")
    platform.away()
    stopped.kill("agent")
    stopped.start_agent()
    stopped.pid("runner", "p1")
    assert not stopped.pids("runner", "p2")
    hellos = count(platform, "hello")
    platform.wishes.pop("p2")
    platform.back()
    platform.wait(lambda: count(platform, "hello") > hellos, "hello")
    platform.wait_running("p1")


def test_a_list_that_cannot_be_read_waits_for_the_platforms(platform, stopped):
    wishes = stopped.data / "node" / "wishes.json"
    wishes.write_text("[{")
    if os.geteuid() == 0:
        os.chown(wishes, stopped.uid, stopped.uid)
    platform.wishes = {"p1": {"max_concurrent": 1}}
    stopped.start()
    platform.wait_running("p1")
    assert "waiting for the platform's list of projects" in stopped.logs()
    assert json.loads(wishes.read_text()) == [{"id": "p1", "settings": {"max_concurrent": 1}}]


# --- runners that end

def test_a_runner_that_dies_again_and_again_is_given_up_until_somebody_asks(platform, user_node):
    run_projects(platform, "p1")
    for crash in range(1, 6):
        pid = platform.state_of("p1")["pid"]
        os.kill(pid, signal.SIGKILL)
        row = platform.wait(lambda: (row := platform.state_of("p1")) and row["restarts"] == crash
                            and (row["state"] == "degraded" or row["state"] == "running" and row["pid"] != pid) and row, "it is back, or given up")
    assert row["state"] == "degraded" and row["pid"] == 0
    platform.wish("p1")  # the same wish once more is no news
    platform.wish("p2")
    platform.wait_running("p2")
    assert platform.state_of("p1")["state"] == "degraded"
    platform.send("project_restart", body={"id": "p1"})
    again = platform.wait_running("p1")
    assert again["restarts"] == 0
    os.kill(again["pid"], signal.SIGKILL)
    platform.wait(lambda: (row := platform.state_of("p1")) and row["restarts"] == 1 and row["state"] == "running", "it is back")


def test_a_restart_by_hand_is_a_new_process_and_no_crash(platform, node):
    [row] = run_projects(platform, "p1")
    hellos = count(platform, "runner_hello", "p1")
    platform.send("project_restart", body={"id": "p1"})
    now = platform.wait(lambda: (now := platform.state_of("p1")) and now["pid"] not in (0, row["pid"]) and now["state"] == "running" and now, "a new one")
    assert now["restarts"] == 0 and now["slot"] == row["slot"]
    platform.wait(lambda: count(platform, "runner_hello", "p1") > hellos, "it says hello")


@pytest.mark.skipif(os.geteuid() != 0, reason="there is no boxd without root")
def test_a_helper_that_is_away_is_no_crash_of_the_runner(platform):
    for node in nodes(platform, "root"):
        node.start()
        run_projects(platform, "p1")
        node.kill("boxd")
        platform.wish("p2")
        row = platform.wait(lambda: (row := platform.state_of("p2")) and row["state"] == "backing_off" and row, "it is tried later")
        assert row["restarts"] == 0 and "poppo-boxd" in row["last_error"]
        assert platform.state_of("p1")["state"] == "running"
        node.start_boxd()
        assert platform.wait_running("p2")["restarts"] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="there is no boxd without root")
def test_runs_that_cannot_be_walled_off_are_said_in_log_and_hello(platform):
    """As in a container that keeps CAP_SYS_ADMIN to itself."""
    for node in nodes(platform, "root"):
        node.start_boxd("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")
        node.start_agent()
        run_projects(platform, "p1")
        assert [m.body["isolation"] for m in platform.messages if m.type == "hello"] == ["minimal"]
        assert "runs cannot be walled off from each other: clone at level pid_namespace: Operation not permitted" in node.logs()
        attempt = platform.start("p1", driver="command", command=["true"])
        assert platform.wait_result(attempt)["outcome"] == "succeeded"
        assert [text.split(":")[0] for text in attempt.texts("w")] == ["not walled off from other processes of the node"]


def test_a_runner_that_does_not_stop_is_killed(platform, user_node):
    [row] = run_projects(platform, "p1")
    os.kill(row["pid"], signal.SIGSTOP)
    platform.wishes.pop("p1")
    platform.send("project_remove", body={"id": "p1"})
    platform.wait(lambda: platform.state_of("p1") is None, "it is gone")
    assert "does not answer, killing it" in user_node.logs() and not user_node.project("p1").exists()


@pytest.mark.long
def test_a_runner_that_never_gets_ready_is_killed(platform, stopped):
    program = stopped.bin / "poppo-runner"
    program.rename(stopped.bin / "kept")
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    stopped.start()
    platform.wish("p1")
    platform.wait(lambda: (row := platform.state_of("p1")) and row["pid"], "it starts")
    (stopped.bin / "kept").rename(program)
    platform.wait_running("p1", 100)


# --- slots and data

def test_slots_are_remembered_and_given_back_with_the_data(platform, node):
    run_projects(platform, "p1", "p2")
    node.kill("agent")
    node.start_agent()
    platform.wait(lambda: count(platform, "hello") == 2, "hello")
    assert platform.wait_running("p2")["slot"] == 2
    assert slots(node) == {"p1": 1, "p2": 2}
    # a task that leaves as much behind as it can
    script = "setsid sleep 4712 & mkdir -p $HOME/x; touch $HOME/x/y; chmod 000 $HOME/x; echo up; exec sleep 300"
    attempt = platform.start("p1", driver="command", command=["/bin/sh", "-c", script])
    platform.wait(lambda: attempt.texts() == ["up"], "it runs")
    first = node.uid_base + 2
    if node.as_root:
        assert len(of_users(first, first)) >= 2 and len(of_users(first + 1, first + 1)) >= 2
    platform.wishes.pop("p1")
    platform.send("project_remove", body={"id": "p1"})
    platform.wait(lambda: platform.state_of("p1") is None, "p1 is gone")
    wait_until(lambda: slots(node) == {"p2": 2}, "its slot is given back")
    assert not node.project("p1").exists()
    if node.as_root:
        assert not of_users(first, first + 1)
    assert not node.pids("shim") and len(node.pids("runner")) == 1
    assert run_projects(platform, "p3")[0]["slot"] == 1


def test_a_stopped_project_is_told_at_hello_and_can_be_removed(platform, node):
    run_projects(platform, "p1", "p2")
    platform.wishes.pop("p1")
    platform.send("project_stop", body={"id": "p1"})
    platform.wait(lambda: platform.state_of("p1") is None, "p1 is stopped")
    platform.away()
    platform.back()
    hello = platform.wait(lambda: count(platform, "hello") == 2 and [m for m in platform.messages if m.type == "hello"][-1], "hello").body
    rows = {row["id"]: row for row in hello["projects"]}
    assert rows["p1"] == {"id": "p1", "state": "stopped", "slot": 1} and rows["p2"]["state"] == "running"
    platform.send("project_remove", body={"id": "p1"})
    wait_until(lambda: slots(node) == {"p2": 2}, "its slot is given back")
    assert not node.project("p1").exists()


def test_a_table_of_slots_that_is_none_ends_the_daemon(platform, stopped):
    table = stopped.data / "node" / "slots.json"
    table.write_text('{"p1":1,"p2":1}')
    if os.geteuid() == 0:
        os.chown(table, stopped.uid, stopped.uid)
    stopped.start()
    assert stopped.procs.pop("agent").wait(20) == 1
    assert "slots.json gives 'p2' the slot 1" in stopped.logs()


@pytest.mark.parametrize("wanted", [1000, pytest.param(3000, marks=[pytest.mark.long])])
def test_a_node_may_have_very_many_projects(platform, wanted):
    """Their wishes, hello and status; the agents themselves cannot start."""
    names = [f"project-{i:04}-" + "x" * 50 for i in range(wanted)]
    for node in nodes(platform, "user"):
        (node.bin / "poppo-runner").unlink()
        platform.wishes = dict.fromkeys(names, {"max_concurrent": 1})
        node.start()
        platform.wait(lambda: len(platform.states) == wanted and all(row["last_error"] for row in platform.states.values()), "all are told", 120)
        rows = platform.states
        assert sorted(rows) == names and {row["state"] for row in rows.values()} <= {"backing_off", "starting"}
        given = [row["slot"] for row in rows.values() if row["slot"]]
        assert len(set(given)) == len(given) and set(given) <= set(range(1, 2877)) and (wanted > 2876 or len(given) == wanted)
        assert all("slots of this node are taken" in row["last_error"] for row in rows.values() if not row["slot"])
        hellos = count(platform, "hello")
        os.kill(node.pid("link"), signal.SIGKILL)
        platform.wait(lambda: count(platform, "hello") > hellos, "a new hello")
        last = [m for m in platform.messages if m.type == "hello"][-1]
        assert sorted(row["id"] for row in last.body["projects"]) == names
        assert len(json.loads((node.data / "node" / "wishes.json").read_text())) == wanted


def test_descriptors_are_as_many_as_there_may_be(platform, node):
    run_projects(platform, "p1")

    def limits(pid):
        line = next(line for line in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines() if line.startswith("Max open files"))
        return line.split()[3:5]

    ours = [str(each) for each in resource.getrlimit(resource.RLIMIT_NOFILE)]
    for program in ("agent", "link"):
        assert limits(node.pid(program)) == [ours[1], ours[1]]
    assert limits(node.pid("runner")) == ours


# --- the daemon itself

def test_a_second_daemon_on_the_same_data_is_refused(platform, node):
    first = node.procs["agent"]
    node.start_agent()
    assert node.procs["agent"].wait(20) == 1
    node.procs["agent"] = first
    assert f"another node daemon uses {node.data}" in node.logs()
    run_projects(platform, "p1")
    assert count(platform, "hello") == 1


def test_told_to_stop_it_leaves_what_runs_in_its_shims(platform, node):
    run_projects(platform, "p1")
    attempt = platform.start("p1", driver="command", command=["/bin/sh", "-c", "echo up; while [ ! -e go ]; do sleep 0.05; done; echo done; exit 0"])
    platform.wait(lambda: attempt.texts() == ["up"], "it runs")
    shim = node.pid("shim")
    agent = node.procs["agent"]
    node.kill("agent", signal.SIGTERM)
    assert agent.returncode == 0
    wait_until(lambda: not node.pids("runner") and not node.pids("link"), "link and runner end, too")
    assert node.pids("shim") == [shim] and not attempt.results
    node.start_agent()
    platform.wait(lambda: count(platform, "runner_hello", "p1") >= 2, "the new runner says hello")
    go = node.project("p1") / "workspace" / "issue-12" / "go"
    go.touch()
    assert platform.wait_result(attempt)["outcome"] == "succeeded"
    assert attempt.texts() == ["up", "done"]


# --- the link

def test_a_link_that_is_killed_is_followed_by_a_new_one(platform, node):
    run_projects(platform, "p1", "p2")
    old, runner = node.pid("link"), platform.state_of("p1")["pid"]
    os.kill(old, signal.SIGKILL)
    platform.wait(lambda: count(platform, "hello") == 2, "a new hello")
    platform.wait(lambda: all(count(platform, "runner_hello", p) == 2 for p in ("p1", "p2")), "each runner says hello again")
    assert node.pids("link") not in ([], [old]) and platform.wait_running("p1")["pid"] == runner
    still_answers(platform, "p1", "r1")


def test_a_platform_that_comes_back_hears_every_runner_again(platform, node):
    run_projects(platform, "p1", "p2")
    link, runners = node.pids("link"), sorted(node.pids("runner"))
    for times in (2, 3):
        platform.away()
        platform.back()
        platform.wait(lambda: all(count(platform, "runner_hello", p) == times for p in ("p1", "p2")), "each runner says hello again")
    assert node.pids("link") == link and sorted(node.pids("runner")) == runners
    still_answers(platform, "p2", "r1")


BAD_FRAMES = {
    "no such type": b"P\x7f\0\0\0\0\0\x02{}",
    "what only nodes say": encode("hello"),
    "a second welcome": encode("welcome", body={"protocol": 1}),
    "what only runners say": encode("attempt_accepted", "p1"),
    "a project where none belongs": encode("project_wishes", "p1", {"projects": []}),
    "no project where one belongs": encode("log_ack"),
    "not our mark": b"Q" + encode("project_wishes")[1:],
    "a body longer than the frame": b"P\x18\0\0\0\0\xff\xff{}",
    "shorter than a head": b"P\x18\0",
}


def test_frames_that_may_not_be_end_the_connection_with_a_reason(platform, user_node):
    for number, (what, frame) in enumerate(BAD_FRAMES.items(), 2):
        platform.connection.write(2, frame)
        platform.wait(lambda: len(platform.ends) == number - 1, f"closed after {what}")
        code, reason = platform.ends[-1]
        assert code == 1008 and reason, what
        platform.wait(lambda: count(platform, "hello") == number and platform.connection, "it dials again")
        platform.wait(lambda: platform.messages[-1].type == "node_status", "and is online")
    platform.connection.write(1, b"hello")
    platform.wait(lambda: platform.ends[-1] and platform.ends[-1][0] == 1003, "closed after text")
    run_projects(platform, "p1")


def test_nothing_is_obeyed_before_the_welcome(platform, stopped):
    platform.on_hello = lambda message: platform.send("project_start", body={"id": "p1", "settings": {}})
    stopped.start()
    platform.wait(lambda: platform.ends and platform.ends[0], "it ends the connection")
    assert platform.ends[0][0] == 1008
    assert not stopped.pids("runner") and not (stopped.data / "node" / "wishes.json").exists()
    del platform.on_hello
    run_projects(platform, "p2") if platform.connection else platform.wait(lambda: count(platform, "node_status"), "it is welcomed")


def test_a_wrong_key_is_said_once_and_a_right_one_is_taken_without_a_restart(platform, stopped):
    key, platform.key = platform.key, "ppn_another"
    stopped.start()
    platform.wait(lambda: platform.refused >= 4, "it tries again")
    said = [line for line in stopped.logs().splitlines() if "poppo-link" in line and "not connected to" in line]
    assert len(said) == 1 and "401" in said[0], said
    assert key not in stopped.logs()
    (stopped.data / "node" / "node.key").write_text("ppn_another\n")
    platform.wait(lambda: count(platform, "node_status"), "it is online")


@pytest.mark.parametrize("end", [signal.SIGCONT, signal.SIGKILL])
def test_a_runner_that_does_not_read_holds_nobody_up_for_good(platform, user_node, end):
    one, two = run_projects(platform, "p1", "p2")
    os.kill(one["pid"], signal.SIGSTOP)
    for _ in range(3):  # more than half of what the link keeps for a runner
        platform.send("credential", "p1", {"request": "none", "purpose": "env", "text": "x" * 900_000})
    os.kill(one["pid"], end)
    still_answers(platform, "p2", "r1")
    platform.wait(lambda: end == signal.SIGCONT or count(platform, "runner_hello", "p1") == 2, "the new one says hello")
    still_answers(platform, "p1", "r2")
    assert platform.state_of("p2")["pid"] == two["pid"]
    assert count(platform, "hello") == 1, "on the same connection"


def test_a_supervisor_that_does_not_read_misses_nothing(platform, user_node):
    run_projects(platform, "p1")
    agent = user_node.procs["agent"]
    agent.send_signal(signal.SIGSTOP)
    for _ in range(1000):  # more than its socket takes
        platform.send("project_start", body={"id": "p1", "settings": {"max_concurrent": 2}})
    platform.wish("p2")
    agent.send_signal(signal.SIGCONT)
    platform.wait_running("p2")
    still_answers(platform, "p1", "r1")
    assert count(platform, "hello") == 1, "on the same connection"


def test_the_key_is_in_no_environment_and_no_command_line(platform, node):
    run_projects(platform, "p1")
    for program in ("agent", "link", "runner", "boxd"):
        for pid in node.pids(program):
            for name in ("environ", "cmdline"):
                if os.geteuid() == 0:
                    assert platform.key.encode() not in pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
    assert (node.data / "node" / "wishes.json").stat().st_mode & 0o777 == 0o600
    assert (node.data / "node" / "slots.json").stat().st_mode & 0o777 == 0o600
