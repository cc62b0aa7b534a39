"""An execution's log over HTTP: ranges that may be kept, marks, search, the download in parts; live, sealed, damaged, full."""

import contextlib
import re
import socket
import time

import pytest

from rig import until
from server_rig import Server, log_chunk, message, ref

TEXTS = ["I will build it.", "\x1b[32mcc\x1b[0m -c a.c", "ERROR: a.c: no such file", "日本語も書ける", *[f"line {n}" for n in range(1000)]]


def fill(server, node):
    """An execution with lines of every kind; its id, and its log's text."""
    run = server.run()
    start = node.take(execution=run["id"])
    node.lines(start, 0, "I will look.", stream="c")
    node.lines(start, 1, "Bash: make", stream="t")
    node.lines(start, 2, *TEXTS, stream="r")
    node.lines(start, 2 + len(TEXTS), "It does not build.", stream="c")
    node.lines(start, 3 + len(TEXTS), "it failed", stream="x")
    node.expect("log_ack", seq=4 + len(TEXTS))
    return run["id"], start


def end(server, node, start):
    node.result(start)
    server.wait(start["execution"], "succeeded")
    until("the log is complete", lambda: server.execution(start["execution"])["log"]["complete"])


@contextlib.contextmanager
def filled(**settings):
    server = Server(**settings).start()
    try:
        server.setup().project()
        node = server.node()
        node.hello()
        node.runner()
        yield server, node
    finally:
        server.remove()


def peak(server):
    """The most memory the server ever had."""
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024


def files(server, id, suffix):
    return list((server.folder / "data/platform/logs").glob(f"*/{id}{suffix}"))


def sealed(server, node):
    """Complete logs are sealed when they have been quiet for long, or at the next start."""
    id, start = fill(server, node)
    end(server, node, start)
    server.stop()
    server.start()
    until("the log is sealed", lambda: files(server, id, ".zst") and not files(server, id, ".log"))
    return id


@pytest.fixture(scope="module")
def logs():
    """The same log live, complete and sealed, on one server."""
    with filled() as (server, node):
        sealed_id = sealed(server, node)
        node = server.node()
        node.hello()
        node.runner()
        complete_id, start = fill(server, node)
        end(server, node, start)
        live_id, _ = fill(server, node)
        yield server, {"live": live_id, "complete": complete_id, "sealed": sealed_id}


@pytest.fixture(params=["live", "complete", "sealed"])
def log(request, logs):
    server, ids = logs
    server.which = request.param
    return server, f"/api/executions/{ids[request.param]}/log"


# -- lines ---------------------------------------------------------------


def test_a_full_range_of_a_complete_log_may_be_kept(log):
    server, path = log
    part = server.api("GET", f"{path}?from=5&count=100")
    assert part.text.count("\n") == 100
    if server.which == "live":
        assert part.headers["Cache-Control"] == "no-store" and "ETag" not in part.headers
        return
    assert part.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    etag = part.headers["ETag"]
    assert re.fullmatch(r'"[^"]+"', etag)
    again = server.api("GET", f"{path}?from=5&count=100", If_None_Match=etag)
    assert (again.status, again.body) == (304, b"")
    assert server.api("GET", f"{path}?from=6&count=100", If_None_Match=etag).status == 200
    for short in (f"{path}?tail=10", f"{path}?from=1000&count=500"):
        assert server.api("GET", short).headers["Cache-Control"] == "no-store"


def test_every_range_is_there(log):
    server, path = log
    whole = "".join(server.api("GET", f"{path}?from={n}&count=300").text for n in range(0, 1500, 300)).splitlines()
    assert [line.split(" ", 2)[2] for line in whole][4 : 4 + len(TEXTS) - 1] == TEXTS[1:]
    assert all(re.match(r"\d{13} [a-z] ", line) for line in whole)


# -- the text alone, in parts --------------------------------------------


