"""bench/ says what was measured, and its stand-in of a node speaks the wire format."""

import pathlib
import random
import struct
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from bench import http, node, report, store  # noqa: E402


def test_a_target_is_reached_on_it_and_missed_beside_it():
    assert report.Row("speed", 10, "x", (">=", 10)).verdict == "PASS"
    assert report.Row("speed", 9.99, "x", (">=", 10)).verdict == "FAIL"
    assert report.Row("memory", 40.1, "MB", ("<=", 40)).verdict == "FAIL"
    assert report.Row("memory", 40, "MB", ("<=", 40)).verdict == "PASS"


def test_what_could_not_be_measured_has_failed():
    assert report.Row("search", None, "ms", ("<=", 200)).verdict == "FAIL"
    assert report.Row("note", None).verdict == ""
    assert "FAIL" in report.table("logs", [report.Row("search", None, "ms", ("<=", 200), "there is none")])


def test_percentiles_are_values_that_occurred():
    values = list(range(1, 201))
    assert report.percentile(values, 99) == 198
    assert report.percentile(values, 100) == 200
    assert report.percentile([7], 99) == 7
    assert report.percentile([], 99) is None


def unframed(data):
    """The payload of a client's frame, unmasked as a server does."""
    size, at = data[1] & 0x7F, 2
    if size == 126:
        size, at = struct.unpack(">H", data[2:4])[0], 4
    elif size == 127:
        size, at = struct.unpack(">Q", data[2:10])[0], 10
    assert data[0] == 0x82 and data[1] & 0x80
    mask, payload = data[at:at + 4], data[at + 4:]
    assert len(payload) == size
    return bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def test_frames_of_every_length_are_whole():
    for size in (0, 100, 200, 70_000):
        message = unframed(node.frame(node.LOG_CHUNK, {"seq": 1}, "app", b"x" * size))
        magic, kind, name, body = struct.unpack(">cBHI", message[:8])
        assert (magic, kind, name) == (b"P", 44, 3)
        assert message[8:] == b'app{"seq":1}' + b"x" * size
        assert body == len(b'{"seq":1}')


def server_frame(first, payload):
    head = bytes([first, len(payload)]) if len(payload) < 126 else struct.pack(">BBH", first, 126, len(payload))
    return head + payload


def test_messages_cut_anywhere_arrive_once():
    message = struct.pack(">cBHI", b"P", node.LOG_ACK, 3, 7) + b"app" + b'{"a":1}'
    stream = server_frame(0x82, message) + server_frame(0x89, b"ping") + server_frame(0x82, message + b"y" * 300)
    for cut in range(len(stream)):
        end = node.Node.__new__(node.Node)
        end.rest, end.out = b"", bytearray()
        found = end.parse(stream[:cut]) + end.parse(stream[cut:])
        assert found == [(node.LOG_ACK, "app", b'{"a":1}')] * 2
        assert unpinged(end.out) == b"ping"


def unpinged(data):
    return unframed(bytes([0x82]) + bytes(data[1:])) if data[0] == 0x8A else None


def test_ids_sort_by_time_and_have_the_form_of_ulids():
    chance = random.Random(1)
    early, late = store.ulid(1_700_000_000_000, chance), store.ulid(1_700_000_000_001, chance)
    assert len(early) == 26 and set(early) <= set(store.ALPHABET)
    assert early[:10] < late[:10]


def test_a_fill_counts_what_it_writes():
    fill = store.Fill(10, 250, "active", "noop", None)
    rows = list(fill.execution_rows())
    assert len(rows) == 250 == sum(fill.counts.values())
    assert len({row[0] for row in rows}) == 250
    assert all(fill.counts[project, status] == sum(row[1] == project and row[3] == status for row in rows)
               for project, status in fill.counts)


def test_a_peer_may_say_less_but_nothing_else():
    ours = {"items": [{"id": "a", "labels": [], "usage": {"calls": 1, "turns": 2}}], "next_cursor": "x"}
    less = {"items": [{"id": "a", "usage": {"calls": 1}}], "next_cursor": "y"}
    assert sorted(http.lacks(ours, less, "")) == ["items.labels", "items.usage.turns"]
    for wrong in ({"items": [{"id": "b"}], "next_cursor": "x"}, {"items": [], "next_cursor": "x"},
                  {"items": ours["items"], "next_cursor": None}, {"items": [{"id": "a", "extra": 1}], "next_cursor": "x"}):
        with pytest.raises(AssertionError):
            http.lacks(ours, wrong, "")
