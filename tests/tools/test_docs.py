"""What people read says what the code does: links lead somewhere, and no failure, status, setting or command is left out."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDES = [ROOT / "docs/guide/en.md", ROOT / "docs/guide/ja.md"]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def anchors(page):
    """GitHub's: lower case, punctuation dropped, blanks to '-'."""
    heads = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M), re.M)
    return {re.sub(r"[^\w\- ]", "", head.strip().lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"https?:|mailto:", target):
            continue
        file, _, anchor = target.partition("#")
        place = (page.parent / file).resolve() if file else page
        assert place.exists(), f"{page.name}: {target}"
        if anchor and place.suffix == ".md":
            assert anchor in anchors(place), f"{page.name}: {target}"


def failures():
    """name → the four sentences of platform/model/failure.c."""
    names = dict(re.findall(r'X\((\w+), "(\w+)", \w+\)', (ROOT / "platform/model/failure.h").read_text()))
    table = (ROOT / "platform/model/failure.c").read_text()
    found = {}
    for kind, body in re.findall(r"^    ROW\((\w+),(.*?)\),$", table, re.S | re.M):
        parts = re.findall(r'\.(\w+)\s*=\s*((?:"(?:[^"\\]|\\.)*"\s*)+)', body)
        found[names.pop(kind)] = {name: "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text)) for name, text in parts}
    assert not names, f"failures without words, or words this test cannot read: {names}"
    return found


@pytest.mark.parametrize("guide", GUIDES, ids=["en", "ja"])
def test_the_guide_has_every_failure_in_the_words_of_the_program(guide):
    text = guide.read_text()
    language = guide.stem
    for name, words in failures().items():
        row = f"| `{name}` | {words[language]} | {words['next_' + language]} |"
        assert row in text, f"{guide.name} lacks: {row}"


@pytest.mark.parametrize("guide", GUIDES, ids=["en", "ja"])
def test_the_guide_has_every_status_label_and_command(guide):
    text = guide.read_text()
    statuses = re.search(r"#define PB_EXECUTION_STATUSES.*?\n\n", (ROOT / "platform/model/execution.h").read_text(), re.S)
    labels = re.search(r"#define PB_GITHUB_LABELS.*?\n\n", (ROOT / "platform/server/services/github_label.h").read_text(), re.S)
    commands = re.findall(r'^    \{"(\w+)", (?:NULL|"\w+"),', (ROOT / "platform/cli/cli_command.c").read_text(), re.M)
    wanted = [f"| `{name}` |" for name in re.findall(r'X\(\w+, "(\w+)"', statuses[0])]
    wanted += [f"| `poppo:{name}` |" for name in re.findall(r'X\(\w+, "([\w-]+)"', labels[0])]
    wanted += [f"poppo {noun}" for noun in commands if noun not in ("logout", "version")]
    assert len(wanted) > 20
    for words in wanted:
        assert words in text, f"{guide.name} lacks {words}"


@pytest.mark.parametrize("guide", GUIDES, ids=["en", "ja"])
def test_the_guides_contents_name_every_part_in_order(guide):
    text = guide.read_text()
    assert re.findall(r"^\d+\. \[(.*)\]\(#", text, re.M) == re.findall(r"^## (.*)$", text, re.M)


def test_both_guides_have_the_same_parts():
    shapes = [[line.split(" ")[0] for line in guide.read_text().splitlines() if re.match(r"#+ |\| `|```|[0-9]+\. ", line)] for guide in GUIDES]
    assert shapes[0] == shapes[1]


def test_operations_has_every_setting_of_the_platform():
    source = (ROOT / "platform/server/settings.c").read_text()
    rows = re.findall(r'^    (?:TEXT|NUMBER|SWITCH|TIME|SIZE|SECRET)\(\s*"(\w+)", "([^"]*)",\s*"((?:[^"\\]|\\.)*)"\)', source, re.M)
    text = (ROOT / "docs/operations.md").read_text()
    assert len(rows) > 25
    for name, otherwise, help in rows:
        shown = f"`{otherwise}`" if otherwise else ""
        words = help.replace('\\"', '"')
        row = f"| `{name}` | {shown} | {words} |"
        assert row in text, f"operations.md lacks: {row}"
    listed = re.search(r"\| setting \| default \|.*?\n\n", text, re.S)[0]
    assert set(re.findall(r"^\| `(\w+)`", listed, re.M)) == {name for name, _, _ in rows}
