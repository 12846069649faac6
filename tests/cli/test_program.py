"""The program as a user meets it: each job from the command to what it prints and writes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors
from conftest import TOY, Lvm, MakeCorpus


def test_a_run_trains_evaluates_writes_its_folder_and_adds_a_row(lvm: Lvm, small: Path, tmp_path: Path) -> None:
    printed = lvm(*TOY, small).stdout
    for part in (
        "epoch  1/2",
        "mse ",
        "dir ",
        "val cos",
        "margin",
        "windows/s",
        "A  offset sweep",
        "E  coherence bins",
    ):
        assert part in printed
    (folder,) = (tmp_path / "runs").iterdir()
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["variant"]["loss"] == "mse+dir:0.002"
    assert {"seed", "corpus", "versions", "plugins", "machine", "precision", "parameters", "best"} <= set(record)
    assert len((folder / "epochs.jsonl").read_text().splitlines()) == 2
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert set(evaluation["splits"]) == {"val", "ood"}
    assert set(evaluation["yardsticks"]) == {"oracle", "copy-last", "context-mean", "filter", "ridge", "random"}
    with safetensors.safe_open(str(folder / "model.safetensors"), "numpy") as file:
        assert json.loads(file.metadata()["lvm"])["arch"].startswith("transformer,")
    assert not list(folder.glob(".*.safetensors*"))
    compared = lvm("compare").stdout
    assert "transformer · mse+dir:0.002" in compared
    assert "copy-last" in compared
    assert record["id"] in lvm("runs").stdout


def test_json_is_one_document_and_nothing_else(lvm: Lvm, small: Path) -> None:
    done = lvm(*TOY, small, "--json")
    document = json.loads(done.stdout)
    assert Path(document["path"]).is_dir()
    assert document["evaluation"]["schema"] == 1
    assert "epoch" in done.stderr
    assert json.loads(lvm("eval", "latest", "--json").stdout)["splits"].keys() == {"val", "ood"}
    assert len(json.loads(lvm("runs", "--json").stdout)) == 1
    assert json.loads(lvm("compare", "--format", "json").stdout)["rows"][0]["status"].startswith("finished")


def test_evaluating_again_gives_the_figures_of_the_run(lvm: Lvm, small: Path) -> None:
    ran = json.loads(lvm(*TOY, small, "--json").stdout)["evaluation"]
    again = json.loads(lvm("eval", "latest", "--json").stdout)
    for split in ("val", "ood"):
        assert again["splits"][split] == ran["splits"][split]
    assert again["gates"] == ran["gates"]
    model = Path(next(Path("runs").glob("*/model.safetensors")))
    assert json.loads(lvm("eval", model, "--data", small, "--json").stdout)["splits"] == again["splits"]


def test_a_yardstick_is_evaluated_by_name(lvm: Lvm, small: Path) -> None:
    document = json.loads(lvm("eval", "copy-last", "--data", small, "--json").stdout)
    assert document["splits"]["val"]["A"]["offsets"]["0"]["value"] == pytest.approx(1, abs=1e-5)
    assert document["gates"]["A"] is False


def test_two_runs_are_compared_window_by_window(lvm: Lvm, small: Path) -> None:
    lvm(*TOY, small)
    lvm("run", "--arch", "amn", "--loss", "mse", "--size", "toy", "--epochs", "2", "--data", small)
    names = sorted(folder.name for folder in Path("runs").iterdir())
    document = json.loads(lvm("compare", *names, "--paired", "--format", "json").stdout)
    cosine = next(d for d in document["differences"] if (d["split"], d["figure"]) == ("val", "A.cosine"))
    assert cosine["difference"]["value"] == pytest.approx(cosine["first"] - cosine["second"], abs=1e-6)
    assert {d["verdict"] for d in document["differences"]} == {"can't tell"}  # of two articles
    printed = lvm("compare", *names, "--paired").stdout
    assert "the first is" in printed
    for warning in document["warnings"]:
        assert "holds 2 articles: below 20" in warning
        assert f"note: {warning}" in printed
    assert len(document["warnings"]) == 2
    assert "a paired comparison is of two runs" in lvm("compare", names[0], "--paired", status=2).stderr
    assert json.loads(lvm("compare", *names, "--paired", "--json").stdout) == document
    rows = list(csv.DictReader(lvm("compare", *names, "--paired", "--format", "csv").stdout.splitlines()))
    assert [row["figure"] for row in rows] == [d["figure"] for d in document["differences"]]
    assert float(rows[0]["difference_value"]) == document["differences"][0]["difference"]["value"]
    table = lvm("compare", *names, "--paired", "--format", "markdown").stdout
    assert table.count("\n| ") == len(rows) + 1
    assert "has no format 'html'" in lvm("compare", *names, "--paired", "--format", "html", status=2).stderr


def test_strict_exits_with_1_when_a_gate_failed(lvm: Lvm, small: Path) -> None:
    lvm(*TOY, small, "--strict", status=1)


def test_without_runs_it_is_said_and_is_no_error(lvm: Lvm) -> None:
    assert "no runs in runs/ yet" in lvm("runs").stdout
    assert "no runs in runs/ yet" in lvm("compare").stdout


def test_a_loss_in_one_file_runs_by_name(lvm: Lvm, small: Path, tmp_path: Path) -> None:
    (tmp_path / "huber.py").write_text(
        "from lvmcore import component, hookimpl, option\n"
        "import torch.nn.functional as F\n"
        "@component\n"
        "class Huber:\n"
        "    'Huber distance.'\n"
        "    delta: float = option(default=1.0, help='bend')\n"
        "    def build(self):\n"
        "        return lambda step: F.huber_loss(step.raw, step.target, delta=self.delta)\n"
        "@hookimpl\n"
        "def lvm_losses():\n"
        "    return [('huber', Huber)]\n"
    )
    words = ("run", "--loss", "huber:1,delta=0.1", "--size", "toy", "--epochs", "1", "--data", small)
    document = json.loads(lvm(*words, "--plugin", "huber.py", "--json").stdout)
    assert {"dist": "huber.py", "plugin": "huber", "version": "file"} in document["plugins"]
    assert "delta" in lvm("show", "huber", "--plugin", "huber.py").stdout
    assert "unknown loss 'huber'" in lvm(*words, status=2).stderr


def test_everything_can_be_listed_and_shown(lvm: Lvm, small: Path) -> None:
    assert lvm("list", "loss").stdout == lvm("list", "losses").stdout
    assert "transformer" in lvm("list").stdout
    assert "p1" in lvm("list", "variants").stdout
    assert "anti-copy" in lvm("show", "ac").stdout.lower() or "cos(p, row i)" in lvm("show", "ac").stdout
    assert "start" in lvm("show", "dir").stdout
    assert "P1 Baseline" in lvm("show", "p1").stdout
    assert json.loads(lvm("show", small, "--json").stdout)["kind"] == "corpus"
    assert all(row["status"] == "ok" for row in json.loads(lvm("plugins", "--json").stdout))
    lvm(*TOY, small)
    assert json.loads(lvm("show", "latest", "--json").stdout)["status"] == "finished"


@pytest.mark.parametrize("words", [(), ("data",), ("new",)])
def test_a_group_of_commands_alone_prints_its_help(words: tuple[str, ...], lvm: Lvm) -> None:
    done = lvm(*words)
    assert done.stdout.startswith(" ".join(["Usage: lvm", *words, "[OPTIONS] COMMAND"]))
    assert done.stderr == ""


def test_an_npz_file_is_imported_and_trained_on(lvm: Lvm, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    np.savez(tmp_path / "old.npz", vectors=random.normal(size=(200, 8)), article_indices=np.repeat(np.arange(20), 10))
    printed = lvm("data", "import", "old.npz", "-o", "new.safetensors").stdout
    assert "200 chunks of width 8 in 20 articles" in printed
    lvm("run", "--arch", "amn", "--size", "toy", "--epochs", "1", "--data", "new.safetensors")
    assert "must be imported first" in lvm("run", "--data", "old.npz", status=2).stderr


def test_auto_is_the_same_precision_in_training_and_evaluation(
    lvm: Lvm, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lvmcore.device.processor_flags", lambda: {"avx512_bf16"})
    auto, bf16, fp32 = (
        json.loads(lvm(*TOY, small, "--precision", choice, "--json").stdout) for choice in ("auto", "bf16", "fp32")
    )
    assert auto["precision"] == "bf16"
    assert auto["evaluation"]["splits"] == bf16["evaluation"]["splits"] != fp32["evaluation"]["splits"]


def test_a_model_file_is_evaluated_on_what_it_was_trained_on(lvm: Lvm, small: Path, make_corpus: MakeCorpus) -> None:
    run = json.loads(lvm(*TOY, small, "--json").stdout)
    model = Path(run["path"]) / "model.safetensors"
    own = json.loads(lvm("eval", model, "--json").stdout)
    assert own["splits"] == run["evaluation"]["splits"]
    other = lvm("eval", model, "--data", make_corpus("other", seed=5), "--json")
    assert "note: trained on small, evaluated on other" in other.stderr
    assert json.loads(other.stdout)["corpus"]["name"] == "other"


def test_only_a_whole_evaluation_on_its_own_corpus_replaces_a_runs_figures(
    lvm: Lvm, small: Path, make_corpus: MakeCorpus
) -> None:
    run = json.loads(lvm(*TOY, small, "--json").stdout)
    other = make_corpus("other", seed=5)
    for words in (("--data", other), ("--max-windows", "3"), ("--split", "val")):
        assert "--save keeps the figures" in lvm("eval", "latest", *words, "--save", status=2).stderr
    assert json.loads((Path(run["path"]) / "evaluation.json").read_text()) == run["evaluation"]


def test_what_a_shorter_run_leaves_out_is_noted(lvm: Lvm, small: Path) -> None:
    words = ("--size", "toy", "--data", small)
    said = lvm("run", "p3", "--epochs", "1", *words).stdout
    assert "note: in 1 epoch these never act: dir, fut, drop" in said
    assert "note: no epoch is left for stage A" in lvm("run", "p5", "--epochs", "2", *words).stdout
    before, _, _ = lvm("run", "p1", "--epochs", "1", *words).stdout.partition("epoch  1")
    assert before
    assert "note:" not in before