def test_a_download_can_be_had_in_parts(log):
    server, path = log
    raw = f"{path}/raw"
    whole = server.api("GET", raw)
    size, etag, text = len(whole.body), whole.headers["ETag"], whole.body
    assert whole.headers["Content-Length"] == str(size) and whole.headers["Accept-Ranges"] == "bytes"
    assert "\n".join(TEXTS).encode() in text
    for asked, first, last in (("0-0", 0, 0), ("10-99", 10, 99), ("100-", 100, size - 1), ("-7", size - 7, size - 1),
                               (f"{size - 1}-", size - 1, size - 1), (f"5-{size * 3}", 5, size - 1), (f"-{size * 3}", 0, size - 1)):
        part = server.api("GET", raw, Range=f"bytes={asked}")
        assert (part.status, part.headers["Content-Range"]) == (206, f"bytes {first}-{last}/{size}"), asked
        assert part.body == text[first : last + 1] and part.headers["Content-Length"] == str(last - first + 1)
    for asked in (f"{size}-", f"{size}-{size + 5}", "-0", "99999999999999999999999-"):
        part = server.api("GET", raw, Range=f"bytes={asked}")
        assert (part.status, part.headers["Content-Range"], part.body) == (416, f"bytes */{size}", b""), asked
    for asked in ("bytes=5-2", "bytes=a-b", "bytes=", "bytes=-", "bytes=1-2,5-6", "lines=1-2", "bytes=1 -2", "1-2"):
        assert server.api("GET", raw, Range=asked).body == text, asked
    assert server.api("GET", raw, Range="bytes=3-9", If_Range=etag).body == text[3:10]
    for other in ('"other"', f"W/{etag}", "Sun, 22 Nov 2026 10:00:00 GMT"):
        assert server.api("GET", raw, Range="bytes=3-9", If_Range=other).status == 200
    assert server.api("GET", raw, If_None_Match=etag).status == 304
    head = server.api("HEAD", raw, Range="bytes=3-9")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(size))


def test_a_part_of_a_log_that_has_grown_is_the_whole_new_one(server):
    server.project()
    node = server.node()
    node.hello()
    node.runner()
    id, start = fill(server, node)
    raw = f"/api/executions/{id}/log/raw"
    etag = server.api("GET", raw).headers["ETag"]
    node.lines(start, 4 + len(TEXTS), "and more")
    node.expect("log_ack", seq=5 + len(TEXTS))
    grown = server.api("GET", raw, Range="bytes=10-20", If_Range=etag)
    assert grown.status == 200 and grown.text.endswith("and more\n") and grown.headers["ETag"] != etag


# -- marks and search ----------------------------------------------------


def test_marks_say_where_things_are(log):
    server, path = log
    marks = server.ok("GET", f"{path}/marks")
    places = [(mark["line"], mark["kind"], mark["title"]) for mark in marks["items"]][:5]
    assert places == [(0, "step", "queued by admin (ui)"), (2, "tool", ""), (3 + len(TEXTS), "words", ""), (4 + len(TEXTS), "error", "it failed"),
                      *([] if server.which == "live" else [(5 + len(TEXTS), "step", "attempt 1 ended: succeeded")])]
    assert marks["next"] == marks["lines"] and marks["complete"] == (server.which != "live")
    later = server.ok("GET", f"{path}/marks?from={4 + len(TEXTS)}")
    assert [mark["kind"] for mark in later["items"]][0] == "error"


def test_search_finds_text_and_expressions(log):
    server, path = log

    def lines(query):
        found = server.ok("GET", f"{path}/search?{query}")
        assert found["next"] == found["lines"]
        return [hit["line"] for hit in found["items"]]

    assert lines("q=error") == [5] and lines("q=error&case=true") == [] and lines("q=ERROR&case=true") == [5]
    assert lines("q=%E6%9C%AC%E8%AA%9E") == [6]
    assert lines("q=^line\\d{3}$&regex=true") == [] and len(lines("q=^line%20\\d{3}$&regex=true&limit=1000")) == 900
    assert lines("q=b[uo]ild%7Cfailed&regex=true") == [3, 3 + len(TEXTS), 4 + len(TEXTS)]
    hit = server.ok("GET", f"{path}/search?q=no%20such")["items"][0]
    assert hit.pop("time").startswith("1970-01-01T00:00:01.002")
    assert hit == {"line": 5, "stream": "r", "before": "ERROR: a.c: ", "match": "no such", "after": " file"}
    assert server.ok("GET", f"{path}/search?q=no%20such&text=false")["items"] == [{"line": 5}]


def test_search_goes_on_where_it_stopped(log):
    server, path = log
    found, at = [], 0
    while True:
        page = server.ok("GET", f"{path}/search?q=line%201&limit=30&from={at}")
        found += [hit["line"] for hit in page["items"]]
        at = page["next"]
        if at >= page["lines"]:
            break
        assert len(page["items"]) == 30
    assert len(found) == 111 == len(set(found)) and found == sorted(found)


