"""What ./dev says when it cannot go on by itself."""

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
        prefix={tmp_path} data={tmp_path}/data python=python3 settings=()
        is_root() {{ false; }}
        demo_start
        printf '%s\\n' "${{settings[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "where").read_text() == "/\n"
    assert "--github-api-url\nthe github_url\n" in done.stdout and "--seed\nthe seed\n" in done.stdout
    for name in ("repository", "second_repository", "token", "key"):
        assert f"the {name}" in done.stderr


def test_a_process_number_that_was_given_to_another_is_not_ours(tmp_path):
    pid = os.getpid()
    began = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    for line, found in ((f"{pid} {began}", str(pid)), (f"{pid} {int(began) + 1}", ""), (str(pid), ""), ("", "")):
        (tmp_path / "pid").write_text(line + "\n")
        script = f"set -euo pipefail; . {DEV / 'run.sh'}; pid_file={tmp_path}/pid; background_process"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20)
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, found, "")
