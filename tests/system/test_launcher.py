"""What the launcher does with its programs, folders and keys when things do not go well; the rest is in
test_server_launcher.py."""

import os
import pathlib
import pwd
import signal
import stat

import pytest

from rig import Installation, ordinary_user, until


class Nowhere:
    url = "http://127.0.0.1:1"


MODES = ["user"] + (["root"] if os.geteuid() == 0 else [])
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")


@pytest.fixture(params=MODES)
def stopped(request):
    """Not started yet."""
    made = Installation(Nowhere, Nowhere, user=ordinary_user() if request.param == "user" else None, claude_path="/nonexistent")
    made.as_root = request.param == "root"
    yield made
    print(made.log()[-5000:] if made.log_path.exists() else "")  # shown when the test has failed
    made.remove()


@pytest.fixture
def installation(stopped):
    stopped.start()
    until("all run", lambda: len(running(stopped)) == (3 if stopped.as_root else 2) and stopped.processes("poppo-link"))
    return stopped


@pytest.fixture
def root_installation():
    made = Installation(Nowhere, Nowhere, claude_path="/nonexistent")
    made.as_root = True
    yield made
    print(made.log()[-5000:] if made.log_path.exists() else "")  # shown when the test has failed
    made.remove()


def running(installation):
    """Our three programs by name."""
    found = {}
    for name in ("poppo-platform", "poppo-agent", "poppo-boxd"):
        for pid in installation.processes(name):
            if not installation.launcher or pid != installation.launcher.pid:
                found[name] = pid
    return found


def ends(installation, seconds=20):
    """Starts it, expecting it to end by itself: its status and what it said."""
    process = installation.launch(installation.log_path)
    return process.wait(seconds), installation.log()


def status(pid, field):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(field + ":"))


def was_told_to_stop(pid):
    """A stopped process has the signal waiting for it."""
    return bool(int(status(pid, "ShdPnd"), 16) & 1 << (signal.SIGTERM - 1))


def freeze(pid):
    """Stopped with all its threads: what is sent from now on waits."""
    os.kill(pid, signal.SIGSTOP)
    until("it is stopped", lambda: all(status(f"{pid}/task/{task}", "State") == "T" for task in os.listdir(f"/proc/{pid}/task")))


def own(installation, path):
    if installation.user is not None:
        os.chown(path, installation.user, installation.user)


# --- running

def test_each_program_that_dies_is_started_again_a_little_later_each_time(installation):
    for wait_ms in (250, 500, 1000):
        before = running(installation)
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        until("all run again", lambda: (now := running(installation)).keys() == before.keys() and not set(now.values()) & set(before.values()))
        for name in before:
            assert installation.log().count(f"{name} is started again in {wait_ms} ms") == 1
    until("it serves", installation._serves)


def test_without_a_local_node_the_platform_is_alone(stopped):
    stopped.settings["local_node"] = "false"
    stopped.start()
    assert list(running(stopped)) == ["poppo-platform"]
    assert not (stopped.data / "node/node.key").exists()
    stopped.stop()
    assert stopped.launcher.returncode == 0 and not stopped.processes()


@needs_root
def test_no_program_but_launcher_and_helper_is_root(root_installation):
    root_installation.start()
    until("all run", lambda: len(running(root_installation)) == 3 and root_installation.processes("poppo-link"))
    now = running(root_installation)
    assert {int(status(now["poppo-platform"], "Uid"))} == {pwd.getpwnam("poppo").pw_uid}
    node = pwd.getpwnam("poppo-node").pw_uid
    assert {int(status(pid, "Uid")) for pid in (now["poppo-agent"], *root_installation.processes("poppo-link"))} == {node}
    for name in ("poppo-platform", "poppo-agent"):
        assert int(status(now[name], "CapEff"), 16) == 0 and status(now[name], "NoNewPrivs") == "1"
        assert pathlib.Path(f"/proc/{now[name]}/status").read_text().split("Groups:")[1].split("\n")[0].strip() == ""


def test_folders_have_their_owners_and_modes(installation):
    me = installation.user if installation.user is not None else 0
    user, node = ((pwd.getpwnam(name).pw_uid for name in ("poppo", "poppo-node")) if installation.as_root else (me, me))
    data = installation.data
    wanted = {data: (me, 0o755), data / "platform": (user, 0o700), data / "node": (node, 0o700), data / "projects": (me, 0o755),
              data / "shared": (me, 0o755), data / "node/node.key": (node, 0o600), data / "launcher.lock": (me, None),
              installation.folder / "run": (me, 0o755), installation.folder / "keys": (user, 0o700),
              installation.folder / "keys/master.key": (user, 0o600), data / "platform/poppo.db": (user, None)}
    found = {path: path.stat() for path in wanted}
    assert {path: (info.st_uid, stat.S_IMODE(info.st_mode) if wanted[path][1] else None) for path, info in found.items()} == wanted


