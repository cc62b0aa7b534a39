"""The main job through the front door: label → run → branch, pull request, comment, labels → reply → second commit."""

import json
import os
import pathlib
import re

import pytest
import rig
from rig import GitHub, Installation, files_with, ordinary_user, until


def settled(github, number, label):
    """The platform's word on GitHub: exactly this label of ours, one comment."""
    def probe():
        ours = {name for name in github.labels(number) if name.startswith("poppo:")}
        return ours == {f"poppo:{label}"} and len(github.comments(number)) == 1

    until(f"issue {number} is labelled {label} with one comment", probe, 20)


def pull_body(github):
    return github.repo["issues"][str(github.pulls()[-1]["number"])]["body"]


@pytest.mark.both_engines
def test_a_labelled_issue_becomes_a_pull_request_and_a_reply_a_second_commit(platform, github):
    platform.project()
    number = github.issue("Please write a note")
    done = platform.wait(1, "succeeded")
    settled(github, number, "done")
    assert done["branch"] == f"poppo/issue-{number}"
    pull = until("the pull request is known", lambda: platform.execution(1)["pull_request"])
    assert [p["number"] for p in github.pulls()] == [pull["number"]]
    assert github.pulls()[0]["draft"] is True
    assert github.git("show", f"{done['branch']}:notes/issue-{number}.md") == "Note of round 1"
    assert "eyes" in [r["content"] for r in github.repo["issues"][str(number)]["reactions"]]
    assert done["cost_usd"] > 0 and done["usage"]["output_tokens"] > 0 and done["session_id"]

    github.comment(number, "Once more, please")
    again = platform.wait(2, "succeeded")
    # The label alone may still be that of the first round.
    until("the second round is told", lambda: "(round 2)" in github.comments(number)[0]["body"] and "(round 2)" in pull_body(github))
    settled(github, number, "done")
    assert again["trigger"] == "comment" and again["session_id"] == done["session_id"]
    assert github.git("show", f"{done['branch']}:notes/issue-{number}.md").splitlines() == ["Note of round 1", "Note of round 2"]
    assert len(github.pulls()) == 1
    assert github.git("rev-list", "--count", f"main..{done['branch']}") == "2"
    said, body = github.comments(number)[0]["body"], pull_body(github)
    for text in (said, body):
        assert "> Once more, please" in text and f"/commit/{done['head_sha']}" in text
    assert "(round 1)" in said.split("<summary>Earlier: 1 · $")[1] and "(round 1)" in body.split("<summary>Earlier: 1 · $")[1]
    checked = body.split("### What was checked\n\n")[1].split("\n\n###")[0]
    assert checked == "`git diff --stat` shows that no other file changed."
    github.check_contract()


def test_the_log_is_numbered_lines_that_can_be_read_by_range(platform, github):
    platform.project()
    github.issue("Count [[poppo-rig: lines=3000]]")
    platform.wait(1, "succeeded")
    done = until("the platform's own last line is there", lambda: (now := platform.execution(1)) and platform.lines(now, tail=1)[0].endswith("ended: succeeded") and now)
    lines = platform.all_lines(done)
    assert len(lines) == platform.execution(1)["log"]["lines"] and done["log"]["complete"]
    assert platform.lines(done, start=5, count=3) == lines[5:8]
    assert platform.lines(done, tail=4) == lines[-4:]
    assert all(line.split(" ", 2)[0].isdigit() for line in lines)


def test_a_japanese_project_speaks_japanese(platform, github):
    platform.project(language="ja")
    number = github.issue("使い方のメモを追加してください", "よろしくお願いします。🐦")
    done = platform.wait(1, "succeeded")
    settled(github, number, "done")
    assert "対応しました" in done["summary"]
    assert any("\u3040" <= letter <= "\u30ff" for letter in github.comments(number)[0]["body"])
    until("the pull request is known", lambda: platform.execution(1)["pull_request"])
    pull = github.repo["issues"][str(github.pulls()[0]["number"])]
    assert "使い方のメモ" in pull["title"]
    assert "### 確認したこと\n\n`git diff --stat` で、" in pull["body"] and "報告はありません" not in pull["body"]


def test_a_question_waits_for_a_reply_and_goes_on_in_the_same_session(platform, github):
    platform.project()
    number = github.issue("Decide [[poppo-rig: ask]]")
    asked = platform.wait(1, "waiting_input")
    settled(github, number, "needs-input")
    assert "Which language" in asked["question"]
    assert asked["active_ms"] > 0 and asked["active_since"] is None  # the waiting is nobody's work
    assert "Which language" in github.comments(number)[0]["body"]
    github.comment(number, "English, please. [[poppo-rig: write=answer.txt text=English]]")
    done = platform.wait(1, "succeeded")
    settled(github, number, "done")
    assert done["session_id"] == asked["session_id"] and done["attempt_count"] == 2
    assert done["active_ms"] > asked["active_ms"] and done["active_since"] is None
    said = github.comments(number)[0]["body"]
    assert "> Which language" in said and "**Answer** by `octo` ([comment](" in said and "> English, please." in said
    assert "attempt" not in said
    assert github.git("show", f"{done['branch']}:answer.txt") == "English"
    (remark,) = platform.api("GET", f"/api/executions/{done['id']}/remarks")["items"]
    assert "Which language" in remark["question"] and remark["text"].startswith("English, please.")
    assert remark["said_by"] == "octo" and f"/issues/{number}#issuecomment-" in remark["url"]


HOSTILE = " ".join(["Closes https://github.com/octo/app/issues/1, fixes octo/app#1, resolves: GH-1, Fixed #1,", "@writer @octo/team &#64;writer", "<details><!-- hidden -->\\n/merge\\n```\\nopen"])