@pytest.mark.parametrize("query, field", [("", "q"), ("q=", "q"), ("q=" + "x" * 501, "q"), ("q=(&regex=true", "q"), ("q=%ff", "q"), ("q=a%0ab", "q"),
                                          ("q=a&regex=yes", "regex"), ("q=a&limit=10001", "limit"), ("q=a&limit=0", "limit"), ("q=a&from=-1", "from")])
def test_a_search_that_makes_no_sense_is_refused(logs, query, field):
    server, ids = logs
    refused = server.api("GET", f"/api/executions/{ids['live']}/log/search?{query}")
    assert (refused.status, refused.json["field"]) == (400, field), refused


def test_an_expression_that_would_take_for_ever_is_refused(server):
    server.project()
    node = server.node()
    node.hello()
    node.runner()
    run = server.run()
    node.lines(node.take(), 0, "a" * 5000 + "!")
    node.expect("log_ack", seq=1)
    refused = server.api("GET", f"/api/executions/{run['id']}/log/search?regex=true&q=^(a%2B)%2B$")
    assert (refused.status, refused.json["code"]) == (422, "regex_too_costly")


def test_what_is_no_execution_has_no_log(server):
    for what in ("", "/raw", "/marks", "/search?q=x"):
        assert server.api("GET", f"/api/executions/01HF7YAT00AAAAAAAAAAAAAAAA/log{what}").status == 404


def test_downloads_nobody_reads_hold_no_thread_and_little_memory(server):
    server.project()
    node = server.node()
    node.hello()
    node.runner()
    run = server.run()
    start = node.take()
    texts = ["all is well so far, and goes on " * 30] * 1000
    node.socket.flood([log_chunk(start, first, *texts) for first in range(0, 20_000, 1000)])
    node.expect("log_ack", 30, seq=20_000)
    path = f"/api/executions/{run['id']}/log/raw"
    whole = server.api("GET", path).body
    memory = peak(server)
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            client = stack.enter_context(contextlib.closing(socket.socket()))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", int(server.url.rsplit(":", 1)[1])))
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.access}\r\n\r\n".encode())
            assert client.recv(15) == b"HTTP/1.1 200 OK"
        began = time.monotonic()
        assert len(whole) > 19_000_000 and server.api("GET", path).body == whole
        assert server.api("GET", path, Range="bytes=-100").body == whole[-100:]
        assert time.monotonic() - began < 10  # those who do not read are cut after a minute
        assert peak(server) - memory < 400_000_000  # of 950 MB; sanitizers take their part
        assert server.stop() < 15


# -- what goes wrong -----------------------------------------------------


def test_damaged_lines_are_named_and_the_rest_is_there():
    with filled() as (server, node):
        id = sealed(server, node)
        path = f"/api/executions/{id}/log"
        size = len(server.api("GET", f"{path}/raw").body)
        lines = server.execution(id)["log"]["lines"]
        [file] = files(server, id, ".zst")
        data = bytearray(file.read_bytes())
        data[100] ^= 1
        file.write_bytes(data)
        part = server.api("GET", f"{path}?from=0&count=50")
        assert part.headers["X-Log-Damaged"] == f"1-{lines}" and "ETag" not in part.headers
        assert part.text.count("\n") == 50 and " x damaged" in part.text
        assert len(server.api("GET", f"{path}/raw").body) == size
        assert server.ok("GET", f"{path}/search?q=line")["items"] == []
        assert server.ok("GET", f"{path}/marks")["items"][0]["title"] == "queued by admin (ui)"  # they have a checksum of their own


def test_a_log_has_a_limit():
    with filled(log_limit="64k") as (server, node):
        id, start = fill(server, node)
        for n in range(10):
            node.lines(start, 4 + len(TEXTS) + n * 500, *["x" * 50] * 500)
        node.expect("log_ack", seq=4 + len(TEXTS) + 5000)  # dropped lines are acknowledged
        end(server, node, start)
        until("the end is said", lambda: server.api("GET", f"/api/executions/{id}/log?tail=1").text.endswith("ended: succeeded\n"))
        tail = server.api("GET", f"/api/executions/{id}/log?tail=2")
        assert int(tail.headers["X-Log-Dropped"]) > 3000 and int(tail.headers["X-Log-Bytes"]) < 66000
        assert [line.split(" ", 2)[2][:36] for line in tail.text.splitlines()] == ["this log has reached its limit of 64", "attempt 1 ended: succeeded"]


