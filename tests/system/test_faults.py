"""Bad input and trouble: each time a clear sentence in the API and on GitHub, and nothing half done."""

import pytest
from rig import KEY, TOKEN, GitHub, Installation, Refused, http, until


def failed(platform, github, kind, number=1, issue=1):
    """The execution failed with this kind, and the sentence is on GitHub too."""
    done = platform.wait(number, "failed", "timed_out", deadline=90)
    assert done["reason"]["kind"] == kind, done["reason"]
    assert done["reason"]["en"] and done["reason"]["ja"]
    until("the comment says so", lambda: any(done["reason"]["en"] in c["body"] for c in github.comments(issue)), 20)
    return done


def unhealthy(platform, word):
    return until(f"the project says {word}", lambda: word in (platform.api("GET", "/api/projects/app")["health_reason"] or {}).get("en", "").lower(), 20)


# -- what a person types ------------------------------------------------------


def checks(platform, **fields):
    body = {"github_owner": "octo", "github_repo": "app", "github_token": TOKEN, **fields}
    answer = platform.api("POST", "/api/checks/github", body)
    return answer["ok"], {c["name"]: c["state"] for c in answer["checks"]}


def test_the_live_check_tells_good_from_bad(platform, github):
    assert checks(platform)[0] is True
    assert checks(platform, github_repo="absent")[1]["repository"] == "error"
    assert checks(platform, github_token="ghp_unknown")[1]["token"] == "error"
    github.control("user", login="reader", token="ghp_reader", scopes=[])
    ok, states = checks(platform, github_token="ghp_reader")
    assert not ok and "error" in states.values()


def test_the_live_check_tells_when_a_project_has_the_repository(platform, github):
    assert "project" not in checks(platform)[1]
    project = platform.project()["id"]
    for typed in ({}, {"github_owner": "OCTO", "github_api_url": github.url + "/"}):
        ok, states = checks(platform, **typed)
        assert not ok and states["project"] == "error", typed
    ok, states = checks(platform, project=project)  # its own settings
    assert ok and "project" not in states


def test_a_wrong_claude_key_is_told_before_the_project_exists(platform):
    answer = platform.api("POST", "/api/checks/claude", {"anthropic_api_key": "sk-ant-wrong"})
    assert answer["ok"] is False and any(c["name"] == "key" and c["state"] == "error" for c in answer["checks"])


@pytest.mark.parametrize("field, value", [("id", "Not A Slug"), ("github_owner", "a/b"), ("github_repo", ""), ("anthropic_base_url", "ftp://x"), ("poll_interval_seconds", 0), ("max_concurrent", 0)])
def test_a_bad_field_is_refused_by_name_and_nothing_is_made(platform, field, value):
    with pytest.raises(Refused) as refusal:
        platform.project(**{field: value})
    assert refusal.value.status in (400, 422)
    problem = refusal.value.problem
    assert problem.get("field") == field or any(e["field"] == field for e in problem.get("errors", [])), problem
    assert platform.api("GET", "/api/projects")["items"] == []


def test_a_second_start_on_the_same_data_is_refused_with_the_way_out(platform):
    second = platform.launch(platform.folder / "second.log")
    assert second.wait(20) == 1
    assert "already running" in (platform.folder / "second.log").read_text()
    assert platform.api("GET", "/api/me")


# -- GitHub --------------------------------------------------------------------


def test_a_missing_repository_and_a_revoked_token_are_the_projects_health(platform, github):
    platform.project()
    number = github.issue("First")
    platform.wait(1, "succeeded")
    github.control("revoke", token=TOKEN)
    unhealthy(platform, "token")
    github.control("user", login="octo", token=TOKEN)
    github.comment(number, "Go on")
    platform.wait(2, "succeeded")


def test_issues_switched_off_is_said(platform, github):
    github.control("change", repo=github.name, change={"has_issues": False})
    platform.project()
    unhealthy(platform, "issues")


def test_a_moved_repository_is_followed(platform, github):
    platform.project()
    github.issue("Before the move")
    platform.wait(1, "succeeded")
    github.control("move", repo=github.name, to="octo/renamed")
    github.name = "octo/renamed"
    github.issue("After the move")
    platform.wait(2, "succeeded", deadline=90)


def test_a_renamed_default_branch_is_noticed(platform, github):
    platform.project()
    github.issue("Before")
    platform.wait(1, "succeeded")
    github.control("rename-branch", repo=github.name, to="trunk")
    number = github.issue("After")
    platform.wait(2, "succeeded")
    until("a pull request against the new name", lambda: any(p["base"] == "trunk" for p in github.pulls()))
    assert number


