"""The platform and GitHub, without a node: what starts work, and what GitHub shows about it. Executions stay queued."""

import signal
import types

import pytest
from rig import TOKEN, GitHub, Installation, Refused, files_with, until

NOWHERE = types.SimpleNamespace(url="http://127.0.0.1:9")


@pytest.fixture
def platform(github):
    made = Installation(github, NOWHERE, claude_path="/bin/false", local_node="false", github_write_gap="0s")
    made.start().setup()
    yield made
    made.remove()


def settled(github, number, label):
    """The issue carries this one label of ours, and there is one comment."""
    def probe():
        ours = {name for name in github.labels(number) if name.startswith("poppo:")}
        return ours == {f"poppo:{label}"} and len(github.comments(number)) == 1

    until(f"issue {number} is {label} with one comment", probe)
    return github.comments(number)[0]["body"]


def health(platform, word):
    return until(f"the project is {word}", lambda: (p := platform.api("GET", "/api/projects/app"))["health"] == word and p)


def test_a_labelled_issue_is_seen_queued_and_said_once(platform, github):
    platform.project()
    number = github.issue("Please write a note", "body")
    body = settled(github, number, "queued")
    execution = platform.execution(1)
    assert f"{platform.url}/executions/{execution['id']}" in body
    assert execution["trigger"] == "label" and execution["requested_by"] == "octo"
    assert [r["content"] for r in github.repo["issues"][str(number)]["reactions"]] == ["eyes"]
    health(platform, "healthy")
    github.check_contract()


def test_cancelling_is_said_where_it_was_asked_for(platform, github):
    platform.project(language="ja")
    number = github.issue("使い方のメモを追加してください")
    settled(github, number, "queued")
    platform.api("POST", f"/api/executions/{platform.execution(1)['id']}/cancel")
    body = settled(github, number, "failed")
    assert "中止されました" in body and "`admin`" in body
    github.check_contract()


def test_a_label_set_again_starts_again(platform, github):
    platform.project()
    number = github.issue("First")
    platform.api("POST", f"/api/executions/{platform.execution(1)['id']}/cancel")
    settled(github, number, "failed")
    github.control("unlabel", repo=github.name, number=number, label="poppo", login="octo")
    github.control("label", repo=github.name, number=number, label="poppo", login="writer")
    again = platform.execution(2)
    assert again["requested_by"] == "writer" and again["status"] == "queued"
    body = settled(github, number, "queued")
    assert "<summary>Earlier: 1</summary>" in body and "🚫 Cancelled · `admin`" in body


def test_comments_of_writers_continue_and_others_do_not(platform, github):
    platform.project()
    number = github.issue("First")
    platform.api("POST", f"/api/executions/{platform.execution(1)['id']}/cancel")
    github.comment(number, "do harm", login="stranger")
    github.comment(number, "<!-- poppo:x --> quoting", login="octo")
    github.comment(number, "once more", login="writer")
    again = platform.execution(2)
    assert again["trigger"] == "comment" and again["requested_by"] == "writer"
    github.comment(number, "and more", login="writer")
    platform.execution(3)
    assert len(platform.executions()) == 3
    github.check_contract()


def test_an_issue_is_started_by_hand(platform, github):
    platform.project()
    number = github.issue("By hand", labels=())
    made = platform.api("POST", "/api/projects/app/executions", {"issue_number": number})
    assert made["trigger"] == "ui" and made["issue_number"] == number and made["title"] == "By hand"
    settled(github, number, "queued")
    with pytest.raises(Refused) as refusal:
        platform.api("POST", "/api/projects/app/executions", {"issue_number": 999})
    assert refusal.value.status in (400, 422) and "issue_number" in str(refusal.value.problem)


def test_a_revoked_token_is_said_and_recovers_by_itself(platform, github):
    platform.project()
    github.issue("First")
    platform.execution(1)
    github.control("revoke", token=TOKEN)
    project = health(platform, "misconfigured")
    assert "token" in project["health_reason"]["en"].lower() and project["health_reason"]["ja"]
    github.control("user", login="octo", token=TOKEN)
    health(platform, "healthy")


def test_a_moved_repository_gives_the_project_its_new_name(platform, github):
    platform.project()
    github.issue("Before")
    settled(github, 1, "queued")
    github.control("move", repo=github.name, to="octo/renamed")
    github.name = "octo/renamed"
    number = github.issue("After")
    settled(github, number, "queued")
    project = platform.api("GET", "/api/projects/app")
    assert (project["github_owner"], project["github_repo"]) == ("octo", "renamed")
    platform.api("POST", f"/api/executions/{platform.execution(1)['id']}/cancel")
    settled(github, 1, "failed")
    github.check_contract()


def test_nobody_is_asked_while_github_wants_quiet(platform, github):
    platform.project()
    health(platform, "healthy")
    github.control("faults", match="GET .*/issues", kind="secondary", times=1, seconds=4)
    health(platform, "failing")
    asked = len(github.ask("requests"))
    number = github.issue("Meanwhile", labels=())
    assert platform.api("GET", "/api/projects/app")["health"] == "failing"
    assert len(github.ask("requests")) == asked
    github.control("label", repo=github.name, number=number, label="poppo", login="octo")
    platform.execution(1, deadline=30)


@pytest.mark.parametrize("match", ["POST .*/reactions", "POST .*/issues/[0-9]+/comments", "POST .*/issues/[0-9]+/labels"])
def test_a_platform_killed_between_two_effects_doubles_nothing(platform, github, match):
    platform.project()
    github.control("faults", match=match, kind="slow", times=1, seconds=2)
    number = github.issue("Once")
    until("the effect is under way", lambda: any(r["method"] == "POST" and "/issues/" in r["path"] for r in github.ask("requests")) or github.repo["issues"][str(number)]["reactions"])
    assert platform.kill("poppo-platform", signal.SIGKILL) >= 1
    platform.launcher.wait(10)
    platform.start()
    platform.login()
    settled(github, number, "queued")
    assert len(platform.executions()) == 1
    assert len(github.repo["issues"][str(number)]["reactions"]) == 1


def test_a_silent_github_does_not_hold_up_the_end(platform, github):
    platform.project()
    health(platform, "healthy")
    github.control("faults", match="GET .*/issues", kind="hang", times=100)
    asked = len(github.ask("requests"))
    until("a call hangs", lambda: len(github.ask("requests")) > asked)
    platform.launcher.send_signal(signal.SIGTERM)
    assert platform.launcher.wait(8) == 0


def test_a_comment_somebody_deleted_comes_back_with_the_next_news(platform, github):
    platform.project()
    number = github.issue("First")
    settled(github, number, "queued")
    first = github.comments(number)[0]["id"]
    github.control("change", repo=github.name, change={"comments": []})
    platform.api("POST", f"/api/executions/{platform.execution(1)['id']}/cancel")
    settled(github, number, "failed")
    assert github.comments(number)[0]["id"] != first


def test_the_token_is_nowhere_on_disk(platform, github):
    platform.project()
    settled(github, github.issue("First"), "queued")
    assert files_with(platform.folder, TOKEN) == []
