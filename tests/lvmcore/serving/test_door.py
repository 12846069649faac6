"""Where a server listens, and when a token is asked for."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lvmcore.errors import LvmError, MachineError
from lvmcore.serving.door import Address, listening, listening_at, token_of

TOKEN = "long-enough-to-be-a-token"


@pytest.fixture(autouse=True)
def _no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LVM_TOKEN", raising=False)


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost"), ("::1", "[::1]")])
def test_loopback_needs_no_token(host: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(host, 0) as door:
        port = door.socket.getsockname()[1]
        assert door.url == f"http://{shown}:{port}"
        assert token_of(door) is None
        monkeypatch.setenv("LVM_TOKEN", "short")
        assert token_of(door) == "short", "one that is set is asked for"
        with socket.create_connection((host, port), 5):
            pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_strangers_need_one(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(host, 0) as door:
        with pytest.raises(LvmError, match="without a token"):
            token_of(door)
        monkeypatch.setenv("LVM_TOKEN", "guessable")
        with pytest.raises(LvmError, match="short enough to be guessed"):
            token_of(door)
        monkeypatch.setenv("LVM_TOKEN", "with a space and a ü somewhere")
        with pytest.raises(LvmError, match="what no header may"):
            token_of(door)
        monkeypatch.setenv("LVM_TOKEN", TOKEN)
        assert token_of(door) == TOKEN
        with socket.create_connection(("127.0.0.1", door.socket.getsockname()[1]), 5):
            pass


def test_further_names_are_those_that_are_said() -> None:
    with Address("127.0.0.1", 0, names=frozenset({"Model.Example"})).listening() as door:
        assert door.hosts.allow("model.example:80")
        assert not door.hosts.allow("other.example")
        assert door.hosts.expected == "an address, 127.0.0.1, localhost, model.example"


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.7", "", "x" * 300, "a..b", "\ud800"])
def test_where_nothing_can_listen_is_said(host: str) -> None:
    if host:
        with pytest.raises(MachineError, match="nothing can listen there"), listening(host, 0):
            pass


def test_a_unix_socket_is_its_owners_alone_and_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "lvm.sock"
    with Address("unused", 0, path).listening() as door:
        assert door.url == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert token_of(door) is None
        assert door.hosts.allow("whatever")
        with pytest.raises(LvmError, match="listens there already"), listening_at(path):
            pass
    assert not path.exists()


def test_what_a_killed_server_left_makes_room(tmp_path: Path) -> None:
    path = tmp_path / "lvm.sock"
    code = "import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); os._exit(9)"
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert path.exists()
    with listening_at(path):
        assert path.is_socket()


def test_another_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(LvmError, match="no socket"), listening_at(path):
        pass
    assert path.read_text() == "mine"
    with pytest.raises(MachineError, match="nothing can listen there"), listening_at(tmp_path / ("x" * 200)):
        pass
    with pytest.raises(MachineError), listening_at(tmp_path / "nowhere" / "lvm.sock"):
        pass
    assert os.listdir(tmp_path) == ["notes.txt"]
