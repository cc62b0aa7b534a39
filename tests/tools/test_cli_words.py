"""`poppo` says in Japanese what the platform refuses: its table and the platform's codes agree. Its columns hold its words."""

import pathlib
import re
import unicodedata

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLATFORM = ROOT / "platform"

# Told to nodes, to browsers, to the person who starts the platform, or acted on inside.
ELSEWHERE = set("""
    address_in_use already_running cancelled database_in_use disk_error foreign_key gap github_no_commits github_no_draft
    github_no_reactions github_unlabelled key_file_missing key_file_wrong no_installation node_key schema_changed schema_newer
    schema_older stale_fence target_not_empty unique unknown_topic unwanted url usage
    agent_log agent_offline agent_silent attempt_not_found cross_site project_exists repository_taken schedule_exists secret_needed
    secret_not_found setup_done setup_token ticket_invalid too_many_schedules user_not_found username_taken work_item_not_found
    bad_request expectation headers_too_large http_version method_not_allowed method_unknown target_too_long transfer_coding
""".split())


def sources(*folders):
    return "\n".join(file.read_text() for folder in folders for file in sorted((PLATFORM / folder).rglob("*.[ch]")))


def found(text, pattern):
    return {word for match in re.finditer(pattern, text) for word in re.findall(r'"([a-z0-9_]+)"', match[1])}


def codes():
    """Reasons of errors, however they are given."""
    text = sources("base", "net", "model", "server")
    patterns = [
        r"pb_fail_reason\(\s*[^;]*?PB_ERROR_\w+,\s*([^,]+),",
        r'PB_ERROR_\w+,\s*("[a-z0-9_]+")\}',
        r'(?:memcpy|snprintf)\(err->reason,[^;]*?("[a-z0-9_]+")',
        r'refuse\(\w+, \d+,(?: "[^"]*",)? ("[a-z0-9_]+"),',
        r'REFUSAL\(\w+, \d+, ("[a-z0-9_]+")',
    ]
    return set().union(found((PLATFORM / "base/error.h").read_text(), r'X\(\w+, \d+, ("\w+")\)'), *(found(text, p) for p in patterns))


def table(name):
    text = (PLATFORM / "cli/cli_problem.c").read_text()
    rows = re.search(rf"^static const struct row {name}\[\] = \{{(.*?)^\}};", text, re.S | re.M)[1]
    return re.findall(r'^    \{"(\w+)",\s*"([^"]+)"', rows, re.M)


def test_every_code_a_command_can_be_given_has_a_sentence():
    known = codes()
    assert len(known) > 100 and {"conflict", "queue_full", "github_down", "dns", "not_now"} <= known
    words = dict(table("PROBLEMS"))
    assert sorted(known - words.keys() - ELSEWHERE) == []
    assert sorted(words.keys() - known) == [] and sorted(words.keys() & ELSEWHERE) == [] and len(words) == len(table("PROBLEMS"))


def test_every_finding_of_a_field_has_words():
    known = {"invalid"} | found(sources("model"), r"PB_FINDING\(\s*\w+,\s*[^,]+,\s*([^,]+),") | found(sources("server/api"), r'snprintf\(err\.reason,[^;]*?("[a-z_]+")')
    assert len(known) > 8 and known == dict(table("FIELDS")).keys()


def test_names_fit_beside_their_values():
    """PAIR_COLUMN is where values begin, in both languages."""
    column = int(re.search(r"PAIR_COLUMN = (\d+)", (PLATFORM / "cli/cli_command.c").read_text())[1])
    names = re.findall(r'(?:put_pair|put_secret)\(\s*text,\s*(?:pb_say\("([^"]+)",\s*"([^"]+)"\)|"([^"]+)")', sources("cli"))
    assert len(names) > 30
    for name in {word for words in names for word in words if word}:
        width = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in name)
        assert width < column, name
