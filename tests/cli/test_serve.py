"""lvm serve: from its start to its end, and that the comparison knows of it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import pytest
import torch
from conftest import TOY, Lvm

from lvmcore.errors import LvmError, MachineError
from lvmcore.runs.serving import deployed, served_at


@contextmanager
def serving(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own, and its address."""
    server = subprocess.Popen(
        [sys.executable, "-m", "lvmcore", "serve", "latest", *words],
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
    )
    try:
        assert server.stderr is not None
        said = re.search(r" at (\S+?)[,;] ", server.stderr.readline())
        assert said
        yield server, said[1]
    finally:
        server.kill()
        server.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_served_run_says_so_until_the_server_ends(
    number: signal.Signals, lvm: Lvm, small: Path, tmp_path: Path
) -> None:
    lvm(*TOY, small)
    assert "No run is served at present" in lvm("compare", "--format", "markdown").stdout
    (folder,) = (tmp_path / "runs").iterdir()
    with serving("--port", "0", "--no-access-log") as (server, url):
        transport = httpx.HTTPTransport(retries=20)
        with httpx.Client(transport=transport, base_url=url, timeout=60) as web:
            about = web.get("/").json()
            assert (about["model"], about["dim"], about["context"]) == (folder.name, 16, 5)
            assert set(about["figures"]) == {"val_cos", "margin", "r5"}
            rows = [[1.0] * 16] * 5
            (prediction,) = web.post("/predict", json={"contexts": [rows]}).json()["predictions"]
        assert torch.tensor(prediction).norm().item() == pytest.approx(1, abs=1e-5)
        assert f"- transformer (1, `{folder.name}`): {url}" in lvm("compare", "--format", "markdown").stdout
        (row,) = json.loads(lvm("compare", "--format", "json").stdout)["rows"]
        assert row["status"].endswith(f"served at {url}")
        assert "nothing can listen there" in lvm("serve", "latest", "--port", url.rpartition(":")[2], status=3).stderr
        server.send_signal(number)
        _, rest = server.communicate(timeout=60)
    assert (server.returncode, rest) == (0, "")
    assert "No run is served at present" in lvm("compare", "--format", "markdown").stdout
    assert not list(folder.glob(".served*"))


def test_a_unix_socket_and_a_token(lvm: Lvm, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lvm(*TOY, small)
    monkeypatch.setenv("LVM_TOKEN", "some-token")
    with serving("--uds", "lvm.sock") as (server, url):
        assert url == f"unix:{tmp_path / 'lvm.sock'}"
        transport = httpx.HTTPTransport(uds=str(tmp_path / "lvm.sock"), retries=20)
        with httpx.Client(transport=transport, base_url="http://lvm", timeout=60) as web:
            assert web.get("/").status_code == 401
            web.headers["authorization"] = "Bearer some-token"
            near = web.post("/nearest?count=2", json={"contexts": [[[1.0] * 16] * 5]}).json()
        assert near["corpus"] == "small"
        assert [one["text"] for one in near["nearest"][0][0]] == [None, None]
        (row,) = json.loads(lvm("compare", "--format", "json").stdout)["rows"]
        assert row["status"].endswith(f"served at unix:{tmp_path / 'lvm.sock'}")
        server.send_signal(signal.SIGTERM)
        _, rest = server.communicate(timeout=60)
    assert server.returncode == 0
    assert re.search(r"Z - GET / 401 .*\n.*Z - POST /nearest 200 ", rest)
    assert not (tmp_path / "lvm.sock").exists()


def test_half_a_request_does_not_outlive_the_server(lvm: Lvm, small: Path) -> None:
    lvm(*TOY, small)
    with serving("--port", "0") as (server, url):
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=60) as door:
            door.sendall(
                b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\nPOST /predict HTTP/1.1\r\nhost: localhost\r\n"
            )
            assert door.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
            began = time.monotonic()
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=60)
        assert time.monotonic() - began < 10
        assert server.returncode == 0


def test_a_server_that_was_killed_serves_no_longer(tmp_path: Path) -> None:
    code = "import os, sys; from pathlib import Path; from lvmcore.runs.serving import deployed\n"
    code += "with deployed(Path(sys.argv[1]), 'http://here:1'): os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert (tmp_path / ".served-1").read_text() == "http://here:1"
    assert served_at(tmp_path) == []
    with deployed(tmp_path, "http://there:1"), deployed(tmp_path, "http://there:22"):
        assert served_at(tmp_path) == ["http://there:1", "http://there:22"]
        with pytest.raises(LvmError, match="another server of this run"), deployed(tmp_path, "http://there:1"):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="cannot be written"), deployed(tmp_path / "nowhere", "http://here:1"):
        pass


def test_mistakes_are_said(lvm: Lvm, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "there is no run" in lvm("serve", "nothing", status=2).stderr
    assert "there is no such model file" in lvm("serve", "nothing.safetensors", status=2).stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        lvm(*TOY, small)
        said = lvm("serve", "latest", "--port", str(taken.getsockname()[1]), status=3).stderr
        assert "Address already in use" in said
    assert "is a predictor and has no weights" in lvm("serve", "copy-last", status=2).stderr
    assert "there is no such corpus" in lvm("serve", "latest", "--data", "none.safetensors", status=2).stderr
    assert "no socket" in lvm("serve", "latest", "--uds", small, status=2).stderr
    monkeypatch.delenv("LVM_TOKEN", raising=False)
    said = lvm("serve", "latest", "--port", "0", "--host", "0.0.0.0", status=2).stderr
    assert "strangers would reach the model without a token" in said
    assert "export LVM_TOKEN=" in said
    for module in [name for name in sys.modules if name.startswith("lvmcore.serving")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'lvmcore[serve]'" in lvm("serve", "latest", status=2).stderr