def test_what_the_model_writes_does_nothing_at_github(platform, github):
    platform.project()
    number = github.issue("Fixes #1 @writer", f'[[poppo-rig: say="{HOSTILE}"]]')
    platform.wait(1, "succeeded")
    settled(github, number, "done")
    until("the pull request is known", lambda: platform.execution(1)["pull_request"])
    title = github.repo["issues"][str(github.pulls()[0]["number"])]["title"]
    own = f"#{github.pulls()[0]['number']} ", f"Refs #{number} ", f"(#{number})"
    for text in (github.comments(number)[0]["body"], pull_body(github), title):
        for ours in own:
            text = text.replace(ours, "")
        assert not re.search(r"#\d|gh-\d|//github\.com/\S+/\d|(?<!\w)@\w|&#|^/\w", text, re.IGNORECASE | re.MULTILINE), text
        assert text.count("```") % 2 == 0 and text.count("<details>") == 0


def test_nothing_to_change_is_a_success_without_a_pull_request(platform, github):
    platform.project()
    number = github.issue("Look [[poppo-rig: nochange]]")
    done = platform.wait(1, "succeeded")
    settled(github, number, "done")
    assert done["no_changes"] is True and github.pulls() == []


def test_a_label_or_comment_by_someone_without_write_access_starts_nothing(platform, github):
    platform.project()
    strangers = github.issue("Do harm", labels=())
    github.control("label", repo=github.name, number=strangers, label="poppo", login="stranger")
    allowed = github.issue("Do good")
    platform.wait(1, "succeeded")
    github.comment(allowed, "Do harm", login="stranger")
    github.comment(allowed, "Do more good", login="writer")
    platform.wait(2, "succeeded")
    assert {e["issue_number"] for e in platform.executions()} == {allowed}
    assert len(platform.executions()) == 2


@pytest.mark.both_engines
def test_cancel_ends_a_run_and_leaves_nothing_behind(platform, github):
    platform.project()
    number = github.issue("Slow [[poppo-rig: sleep=300]]")
    running = platform.wait(1, "running")
    assert running["active_since"] == running["started_at"]
    until("the tool runs", lambda: platform.processes("tail"))
    platform.api("POST", f"/api/executions/{running['id']}/cancel")
    cancelled = platform.wait(1, "cancelled", deadline=30)
    assert cancelled["reason"]["detail"] == "cancelled by admin"
    log = [line.split(" ", 2)[2] for line in platform.all_lines(cancelled)]
    assert log.count("cancelled by admin") == 1 and "stopping the run" in log, log
    until("nothing of the run is left", lambda: not platform.processes("claude") and not platform.processes("tail"))
    settled(github, number, "failed")
    assert "**🚫 Cancelled** by `admin`" in github.comments(number)[0]["body"]
    log = "\n".join(platform.all_lines(running))
    assert "cancelled by admin" in log and "cancelled: cancelled" not in log


def test_the_previous_cli_does_the_same_job(github, messages):
    platform = Installation(github, messages, claude_path=rig.claude("previous")).start().setup()
    try:
        platform.project()
        number = github.issue("Please write a note")
        done = platform.wait(1, "succeeded")
        github.comment(number, "Once more")
        again = platform.wait(2, "succeeded")
        assert again["session_id"] == done["session_id"]
        assert github.git("rev-list", "--count", f"main..{done['branch']}") == "2"
    finally:
        platform.remove()


@pytest.mark.skipif(ordinary_user() is None, reason="only root can become another user")
def test_an_ordinary_user_can_run_it_all(github, messages):
    platform = Installation(github, messages, user=ordinary_user()).start().setup()
    try:
        platform.project()
        number = github.issue("Please write a note")
        platform.wait(1, "succeeded")
        settled(github, number, "done")
    finally:
        platform.remove()


def test_no_credential_is_where_it_does_not_belong(platform, github, messages):
    platform.project()
    github.issue("Look around [[poppo-rig: env]]")
    running = platform.wait(1, "running", "succeeded")
    found = [pid for pid in platform.processes() for place in ("environ", "cmdline") if holds_secret(f"/proc/{pid}/{place}")]
    assert found == []
    done = platform.wait(1, "succeeded")
    for line in platform.all_lines(done):
        assert rig.TOKEN not in line and rig.KEY not in line
    for comment in github.repo["comments"]:
        assert rig.TOKEN not in comment["body"] and rig.KEY not in comment["body"]
    platform.stop()
    assert files_with(platform.folder, rig.TOKEN, rig.KEY) == []
    assert {r["key"] for r in messages.ask("requests") if r["path"].startswith("/v1/messages")} == {rig.KEY}
    assert running and json.dumps(done)


def holds_secret(path):
    try:
        data = pathlib.Path(path).read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return False
    except PermissionError:  # not dumpable, so not even its own user may look
        assert os.geteuid() != 0
        return False
    return rig.TOKEN.encode() in data or rig.KEY.encode() in data


def test_a_stopped_project_has_no_agent_and_a_started_one_has(platform, github):
    platform.project()

    def agent(state):
        until(f"the agent is {state}", lambda: platform.api("GET", "/api/projects/app")["agent"]["state"] == state)

    agent("running")
    platform.api("POST", "/api/projects/app/stop")
    agent("stopped")
    assert platform.api("GET", "/api/stats")["agents_running"] == 0
    platform.api("POST", "/api/projects/app/start")
    agent("running")
    github.issue("Please write a note")
    platform.wait(1, "succeeded")
