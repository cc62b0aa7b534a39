"""Figures, their targets, and how they are shown: a table for people, JSON for programs."""

import dataclasses
import datetime
import json
import os
import platform
import statistics
import subprocess

BETTER = {">=": lambda value, target: value >= target, "<=": lambda value, target: value <= target}


@dataclasses.dataclass
class Row:
    """One figure. `target` is ("<=", 40) or None; `value` None means it could not be measured, and `note` says why."""

    name: str
    value: float | None
    unit: str = ""
    target: tuple[str, float] | None = None
    note: str = ""

    @property
    def verdict(self):
        if self.target is None:
            return ""
        if self.value is None:
            return "FAIL"
        return "PASS" if BETTER[self.target[0]](self.value, self.target[1]) else "FAIL"


def number(value):
    if value is None:
        return "–"
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def table(title, rows):
    cells = [[row.name, number(row.value), row.unit,
              f"{row.target[0]} {number(row.target[1])}" if row.target else "", row.verdict, row.note] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    lines = [title]
    for name, value, unit, target, verdict, note in cells:
        lines.append(f"  {name:<{widths[0]}}  {value:>{widths[1]}} {unit:<{widths[2]}}  {target:>{widths[3]}}  "
                     f"{verdict:<{widths[4]}}  {note}".rstrip())
    return "\n".join(lines)


def markdown(benches):
    """The table of bench/README.md."""
    lines = ["| bench | what | figure | target | |", "|---|---|---|---|---|"]
    for name, rows in benches.items():
        for row in rows:
            target = f"{row.target[0]} {number(row.target[1])}" if row.target else ""
            lines.append(f"| {name} | {row.name} | {number(row.value)} {row.unit} | {target} | {row.verdict} |")
    return "\n".join(lines) + "\n"


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": models[0] if models else platform.machine(), "cpus": len(os.sched_getaffinity(0)),
            "memory_gib": round(memory / 2**30), "kernel": platform.release()}


def revision(root):
    asked = subprocess.run(["git", "-C", str(root), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or "unknown"


def document(root, benches, load_before):
    return {"at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "revision": revision(root),
            "machine": machine(), "load_before": round(load_before, 2), "load_after": round(os.getloadavg()[0], 2),
            "benches": {name: [{**dataclasses.asdict(row), "verdict": row.verdict} for row in rows]
                        for name, rows in benches.items()}}


def write(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.write("\n")


def median(values):
    return statistics.median(values) if values else None


def percentile(values, percent):
    """The nearest-rank percentile, so that p99 of 100 values is one that occurred."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else None