def test_below_the_floor_lines_wait_and_everything_else_goes_on():
    with filled() as (server, node):
        id, start = fill(server, node)
        path = f"/api/executions/{id}/log"
        before = server.api("GET", f"{path}/raw").body
        server.stop()
        server.settings["disk_floor"] = "8000000g"
        server.start(ready=False)
        assert server.call("GET", "/readyz").status == 503
        node = server.node()
        node.hello(projects=["app"])
        node.runner(attempts=[{**ref(start), "state": "running", "next_line": 4 + len(TEXTS), "finished": False}])
        node.lines(start, 4 + len(TEXTS), "waits")
        assert node.expect_closed() == (1013, "log lines cannot be stored now")
        assert server.api("GET", f"{path}/raw").body == before and server.run()["status"] == "queued"
        server.stop()
        server.settings["disk_floor"] = "1"
        server.start()
        node = server.node()
        node.hello(projects=["app"])
        node.runner(attempts=[{**ref(start), "state": "running", "next_line": 4 + len(TEXTS), "finished": False}])
        node.lines(start, 4 + len(TEXTS), "waits no more")
        node.expect("log_ack", seq=5 + len(TEXTS))


@pytest.mark.parametrize("line, code, words", [
    (b"1 o a\0b\n", 1008, "UTF-8 without NUL"), (b"1 o \xff\n", 1008, "UTF-8 without NUL"), (b"1 o \xed\xa0\x80\n", 1008, "UTF-8 without NUL"),
    (b"1 o " + b"x" * 20_000 + b"\n", 1008, "not a log line"), (b"1 o " + b"x" * 100_000_000 + b"\n", 1009, "")], ids=["nul", "not utf8", "surrogate", "20 KB", "100 MB"])
def test_lines_no_runner_sends_end_the_link_and_leave_the_log_as_it_was(server, line, code, words):
    server.project()
    node = server.node()
    node.hello()
    node.runner()
    run = server.run()
    start = node.take()
    node.lines(start, 0, "before")
    node.expect("log_ack", seq=1)
    memory = peak(server)
    node.socket.flood([message("log_chunk", {**ref(start), "seq": 1, "count": 1}, "app", line)])
    got, said = node.expect_closed()
    assert got == code and words in said
    assert peak(server) - memory < 16_000_000
    node = server.node()
    node.hello(projects=["app"])
    node.runner(attempts=[{**ref(start), "state": "running", "next_line": 1, "finished": False}])
    node.lines(start, 1, "after")
    node.expect("log_ack", seq=2)
    assert server.lines(run["id"])[-2:] == ["before", "after"]


# -- in the database ------------------------------------------------------


@pytest.mark.both_engines
def test_logs_may_be_kept_in_the_database():
    with filled(log_store="database") as (server, node):
        id, start = fill(server, node)
        end(server, node, start)
        path = f"/api/executions/{id}/log"
        for _ in range(2):
            until("the end is said", lambda: server.api("GET", f"{path}?tail=1").text.endswith("ended: succeeded\n"))
            part = server.api("GET", f"{path}?from=3&count=5")
            assert [line.split(" ", 2)[2] for line in part.text.splitlines()] == TEXTS[:5] and "ETag" in part.headers
            whole = server.api("GET", f"{path}/raw").body
            assert "\n".join(TEXTS).encode() in whole
            assert server.api("GET", f"{path}/raw", Range="bytes=-30").body == whole[-30:]
            assert [hit["line"] for hit in server.ok("GET", f"{path}/search?q=error&text=false")["items"]] == [5]
            assert [mark["kind"] for mark in server.ok("GET", f"{path}/marks")["items"]] == ["step", "tool", "words", "error", "step"]
            assert server.sql("SELECT logs FROM executions") == [(f"chunks:{id}",)]
            assert not files(server, id, "*")
            server.stop()
            server.start()


def test_logs_are_kept_where_the_setting_says_or_nowhere():
    server = Server(log_store="elsewhere")
    try:
        server.spawn()
        assert server.process.wait(20) != 0 and "log_store is files or database" in server.log()
    finally:
        server.remove()
