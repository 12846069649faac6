"""Plugins and registry files as the program meets them: every hook is called, every variant file is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import TOY, Lvm

from lvmcore import hookspecs
from lvmcore.hookspecs import KINDS
from lvmcore.scaffolds.package import has_scaffold
from lvmcore.testing.promises import promises

ROOT = Path(__file__).resolve().parents[2]

LISTENER = """
from pathlib import Path
from lvmcore import hookimpl

def say(text):
    with open("said.txt", "a") as file:
        file.write(text + "\\n")

@hookimpl
def lvm_variants():
    return [Path(__file__).with_name("mine.toml")]

@hookimpl
def lvm_run_started(run):
    say(f"lvm_run_started {run.status}")

@hookimpl
def lvm_stage_started(stage):
    say(f"lvm_stage_started {stage.name}")

@hookimpl
def lvm_epoch_started(epoch):
    say(f"lvm_epoch_started {epoch}")

@hookimpl
def lvm_step_finished(step, terms):
    say(f"lvm_step_finished {step} {sorted(terms)}")

@hookimpl
def lvm_epoch_finished(record):
    say(f"lvm_epoch_finished {record['epoch']}")

@hookimpl
def lvm_evaluated(result):
    say(f"lvm_evaluated {result['protocol']}")

@hookimpl
def lvm_run_finished(run):
    say(f"lvm_run_finished {run.status}")
"""


FAULTY = """
from lvmcore import component, hookimpl

@component
class Faulty:
    def build(self):
        return lambda step: {}["missing"]

@hookimpl
def lvm_losses():
    return [("faulty", Faulty)]
