"""lvm serve: what it answers, what it refuses, and that the comparison knows of it."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import torch
from conftest import TOY, Lvm
from fastapi.testclient import TestClient

from lvm_cli.service import MOST, service
from lvmcore.errors import LvmError, MachineError
from lvmcore.model import build_model
from lvmcore.registry import Registry
from lvmcore.runs.serving import deployed, served_at

DIM = 8


@pytest.fixture
def client(registry: Registry) -> Iterator[tuple[Any, TestClient]]:
    torch.manual_seed(0)
    model = build_model("amn", "", DIM, 5, registry, "toy").eval()
    with TestClient(service(model, {"model": "toy", "dim": DIM}, "fp32")) as client:
        yield model, client


def test_predictions_are_the_models_of_rows_of_any_length(client: tuple[Any, TestClient]) -> None:
    model, web = client
    lengths = torch.tensor([7, 1e200, 1e-200], dtype=torch.float64)
    contexts = torch.randn(3, 5, DIM) * lengths[:, None, None]
    answer = web.post("/predict", json={"contexts": contexts.tolist()})
    with torch.inference_mode():
        raw = model(torch.nn.functional.normalize(contexts / contexts.abs().amax((1, 2), True), dim=-1).float())
    expected = torch.nn.functional.normalize(raw, dim=-1)
    assert answer.json()["model"] == "toy"
    torch.testing.assert_close(torch.tensor(answer.json()["predictions"]), expected, rtol=1e-5, atol=1e-6)
    assert web.get("/").json() == {"model": "toy", "dim": DIM}
    assert web.get("/docs").status_code == 200


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([[1.0] * DIM] * 4, "context 1 has 4 rows; this model reads 5"),
        ([[1.0] * DIM] * 4 + [[1.0] * 3], "row 4 of context 1 has 3 numbers; this model reads 8"),
        ([[1.0] * DIM] * 2 + [[0.0] * DIM] * 3, "row 2 of context 1 is no direction: not finite, or all 0"),
    ],
)
def test_what_is_no_context_is_refused_by_number(
    rows: list[list[float]], said: str, client: tuple[Any, TestClient]
) -> None:
    answer = client[1].post("/predict", json={"contexts": [[[1.0] * DIM] * 5, rows]})
    assert (answer.status_code, answer.json()["detail"]) == (422, said)


@pytest.mark.parametrize("body", ["{", "[]", '{"contexts": []}', '{"contexts": [[["a"]]]}', '{"contexts": 3}'])
def test_another_body_is_refused(body: str, client: tuple[Any, TestClient]) -> None:
    answer = client[1].post("/predict", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_a_request_has_a_limit(client: tuple[Any, TestClient]) -> None:
    assert client[1].post("/predict", json={"contexts": [[[1.0] * DIM] * 5] * (MOST + 1)}).status_code == 422


def test_a_prediction_that_is_no_direction_is_not_given(registry: Registry) -> None:
    model = build_model("amn", "", DIM, 5, registry, "toy").eval()
    for parameter in model.parameters():
        parameter.data.fill_(torch.nan)
    with TestClient(service(model, {"model": "broken"}, "fp32")) as web:
        assert web.post("/predict", json={"contexts": [[[1.0] * DIM] * 5]}).status_code == 500


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_served_run_says_so_until_the_server_ends(
    number: signal.Signals, lvm: Lvm, small: Path, tmp_path: Path
) -> None:
    lvm(*TOY, small)
    assert "No run is served at present" in lvm("compare", "--format", "markdown").stdout
    (folder,) = (tmp_path / "runs").iterdir()
    server = subprocess.Popen(
        [sys.executable, "-m", "lvmcore", "serve", "latest", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
    )
    try:
        assert server.stderr is not None
        said = re.search(r"http://127\.0\.0\.1:\d+", server.stderr.readline())
        assert said
        url = said[0]
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
    finally:
        server.send_signal(number)
        _, rest = server.communicate(timeout=60)
    assert (server.returncode, rest) == (0, "")
    assert "No run is served at present" in lvm("compare", "--format", "markdown").stdout
    assert not list(folder.glob(".served*"))


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
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'lvmcore[serve]'" in lvm("serve", "latest", status=2).stderr
