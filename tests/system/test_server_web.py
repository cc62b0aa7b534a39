"""The web UI's files: from memory, compressed, cached, and nothing else."""

import socket

import pytest

from server_rig import Server

PAGE = b"<!doctype html><title>app</title>"


@pytest.fixture
def web():
    server = Server()
    folder = server.folder / "web"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_bytes(PAGE)
    (folder / "assets" / "app-1234.js").write_bytes(b"console.log(1)")
    (folder / "assets" / "app-1234.js.br").write_bytes(b"BROTLI")
    (folder / "assets" / "app-1234.js.gz").write_bytes(b"GZIP")
    (folder / "only.gz").write_bytes(b"a file of its own")
    (folder / ".hidden").write_bytes(b"secret")
    (server.folder / "outside.txt").write_bytes(b"secret")
    (folder / "link.txt").symlink_to("../outside.txt")
    server.settings["web_dir"] = folder
    yield server.start()
    server.remove()


def test_pages_scripts_and_their_headers(web):
    page = web.call("GET", "/")
    assert page.body == PAGE and page.headers["Content-Type"] == "text/html; charset=utf-8" and page.headers["Cache-Control"] == "no-cache"
    for header, part in (("Content-Security-Policy", "default-src 'self'"), ("Content-Security-Policy", "frame-ancestors 'none'"),
                         ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"), ("Cross-Origin-Opener-Policy", "same-origin")):
        assert part in page.headers[header]
    assert "unsafe-inline" not in page.headers["Content-Security-Policy"]
    script = web.call("GET", "/assets/app-1234.js")
    assert script.body == b"console.log(1)" and "immutable" in script.headers["Cache-Control"] and script.headers["Vary"] == "Accept-Encoding"
    assert web.call("HEAD", "/").body == b""


@pytest.mark.parametrize("accept, coding, body", [
    ("br, gzip", "br", b"BROTLI"), ("gzip", "gzip", b"GZIP"), ("gzip, br;q=0", "gzip", b"GZIP"), ("gzip;q=0.0", None, b"console.log(1)"),
    ("identity", None, b"console.log(1)"), ("brx", None, b"console.log(1)"), ("deflate, gzip;q=0.5", "gzip", b"GZIP"),
])
def test_the_best_form_the_browser_takes(web, accept, coding, body):
    script = web.call("GET", "/assets/app-1234.js", headers={"Accept-Encoding": accept})
    assert (script.headers.get("Content-Encoding"), script.body) == (coding, body)


def test_what_is_unchanged_is_not_sent_again(web):
    tag = web.call("GET", "/").headers["ETag"]
    again = web.call("GET", "/", headers={"If-None-Match": tag})
    assert again.status == 304 and again.body == b""
    assert web.call("GET", "/", headers={"If-None-Match": '"other"'}).status == 200


def test_the_uis_own_addresses_get_the_page_and_missing_files_do_not(web):
    for path in ("/projects/app", "/executions/01ARZ3NDEKTSV4RRFFQ69G5FAV"):
        assert web.call("GET", path, headers={"Accept": "text/html,*/*"}).body == PAGE
        assert web.call("GET", path, headers={"Sec-Fetch-Mode": "navigate"}).body == PAGE
    for path in ("/assets/gone.js", "/projects/app.js", "/x"):
        assert web.call("GET", path, headers={"Accept": "*/*"}).status == 404
    assert web.call("GET", "/assets/gone.js", headers={"Sec-Fetch-Mode": "no-cors", "Accept": "text/html"}).status == 404
    assert web.call("POST", "/").status == 405


@pytest.mark.parametrize("path", ["/.hidden", "/link.txt", "/../outside.txt", "/%2e%2e/outside.txt", "/..%2foutside.txt", "/assets/../../outside.txt",
                                  "//etc/passwd", "/etc/passwd", "/assets", "/assets/", "/%00", "/%zz", "/" + "a" * 5000])
def test_nothing_else_is_served(web, path):
    host, port = web.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAccept: */*\r\n\r\n".encode())
        answer = b""
        while part := raw.recv(65536):
            answer += part
    assert b" 404 " in answer.split(b"\r\n")[0] or b" 400 " in answer.split(b"\r\n")[0]
    assert b"secret" not in answer and b"root:" not in answer


def test_without_the_web_ui_the_api_still_serves():
    server = Server(web_dir="/nonexistent").start()
    try:
        assert server.call("GET", "/").status == 404
        assert server.call("GET", "/healthz").json["status"] == "ok"
        assert "without the web UI" in server.log()
    finally:
        server.remove()
