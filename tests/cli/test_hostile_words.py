"""What others wrote is printed without what acts on a terminal, and no line of it stands as if lvm had said it.

And words of the command line that no command can take are the user's mistake, with one shape.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from conftest import TOY, Lvm

from lvmcore.checkpoint import save_model
from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.data.store.writing import save_corpus
from lvmcore.model import build_model
from lvmcore.plain import clean, escaped
from lvmcore.registry import Registry

EVIL = "\x1b[2Ja\x9b31m\u202eb\r\nlvm: note: all is well\nlvm: done\x07"
LONG = "a" * 300


def altered(file: Path, **facts: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | facts))


@pytest.fixture
def evil(lvm: Lvm, small: Path) -> Path:
    """A run whose every text is hostile."""
    lvm(*TOY, small, "--name", EVIL, "--tag", EVIL)
    (folder,) = Path("runs").iterdir()
    record = json.loads((folder / "run.json").read_text())
    variant = record["variant"] | {"title": EVIL, "approach": EVIL, "loss": EVIL, "data": EVIL}
    altered(folder / "run.json", variant=variant, note=EVIL, warnings=[EVIL], corpus={"name": EVIL}, command=[EVIL])
    evaluation = json.loads((folder / "evaluation.json").read_text())
    gates = evaluation["gates"] | {"profile": EVIL, "why": dict.fromkeys("ABC", EVIL)}
    altered(folder / "evaluation.json", warnings=[EVIL], corpus={"name": EVIL}, model=EVIL, gates=gates)
    epochs = [json.loads(line) for line in (folder / "epochs.jsonl").read_text().splitlines()]
    epochs[1] |= {"events": [EVIL], "stage": EVIL}
    (folder / "epochs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in epochs))
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ("runs",),
        ("runs", "--json"),
        ("compare",),
        ("compare", "--json"),
        ("compare", "--format", "markdown"),
        ("compare", "--format", "csv"),
        ("show", "latest"),
        ("show", "latest", "--all"),
        ("show", "latest", "--json"),
        ("show", "FOLDER/run.json"),
        ("show", "FOLDER/run.json", "--json"),
        ("show", "FOLDER/epochs.jsonl"),
        ("eval", "latest"),
        ("export", "latest", "out"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("columns", ["", "80"])
def test_nothing_that_others_wrote_acts_on_a_terminal_or_forges_a_line(
    words: tuple[str, ...], columns: str, evil: Path, lvm: Lvm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    status = 2 if words[0] == "eval" else 0
    done = lvm(*(word.replace("FOLDER", str(evil)) for word in words), status=status)
    for said in (done.stdout, done.stderr):
        assert not set("\x1b\x07\x9b\u202e\r") & set(said)
        forged = [line for line in said.splitlines() if line.startswith(("lvm: note", "lvm: done", "note: all"))]
        assert not forged
    if "--json" in words:
        json.loads(done.stdout)
    if words[0] == "export":
        card = Path("out/README.md").read_text()
        assert not set("\x1b\x07\x9b\u202e") & set(card)


def test_escaped_json_is_the_same_json() -> None:
    text = json.dumps({EVIL: [EVIL, "\ud800", "é\t"]}, ensure_ascii=False, indent=1)
    assert json.loads(escaped(text)) == json.loads(text)
    assert clean(escaped(text)) == escaped(text)


def test_a_model_with_a_hostile_header_is_shown_plainly(lvm: Lvm, registry: Registry, small: Path) -> None:
    save_model(Path("m.safetensors"), build_model("amn", "", 16, 5, registry, "toy"), {"run": EVIL, EVIL: EVIL})
    for words in (
        ("show", "m.safetensors"),
        ("show", "m.safetensors", "--json"),
        ("eval", "m.safetensors", "--data", small),
    ):
        said = lvm(*words)
        assert not set("\x1b\x07\x9b\u202e") & set(said.stdout + said.stderr)
        assert "\nlvm: done" not in said.stdout + said.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("eval", ""), "no run is named"),
        (("compare", ""), "no run is named"),
        (("runs", ""), "no run is named"),
        (("show", ""), "nothing is named"),
        (("run", "--data", ""), "no corpus is named"),
        (("data", "show", ""), "no corpus is named"),
        (("data", "import", ""), "a path is empty"),
        (("data", "split", "SMALL", "-o", ""), "a path is empty"),
        (("new", "plugin", ""), "the path is empty"),
        (("runs", "--runs", ""), "the path is empty"),
        (("run", "--registry", ""), "the path is empty"),
        (("show", LONG), "File name too long"),
        (("eval", LONG), "File name too long"),
        (("eval", f"{LONG}.safetensors"), "File name too long"),
        (("run", "--data", LONG), "File name too long"),
        (("runs", "--runs", LONG), "File name too long"),
        (("run", "--registry", LONG), "File name too long"),
        (("run", "--plugin", f"{LONG}.py"), "File name too long"),
        (("new", "plugin", LONG), "File name too long"),
        (("data", "import", f"{LONG}.npz"), "File name too long"),
        (("data", "build", "x", LONG), "File name too long"),
        (("data", "export", "SMALL", "-o", f"{LONG}.npz"), "File name too long"),
        (("run", "--seed", "-1"), "--seed"),
        (("run", "--data", "SMALL", "--batch-size", f"{10**30}"), "'batch_size' must be <= 2147483647"),
        (("run", "--data", "SMALL", "--epochs", f"{10**30}"), "'epochs' must be <= 1000000"),
        (("run", "--data", "SMALL", "--context", f"{10**30}"), "'context' must be <= 10000"),
        (("run", "--data", "SMALL", "--patience", f"{10**30}"), "'patience' must be <= 1000000"),
        (("data", "split", "SMALL", "-o", "SMALL", "--force"), "written over what it is made from"),
        (("data", "show", "\udcff.safetensors"), "there is no such corpus"),
        (("eval", "\udcff"), "there is no run"),
        (("show", "\udcff.json"), "there is no component"),
    ],
    ids=lambda value: " ".join(value)[:60].encode("ascii", "replace").decode() if isinstance(value, tuple) else "",
)
def test_words_that_no_command_can_take_are_the_users_mistake(
    words: tuple[str, ...], said: str, lvm: Lvm, small: Path
) -> None:
    before = set(Path().iterdir())
    done = lvm(*(str(small) if word == "SMALL" else word for word in words), status=2)
    assert said in done.stderr
    assert done.stderr.startswith("lvm: ")
    assert "a fault in the program" not in done.stderr
    assert {path for path in Path().iterdir() if path.name != "runs"} == before
    assert not list(Path("runs").glob("*"))


@pytest.mark.parametrize("name", ["x" * 300, "é" * 200, "\udcff", "a/b\\c", "transformer," + "dropout=0.1" + "0" * 250])
def test_any_name_is_that_of_a_run_and_its_folder_a_short_one(name: str, lvm: Lvm, small: Path) -> None:
    lvm("run", "--arch", "amn", "--size", "toy", "--epochs", "1", "--no-eval", "--data", small, "--name", name)
    (run,) = json.loads(lvm("runs", "--json").stdout)
    assert run["name"] == name
    assert len(Path(run["path"]).name.encode()) < 140
    lvm("compare", "--format", "csv")
    lvm("show", "1")


def test_corpora_with_starts_of_another_type_are_malformed(lvm: Lvm, small: Path) -> None:
    held = safetensors.numpy.load_file(small)
    safetensors.numpy.save_file(held | {"starts": held["starts"].astype(np.uint64)}, "u.safetensors")
    for words in (("data", "show", "u.safetensors"), ("run", "--data", "u.safetensors")):
        assert "starts are torch.uint64" in lvm(*words, status=2).stderr


@pytest.mark.parametrize(
    "problem",
    [
        "MemoryError('Unable to allocate 49.6 GiB for an array')",
        "RuntimeError('[enforce fail] DefaultCPUAllocator: can\\'t allocate memory: you tried to allocate 7 bytes.')",
        "torch.OutOfMemoryError('CUDA out of memory.')",
    ],
)
def test_too_little_memory_is_the_machines_fault(problem: str, lvm: Lvm, small: Path) -> None:
    source = "import torch\nfrom lvmcore import component, hookimpl\n@component\nclass Large:\n    'A large one.'\n"
    source += f"    def build(self, shape):\n        raise {problem}\n"
    source += "@hookimpl\ndef lvm_architectures():\n    return [('large', Large)]\n"
    Path("large.py").write_text(source)
    said = lvm("run", "--arch", "large", "--data", small, "--plugin", "large.py", status=3).stderr
    assert said.startswith("lvm: out of memory")
    assert "a fault in the program" not in said
    assert not list(Path("runs").iterdir())


@pytest.mark.parametrize("words", [("list",), ("runs",), ("--help",), ("show", "mse", "--json")], ids=" ".join)
def test_an_output_that_is_full_is_the_machines_fault(words: tuple[str, ...], tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lvmcore", *words],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path, env=os.environ,
        )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr == "lvm: the machine refuses: No space left on device\n  try: make room, then run again\n"


def test_a_corpus_with_a_hostile_title_is_shown_plainly(lvm: Lvm, small: Path) -> None:
    corpus = Corpus.open(small)
    info = CorpusInfo(name=EVIL, encoder=EVIL, licence=EVIL, source=EVIL, titles=(EVIL,) * len(corpus.splits))
    save_corpus(Path("c.safetensors"), corpus.vectors.numpy(), corpus.starts.numpy(), corpus.splits.numpy(), info)  # pyright: ignore
    lvm("run", *TOY[1:-1], "--no-eval", "--data", "c.safetensors")
    for words in (
        ("data", "show", "c.safetensors"),
        ("data", "show", "c.safetensors", "--json"),
        ("data", "inspect", "c.safetensors"),
        ("eval", "latest"),
        ("eval", "latest", "--json"),
        ("run", *TOY[1:-1], "--data", "c.safetensors"),
        ("runs",),
        ("compare",),
    ):
        done = lvm(*words)
        for said in (done.stdout, done.stderr):
            assert not set("\x1b\x07\x9b\u202e") & set(said)
            assert not [line for line in said.splitlines() if line.startswith(("lvm: note", "lvm: done"))], words
