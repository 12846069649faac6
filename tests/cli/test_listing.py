"""lvm list, show, plugins and check: everything that there is can be found, and says what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import TOY, Lvm

from lvmcore.components import options
from lvmcore.evaluation.controls import Control
from lvmcore.hookspecs import KINDS
from lvmcore.registry import Registry
from lvmcore.variants.catalogue import Catalogue

BROKEN = "from lvmcore import hookimpl\n@hookimpl\ndef lvm_losses():\n    raise RuntimeError('bad day')\n"


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_kind_is_listed_by_its_singular_and_its_plural(kind: str, lvm: Lvm, registry: Registry) -> None:
    singular = lvm("list", kind).stdout
    assert singular == lvm("list", KINDS[kind].plural).stdout
    rows = json.loads(lvm("list", kind, "--json").stdout)
    assert [row["name"] for row in rows] == [found.name for found in registry.all(kind)]
    assert all(row["name"] in singular and row["summary"] in singular for row in rows)


def test_variants_and_gate_profiles_are_listed(lvm: Lvm, catalogue: Catalogue) -> None:
    assert lvm("list", "variant").stdout == lvm("list", "variants").stdout
    assert {row["name"] for row in json.loads(lvm("list", "variants", "--json").stdout)} == set(catalogue.variants)
    assert {row["name"] for row in json.loads(lvm("list", "gates", "--json").stdout)} == set(catalogue.profiles)


def test_a_list_without_a_kind_holds_every_kind(lvm: Lvm, registry: Registry, catalogue: Catalogue) -> None:
    rows = json.loads(lvm("list", "--json").stdout)
    expected = sum(len(registry.all(kind)) for kind in KINDS) + len(catalogue.variants) + len(catalogue.profiles)
    assert len(rows) == expected


def test_every_component_is_shown_with_its_options_and_their_help(lvm: Lvm, registry: Registry) -> None:
    seen = 0
    for kind in KINDS:
        for found in registry.all(kind):
            shown = lvm("show", found.name).stdout
            for item in options(found.component):
                assert item.help, f"option '{item.name}' of {kind} '{found.name}' has no help"
                assert item.name in shown
                assert item.help in shown
            seen += 1
    assert seen >= 23


def test_the_shared_options_are_shown_with_a_loss_and_an_input(lvm: Lvm) -> None:
    for name, shared in (("dir", {"margin", "start", "stop", "ramp", "share", "weight"}), ("pos", {"scale", "ramp"})):
        assert shared <= {item["name"] for item in json.loads(lvm("show", name, "--json").stdout)["options"]}


def test_a_variant_a_profile_and_files_are_shown(lvm: Lvm, small: Path) -> None:
    assert json.loads(lvm("show", "p1", "--json").stdout)["title"] == "P1 Baseline"
    gates = json.loads(lvm("show", "strict", "--json").stdout)
    assert gates["A offsets.+1"] == {"val": ">= 0.50", "ood": ">= 0.48"}
    assert gates["C shuffle"] == "<= -0.15"
    corpus = json.loads(lvm("show", small, "--json").stdout)
    assert (corpus["kind"], corpus["tensors"]["vectors"]) == ("corpus", "F16 144×16")
    lvm(*TOY, small)
    (folder,) = Path("runs").iterdir()
    assert json.loads(lvm("show", folder.name, "--json").stdout)["epochs"] == 2
    assert json.loads(lvm("show", "latest", "--json").stdout)["status"] == "finished"
    assert json.loads(lvm("show", folder / "model.safetensors", "--json").stdout)["kind"] == "model"
    assert json.loads(lvm("show", folder / "run.json", "--json").stdout)["name"] == "transformer"


def test_a_name_of_several_things_shows_all_of_them(lvm: Lvm) -> None:
    printed = lvm("show", "table").stdout
    assert "table, report" in printed
    assert "A margin: >= 0.02" in printed
    report, profile = json.loads(lvm("show", "table", "--json").stdout)
    assert (report["kind"], profile["gates"]) == ("report", "table")


def test_files_are_shown_with_what_they_hold(lvm: Lvm, tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "own.toml").write_text('[variants.own]\nloss = "mse+dir:0.1"\n')
    (tmp_path / "bad.toml").write_text("own =")
    assert json.loads(lvm("show", "list.json").stdout) == [1, 2]
    assert "loss: mse+dir:0.1" in lvm("show", "own.toml").stdout
    assert "the file is no TOML" in lvm("show", "bad.toml", status=2).stderr


def test_a_summary_is_one_short_sentence(lvm: Lvm) -> None:
    summaries = [row["summary"] for row in json.loads(lvm("list", "--json").stdout) if row["plugin"]]
    assert all("Source:" not in text and len(text) <= 120 for text in summaries)


def test_a_plugin_that_fails_is_a_row_with_its_reason(lvm: Lvm) -> None:
    Path("broken.py").write_text(BROKEN)
    rows = json.loads(lvm("plugins", "--plugin", "broken.py", "--json").stdout)
    assert {row["status"] for row in rows if row["dist"] == "lvmcore"} == {"ok"}
    (broken,) = [row for row in rows if row["dist"] == "broken.py"]
    assert (broken["status"], broken["reason"]) == ("FAILED", "RuntimeError: bad day")
    assert "FAILED: RuntimeError: bad day" in lvm("plugins", "--plugin", "broken.py").stdout
    assert "broken.py/broken failed: RuntimeError: bad day" in lvm("list", "losses", "--plugin", "broken.py").stdout


def test_strict_makes_a_failed_plugin_an_error(lvm: Lvm, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("broken.py").write_text(BROKEN)
    monkeypatch.setenv("LVM_STRICT", "1")
    assert "plugin 'broken' failed" in lvm("plugins", "--plugin", "broken.py", status=2).stderr


def test_check_passes_here_and_fails_with_a_broken_plugin(lvm: Lvm) -> None:
    printed = lvm("check").stdout
    assert printed.count("ok  ") >= 6
    assert "FAILED" not in printed
    Path("broken.py").write_text(BROKEN)
    assert "bad day" in lvm("check", "--plugin", "broken.py", status=1).stdout


def test_check_puts_the_evaluator_to_the_test(lvm: Lvm, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Control("oracle on text", "passes A", "passes A", True)]
    monkeypatch.setattr("lvmcore.evaluation.controls.Controls", lambda registry, catalogue: iter(found))
    printed = lvm("check", "--evaluator").stdout
    assert "oracle on text" in printed
    assert "FAILED" not in printed
    found.append(Control("random on text", "fails A", "passes A", False))
    assert "FAILED" in lvm("check", "--evaluator", status=1).stdout
    document = json.loads(lvm("check", "--evaluator", "--json", status=1).stdout)
    assert document["ok"] is False
    assert document["controls"][1] == {
        "control": "random on text",
        "expected": "fails A",
        "measured": "passes A",
        "ok": False,
    }


def test_a_fault_of_a_plugin_in_the_middle_names_its_line_and_is_no_mistake_of_the_user(lvm: Lvm, small: Path) -> None:
    source = """
