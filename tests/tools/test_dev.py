"""What ./dev says when it cannot go on by itself."""

import pathlib
import subprocess

SETUP = pathlib.Path(__file__).resolve().parents[2] / "tools" / "dev" / "setup.sh"


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
