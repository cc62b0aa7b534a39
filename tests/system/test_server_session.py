"""First setup, sign in, refresh, sign out."""

import concurrent.futures
import os
import pathlib
import re
import time

import pytest

from rig import free_ports, until
from server_rig import PASSWORD, Server

pytestmark = pytest.mark.both_engines


def test_the_setup_link_works_once_and_makes_an_administrator(bare):
    assert bare.call("GET", "/api/setup").json["required"] is True
    token = bare.setup_token()
    wrong = bare.call("POST", "/api/setup", {"token": "no", "username": "admin", "password": PASSWORD})
    assert (wrong.status, wrong.json["code"]) == (403, "setup_token")
    bare.setup()
    me = bare.ok("GET", "/api/me")
    assert me["role"] == "admin" and me["permissions"] == ["READ", "RUN", "MANAGE", "ADMINISTER"]
    assert bare.call("GET", "/api/setup").json["required"] is False
    again = bare.call("POST", "/api/setup", {"token": token, "username": "other", "password": PASSWORD})
    assert (again.status, again.json["code"]) == (409, "setup_done")


def test_setup_says_everything_that_is_wrong_at_once(bare):
    answer = bare.call("POST", "/api/setup", {"token": bare.setup_token(), "username": "a b", "password": "passwor", "extra": 1})
    assert answer.status == 400
    assert {e["field"] for e in answer.json["errors"]} >= {"password", "extra"}
    answer = bare.call("POST", "/api/setup", {"token": bare.setup_token(), "username": "a b", "password": PASSWORD})
    assert answer.json["field"] == "username"


def test_a_wrong_password_says_no_more_than_that(server):
    for username in ("admin", "nobody"):
        answer = server.call("POST", "/api/auth/login", {"username": username, "password": "not the password"})
        assert (answer.status, answer.json["code"]) == (401, "login_failed")
        assert answer.json["detail"] == "User name or password is wrong"
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json["request_id"] == answer.headers["X-Request-Id"]


def test_failing_again_and_again_has_to_wait(server):
    for _ in range(6):
        answer = server.call("POST", "/api/auth/login", {"username": "admin", "password": "not the password"})
    answer = server.login()
    assert (answer.status, answer.json["code"]) == (429, "login_delayed")
    assert "Retry-After" in answer.headers
    until("the wait is over", lambda: server.login().status == 200, 10)


def test_many_who_sign_in_at_once_hold_up_nobody_else(server):
    """Each password costs 19 MiB and a moment of a thread: a few at a time, the rest is told so at once."""
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        flood = [pool.submit(server.call, "POST", "/api/auth/login", {"username": f"n{n}", "password": PASSWORD}) for n in range(200)]
        assert server.ok("GET", "/api/projects") is not None
        codes = {answer.result().json["code"] for answer in flood}
    assert codes == {"login_failed", "busy"}


def test_a_refresh_token_is_replaced_and_a_copy_ends_the_session(server):
    cookie = server.cookie
    assert re.fullmatch(r"__Host-poppo-[0-9a-f]{8}=.+", cookie)
    first = server.keep_cookie(server.call("POST", "/api/auth/refresh", headers={"Cookie": cookie}))
    assert first.status == 200 and server.cookie != cookie
    header = first.headers["Set-Cookie"]
    assert "HttpOnly" in header and "SameSite=Strict" in header and "Secure" in header and "Path=/" in header
    # The one just replaced is still good for a moment (two tabs), but gives no new cookie.
    tab = server.call("POST", "/api/auth/refresh", headers={"Cookie": cookie})
    assert tab.status == 200 and "Set-Cookie" not in tab.headers
    second = server.keep_cookie(server.call("POST", "/api/auth/refresh", headers={"Cookie": server.cookie}))
    assert second.status == 200
    stolen = server.call("POST", "/api/auth/refresh", headers={"Cookie": cookie})
    assert (stolen.status, stolen.json["code"]) == (401, "session_reused")
    ended = server.call("POST", "/api/auth/refresh", headers={"Cookie": server.cookie})
    assert (ended.status, ended.json["code"]) == (401, "session_ended")
    server.access = second.json["access_token"]
    assert server.api("GET", "/api/me").json["code"] == "session_ended"


def test_noise_instead_of_a_refresh_token_ends_nobodys_session(server):
    name, value = server.cookie.split("=")
    session = value.split(".")[0]
    for noise in ("x", f"{session}.x.y", f"{session}.{'A' * 43}.{'B' * 43}"):
        answer = server.call("POST", "/api/auth/refresh", headers={"Cookie": f"{name}={noise}"})
        assert (answer.status, answer.json["code"]) == (401, "session_ended")
    assert server.call("POST", "/api/auth/refresh", headers={"Cookie": server.cookie}).status == 200


def test_signing_out_ends_the_session_at_once(server):
    assert server.call("POST", "/api/auth/logout", headers={"Cookie": server.cookie}).status == 204
    assert server.api("GET", "/api/me").json["code"] == "session_ended"
    assert server.call("POST", "/api/auth/refresh", headers={"Cookie": server.cookie}).status == 401


def test_two_platforms_on_one_host_leave_each_others_cookies_alone(server):
    """A browser sends what it has for the host, whatever the port."""
    other = Server().start().setup()
    try:
        assert other.cookie.split("=")[0] != server.cookie.split("=")[0]
        both = {"Cookie": f"{server.cookie}; {other.cookie}"}
        for one in (server, other):
            assert one.call("POST", "/api/auth/refresh", headers=both).status == 200
        assert server.call("POST", "/api/auth/logout", headers=both).status == 204
        assert other.call("POST", "/api/auth/refresh", headers=both).status == 200
        name = other.cookie.split("=")[0]
        other.stop()
        other.start().login()
        assert other.cookie.split("=")[0] == name
    finally:
        other.remove()


