"""What ./dev says: when it cannot go on by itself, how far it is, and where the platform is once it runs."""

import os
import pathlib
import subprocess

DEV = pathlib.Path(__file__).resolve().parents[2] / "tools" / "dev"
SETUP = DEV / "setup.sh"


def packages(tmp_path, known, sudo=False):
    """setup_packages on a machine that lacks gcc, libllhttp-dev and an optional package, for somebody who is not root."""
    wanted = tmp_path / "wanted.txt"
    wanted.write_text("# a list\ngit\ngcc\nlibllhttp-dev|node-llhttp\nclang-format-14?\n")
    script = f"""
        set -euo pipefail
        . {SETUP}
        work={tmp_path}
        is_root() {{ false; }}
        command() {{ if [ "$2" = sudo ]; then {"true" if sudo else "false"}; else true; fi; }}
        sudo() {{ echo "sudo $*"; [ "$3" != install ]; }}
        package_installed() {{ [ "$1" = git ]; }}
        apt-cache() {{ case " {known} " in *" $2 "*) echo "$2 1.0" ;; esac; }}
        setup_packages {wanted}
    """
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20)


def test_without_sudo_the_command_to_run_is_printed(tmp_path):
    done = packages(tmp_path, "gcc node-llhttp")
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("as root, run this, then start again: apt-get update && apt-get install -y --no-install-recommends gcc node-llhttp")
    assert packages(tmp_path, "gcc libllhttp-dev clang-format-14").stderr.rstrip().endswith("--no-install-recommends gcc libllhttp-dev clang-format-14")


def test_without_sudo_and_package_lists_these_come_first(tmp_path):
    done = packages(tmp_path, "")
    assert done.returncode == 1 and "as root, run: apt-get update, then start this again" in done.stderr


def test_when_apt_fails_the_command_is_printed_too(tmp_path):
    done = packages(tmp_path, "gcc node-llhttp", sudo=True)
    assert done.returncode == 1 and "sudo --preserve-env=DEBIAN_FRONTEND apt-get update -qq" in done.stdout
    assert "as root, run: apt-get install -y --no-install-recommends gcc node-llhttp" in done.stderr


def test_how_far_apt_and_the_compiler_are_is_said(tmp_path):
    words = ["dlstatus:1:3.5:Retrieving file 1 of 9", "dlstatus:2:45:Retrieving", "dlstatus:2:47:Retrieving", "pmstatus:libc6-dev:amd64:12.0:Unpacking",
             "pmstatus:libc6-dev:amd64:41.2:Configuring: 12:13", "E: no room", *(f"[{n}/200] cc x.c" for n in range(1, 201)), "[1/9] cc y.c"]
    done = subprocess.run(["bash", "-c", f"set -euo pipefail; . {SETUP}; progress {tmp_path}/log"], input="\n".join(words) + "\n", capture_output=True, text=True, timeout=20)
    assert done.returncode == 0
    assert done.stderr.splitlines() == ["==>   40 % downloaded", "==>   40 % installed", *(f"==>   {n} % built" for n in (20, 40, 60, 80, 100))]
    assert (tmp_path / "log").read_text().splitlines() == words[5:]  # apt's figures are not worth keeping


PLATFORM = """#!/usr/bin/python3
import http.server, json, signal, sys, threading
if "--broken" in sys.argv:
    sys.exit("level=error the disk is full")
ANSWERS = {"/readyz": {"status": "ok", "version": "9.8.7"}, "/api/setup": {"required": "--used" not in sys.argv}}
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(ANSWERS[self.path]).encode())
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(print("stopped", flush=True)))
url = f"http://127.0.0.1:{server.server_port}"
rule = "-" * 72
own = "time=2026-11-22T10:00:00.000Z level=info program=poppo-platform component=platform version=9.8.7 data_dir=/a b database=sqlite"
for line in (f"{own} listening on {url}", own.replace("=platform ", "=node_hub ") + " there is no outcome ' listening on http://127.0.0.1:9'", rule, "  PoppoBuilder Platform 9.8.7 is ready.", f"    {url}/setup#secret", rule,
             "level=info component=scheduler first", "level=info component=supervisor connected to the platform as node n1", "level=info component=scheduler second"):
    print(line, file=sys.stderr, flush=True)
while True:
    signal.pause()
"""