"""


def test_every_hook_is_documented_tested_and_used_by_an_example() -> None:
    """A kind of component is tested by the conformance kit and by what lvm new writes of it; any other hook here."""
    names = [name for name in vars(hookspecs) if name.startswith("lvm_")]
    assert len(names) >= 17
    page = (ROOT / "docs" / "plugins.md").read_text()
    examples = "".join(file.read_text() for file in (ROOT / "examples").rglob("*.py"))
    kinds = {kind.hook: kind.name for kind in KINDS.values()}
    promised = {promise.kind for promise in promises()}
    for name in names:
        assert (getattr(hookspecs, name).__doc__ or "").strip().endswith("."), f"{name} has no docstring"
        assert f"`{name}(" in page, f"{name} is not in docs/plugins.md"
        assert f"def {name}(" in LISTENER or kinds.get(name) in promised, f"{name} is not tested"
        templated = name in kinds and has_scaffold(KINDS[kinds[name]])
        assert f"def {name}(" in examples or templated, f"no example uses {name}"


def test_the_example_journal_tells_a_run_from_start_to_end(lvm: Lvm, small: Path) -> None:
    run = json.loads(lvm(*TOY, small, "--plugin", ROOT / "examples" / "journal.py", "--json").stdout)
    said = [line.partition("  ")[2] for line in Path(run["path"], "journal.txt").read_text().splitlines()]
    assert said[0] == "transformer begins, seed 0"
    assert said[1].startswith("stage all: ")
    assert [line[:20] for line in said[2:4]] == ["epoch 1: val cosine ", "epoch 2: val cosine "]
    assert "of the loss: mse " in said[2]
    assert said[4].startswith("evaluated: ")
    assert said[5:] == ["finished"]


def test_a_plugin_brings_a_variant_and_hears_of_its_run_from_start_to_end(lvm: Lvm, small: Path) -> None:
    Path("mine.toml").write_text(f'[variants.mine]\narch = "amn"\nepochs = 1\ndata = "{small}"\n')
    Path("listener.py").write_text(LISTENER)
    lvm("run", "mine", "--size", "toy", "--plugin", "listener.py")
    assert Path("said.txt").read_text().splitlines() == [
        "lvm_run_started running",
        "lvm_stage_started all",
        "lvm_epoch_started 1",
        "lvm_step_finished 1 ['mse']",
        "lvm_epoch_finished 1",
        "lvm_evaluated 5cat",
        "lvm_run_finished finished",
    ]
    (run,) = json.loads(lvm("runs", "--json").stdout)
    assert (run["name"], run["variant"]["arch"]) == ("mine", "amn")


def test_a_run_that_fails_has_finished_too(lvm: Lvm, small: Path) -> None:
    Path("mine.toml").write_text("")
    Path("listener.py").write_text(LISTENER + "    if run.status == 'running': say('too early')\n")
    Path("faulty.py").write_text(FAULTY)
    lvm("run", "--loss", "faulty", "--data", small, "--plugin", "listener.py", "--plugin", "faulty.py", status=3)
    assert Path("said.txt").read_text().splitlines()[-1] == "lvm_run_finished failed"


def test_a_listener_that_fails_is_left_out_and_the_run_goes_on(
    lvm: Lvm, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        "from lvmcore import hookimpl\n@hookimpl\ndef lvm_epoch_started(epoch):\n    raise KeyError(epoch)\n"
        "@hookimpl\ndef lvm_run_finished():\n    raise AssertionError('told again')\n"
    )
    Path("late.py").write_text(source)
    done = lvm(*TOY, small, "--plugin", "late.py", "--json")
    document = json.loads(done.stdout)
    assert document["status"] == "finished"
    (fault,) = document["warnings"]
    assert "late.py/late failed to listen to lvm_epoch_started and was left out: KeyError: 1" in fault
    assert "late.py:4" in fault
    assert fault in done.stderr
    monkeypatch.setenv("LVM_STRICT", "1")
    lvm(*TOY, small, "--plugin", "late.py", status=3)


def test_a_listener_that_fails_at_the_very_end_is_in_the_record_too(lvm: Lvm, small: Path) -> None:
    Path("late.py").write_text("from lvmcore import hookimpl\n@hookimpl\ndef lvm_run_finished(run):\n    1 / 0\n")
    done = lvm(*TOY, small, "--plugin", "late.py")
    (run,) = json.loads(lvm("runs", "--json").stdout)
    (fault,) = run["warnings"]
    assert "late.py/late failed to listen to lvm_run_finished" in fault
    assert done.stderr.splitlines() == [f"lvm: {fault}"]


def test_an_evaluation_says_which_listener_failed(lvm: Lvm, small: Path) -> None:
    Path("late.py").write_text("from lvmcore import hookimpl\n@hookimpl\ndef lvm_evaluated(result):\n    1 / 0\n")
    said = lvm("eval", "copy-last", "--data", small, "--plugin", "late.py").stderr
    assert said.startswith("note: late.py/late failed to listen to lvm_evaluated and was left out: ZeroDivisionError")


def test_a_registry_file_beside_the_runs_is_read_and_one_that_is_named_follows_it(lvm: Lvm, small: Path) -> None:
    Path("registry.toml").write_text(f'[variants.here]\ndata = "{small}"\nepochs = 1\narch = "amn"\n')
    Path("more.toml").write_text('[variants.there]\nextends = "here"\nloss = "mse+dir:0.1"\n')
    names = [row["name"] for row in json.loads(lvm("list", "variants", "--registry", "more.toml", "--json").stdout)]
    assert {"base", "p1", "here", "there"} <= set(names)
    document = json.loads(lvm("run", "there", "--registry", "more.toml", "--size", "toy", "--json").stdout)
    assert (document["name"], document["variant"]["loss"]) == ("there", "mse+dir:0.1")
    assert document["variant"]["data"] == str(small)
    Path("registry.toml").write_text("[variants.here]\nepohcs = 1\n")
    assert "did you mean 'epochs'" in lvm("list", "variants", status=2).stderr


def test_a_staged_variant_is_scaled_by_epochs_and_ends_at_a_failed_gate(lvm: Lvm, small: Path) -> None:
    Path("registry.toml").write_text(
        f'[variants.staged]\narch = "amn"\ndata = "{small}"\n'
        '[[variants.staged.stages]]\nname = "A"\nepochs = 4\ngates = "impossible"\n'
        '[[variants.staged.stages]]\nname = "B"\nepochs = 6\n'
        '[gates.impossible]\nA.margin = ">= 2"\n'
    )
    document = json.loads(lvm("run", "staged", "--epochs", "5", "--size", "toy", "--json").stdout)
    assert [stage["epochs"] for stage in document["variant"]["stages"]] == [2, 3]
    assert document["status"] == "gate-failed"
    assert "stage A" in document["reason"]
    assert document["evaluation"]["splits"]
    lvm("run", "staged", "--epochs", "5", "--size", "toy", "--strict", status=1)
    on = json.loads(lvm("run", "staged", "--epochs", "5", "--size", "toy", "--ignore-gates", "--json").stdout)
    assert (on["status"], len(Path(on["path"], "epochs.jsonl").read_text().splitlines())) == ("finished", 5)


@pytest.mark.parametrize("only", ["", "other"])
def test_the_environment_leaves_installed_plugins_out(
    only: str, lvm: Lvm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "lvm_far-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lvm-far\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lvm]\nfar = module_of_lvm_far\n")
    (tmp_path / "module_of_lvm_far.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def far() -> str:
        rows = json.loads(lvm("plugins", "--json").stdout)
        (row,) = [row for row in rows if row["name"] == "far"]
        return row["status"]

    assert far() == "FAILED"
    monkeypatch.setenv("LVM_PLUGINS", only)
    assert far() == "off"