def test_modes_that_are_too_open_are_mended_at_the_next_start(installation):
    if not installation.as_root:
        pytest.skip("what an ordinary user opened is its own affair")
    installation.stop()
    for name in ("platform", "node"):
        (installation.data / name).chmod(0o777)
    installation.start()
    assert {stat.S_IMODE((installation.data / name).stat().st_mode) for name in ("platform", "node")} == {0o700}


def test_the_nodes_key_stays_the_same(installation):
    key = installation.data / "node/node.key"
    first = key.read_text()
    installation.stop()
    installation.start()
    assert key.read_text() == first and first.startswith("ppn_") and first not in installation.log()


# --- stopping

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_programs_are_stopped_one_after_the_other(installation, number):
    now = running(installation)
    order = [name for name in ("poppo-platform", "poppo-agent", "poppo-boxd") if name in now]
    for name in order:
        freeze(now[name])
    installation.launcher.send_signal(number)
    for place, name in enumerate(order):
        until(f"{name} is told", lambda: was_told_to_stop(now[name]))
        assert not any(was_told_to_stop(now[other]) for other in order[place + 1:])
        os.kill(now[name], signal.SIGCONT)
        until(f"{name} has ended", lambda: now[name] not in running(installation).values())
    assert installation.launcher.wait(10) == 0
    until("nobody is left", lambda: not installation.processes())


def test_one_that_ends_out_of_turn_does_not_hold_up_the_others(installation):
    now = running(installation)
    freeze(now["poppo-platform"])
    installation.launcher.send_signal(signal.SIGTERM)
    until("the platform is told", lambda: was_told_to_stop(now["poppo-platform"]))
    os.kill(now["poppo-agent"], signal.SIGKILL)
    until("the node daemon has ended", lambda: "poppo-agent" not in running(installation))
    os.kill(now["poppo-platform"], signal.SIGCONT)
    assert installation.launcher.wait(10) == 0
    until("nobody is left", lambda: not installation.processes())


def test_one_that_waits_to_be_started_again_is_not_started_while_stopping(installation):
    for _ in range(2):  # the second wait is long enough to be in it
        before = running(installation)["poppo-agent"]
        os.kill(before, signal.SIGKILL)
        if _ == 0:
            until("it runs again", lambda: running(installation).get("poppo-agent", before) != before)
    until("it waits", lambda: "poppo-agent is started again in 500 ms" in installation.log())
    installation.stop()
    assert installation.launcher.returncode == 0 and not installation.processes()


@pytest.mark.long
def test_one_that_does_not_stop_is_killed(installation):
    freeze(running(installation)["poppo-agent"])
    installation.stop(40)
    assert installation.launcher.returncode == 0 and "poppo-agent does not stop, killing it" in installation.log()
    until("nobody is left", lambda: not installation.processes())


# --- taking over

def test_what_is_left_of_a_killed_launcher_is_ended_and_replaced(installation):
    installation.launcher.kill()
    installation.launcher.wait(10)
    before = running(installation)
    os.kill(before.pop("poppo-platform"), signal.SIGKILL)  # one of them is gone, too
    links = installation.processes("poppo-link")
    installation.start()
    until("all run", lambda: len(running(installation)) == (3 if installation.as_root else 2))
    assert not set(running(installation).values()) & set(before.values())
    for name, pid in before.items():
        assert f"{name} pid={pid} was left by a launcher that is gone" in installation.log()
    until("its link is gone", lambda: not set(installation.processes("poppo-link")) & set(links))


@pytest.mark.long
def test_an_orphan_that_does_not_end_is_killed(installation):
    installation.launcher.kill()
    installation.launcher.wait(10)
    freeze(running(installation)["poppo-agent"])
    installation.start()
    until("it serves", installation._serves)


def test_a_lock_file_that_nobody_holds_is_no_obstacle(stopped):
    for name in ("", "platform", "node"):
        folder = stopped.data / name
        folder.mkdir(parents=True)
        own(stopped, folder)
        lock = folder / ("lock" if name else "launcher.lock")
        lock.write_text(f"{os.getpid()}\n")  # somebody else's number by now: not to be touched
        own(stopped, lock)
    if stopped.as_root:  # as their owners left them
        os.chown(stopped.data / "platform/lock", pwd.getpwnam("poppo").pw_uid, 0)
        os.chown(stopped.data / "node/lock", pwd.getpwnam("poppo-node").pw_uid, 0)
    stopped.start()


# --- starts that fail