@pytest.mark.parametrize("kind", ["500", "502", "cut", "secondary", "primary", "429"])
def test_trouble_at_github_in_the_middle_only_delays(platform, github, kind):
    platform.project()
    for match in ("GET .*/issues", "POST .*/comments", "POST .*/pulls", "POST .*/labels"):
        github.control("faults", match=match, kind=kind, times=1, seconds=1)
    number = github.issue("Please write a note")
    platform.wait(1, "succeeded", deadline=90)
    # Each effect waits for the one before it, and doubles its own wait.
    until("everything arrived once", lambda: len(github.pulls()) == 1 and len(github.comments(number)) == 1 and "poppo:done" in github.labels(number), 120)


def test_a_server_that_lacks_reactions_and_timelines_still_works(platform, github):
    github.control("lacks", patterns=["reactions", "timeline", "GET /repos/octo/app/issues/comments"])
    platform.project()
    number = github.issue("Please write a note")
    platform.wait(1, "succeeded")
    github.comment(number, "Again")
    platform.wait(2, "succeeded")


def test_an_empty_repository_is_said(github, messages, tmp_path):
    empty = GitHub(tmp_path / "empty", files={}, repo="app")
    platform = Installation(empty, messages).start().setup()
    try:
        platform.project()
        empty.issue("Do something")
        failed(platform, empty, "repo_empty")
    finally:
        platform.remove()
        empty.stop()


def test_a_huge_hostile_issue_text_does_no_harm(platform, github):
    platform.project()
    body = "\u202ehidden\u202c <!-- secret orders --> \u200bx\u0000y " + "長" * 65_000
    number = github.issue("Bidi \u202etxt.exe", body[:65_536])
    platform.wait(1, "succeeded", deadline=90)
    until("a pull request and a comment", lambda: github.pulls() and github.comments(number))
    assert "\u202e" not in github.repo["issues"][str(github.pulls()[0]["number"])]["title"]


# -- Claude --------------------------------------------------------------------


@pytest.mark.parametrize("order, kind", [("error=402", "billing"), ("error=403", "auth"), ("error=404", "model"), ("error=413", "prompt_too_long"), ("error=html", "provider")])
def test_a_refusal_of_the_messages_api_has_its_kind(platform, github, order, kind):
    platform.project()
    number = github.issue(f"Go [[poppo-rig: {order}]]")
    failed(platform, github, kind, issue=number)


def test_a_wrong_key_is_said_everywhere(platform, github):
    platform.project(anthropic_api_key="sk-ant-wrong-0123456789abcdef")
    number = github.issue("Go")
    failed(platform, github, "auth", issue=number)


def test_passing_trouble_is_ridden_out(platform, github):
    platform.project()
    github.issue("Go [[poppo-rig: error=529 times=1]]")
    platform.wait(1, "succeeded", deadline=90)


def test_a_missing_cli_is_said(github, messages):
    platform = Installation(github, messages, claude_path="/nonexistent/claude").start().setup()
    try:
        platform.project()
        number = github.issue("Go")
        failed(platform, github, "cli_missing", issue=number)
    finally:
        platform.remove()


def test_silence_is_ended(platform, github):
    platform.project(silence_timeout_seconds=5)
    number = github.issue("Go [[poppo-rig: silent]]")
    failed(platform, github, "silent", issue=number)
    until("nothing is left", lambda: not platform.processes("claude"))


def test_the_wall_clock_is_kept(platform, github):
    platform.project(timeout_seconds=10, silence_timeout_seconds=10)
    number = github.issue("Go [[poppo-rig: sleep=120]]")
    done = failed(platform, github, "wall_clock", issue=number)
    assert done["status"] == "timed_out"
    until("nothing is left", lambda: not platform.processes("claude") and not platform.processes("tail"))


def test_what_a_run_leaves_behind_is_ended(platform, github):
    platform.project()
    github.issue("Go [[poppo-rig: leave]]")
    platform.wait(1, "succeeded")
    until("nothing is left", lambda: not platform.processes("tail"))


def test_a_cli_that_talks_nonsense_is_said(github, messages):
    platform = Installation(github, messages)
    script = platform.folder / "claude"
    script.write_text("#!/bin/sh\necho '{\"type\":'\necho nonsense\nexit 0\n")
    script.chmod(0o755)
    platform.settings["claude_path"] = script
    platform.start().setup()
    try:
        platform.project()
        number = github.issue("Go")
        failed(platform, github, "cli_output", issue=number)
    finally:
        platform.remove()


def test_the_api_says_who_may_not(platform):
    with pytest.raises(Refused) as refusal:
        http("GET", f"{platform.url}/api/projects")
    assert refusal.value.status == 401 and refusal.value.problem["code"]
    assert KEY not in platform.log() and TOKEN not in platform.log()
