"""The server does what its description says, whatever schemathesis draws from it.

`LVM_FUZZ=1000` draws so many requests an address.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from serving import QUICK, live, toy

from lvmcore.data.corpus import Corpus
from lvmcore.registry import Registry
from lvmcore.serving.description import description
from lvmcore.serving.forms.contexts import JSON

EXAMPLES = os.environ.get("LVM_FUZZ", "8")
ACCEPTANCE = "positive_data_acceptance"
"""A check that takes any bytes for contexts, and knows no bound of contexts times steps; it is left for /predict."""

LIMITS = attrs.evolve(QUICK, predictions=64, unread_within=20)


def narrow(corpus: Corpus) -> Corpus:
    """The first four channels of a corpus."""
    return Corpus(corpus.vectors[:, :4].contiguous(), corpus.starts, corpus.splits, corpus.info, texts=corpus.texts)


@pytest.mark.parametrize("forms", ["json", "all"])
def test_schemathesis_finds_nothing(forms: str, registry: Registry, corpus: Corpus, tmp_path: Path) -> None:
    served = toy(registry, narrow(corpus), 4)  # hypothesis draws every number of a context by itself
    described = description("toy", served.model.shape, LIMITS, corpus=True, token=False)
    options = ["--exclude-checks", ACCEPTANCE, "--phases", "fuzzing"]
    if forms == "json":
        options = ["--include-path", "/predict"]
        asked = described["paths"]["/predict"]["post"]["requestBody"]
        asked["content"] = {JSON: asked["content"][JSON]}
    (tmp_path / "openapi.json").write_text(json.dumps(described))
    program = Path(sys.executable).with_name("schemathesis")
    with live(served, LIMITS) as server:
        command = [
            program,
            "run",
            "openapi.json",
            "--url",
            server.door.url,
            "--max-examples",
            EXAMPLES,
            "--no-color",
            "--request-timeout",
            "60",
        ]
        done = subprocess.run(
            [*command, "--seed", "1", *options], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert server.health() < 5
    assert done.returncode == 0, done.stdout
    assert f"Tested: {1 if forms == 'json' else 8}" in done.stdout
    assert "Traceback" not in server.log.getvalue()


def test_the_description_leaves_out_what_is_not_there(registry: Registry) -> None:
    shape = toy(registry).model.shape
    plain = description("toy", shape, QUICK, corpus=False, token=False)
    assert "/nearest" not in plain["paths"]
    assert "security" not in plain
    guarded = description("toy", shape, QUICK, corpus=True, token=True)
    assert guarded["security"] == [{"token": []}]
    assert guarded["paths"]["/health"]["get"]["security"] == []
