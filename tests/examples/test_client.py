"""The example of a client gets what the model gives, waits where the server is busy, and says why it was refused."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import torch
from serving import QUICK, live, toy

from lvmcore.data.corpus import Corpus
from lvmcore.registry import Registry

FILE = Path(__file__).resolve().parents[2] / "examples" / "client.py"


@pytest.fixture(scope="module")
def example() -> Any:
    spec = spec_from_file_location("client", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_client_gets_what_the_model_gives(example: Any, registry: Registry, corpus: Corpus) -> None:
    served = toy(registry, corpus, corpus.dim)
    rows = torch.randn(3, 5, corpus.dim, generator=torch.Generator().manual_seed(0))
    with live(served, QUICK, "a-token") as server:
        with example.Client(server.door.url, "a-token") as client:
            assert client.about()["model"] == "toy"
            torch.testing.assert_close(torch.tensor(client.predict(rows.tolist())), served.model.predict(rows))
            time.sleep(1.2)  # longer than an idle connection is kept
            torch.testing.assert_close(torch.tensor(client.rollout(rows.tolist(), 4)), served.model.rollout(rows, 4))
            assert [[len(step) for step in one] for one in client.nearest(rows.tolist(), 2, 3)] == [[3, 3]] * 3
            with pytest.raises(example.RefusedError, match="no direction"):
                client.predict(torch.zeros(1, 5, corpus.dim).tolist())
        with (
            example.Client(server.door.url) as client,
            pytest.raises(example.RefusedError, match="401: the request has not the token"),
        ):
            client.about()
        words = [sys.executable, str(FILE), server.door.url, "--steps", "2"]
        done = subprocess.run(
            words,
            input=json.dumps(rows.tolist()),
            capture_output=True,
            text=True,
            check=True,
            env={"LVM_TOKEN": "a-token"},
        )
        torch.testing.assert_close(torch.tensor(json.loads(done.stdout)), served.model.rollout(rows, 2))


def test_the_client_comes_again_where_the_server_is_busy(
    example: Any, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(example, "time", SimpleNamespace(sleep=waited.append))
    with (
        live(toy(registry), attrs.evolve(QUICK, queue=1)) as server,
        example.Client(server.door.url, patience=3) as client,
        pytest.raises(example.RefusedError, match="503: too many predictions wait"),
    ):
        client.predict(torch.ones(2, 5, 8).tolist())
    assert waited == [1.0, 1.0, 1.0]