from lvmcore import component, hookimpl

@component
class Late:
    def build(self):
        return lambda step: step.raw.square().mean() if step.epoch == 1 else {}["late"]

@hookimpl
def lvm_losses():
    return [("late", Late)]
"""
    Path("late.py").write_text(source)
    done = lvm("run", "--loss", "late", "--size", "toy", "--data", small, "--plugin", "late.py", status=3)
    assert "KeyError: 'late'" in done.stderr
    assert "late.py:7" in done.stderr
    (run,) = json.loads(lvm("runs", "--json").stdout)
    assert run["status"] == "failed"
    assert (Path(run["path"]) / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("hook", "condition", "said", "files"),
    [
        ("lvm_step_finished(run, step)", "step == 1", "stopped by the user in epoch 1", {"state"}),
        ("lvm_epoch_started(run, epoch)", "epoch == 2", "stopped by the user in epoch 2", {"model", "epochs", "state"}),
        ("lvm_evaluated(model)", "True", "stopped by the user during the evaluation", {"model", "epochs", "state"}),
    ],
)
def test_an_interrupt_at_any_moment_loses_nothing(
    hook: str, condition: str, said: str, files: set[str], lvm: Lvm, small: Path
) -> None:
    Path("stop.py").write_text(
        f"from lvmcore import hookimpl\n@hookimpl\ndef {hook}:\n    if {condition}:\n        raise KeyboardInterrupt\n"
    )
    assert said in lvm(*TOY, small, "--plugin", "stop.py", status=2).stderr
    (run,) = json.loads(lvm("runs", "--json").stdout)
    assert run["status"] == "interrupted"
    left = {file.stem for file in Path(run["path"]).iterdir()} - {"run", ".lock"}
    assert left == files
