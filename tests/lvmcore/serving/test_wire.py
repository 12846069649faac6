"""Clients that are slow, rude or gone: they cost nobody else anything, and each learns why where it listens."""

from __future__ import annotations

import io
import json
import re
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import attrs
import pytest
from serving import CONTEXT, DIM, QUICK, Live, live, received, request, toy

from lvmcore.registry import Registry
from lvmcore.serving.wire.log import WAITING, Line, Log

BODY = json.dumps({"contexts": [[[1.0] * DIM] * CONTEXT]}).encode()


@pytest.fixture
def server(registry: Registry) -> Iterator[Live]:
    with live(toy(registry)) as server:
        yield server


def status(answer: bytes) -> int:
    found = re.match(rb"HTTP/1.1 (\d+) ", answer)
    assert found, answer
    return int(found[1])


def refusal(answer: bytes, expected: int) -> dict[str, str]:
    assert status(answer) == expected
    assert b"connection: close" in answer.lower()
    return json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


@pytest.mark.parametrize(
    "sent",
    [b"POST /predict HTTP/1.1\r\nhost: localh", b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: y\r\n", b"G"],
)
def test_headers_that_never_end_are_waited_for_a_while(sent: bytes, server: Live) -> None:
    with server.connect() as door:
        door.sendall(sent)
        began = time.perf_counter()
        error = refusal(received(door), 408)
        assert 0.3 < time.perf_counter() - began < 5
        assert error["what"] == "the headers of the request came too slowly"


def test_headers_in_drops_are_waited_for_no_longer(server: Live) -> None:
    with server.connect() as door:
        door.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n")
        began = time.perf_counter()
        while not select.select([door], [], [], 0.1)[0] and time.perf_counter() - began < 5:
            door.sendall(b"x: y\r\n")
        assert status(door.recv(1 << 16)) == 408
        assert time.perf_counter() - began < 3


def test_a_connection_that_says_nothing_is_closed(server: Live) -> None:
    with server.connect() as door:
        assert received(door) == b""
    with server.connect() as door:
        door.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert received(door).endswith(b'{"status":"ok"}'), "kept alive, then closed"


@pytest.mark.parametrize("drops", [False, True])
def test_a_body_that_never_ends_is_waited_for_a_while(drops: bool, server: Live) -> None:
    with server.connect() as door:
        door.sendall(request(b"{", length=1_000))
        began = time.perf_counter()
        if drops:
            for _ in range(4):
                time.sleep(0.1)
                door.sendall(b" ")
        error = refusal(received(door), 408)
        assert time.perf_counter() - began < 5
        assert error["what"] == "the body came too slowly"
        assert error["where"] == f"after {5 if drops else 1} bytes"


def test_a_body_that_is_too_long_is_refused_unread_and_the_client_learns_why(registry: Registry) -> None:
    with live(toy(registry), attrs.evolve(QUICK, body=100_000)) as server:
        for headers in (["content-length: 50000000"], ["transfer-encoding: chunked"]):
            with server.connect() as door:
                head = ["POST /predict HTTP/1.1", "host: localhost", "content-type: application/json", *headers, "", ""]
                door.sendall("\r\n".join(head).encode())
                part = b"c350\r\n" + b" " * 50_000 + b"\r\n" if "chunked" in headers[0] else b" " * 50_000
                for _ in range(40):
                    door.sendall(part)
                assert status(door.recv(1 << 16)) == 413
        with server.connect() as door:  # curl asks for leave first; there is none
            door.sendall(request(b"", "expect: 100-continue", length=50_000_000))
            answer = received(door)
            assert refusal(answer, 413)["expected"] == "at most 100,000 bytes"
            assert answer.startswith(b"HTTP/1.1 413 ")
        with server.connect() as door:
            door.sendall(request(b"", "expect: 100-continue", "connection: close", length=len(BODY)))
            assert door.recv(1 << 16).startswith(b"HTTP/1.1 100 ")
            door.sendall(BODY)
            assert status(received(door)) == 200


def test_a_client_that_does_not_read_is_cut_off(server: Live) -> None:
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        door.connect(("127.0.0.1", server.port))
        door.sendall(b"GET /docs HTTP/1.1\r\nhost: localhost\r\n\r\n" * 1_000)  # answers of 10 MB
        began = time.perf_counter()
        time.sleep(0.2)
        while server.server.server_state.connections and time.perf_counter() - began < 20:
            assert server.health() < 5
            time.sleep(0.2)
        assert not server.server.server_state.connections
        assert time.perf_counter() - began > 0.5


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 400_000 + b"\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_request_gets_an_answer_of_the_one_form(sent: bytes, server: Live) -> None:
    with server.connect() as door:
        door.sendall(sent)
        assert refusal(received(door), 400)["what"] == "the request is no HTTP/1.1"
    assert server.health() < 5
    assert server.logs("127.0.0.1 - - 400")
    assert "Traceback" not in server.log.getvalue()


def test_fifty_slow_connections_stop_nobody(server: Live) -> None:
    with ExitStack() as held:
        doors = [held.enter_context(server.connect()) for _ in range(60)]
        for number, door in enumerate(doors):
            door.sendall(b"POST /predict HTTP/1.1\r\n" if number % 2 else request(b"{", length=1_000))
        assert max(server.health() for _ in range(10)) < 2
        for door in doors:
            assert refusal(received(door), 408)
    assert server.health() < 2


def test_where_there_are_too_many_the_oldest_that_waits_makes_room(registry: Registry) -> None:
    with live(toy(registry), attrs.evolve(QUICK, connections=20, headers_within=60)) as server, ExitStack() as held:
        doors = [held.enter_context(server.connect()) for _ in range(30)]
        for door in doors:
            door.sendall(b"GET")
        assert server.health() < 2
        assert [received(door) for door in doors[:10]] == [b""] * 10
        doors[-1].sendall(b" /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        assert status(received(doors[-1])) == 200


@pytest.mark.parametrize("sent", [b"", b"GET /hea", request(b"{", length=1_000)], ids=["nothing", "headers", "body"])
def test_a_stop_waits_for_half_a_request_no_longer_than_it_may(sent: bytes, registry: Registry) -> None:
    limits = attrs.evolve(QUICK, headers_within=60, body_within=60)
    with ExitStack() as held:
        with live(toy(registry), limits) as server:
            door = held.enter_context(server.connect())
            door.sendall(sent)
            time.sleep(0.2)
            began = time.perf_counter()
        assert time.perf_counter() - began < 5
        answer = received(door)
    assert not answer or refusal(answer, 503)["what"] == "the server stops"
    assert "Traceback" not in server.log.getvalue()


def test_a_client_that_leaves_is_written_down_as_such(server: Live) -> None:
    with server.connect() as door:
        door.sendall(request(b"{", length=1_000))
        time.sleep(0.1)
    assert server.logs("POST /predict 499 in=1 out=0")


def test_several_requests_on_one_connection_and_at_once(server: Live) -> None:
    with server.connect() as door:
        door.sendall(request(BODY) * 5 + request(BODY, "connection: close"))
        assert received(door).count(b"HTTP/1.1 200 ") == 6


def test_a_line_of_the_log_holds_nothing_that_acts_on_a_terminal() -> None:
    line = Line("::1", "GET", "/\x1b[2J\nlvm: note: \xe9" + "x" * 1000, 404, 0, 9, 0.25)
    assert re.fullmatch(r"\S+Z ::1 GET /[ -~]+ 404 in=0 out=9 ms=250.0", str(line))
    assert len(str(line)) < 300


def test_a_reader_of_the_log_that_does_not_read_stops_nobody(tmp_path: Path) -> None:
    written, go = threading.Event(), threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            written.set()
            go.wait(60)
            return 0

    log = Log(Stuck())
    log.exchange(Line("-", "GET", "/", 200, 0, 0, 0))
    assert written.wait(20)  # from here on nothing is read
    began = time.perf_counter()
    for _ in range(WAITING + 50):
        log.exchange(Line("-", "GET", "/", 200, 0, 0, 0))
    log.stop(0.1)
    assert time.perf_counter() - began < 5
    assert log._left_out >= 49
    go.set()