@needs_root
@pytest.mark.parametrize("settings, words", [
    ({"user": "nosuch"}, ["there is no user 'nosuch'", "useradd --system", "./dev up"]),
    ({"node_user": "nosuch"}, ["there is no user 'nosuch' (setting node_user)"]),
    ({"user": "root"}, ["setting user must not be root"]),
    ({"node_user": "root"}, ["setting node_user must not be root"]),
])
def test_users_that_cannot_be_are_said_before_anything_is_made(root_installation, settings, words):
    root_installation.settings.update(settings)
    code, log = ends(root_installation)
    assert code == 1 and all(word in log for word in words), log
    assert not root_installation.data.exists()


@pytest.mark.parametrize("content", ["", "ppn_\n", "hello\n", "x" * 200])
def test_a_key_that_is_none_is_not_replaced(stopped, content):
    folder = stopped.data / "node"
    folder.mkdir(parents=True)
    (folder / "node.key").write_text(content)
    for path in (stopped.data, folder, folder / "node.key"):
        own(stopped, path)
    code, log = ends(stopped)
    assert code == 1 and f"{folder}/node.key does not hold a node's key; remove it to get a new one" in log
    assert (folder / "node.key").read_text() == content


def test_a_platform_that_cannot_start_ends_everything(stopped):
    keys = stopped.folder / "keys"
    keys.mkdir(0o700)
    (keys / "master.key").write_bytes(b"too short")
    (keys / "master.key").chmod(0o600)
    for path in (keys, keys / "master.key"):
        own(stopped, path)
        if stopped.as_root:
            os.chown(path, pwd.getpwnam("poppo").pw_uid, 0)
    code, log = ends(stopped)
    assert code == 1 and "master.key" in log and log.rstrip().endswith("the platform could not start; see above"), log
    until("nobody is left", lambda: not stopped.processes())


def test_a_folder_that_cannot_be_made_is_named(stopped):
    (stopped.folder / "file").touch()
    stopped.settings["data_dir"] = stopped.folder / "file" / "data"
    code, log = ends(stopped)
    assert code == 1 and f"make the folders of data_dir {stopped.folder}/file/data (another: --data-dir /…): {stopped.folder}/file is not a folder" in log, log


@needs_root
@pytest.mark.parametrize("setting, name", [("data_dir", "data"), ("run_dir", "run"), ("key_file", "keys/master.key")])
@pytest.mark.parametrize("by_link", [False, True])
def test_places_that_the_users_cannot_reach_are_said_before_anything_is_made(root_installation, setting, name, by_link):
    closed = root_installation.folder / "closed"
    closed.mkdir(0o700)
    place = closed
    if by_link:  # the folder it leads to is open, one above that is not
        (closed / "open").mkdir(0o755)
        place = root_installation.folder / "link"
        place.symlink_to(closed / "open")
    root_installation.settings[setting] = place / "inner" / name
    code, log = ends(root_installation)
    assert code == 1 and f"{setting} {place}/inner/{name} cannot be used: the folder {closed} (mode 0700) does not let poppo in" in log, log
    assert f"or open that folder: chmod o+x {closed}" in log and f"--{setting.replace('_', '-')} /" in log
    assert [path.name for path in closed.rglob("*")] == ["open"] * by_link and not root_installation.data.exists()
    closed.chmod(0o711)
    root_installation.start()
    until("all run", lambda: len(running(root_installation)) == 3 and root_installation.processes("poppo-link"))


@needs_root
def test_programs_that_the_users_cannot_reach_are_said(root_installation):
    closed = root_installation.folder / "closed"
    closed.mkdir(0o700)
    root_installation.settings["bin_dir"] = closed
    code, log = ends(root_installation)
    assert code == 1 and f"bin_dir {closed}/ cannot be used: the folder {closed} (mode 0700) does not let poppo in; put the programs elsewhere" in log, log
    assert not root_installation.data.exists()


@pytest.mark.parametrize("name", ["platform/lock", "node/node.key"])
def test_a_pipe_in_place_of_a_file_holds_nobody_up(stopped, name):
    path = stopped.data / name
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    for place in (stopped.data, path.parent, path):
        own(stopped, place)
    code, log = ends(stopped)
    assert code == 1 and str(path) in log, log


def test_a_key_that_was_being_written_is_written_anew(stopped):
    unfinished = stopped.data / "node/node.key.new"
    unfinished.parent.mkdir(parents=True)
    unfinished.write_text("ppn_")
    for place in (stopped.data, unfinished.parent, unfinished):
        own(stopped, place)
    stopped.start()
    assert not unfinished.exists() and (stopped.data / "node/node.key").read_text().startswith("ppn_")
