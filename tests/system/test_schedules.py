"""Schedules over the API, and what becomes of them when the platform is stopped or killed."""

import datetime
import random
import time

import pytest

from rig import until

pytestmark = pytest.mark.both_engines

UTC = datetime.timezone.utc


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


@pytest.fixture
def app(server):
    server.project("app")
    return server


def make(server, **fields):
    return server.ok("POST", "/api/projects/app/schedules", {
        "name": "nightly", "cron": "30 2 * * *", "title": "Update dependencies", "prompt": "please", **fields})


def runs(server):
    return [e for e in server.ok("GET", "/api/executions?limit=200")["items"] if e["trigger"] == "schedule"]


def wind_back(server, id, minutes_ago):
    """As if the platform had been down since before that minute. Says which minute."""
    due = (int(time.time()) // 60 - minutes_ago) * 60 * 1000
    server.sql(f"UPDATE schedules SET due_at = {due}, next_at = {due} WHERE id = '{id}'")
    return due


# -- people ------------------------------------------------------------------


def test_a_schedule_says_its_next_five_times(app):
    made = make(app, time_zone="Asia/Tokyo")
    assert made["enabled"] and made["missed"] == "run_once" and made["overlap"] == "skip" and made["last"] is None
    assert made["priority"] == "normal" and made["created_by"] == "admin" and made["version"] == 1
    times = [moment(t) for t in made["next"]]
    assert len(times) == 5 and made["next_at"] == made["next"][0]
    assert all((t.hour, t.minute, t.second) == (17, 30, 0) for t in times)  # 02:30 in Tokyo
    assert all(b - a == datetime.timedelta(days=1) for a, b in zip(times, times[1:]))
    assert times[0] > datetime.datetime.now(UTC)
    assert app.ok("GET", f"/api/schedules/{made['id']}") == made
    assert app.ok("GET", "/api/projects/app/schedules") == {"items": [made]}


def test_clocks_that_change_change_the_times(app):
    made = make(app, time_zone="Europe/Berlin", cron="30 2 28 3 *")
    assert all(t[5:] in ("03-28T00:30:00.000Z", "03-28T01:30:00.000Z", "03-28T01:00:00.000Z") for t in made["next"])
    preview = app.ok("POST", "/api/checks/schedule", {"cron": "@hourly", "time_zone": "Asia/Kolkata"})["next"]
    assert len(preview) == 5 and all(moment(t).minute == 30 for t in preview)


@pytest.mark.parametrize("field, value", [
    ("name", " "), ("cron", "every day"), ("cron", "60 * * * *"), ("cron", "0 0 31 2 *"), ("time_zone", "Mars/Olympus"), ("time_zone", "../x"),
    ("jitter_seconds", 3601), ("missed", "often"), ("overlap", "perhaps"), ("title", ""), ("prompt", ""), ("priority", "asap"), ("issue_number", 0),
])
def test_what_is_wrong_with_a_field_is_said_in_words(app, field, value):
    answer = app.api("POST", "/api/projects/app/schedules", {"name": "n", "cron": "@daily", "title": "t", "prompt": "p", field: value})
    assert answer.status == 400, answer
    found = {e["field"]: e["detail"] for e in answer.json.get("errors", [{"field": answer.json.get("field"), "detail": answer.json["detail"]}])}
    assert found[field], answer


def test_changes_name_the_version_they_were_made_from(app):
    made = make(app)
    path = f"/api/schedules/{made['id']}"
    assert app.api("GET", path).headers["ETag"] == '"1"'
    changed = app.ok("PUT", path, {"cron": "@weekly", "enabled": False}, If_Match='"1"')
    assert changed["version"] == 2 and changed["next_at"] is None and len(changed["next"]) == 5 and changed["title"] == "Update dependencies"
    assert app.api("PUT", path, {"cron": "@daily"}, If_Match='"1"').status == 412
    assert app.api("POST", "/api/projects/app/schedules", {"name": "nightly", "cron": "@daily", "title": "t", "prompt": "p"}).json["code"] == "schedule_exists"
    assert app.api("DELETE", path).status == 204
    assert app.api("DELETE", path).json["code"] == "schedule_not_found"
    assert app.api("GET", "/api/projects/nowhere/schedules").status == 404


def test_one_can_be_run_by_hand_and_changes_nothing_else(app):
    made = make(app, priority="high")
    run = app.ok("POST", f"/api/schedules/{made['id']}/run")
    assert run["trigger"] == "schedule" and run["title"] == "Update dependencies" and run["priority"] == "high" and run["requested_by"] == "admin"
    assert app.ok("GET", f"/api/schedules/{made['id']}") == made


# -- time --------------------------------------------------------------------


def test_a_time_that_was_missed_is_made_up_for_once(app):
    made = make(app, cron="* * * * *")
    app.stop()
    wind_back(app, made["id"], 10)
    app.start().login()
    now = until("it was started", lambda: (now := app.ok("GET", f"/api/schedules/{made['id']}"))["last"] and now)
    assert now["last"]["result"] == "started" and now["last"]["execution_status"] == "queued"
    assert [e["id"] for e in runs(app)] == [now["last"]["execution_id"]]
    assert moment(now["next_at"]) > datetime.datetime.now(UTC) - datetime.timedelta(seconds=2)


def test_or_it_is_left_out(app):
    made = make(app, cron="* * * * *", missed="skip")
    app.stop()
    wind_back(app, made["id"], 10)
    app.start().login()
    now = until("it was noted", lambda: (now := app.ok("GET", f"/api/schedules/{made['id']}"))["last"] and now)
    assert now["last"]["result"] == "missed" and now["last"]["detail"] and runs(app) == []


def test_one_moment_makes_one_execution_whenever_the_platform_is_killed(app):
    made = make(app, cron="* * * * *", overlap="cancel_previous")
    chance = random.Random(7)
    moments = set()
    for minutes_ago in range(40, 28, -2):
        app.stop()
        moments.add(wind_back(app, made["id"], minutes_ago))
        app.sql(f"UPDATE schedules SET missed = 'run_once', last_result = 'waiting' WHERE id = '{made['id']}'")  # this very moment, not the last one
        mark = app.spawn()
        until("it listens, or soon will", lambda: "listening on" in app.log_path.read_text()[mark:])
        time.sleep(chance.random() * 0.05)  # somewhere in the middle of it
        app.kill()
    app.start().login()
    until("all is done", lambda: app.ok("GET", f"/api/schedules/{made['id']}")["last"]["result"] == "started")
    keys = [row[0] for row in app.sql(f"SELECT dedupe_key FROM executions WHERE dedupe_key LIKE 'schedule:{made['id']}:%'")]
    assert len(keys) == len(set(keys))
    taken = {int(key.rsplit(":", 1)[1]) for key in keys}
    assert taken and max(moments) in taken  # what a kill swallowed was fired after the next start, or given way to the next moment


def test_what_still_runs_is_waited_for(app):
    made = make(app, cron="* * * * *", overlap="queue")
    first = app.ok("POST", f"/api/schedules/{made['id']}/run")
    app.stop()
    app.sql(f"UPDATE schedules SET last_execution_id = '{first['id']}' WHERE id = '{made['id']}'")
    wind_back(app, made["id"], 0)
    app.start().login()
    until("it waits", lambda: (app.ok("GET", f"/api/schedules/{made['id']}")["last"] or {}).get("result") == "waiting")
    assert len(runs(app)) == 1
    app.ok("POST", f"/api/executions/{first['id']}/cancel")
    until("it starts", lambda: len(runs(app)) == 2)
