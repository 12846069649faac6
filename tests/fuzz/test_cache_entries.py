"""Whatever bytes stand where a yardstick's figures were kept: they are the very ones, or they are measured again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutation import FUZZ, INPUTS, mutated

from lvmcore.evaluation.cache import YardstickCache
from lvmcore.evaluation.settings import Settings
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry

DOCUMENT = {"splits": {"val": {"cosine": {"value": 0.5, "low": None, "high": None}}}, "warnings": ["é"]}
COLUMNS = {"val": {"cosine": np.linspace(0, 1, 9, dtype=np.float32), "A/margin": np.full(9, np.nan, np.float32)}}


def test_any_bytes_are_what_was_kept_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVM_CACHE", str(tmp_path))
    cache = YardstickCache("x", Registry(Plugins(only=())).all("predictor")[0], Settings(), [], None)
    cache.write(DOCUMENT, COLUMNS)
    sound, counts = cache.path.read_bytes(), Counter[str]()

    @FUZZ
    @given(st.one_of(st.just(sound), mutated(sound), mutated(sound), mutated(sound), st.binary(max_size=200)))
    def read(content: bytes) -> None:
        counts["inputs"] += 1
        cache.path.write_bytes(content)
        found = cache.read()
        counts["kept" if found else "nothing"] += 1
        if found:
            assert found[0] == DOCUMENT
            for name, column in COLUMNS["val"].items():
                assert np.array_equal(found[1]["val"][name], column, equal_nan=True)
        else:
            assert content != sound

    read()
    print(f"\ncache: {dict(counts)}")
    assert counts["inputs"] >= INPUTS
    assert counts["kept"]
    assert counts["nothing"]