def run(tmp_path, words, *settings):
    """Commands of run.sh with a platform that only talks."""
    platform = tmp_path / "prefix/bin/poppo-platform"
    platform.parent.mkdir(parents=True, exist_ok=True)
    platform.write_text(PLATFORM)
    platform.chmod(0o755)
    script = f"""
        set -euo pipefail
        work={tmp_path} here={tmp_path} python=/usr/bin/python3
        . {SETUP}; . {DEV / "run.sh"}
        is_root() {{ false; }}
        setup_build() {{ :; }}; setup_users() {{ :; }}; build_all() {{ :; }}; build_stage() {{ :; }}
        {words}
    """
    return subprocess.run(["bash", "-c", script, "dev", *settings], capture_output=True, text=True, timeout=60)


def test_the_setup_link_is_the_last_word_of_the_start_and_status_says_it_again(tmp_path):
    assert run(tmp_path, "run_status").returncode == 1
    up = run(tmp_path, 'run_up --detach "$@"')
    try:
        assert up.returncode == 0, up.stderr
        said = up.stderr.splitlines()
        box = said[-4:]
        assert box[0] == box[3] == "-" * 72 and box[2].endswith("/setup#secret") and "scheduler" not in up.stderr
        assert str(tmp_path / "up.log") in said[-5] and "./dev down" in said[-5]
        status = run(tmp_path, "run_status")
        shown = status.stdout.splitlines()
        assert status.returncode == 0 and shown[0].startswith("platform  ready, version 9.8.7 (process ") and shown[4:] == box
        assert shown[1] == "address   " + box[2].strip().removesuffix("/setup#secret") and shown[2] == "node      connected"
        again = run(tmp_path, "run_up")
        assert again.returncode == 0 and "already running" in again.stderr and again.stdout.splitlines()[4:] == box
    finally:
        down = run(tmp_path, "run_down")
    assert "stopped" in down.stderr and "not running" in run(tmp_path, "run_down").stderr
    assert (tmp_path / "up.log").read_text().endswith("stopped\n") and (tmp_path / "up.log").stat().st_mode & 0o777 == 0o600


def test_a_setup_link_that_was_used_is_not_shown(tmp_path):
    try:
        assert run(tmp_path, 'run_up --detach "$@"', "--used").returncode == 0
        assert "setup#" not in run(tmp_path, "run_status").stdout
    finally:
        run(tmp_path, "run_down")


def test_a_start_that_fails_says_why(tmp_path):
    for way in ("run_up", "run_up --detach"):
        done = run(tmp_path, f'{way} "$@"', "--broken")
        assert done.returncode == 1 and "the disk is full" in done.stderr and "did not start" in done.stderr, done
        assert run(tmp_path, "run_status").returncode == 1


def test_in_a_terminal_it_runs_until_it_is_told_to_stop(tmp_path):
    process = tmp_path / "up.pid"
    script = f"run_up & wait_for=$!; while ! [ -s {process} ] || ! grep -q node {tmp_path}/up.log; do read -rt 0.1 <> <(:) || true; done; kill -TERM $wait_for; wait $wait_for"
    done = run(tmp_path, script)
    assert done.returncode == 0 and (tmp_path / "up.log").read_text().endswith("stopped\n"), done
    assert done.stderr.rstrip().endswith("picked up again at the next start")


def test_the_demos_stand_ins_do_not_live_in_the_clone(tmp_path):
    """As root they run as nobody, who may not enter a clone below /root; git fails then."""
    node = tmp_path / "lib/node/node"
    node.parent.mkdir(parents=True)
    members = ("github_url", "git_url", "messages_url", "seed", "project", "repository", "second_repository", "token", "key")
    node.write_text(f"""#!/bin/sh\npwd >{tmp_path}/where\necho '{{{", ".join(f'"{name}": "the {name}"' for name in members)}}}'\n""")
    node.chmod(0o755)
    script = f"""
        set -euo pipefail
        . {SETUP}; . {DEV / "run.sh"}
        prefix={tmp_path} data={tmp_path}/data python=python3 settings=() log_file={tmp_path}/log
        is_root() {{ false; }}
        demo_start
        printf '%s\\n' "${{settings[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "where").read_text() == "/\n"
    assert "--github-api-url\nthe github_url\n" in done.stdout and "--seed\nthe seed\n" in done.stdout
    for name in ("repository", "second_repository", "token", "key"):
        assert f"the {name}" in (tmp_path / "log").read_text()


def test_a_process_number_that_was_given_to_another_is_not_ours(tmp_path):
    pid = os.getpid()
    began = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    for line, found in ((f"{pid} {began}", str(pid)), (f"{pid} {int(began) + 1}", ""), (str(pid), ""), ("", "")):
        (tmp_path / "pid").write_text(line + "\n")
        script = f"set -euo pipefail; . {DEV / 'run.sh'}; pid_file={tmp_path}/pid; running_process"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20)
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, found, "")
