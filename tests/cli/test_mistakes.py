"""Everything a user can get wrong: named, with a way out, exit status 2, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from conftest import TOY, Lvm, MakeCorpus


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rnu",), "did you mean 'run'"),
        (("run", "--epohcs", "3"), "No such option"),
        (("run", "p11"), "unknown variant 'p11'; did you mean 'p1'"),
        (("run", "--arch", "transfromer"), "did you mean 'transformer'"),
        (("run", "--loss", "mse+dri"), "did you mean 'dir'"),
        (("run", "--loss", "mse+dir:0.1,marign=1"), "did you mean 'margin'"),
        (("run", "--loss", "mse+"), "empty term"),
        (("run", "--sampler", "forward:2"), "'fraction' must be <= 1"),
        (("run", "--epochs", "0"), "epochs"),
        (("run", "--lr", "-1"), "'lr' must be > 0"),
        (("run", "--lr", "inf"), "'lr' must be < inf"),
        (("run", "--lr", "nan"), "'lr' must be > 0"),
        (("run", "--seed", "-1"), "--seed"),
        (("run", "--seed", "99999999999999999999"), "--seed"),
        (("run", "--precision", "int8"), "--precision"),
        (("run", "--arch", "residual", "--data", "SMALL"), "cannot stand first"),
        (("run", "--arch", "transformer,ffn=-5", "--data", "SMALL"), "'ffn' must be >= 1"),
        (("run", "--arch", "transformer,d_model=33", "--data", "SMALL"), "multiple of heads"),
        (("run", "--loss", "", "--data", "SMALL"), "the objective has no loss"),
        (("run", "--loss", "mse,start=2", "--data", "SMALL"), "no loss acts at epoch 1"),
        (("run", "--loss", "mse,stop=3", "--data", "SMALL"), "no loss acts at epoch 4"),
        (("run", "--loss", "mse,stop=2+dir+ac,share=0.1", "--data", "SMALL"), "'ac' shares with 'mse'"),
        (("run", "--schedule", "plateau:2", "--data", "SMALL"), "'factor' must be < 1"),
        (("run", "--inputs", "pso", "--data", "SMALL"), "did you mean 'pos'"),
        (("run", "--data", "wikki"), "did you mean 'wiki'"),
        (("run", "--data", "none.safetensors"), "no such corpus"),
        (("run", "--gates", "lax"), "unknown gate profile 'lax'"),
        (("run", "--gates", "mine", "--registry", "GATES", "--data", "SMALL"), "unknown figure 'margn'"),
        (("run", "--loss", "mse+dir:0.1,strat=2"), "did you mean 'start'"),
        (("eval", "random:x", "--data", "SMALL"), "'x' is no value for option 'seed'"),
        (("run", "--registry", "none.toml"), "no such registry file"),
        (("run", "--plugin", "none.py"), "no such plugin file"),
        (("eval", "nothing"), "there is no run 'nothing'"),
        (("eval", "none.safetensors"), "no such model file"),
        (("eval", "SMALL", "--data", "SMALL"), "the file is no lvm model"),
        (("eval", "copy-last", "--data", "SMALL", "--gates", "lax"), "unknown gate profile 'lax'"),
        (("eval", "copy-last", "--max-windows", "0"), "--max-windows"),
        (("eval", "copy-last", "--split", "test"), "no list of splits"),
        (("eval", "copy-lst"), "there is no run or predictor 'copy-lst'; did you mean 'copy-last'?"),
        (("eval", "copy-last", "--data", "SMALL", "--save"), "'copy-last' is no run"),
        (("runs", "--runs", "SMALL"), "no folder of runs"),
        (("compare", "--runs", "SMALL"), "no folder of runs"),
        (("compare", "--paired", "--format", "markdown"), "a paired comparison is of two runs, not 0"),
        (("show", "."), "the folder is no run"),
        (("list", "lossses"), "did you mean 'losses'"),
        (("show", "transfromer"), "did you mean 'transformer'"),
        (("compare", "--format", "tabel"), "did you mean 'table'"),
        (("data", "import", "none.npz"), "no such file"),
        (("data", "import", "SMALL", "-o", "new.safetensors"), "that is a corpus already"),
        (("compare", "nope"), "there is no run 'nope'"),
        (("show", "latest"), "there is no run 'latest'"),
    ],
)
def test_a_mistake_is_named_with_a_way_out_and_leaves_nothing_behind(
    words: tuple[str, ...], said: str, lvm: Lvm, tmp_path: Path, small: Path
) -> None:
    gates = tmp_path / "gates.toml"
    gates.write_text('[gates.mine]\nA.margn = ">= 0"\n')
    places = {"SMALL": str(small), "GATES": str(gates)}
    done = lvm(*(places.get(word, word) for word in words), status=2)
    assert said in done.stderr
    assert done.stderr.startswith("lvm: ")
    assert done.stdout == ""
    assert not list((tmp_path / "runs").glob("*"))


def broken(kind: str, small: Path) -> Path:
    held = safetensors.numpy.load_file(small)
    path = small.with_name(f"{kind}.safetensors")
    if kind == "truncated":
        path.write_bytes(small.read_bytes()[:-100])
        return path
    if kind == "nan":
        held["vectors"][5] = np.nan
    if kind == "zero":
        held["vectors"][5] = 0
    if kind == "short":
        held["starts"] = np.arange(0, len(held["vectors"]) + 1, 4)
        held["splits"] = np.zeros(len(held["starts"]) - 1, np.uint8)
    safetensors.numpy.save_file(held, path)
    return path


@pytest.mark.parametrize(
    ("kind", "said"),
    [("truncated", "truncated"), ("nan", "not finite"), ("zero", "is zero"), ("short", "there is no window for")],
)
def test_a_bad_corpus_is_named(kind: str, said: str, lvm: Lvm, small: Path) -> None:
    file = broken(kind, small)
    for words in (("run", "--size", "toy", "--data", file), ("eval", "ridge", "--data", file)):
        done = lvm(*words, status=2)
        assert said in done.stderr
        assert str(file) in done.stderr
    assert not list(small.parent.glob("runs/*"))


def test_a_corpus_of_another_width_is_named(lvm: Lvm, small: Path, make_corpus: MakeCorpus) -> None:
    lvm(*TOY, small)
    done = lvm("eval", "latest", "--data", make_corpus("wide", dim=24), status=2)
    assert "reads vectors of width 16, the corpus holds width 24" in done.stderr


def test_a_model_whose_plugin_is_missing_says_what_to_install(lvm: Lvm, small: Path) -> None:
    lvm(*TOY, small)
    done = lvm("eval", "latest", "--no-plugin", "architectures", status=2)
    assert "lvmcore 0.1.0 (plugin architectures)" in done.stderr
