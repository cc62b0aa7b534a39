"""A status has one name for people, wherever they meet it: in the browser, on the command line, in the guides, at GitHub."""

import json
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LANGUAGES = ["en", "ja"]
# table of cli_words.c: where the names are listed, and their keys in the browser's words
SETS = {
    "STATUSES": ("execution.h", "PB_EXECUTION_STATUSES", "status."),
    "PROJECT_STATUSES": ("project.h", "PB_PROJECT_STATUSES", "project.status."),
    "HEALTHS": ("project.h", "PB_PROJECT_HEALTHS", "health."),
    "AGENTS": ("project.h", "PB_AGENT_STATES", "agent.state."),
    "NODES": ("node.h", "PB_NODE_STATUSES", "node."),
    "TRIGGERS": ("execution.h", "PB_TRIGGERS", "trigger."),
    "PRIORITIES": ("priority.h", "PB_PRIORITIES", "priority."),
    "LIMITS": ("queue_limit.h", "PB_QUEUE_LIMIT_KINDS", "queue.limit_"),
    "SCHEDULES": ("schedule.h", "PB_SCHEDULE_RESULTS", "schedules.result_"),
}
NOT_SHOWN = {"project.status.archived", "project.status.deleted"}  # the browser has no page with these


def names(header, macro):
    text = (ROOT / "platform/model" / header).read_text()
    found = re.findall(r'X\(\w+, "(\w+)"', re.search(rf"#define {macro}\(X\).*?\n\n", text, re.S)[0])
    assert len(found) >= 2, macro
    return found


def on_the_command_line(table):
    """name → (English, Japanese)"""
    text = (ROOT / "platform/cli/cli_words.c").read_text()
    rows = re.search(rf"struct word {table}\[\] = {{(.*?)\n}};", text, re.S)[1]
    return {name: (en, ja) for name, en, ja in re.findall(r'{"(\w+)",\s*"([^"]*)",\s*"([^"]*)"}', rows)}


@pytest.mark.parametrize("table", SETS)
def test_the_command_line_knows_every_name_and_says_what_the_browser_says(table):
    header, macro, prefix = SETS[table]
    words = on_the_command_line(table)
    assert sorted(words) == sorted(names(header, macro))
    for number, language in enumerate(LANGUAGES):
        browser = json.loads((ROOT / f"platform/web/src/i18n/{language}.json").read_text())
        there = {name: browser[prefix + name].casefold() for name in words if prefix + name not in NOT_SHOWN}
        assert there == {name: words[name][number].casefold() for name in there}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_guide_says_what_the_browser_says(language):
    guide = (ROOT / f"docs/guide/{language}.md").read_text()
    browser = json.loads((ROOT / f"platform/web/src/i18n/{language}.json").read_text())
    for name in names("execution.h", "PB_EXECUTION_STATUSES"):
        assert f"\n| {browser['status.' + name]} | `{name}` | " in guide


def test_github_hears_of_every_status_in_both_languages():
    text = (ROOT / "platform/server/services/github_parts.c").read_text()
    rows = re.findall(r'\[PB_EXECUTION_(\w+)\] = \{"([^"]+)",\s*"([^"]+)"\}', text)
    assert sorted(name.lower() for name, _, _ in rows) == sorted(names("execution.h", "PB_EXECUTION_STATUSES"))
    for _, en, ja in rows:
        assert en.isascii() is False and re.search("[぀-ヿ一-鿿]", ja) and not re.search("[぀-ヿ一-鿿]", en)
