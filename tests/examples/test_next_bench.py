"""The bench for ideas: what it carries out is filed whole and once, and its tables leave nothing out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Lvm, MakeCorpus
from torch import nn

from lvmcore import Corpus, Lab, Run, Shape

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RESULTS = EXAMPLES / "next" / "results"
FILES = sorted(RESULTS.glob("*/*-s[0-9]*.json"))
MODULES = (
    "bench", "result", "tables", "plot", "neighbours", "whitening", "by_source", "reencode",
    "build", "profiles", "units",
)  # fmt: skip
CORPUS = "world,articles=24,length=14,dim=48,latent=8"
CHEATS = {"context-mean", "copy-last", "filter", "random", "ridge"}


@pytest.fixture
def next_(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The modules of the folder, by name."""
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(EXAMPLES / "next"))
    yield SimpleNamespace(**{name: import_module(name) for name in MODULES if name != "plot"})
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def bench(next_: Any, lvm: Lvm, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The bench, whose runs are tiny and in this process; `ran` has what was carried out."""
    next_.bench.ran = []

    def tiny(command: str, *words: str) -> dict[str, Any]:
        next_.bench.ran.append(words[0])
        return json.loads(lvm(command, *words, "--size", "toy", "--epochs", "1").stdout)

    monkeypatch.setattr(next_.bench, "lvm", tiny)
    return next_.bench


def test_a_unit_is_filed_whole_once_and_beside_what_was_there_before(bench: Any, next_: Any, tmp_path: Path) -> None:
    def run(*only: str) -> None:
        bench.carry_out_all(bench.units({"tiny": CORPUS}, [0], list(only), tmp_path), bench.carry_out)

    run("p1", "p1-5", "next", "without-g*")
    assert bench.ran == ["p1-5", "next", "without-gate"]
    files = sorted(file.name for file in (tmp_path / "tiny").glob("*.json"))
    assert files == ["next-s0.json", "p1-5-s0.json", "without-gate-s0.json"]
    run("p1", "p1-5", "next", "without-g*")
    assert len(bench.ran) == 3

    held = next_.tables.results("tiny", tmp_path)
    (gate,), (whole,), (p1,) = (held[idea] for idea in ("without-gate", "next", "p1-5"))
    for split in ("val", "ood"):
        assert set(p1["differences"][split]) == CHEATS
        assert set(whole["differences"][split]) == CHEATS | {"p1"}
        assert set(gate["differences"][split]) == CHEATS | {"p1", "next"}
        for other, runs in (("p1", p1), ("next", whole)):
            for figure in ("cosine", "rollout"):
                found = gate["differences"][split][other][figure]
                expected = gate["splits"][split][figure]["value"] - runs["splits"][split][figure]["value"]
                assert found["value"] == pytest.approx(expected, abs=2e-6)
                assert found["low"] <= found["value"] <= found["high"]
    assert gate["settings"]["arch"] == "filter-residual,drop_rows=0.3,gate=0"
    assert str(tmp_path) not in "".join(file.read_text("utf-8") for file in (tmp_path / "tiny").glob("*.json"))


def test_an_idea_may_begin_with_the_weights_of_a_model_and_is_filed_apart(
    bench: Any, next_: Any, lvm: Lvm, tmp_path: Path
) -> None:
    made = json.loads(lvm("run", "next-text", "--data", CORPUS, "--size", "toy", "--epochs", "1", "--json").stdout)
    (unit,) = bench.units({"tiny": CORPUS}, [0], ["next-text"], tmp_path, ("other", made["path"]))
    bench.carry_out(unit)
    assert unit.done
    assert not bench.Unit("next-text", "tiny", CORPUS, 0, tmp_path).done
    ((kept,),) = next_.tables.results("tiny", tmp_path).values()
    assert kept["idea"] == "next-text-from-other"
    assert kept["init"]["run"] == Path(made["path"]).name
    assert str(tmp_path) not in json.dumps(kept)


def test_a_unit_that_fails_leaves_nothing_that_looks_like_a_result(
    bench: Any, next_: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(run: Run, folder: Path) -> None:
        folder.with_name(f".{folder.name}.part").mkdir()
        raise KeyboardInterrupt

    unit = bench.Unit("next", "tiny", CORPUS, 0, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(next_.result, "_keep_windows", fail)
        with pytest.raises(KeyboardInterrupt):
            bench.carry_out(unit)
    assert not unit.done
    bench.carry_out(unit)
    assert unit.done
    assert [path.name for path in sorted((tmp_path / "tiny").iterdir())] == ["next-s0", "next-s0.json"]


def test_p1_runs_by_the_first_seed_alone_and_a_corpus_has_one_of_them(next_: Any) -> None:
    found = list(next_.bench.units({"wiki": "wiki", "novels": "FILE"}, [0, 1], ["p1", "p1-5", "next"]))
    assert [(one.corpus, one.idea, one.seed) for one in found] == [
        ("wiki", "p1", 0),
        ("wiki", "next", 0),
        ("wiki", "next", 1),
        ("novels", "p1-5", 0),
        ("novels", "next", 0),
        ("novels", "next", 1),
    ]


def test_a_corpus_file_is_filed_under_the_name_given(next_: Any) -> None:
    assert next_.bench.named("novels=a/b.safetensors") == ("novels", "a/b.safetensors")
    assert next_.bench.named("wiki") == ("wiki", "wiki")
    for wrong in ("a/b.safetensors", "=x", "../up=x"):
        with pytest.raises(next_.bench.argparse.ArgumentTypeError):
            next_.bench.named(wrong)


def test_the_list_names_what_is_done_and_what_is_not(capfd: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, str(EXAMPLES / "next" / "bench.py"), "--data", "nowhere", "--only", "rank-*", "--list"]
    subprocess.run(command, check=True)
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("1/6 to do  lvm run rank-0.03 --data nowhere --seed 0")


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_result_is_of_a_variant_as_it_is_written(file: Path, next_: Any) -> None:
    one = json.loads(file.read_text("utf-8"))
    assert file == next_.result.result_file(RESULTS, one["corpus"]["name"], one["idea"], one["seed"])
    idea, begun, _ = one["idea"].partition("-from-")
    assert bool(begun) == bool(one.get("init"))
    assert idea in next_.bench.ideas(one["corpus"]["name"])
    variant = next_.tables.catalogue().variant(idea)
    assert one["settings"] == {key: getattr(variant, key) for key in next_.result.SETTINGS}
    assert set(one["differences"]["val"]) >= CHEATS


def test_the_tables_and_the_count_have_every_result(next_: Any) -> None:
    tables = next_.tables
    assert {file.parent.name for file in FILES} <= set(tables.CORPORA)
    runs = 0
    for corpus in tables.CORPORA:
        rows = tables.frontier(corpus).splitlines()[2:]
        named = [row.split("`")[1] for row in rows]
        assert sorted(named) == sorted(tables.results(corpus))
        assert [row.split("`")[1] for row in tables.weakest(corpus).splitlines()[2:]] == named
        for idea, held in tables.candidates(corpus).items():
            assert len(tables.seeds(corpus, idea).splitlines()) == 2 + len(held)
        runs += sum(int(row.split("|")[2]) for row, name in zip(rows, named, strict=True) if name not in tables.P1)
    assert f"in {runs} runs" in tables.tried()
    assert runs == len([file for file in FILES if file.stem.rpartition("-s")[0] not in tables.P1])
    if "next" in tables.candidates("factbook"):
        changes = {row.split("`")[1] for row in tables.ablation().splitlines() if row.startswith("| `")}
        assert changes == {idea for idea in tables.candidates("factbook") if idea.startswith(("with-", "without-"))}


@pytest.mark.parametrize("training", [True, False])
def test_neighbours_are_those_of_a_plain_loop(training: bool, next_: Any, make_corpus: MakeCorpus) -> None:
    windows = Corpus.open(make_corpus()).windows("train", 3)
    k, tau = 4, 0.2
    batch = windows.take(torch.arange(len(windows)))
    context, target, articles = batch.context.double(), batch.target.double(), windows.articles
    model = next_.neighbours.Neighbours(k=k, tau=tau, windows=200).build(Shape(3, 16, 16), Zero()).double()
    model.fit(windows)
    model.train(training).share.data.fill_(0.5)
    given = model(context)
    for i in range(0, len(windows), 7):
        scored = []
        for j in range(len(windows)):
            if not (training and articles[i] == articles[j]):
                ours, theirs = (rows[-1] - rows.mean(0) for rows in (context[i], context[j]))
                scored.append((float(ours @ theirs / ours.norm() / theirs.norm()), j))
        best = sorted(scored, reverse=True)[:k]
        weights = torch.tensor([cosine / tau for cosine, _ in best]).double().softmax(0)
        expected = sum(w * (target[j] - context[j].mean(0)) for w, (_, j) in zip(weights, best, strict=True))
        torch.testing.assert_close(given[i], 0.5 * expected, atol=1e-5, rtol=0)


def test_whitened_cosines_are_those_of_the_whole_matrix(next_: Any) -> None:
    """Beside the inverse square root by eigenvectors, which gives the same cosines as a triangular factor."""
    drawn = torch.Generator().manual_seed(0)
    shrink, decay = 0.2, 0.7
    loss = next_.whitening.White(shrink=shrink, decay=decay).build()
    mean, moment = torch.zeros(6).double(), torch.zeros(6, 6).double()
    for step in range(1, 4):
        unit, target = (
            torch.nn.functional.normalize(torch.randn(20, 6, generator=drawn).double() + 1, dim=1) for _ in range(2)
        )
        given = loss(SimpleNamespace(unit=unit, target=target))
        mean = decay * mean + (1 - decay) * target.mean(0)
        moment = decay * moment + (1 - decay) * sum(torch.outer(row, row) for row in target) / 20
        m, second = (held / (1 - decay**step) for held in (mean, moment))
        covariance = second - torch.outer(m, m)
        values, vectors = torch.linalg.eigh(
            (1 - shrink) * covariance + shrink * covariance.trace() / 6 * torch.eye(6).double()
        )
        white = vectors @ torch.diag(values**-0.5) @ vectors.T
        cosines = [
            float((white @ (p - m)) @ (white @ (y - m)) / ((white @ (p - m)).norm() * (white @ (y - m)).norm()))
            for p, y in zip(unit, target, strict=True)
        ]
        assert float(given) == pytest.approx(1 - sum(cosines) / 20, abs=1e-12)


def test_differences_by_source_are_means_over_its_windows(next_: Any) -> None:
    drawn = np.random.default_rng(0)
    articles = {"val": np.repeat([0, 1, 2, 5], 7), "ood": np.repeat([3, 4], 5)}
    corpus = SimpleNamespace(info=SimpleNamespace(sources=("a", "b", "a", "c", "c", "b")))

    def evaluation() -> SimpleNamespace:
        columns = {
            split: {name: drawn.random(len(held)) for name in ("cosine", "B/unseen/r5")}
            for split, held in articles.items()
        }
        columns["val"]["B/unseen/r5"][3] = np.nan  # a window without candidates
        windows = {split: SimpleNamespace(articles=torch.from_numpy(held)) for split, held in articles.items()}
        return SimpleNamespace(columns=columns, windows=windows)

    own, cheats = evaluation(), {"filter": evaluation(), "copy-last": evaluation()}
    found = next_.by_source.by_source(corpus, own, cheats)
    told = [(one["split"], one["source"], one["articles"], one["windows"]) for one in found]
    assert told == [("val", "a", 2, 14), ("val", "b", 2, 14), ("ood", "c", 2, 10)]
    for one in found:
        inside = [corpus.info.sources[article] == one["source"] for article in articles[one["split"]]]
        for name, cheat, column in (("dF", "filter", "cosine"), ("dCL", "copy-last", "B/unseen/r5")):
            ours, theirs = (held.columns[one["split"]][column][inside] for held in (own, cheats[cheat]))
            assert one[name]["value"] == pytest.approx(np.nanmean(ours - theirs))
            assert one[name]["low"] < one[name]["value"] < one[name]["high"]


def test_a_corpus_is_encoded_anew_with_its_bounds_and_splits(
    next_: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    held, file = Lab().corpus("wiki"), tmp_path / "wiki-hash.safetensors"
    lengths = held.starts.diff().tolist()
    chunks = {
        title: [f"{title} {number}" for number in range(count)]
        for title, count in zip(held.info.titles, lengths, strict=True)
    }
    monkeypatch.setitem(next_.reencode.RECIPES, "wiki", (lambda: (chunks, set()), *next_.reencode.RECIPES["wiki"][1:]))
    monkeypatch.setattr(sys, "argv", ["reencode.py", "wiki", "--encoder", "hash:32", "-o", str(file)])
    assert next_.reencode.main() == 0
    made = Corpus.open(file)
    assert (made.dim, made.info.encoder_term, made.info.name) == (32, "hash:32", "wiki-hash")
    for key in ("starts", "splits"):
        assert torch.equal(getattr(made, key), getattr(held, key))
    chunks.pop(held.info.titles[3])
    assert next_.reencode.main() == 2


class Zero(nn.Module):
    def forward(self, context: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(context[:, 0])
