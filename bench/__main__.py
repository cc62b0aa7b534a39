"""python3 -m bench: runs the benchmarks of an installation and judges their figures. `./dev bench` prepares it all."""

import argparse
import importlib
import os
import pathlib
import shutil
import sys
import time
import traceback

from bench import report
from bench.processes import own, temporary

NAMES = ("start", "http", "history", "dispatch", "logs", "fanout")


class Setting:
    """What every bench is given."""

    def __init__(self, arguments):
        self.root = pathlib.Path(__file__).resolve().parents[1]
        self.place = arguments.place.resolve()
        self.prefix = self.place / "prefix"
        self.brief = arguments.brief
        self.run = None  # a folder for the files of this run

    def say(self, text):
        print(f"  … {text}", file=sys.stderr, flush=True)


def read_arguments():
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"which of {', '.join(NAMES)}; default: all")
    parser.add_argument("--place", type=pathlib.Path, required=True,
                        help="folder with prefix/ (an installation), node, peers/, programs/; stores are kept there")
    parser.add_argument("--brief", action="store_true", help="a look in a minute or two: fewer and shorter rounds, smaller stores")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="the figures for programs")
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE", help="the table for bench/README.md")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"there is no bench {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    return arguments


def last_words(folder):
    """The ends of the programs' logs."""
    for path in sorted(folder.rglob("*.log")):
        if path.parent.name.startswith("run-") and (text := path.read_text(errors="replace")):
            yield f"--- {path.name}\n{text[-1500:]}"


def measure(setting, name):
    """A bench that fails is a figure that was not reached: it is said, and the others go on."""
    bench = importlib.import_module(f"bench.{name}")
    setting.run = temporary(setting.place / "runs")
    own(setting.run)
    try:
        return bench.run(setting)
    except Exception as problem:  # whatever it is, it belongs into the report
        print(traceback.format_exc(), *last_words(setting.run), sep="\n", file=sys.stderr)
        return [report.Row(f"{name} could not be measured", None, "", (">=", 1), f"{type(problem).__name__}: {str(problem)[:200]}")]
    finally:
        shutil.rmtree(setting.run, ignore_errors=True)


def main():
    arguments = read_arguments()
    setting = Setting(arguments)
    (setting.place / "runs").mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()[0]
    machine = report.machine()
    print(f"{machine['cpus']} x {machine['cpu']}, {machine['memory_gib']} GiB, Linux {machine['kernel']}; load {load:.1f}"
          + ("; brief: only good for a look" if setting.brief else ""))
    results = {}
    for name in arguments.names or NAMES:
        began = time.monotonic()
        results[name] = measure(setting, name)
        print(report.table(f"\n{name} ({time.monotonic() - began:.0f} s)", results[name]), flush=True)
    judged = [row for rows in results.values() for row in rows if row.target]
    failed = [row for row in judged if row.verdict == "FAIL"]
    print(f"\n{len(judged) - len(failed)} of {len(judged)} targets reached" + "".join(f"\n  not: {row.name}" for row in failed))
    if arguments.json:
        report.write(arguments.json, report.document(setting.root, results, load))
    if arguments.markdown:
        arguments.markdown.write_text(report.markdown(results), encoding="utf-8")
    return 1 if failed else 0


sys.exit(main())
