"""The program as a user meets it, each command in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from conftest import MakeCorpus

Lvm = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def lvm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lvm:
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path, status: int = 0, **environment: str) -> CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "lvmcore", *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **environment},
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def small(make_corpus: MakeCorpus) -> Path:
    return make_corpus()


TOY = ("run", "--arch", "transformer", "--loss", "mse+dir:0.002", "--size", "toy", "--epochs", "2", "--data")


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
    cosine = next(d for d in document["differences"] if (d["split"], d["figure"]) == ("val", "cosine"))
    assert cosine["difference"]["value"] == pytest.approx(cosine["first"] - cosine["second"], abs=1e-6)
    assert "the first is" in lvm("compare", *names, "--paired").stdout
    assert "--paired compares two runs" in lvm("compare", names[0], "--paired", status=2).stderr


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
        (("run", "--data", "wikki"), "did you mean 'wiki'"),
        (("run", "--data", "none.safetensors"), "no such corpus"),
        (("run", "--gates", "lax"), "unknown gate profile 'lax'"),
        (("run", "--registry", "none.toml"), "no such registry file"),
        (("run", "--plugin", "none.py"), "no such plugin file"),
        (("eval", "nothing"), "there is no run 'nothing'"),
        (("eval", "none.safetensors"), "no such model file"),
        (("eval", "copy-last", "--split", "test"), "no list of splits"),
        (("list", "lossses"), "did you mean 'losses'"),
        (("show", "transfromer"), "did you mean 'transformer'"),
        (("compare", "--format", "tabel"), "did you mean 'table'"),
        (("data", "import", "none.npz"), "no such file"),
    ],
)
def test_a_mistake_is_named_with_a_way_out_and_leaves_nothing_behind(
    words: tuple[str, ...], said: str, lvm: Lvm, tmp_path: Path
) -> None:
    done = lvm(*words, status=2)
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
    [("truncated", "truncated"), ("nan", "not finite"), ("zero", "is zero"), ("short", "no window for training")],
)
def test_a_bad_corpus_is_named(kind: str, said: str, lvm: Lvm, small: Path) -> None:
    done = lvm("run", "--size", "toy", "--data", broken(kind, small), status=2)
    assert said in done.stderr
    assert kind in done.stderr


def test_a_corpus_of_another_width_is_named(lvm: Lvm, small: Path, make_corpus: MakeCorpus) -> None:
    lvm(*TOY, small)
    done = lvm("eval", "latest", "--data", make_corpus("wide", dim=24), status=2)
    assert "reads vectors of width 16, the corpus holds width 24" in done.stderr


def test_a_model_whose_plugin_is_missing_says_what_to_install(lvm: Lvm, small: Path) -> None:
    lvm(*TOY, small)
    done = lvm("eval", "latest", "--no-plugin", "architectures", status=2)
    assert "lvmcore 0.1.0 (plugin architectures)" in done.stderr


def test_a_full_disk_is_said_to_be_and_what_was_written_stays(lvm: Lvm, small: Path, tmp_path: Path) -> None:
    (tmp_path / "full.py").write_text(
        "import errno, os\n"
        "from lvmcore import hookimpl\n"
        "@hookimpl\n"
        "def lvm_epoch_finished(run, record):\n"
        "    def fsync(handle):\n"
        "        raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "    if record['epoch'] == 2:\n"
        "        os.fsync = fsync\n"
    )
    words = [*TOY]
    words[words.index("2")] = "4"
    done = lvm(*words, small, "--plugin", "full.py", status=3)
    assert "No space left on device" in done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert len((folder / "epochs.jsonl").read_text().splitlines()) == 2
    assert "interrupted" in lvm("runs").stdout
    assert json.loads(lvm("eval", folder, "--json").stdout)["splits"]


def test_an_interrupted_run_keeps_its_best_weights(small: Path, tmp_path: Path, lvm: Lvm) -> None:
    words = [*TOY]
    words[words.index("2")] = "100000"
    process = subprocess.Popen(
        [sys.executable, "-m", "lvmcore", *words, str(small)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background job ignores SIGINT, and its children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("runs/*/model.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "stopped by the user in epoch" in said
    assert "Traceback" not in said
    (folder,) = (tmp_path / "runs").iterdir()
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    assert {file.name for file in folder.iterdir()} == {"run.json", "epochs.jsonl", "model.safetensors", ".lock"}
    assert json.loads(lvm("eval", folder, "--json").stdout)["splits"]


@pytest.mark.parametrize(
    "words",
    [["--help"], ["runs"], ["compare"], ["compare", "--format", "markdown"], ["show", "FILE"], ["run", "--help"]],
)
def test_a_quick_command_imports_no_torch(words: list[str], small: Path, tmp_path: Path, lvm: Lvm) -> None:
    lvm(*TOY, small)
    arguments = [str(small) if word == "FILE" else word for word in words]
    code = (
        "import sys; from lvm_cli.main import main\n"
        f"sys.argv = ['lvm', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


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


def test_an_npz_file_is_imported_and_trained_on(lvm: Lvm, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    np.savez(tmp_path / "old.npz", vectors=random.normal(size=(200, 8)), article_indices=np.repeat(np.arange(20), 10))
    printed = lvm("data", "import", "old.npz", "-o", "new.safetensors").stdout
    assert "200 chunks of width 8 in 20 articles" in printed
    lvm("run", "--arch", "amn", "--size", "toy", "--epochs", "1", "--data", "new.safetensors")
    assert "must be imported first" in lvm("run", "--data", "old.npz", status=2).stderr