def test_another_sites_page_cannot_use_the_cookie(server):
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}):
        answer = server.call("POST", "/api/auth/refresh", headers={"Cookie": server.cookie, **headers})
        assert (answer.status, answer.json["code"]) == (403, "cross_site")
    own = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
    assert server.call("POST", "/api/auth/refresh", headers={"Cookie": server.cookie, **own}).status == 200


def test_plain_http_from_another_machine_does_not_sign_in(server):
    answer = server.call("POST", "/api/auth/login", {"username": "admin", "password": PASSWORD}, {"Host": "poppo.example"})
    assert (answer.status, answer.json["code"]) == (403, "plain_http")


def test_plain_http_from_another_machine_signs_in_when_it_is_allowed():
    server = Server(allow_plain_http="true").start().setup()
    try:
        host = {"Host": "poppo.example"}
        answer = server.call("POST", "/api/auth/login", {"username": "admin", "password": PASSWORD}, host)
        cookie = answer.headers["Set-Cookie"]
        assert answer.status == 200 and re.match(r"poppo-[0-9a-f]{8}=", cookie) and "Secure" not in cookie
        assert server.call("POST", "/api/auth/refresh", headers={**host, "Cookie": cookie.split(";")[0]}).status == 200
    finally:
        server.remove()


def test_behind_a_proxy_that_speaks_https_the_cookie_is_the_safe_one():
    server = Server(base_url="https://poppo.example/", listen=f"127.0.0.1:{free_ports()}").start()
    try:
        token = server.setup_token()
        answer = server.call("POST", "/api/setup", {"token": token, "username": "admin", "password": PASSWORD}, {"Host": "poppo.example", "Origin": "https://poppo.example"})
        assert answer.status == 201 and answer.headers["Set-Cookie"].startswith("__Host-poppo-") and "Secure" in answer.headers["Set-Cookie"]
        assert "https://poppo.example/setup#" in server.log()
    finally:
        server.remove()


def test_forged_tokens_are_refused(server):
    head, payload, mac = server.access.split(".")
    none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"
    for token in (f"{none}.{payload}.", f"{none}.{payload}.{mac}", f"{head}.{payload}x.{mac}", f"{head}.{payload}.{mac[:-2]}AA", "x", "a.b.c"):
        answer = server.call("GET", "/api/me", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status, answer.json["code"]) == (401, "token_invalid")
    answer = server.call("GET", "/api/me")
    assert (answer.status, answer.json["code"]) == (401, "token_missing")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_language_is_the_users_own(server):
    assert server.ok("PATCH", "/api/me", {"language": "ja"})["language"] == "ja"
    assert server.ok("GET", "/api/me")["language"] == "ja"
    assert server.api("PATCH", "/api/me", {"language": "fr"}).json["field"] == "language"


def test_two_servers_do_not_share_one_folder(server):
    second = Server()
    second.settings["data_dir"] = server.settings["data_dir"]
    second.spawn()
    assert second.process.wait(10) == 78
    assert "another platform uses" in second.log()
    second.remove()


def test_a_missing_key_file_is_said_and_never_replaced(server):
    server.project()
    server.stop()
    key = server.settings["key_file"]
    moved = key.with_suffix(".away")
    key.rename(moved)
    server.spawn()
    assert server.process.wait(10) == 78
    assert "their key file" in server.log() and not key.exists()
    moved.rename(key)
    key.chmod(0o644)
    server.spawn()
    assert server.process.wait(10) == 78
    assert "can be read by others" in server.log()
    key.chmod(0o600)
    server.start()


def test_it_stops_within_seconds_also_with_people_connected(server):
    browser = server.browser()
    browser.subscribe("projects")
    node = server.node()
    node.hello()
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 5 and server.process.returncode == 0
    assert browser.socket.inbox.get(timeout=5) is None and browser.socket.closed[0] == 1001


def test_nobody_of_the_same_user_can_look_into_its_memory(server):
    proc = pathlib.Path(f"/proc/{server.process.pid}")
    limits = {line[:26].strip(): line[26:].split()[:2] for line in (proc / "limits").read_text().splitlines()}
    assert limits["Max core file size"] == ["0", "0"]
    assert proc.stat().st_uid == (server.user or os.geteuid())
    assert (proc / "mem").stat().st_uid == 0  # not dumpable: the kernel keeps it for root


def test_a_refused_setup_costs_no_password_hash(server):
    def processor_ticks():
        fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    began = processor_ticks()
    for n in range(10):
        assert server.call("POST", "/api/auth/login", {"username": f"nobody{n}", "password": PASSWORD}).status == 401
    hashes = processor_ticks() - began
    began = processor_ticks()
    for _ in range(40):
        answer = server.call("POST", "/api/setup", {"token": "no", "username": "admin", "password": PASSWORD})
        assert (answer.status, answer.json["code"]) == (409, "setup_done")
    assert processor_ticks() - began < hashes


def test_a_program_with_a_name_that_is_no_text_can_sign_in(server):
    answer = server.call("POST", "/api/auth/login", {"username": "admin", "password": PASSWORD},
                         headers={"User-Agent": b"caf\xe9/1.0"})
    assert answer.status == 200, answer
