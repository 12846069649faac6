"""Plugins that load and then misbehave: each is named, and costs nobody else a result."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TOY, Lvm, Site

VARIANTS = """
from pathlib import Path
from lvmcore import hookimpl

@hookimpl
def lvm_variants():
    return [{item}]
"""

YARDSTICK = """
from lvmcore import component, hookimpl

@component
class Yardstick:
    "A yardstick."
    def build(self, corpus, context):
        {build}
        def predict(rows):
            {predict}
            return rows[:, -1]
        return predict

@hookimpl
def lvm_predictors():
    return [("{name}", Yardstick)]
"""

CHECK = """
from typing import ClassVar
from lvmcore import Figure, component, hookimpl

calls = []

@component
class Check:
    "A check."
    letter: ClassVar[str] = "{letter}"
    title: ClassVar[str] = "mine"
    def figures(self, context):
        return Figure("cosine", help="its cosine"), Figure("far", help="how far")
    def build(self):
        {build}
        def test(chunk):
            calls.append(1)
            {test}
            return {{"cosine": chunk.cos_next}}
        return test

@hookimpl
def lvm_checks():
    return [("{name}", Check)]
"""

REPORT = """
from lvmcore import component, hookimpl

@component
class Report:
    "A report."
    def build(self):
        return lambda comparison: "not lvm's own"

@hookimpl
def lvm_reports():
    return [("table", Report)]
"""

LOUD = """
import inspect
from lvmcore import component, hookimpl, hookspecs
import torch

@component
class Loud:
    "A loss that prints."
    def build(self):
        def loss(step):
            print("a loss")
            return step.raw.square().mean()
        return loss

@hookimpl
def lvm_losses():
    return [("loud", Loud)]

@hookimpl
def lvm_run_started(run): print("run started")
@hookimpl
def lvm_stage_started(run): print("stage started")
@hookimpl
def lvm_epoch_started(run): print("epoch started")
@hookimpl
def lvm_step_finished(run): print("step finished")
@hookimpl
def lvm_epoch_finished(run): print("epoch finished")
@hookimpl
def lvm_evaluated(model): print("evaluated")
@hookimpl
def lvm_run_finished(run): print("run finished")
"""


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ('Path("nowhere.toml")', "there is no such registry file where: "),
        ('Path(__file__).with_name("bad.toml")', "the file is no TOML"),
        ('Path(__file__).with_name("wrong.toml")', "did you mean 'epochs'?"),
        ("None", "the path of a file was expected, not None"),
    ],
)
def test_variants_that_cannot_be_read_are_their_plugins_fault(
    item: str, reason: str, lvm: Lvm, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("bad.toml").write_text("[variants.x\n")
    Path("wrong.toml").write_text("[variants.x]\nepohcs = 1\n")
    Path("good.toml").write_text("[variants.fine]\nepochs = 1\n")
    site.install("lvm-broken", VARIANTS.format(item=item))
    site.install("lvm-fine", VARIANTS.format(item='Path(__file__).with_name("good.toml")'))
    rows = {row["dist"]: row for row in json.loads(lvm("plugins", "--json").stdout)}
    assert rows["lvm-broken"]["status"] == "FAILED"
    assert rows["lvm-broken"]["reason"].startswith("lvm_variants: ")
    assert reason in rows["lvm-broken"]["reason"]
    assert rows["lvm-fine"]["status"] == "ok"
    names = {row["name"] for row in json.loads(lvm("list", "variants", "--json").stdout)}
    assert {"p1", "fine"} <= names
    assert "x" not in names
    said = lvm("run", "nowhere", status=2).stderr
    assert "unknown variant 'nowhere'" in said
    assert "may own it: lvm-broken/lvm-broken (lvm_variants: " in said
    assert "may own it: lvm-broken/lvm-broken" in lvm("run", "--gates", "nowhere", status=2).stderr
    monkeypatch.setenv("LVM_STRICT", "1")
    assert "plugin 'lvm-broken' failed: " in lvm("list", "variants", status=2).stderr


NO_COMPONENT = LOUD.replace("@component\n", "")
NO_REPORT = REPORT.replace("return [", "raise RuntimeError('bad day')\n    return [")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (NO_COMPONENT, "lvm_losses: 'loud' is no component class; decorate it with @lvmcore.component"),
        (NO_REPORT, "RuntimeError: bad day"),  # which is asked for when the training is done
        (YARDSTICK.format(name="", build="pass", predict="pass"), "lvm_predictors: "),
        (CHECK.format(name="mine", letter="A", build="pass", test="pass"), "letter = 'F' … 'Z' was expected"),
        (VARIANTS.format(item='Path("nowhere.toml")'), "there is no such registry file"),
    ],
)
def test_a_plugin_file_that_gives_something_broken_ends_the_command_before_it_trains(
    source: str, reason: str, lvm: Lvm, small: Path
) -> None:
    Path("mine.py").write_text(source)
    words = (("run", *TOY[1:], small), ("eval", "copy-last", "--data", small), ("compare",), ("show", "mse"))
    for command in words:
        said = lvm(*command, "--plugin", "mine.py", status=2).stderr
        assert said.startswith("lvm: the plugin file cannot be loaded: ")
        assert reason in said
        assert "where: --plugin mine.py" in said
    assert not list(Path("runs").glob("*"))


ODD_SHAPES = """
import torch
from lvmcore import component, hookimpl, option

@component
class Odd:
    "Of an odd shape."
    width: float = option(default=1.0, help="how wide")
    def build(self, shape):
        class Module(torch.nn.Linear):
            def forward(self, context, strength=None):
                {forward}
        return Module(shape.dim, shape.dim)

@hookimpl
def lvm_{kind}():
    return [("odd", Odd)]
"""


@pytest.mark.parametrize(
    ("forward", "gave"),
    [
        ("return super().forward(context)", "a tensor of shape (56, 5, 16)"),
        ("return super().forward(context)[:, -1, :1]", "a tensor of shape (56, 1)"),  # mse would spread it over D
        ("return super().forward(context).mean((0, 1))", "a tensor of shape (16,)"),  # this too
        ("return super().forward(context)[:, -1], None", "a tuple"),
    ],
)
def test_an_architecture_of_a_wrong_shape_is_named_with_the_shape_it_gave(
    forward: str, gave: str, lvm: Lvm, small: Path
) -> None:
    Path("odd.py").write_text(ODD_SHAPES.format(forward=forward, kind="architectures"))
    said = lvm("run", "--arch", "odd", "--data", small, "--epochs", "1", "--plugin", "odd.py", status=2).stderr
    assert f"lvm: the architecture gives {gave}\n  where: 'odd,width=1.0'" in said
    assert "expected: the raw prediction (B, D) = (56, 16)" in said


@pytest.mark.parametrize(
    ("forward", "gave"),
    [
        ("return context[:, -1]", "a tensor of shape (1, 17)"),
        ("return context[:, 1:]", "a tensor of shape (1, 4, 17)"),
        ("return context[..., 1:]", "a tensor of shape (1, 5, 16)"),
        ("return context if len(context) == 1 else context[1:]", "a tensor of shape (55, 5, 17)"),
        ("return None", "a NoneType"),
    ],
)
def test_an_input_of_a_wrong_shape_is_named_with_the_shape_it_gave(
    forward: str, gave: str, lvm: Lvm, small: Path
) -> None:
    Path("odd.py").write_text(ODD_SHAPES.format(forward=forward, kind="inputs"))
    said = lvm(*TOY, small, "--inputs", "pos+odd:0.5", "--plugin", "odd.py", status=2).stderr
    assert f"lvm: the input gives {gave}\n  where: 'odd:0.5'" in said
    assert "expected: (B, C, D_in or wider) = (" in said


@pytest.mark.parametrize(
    ("build", "predict", "reason"),
    [
        ("raise RuntimeError('bad day')", "pass", "RuntimeError: bad day"),
        ("raise SystemExit('I stop here')", "pass", "SystemExit: I stop here"),
        ("pass", "return {}['missing']", "KeyError: 'missing'"),
        ("pass", "return rows", "RuntimeError: "),
    ],
)
def test_a_yardstick_that_fails_is_left_out_of_the_evaluation(
    build: str, predict: str, reason: str, lvm: Lvm, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("mine.py").write_text(YARDSTICK.format(name="mine", build=build, predict=predict))
    document = json.loads(lvm(*TOY, small, "--plugin", "mine.py", "--json").stdout)
    assert document["status"] == "finished"
    (said,) = [said for said in document["evaluation"]["warnings"] if "mine" in said]
    assert said.startswith(f"yardstick mine.py/mine left out: {reason}")
    assert "copy-last" in document["evaluation"]["yardsticks"]
    assert "mine" not in document["evaluation"]["yardsticks"]
    monkeypatch.setenv("LVM_STRICT", "1")
    lvm("eval", "copy-last", "--data", small, "--plugin", "mine.py", status=3)


def test_a_check_that_fails_has_no_columns_and_says_why(lvm: Lvm, small: Path) -> None:
    Path("gates.toml").write_text('[gates.mine]\nF.cosine = ">= 0"\n')
    words = ("eval", "copy-last", "--data", small, "--plugin", "mine.py", "--json")
    for test, reason in (
        ("if len(calls) == 2: raise RuntimeError('bad day')", "RuntimeError: bad day"),
        ("return {'all': chunk.cos_next[:1]}", "ValueError: 'all' has the shape (1,)"),
        ("raise SystemExit(7)", "SystemExit: 7"),
    ):
        Path("mine.py").write_text(CHECK.format(name="mine", letter="F", build="pass", test=test))
        document = json.loads(lvm(*words, "--registry", "gates.toml", "--gates", "mine").stdout)
        (said,) = [said for said in document["warnings"] if "mine" in said]
        assert said.startswith(f"test F of mine.py/mine left out: {reason}")
        assert [split["F"] for split in document["splits"].values()] == [{}, {}]
        assert document["gates"]["F"] is None
        assert "not measurable" in document["gates"]["why"]["F"]
        assert document["yardsticks"]["oracle"]["splits"]["val"]["cosine"]["value"] > 0.99


def test_a_check_whose_figures_one_split_lacks_has_null_there(lvm: Lvm, small: Path) -> None:
    for own, other in (("val", "ood"), ("ood", "val")):
        test = f"if chunk.keys.split == '{own}': return {{'far': chunk.cos_next}}"
        Path("mine.py").write_text(CHECK.format(name="mine", letter="F", build="pass", test=test))
        words = ("eval", "copy-last", "--data", small, "--plugin", "mine.py")
        splits = json.loads(lvm(*words, "--json").stdout)["splits"]
        assert set(splits[own]["F"]) == set(splits[other]["F"]) == {"far", "cosine"}
        assert splits[own]["F"]["far"]["value"] is not None
        assert splits[other]["F"]["far"]["value"] is None
        assert " far " in lvm(*words).stdout


@pytest.mark.parametrize(
    ("letter", "build", "reason"),
    [
        ("F", "pass", "lvm-a/first has the letter F already"),
        ("A", "pass", "letter = 'F' … 'Z' was expected, not 'A'"),
        ("G", "raise RuntimeError('bad day')", "RuntimeError: bad day"),
    ],
)
def test_a_check_without_a_letter_of_its_own_is_its_plugins_fault(
    letter: str, build: str, reason: str, lvm: Lvm, small: Path, site: Site
) -> None:
    Path("gates.toml").write_text('[gates.mine]\nG.cosine = ">= 0"\n')
    site.install("lvm-a", CHECK.format(name="first", letter="F", build="pass", test="pass"), "a")
    site.install("lvm-b", CHECK.format(name="second", letter=letter, build=build, test="pass"), "b")
    words = ("eval", "copy-last", "--data", small, "--registry", "gates.toml")
    rows = {row["name"]: row for row in json.loads(lvm("plugins", "--json").stdout)}
    assert (rows["b"]["status"], rows["b"]["reason"]) == ("FAILED", f"check 'second': {reason}")
    document = json.loads(lvm(*words, "--json").stdout)
    (said,) = [said for said in document["warnings"] if "second" in said]
    assert said == f"plugin lvm-b/b failed: check 'second': {reason}"
    assert document["splits"]["val"]["F"]["cosine"]["value"] == pytest.approx(
        document["splits"]["val"]["cosine"]["value"]
    )
    refused = lvm(*words, "--gates", "mine", status=2).stderr
    assert "unknown test 'G'" in refused
    assert f"lvm-b/b (check 'second': {reason})" in refused


@pytest.mark.parametrize("name", ["filter", "oracle", "copy-last"])
def test_a_yardstick_of_a_taken_name_stands_beside_lvms_own(name: str, lvm: Lvm, small: Path) -> None:
    words = ("eval", "lvmcore/oracle", "--data", small, "--json")
    before = json.loads(lvm(*words).stdout)
    Path("mine.py").write_text(YARDSTICK.format(name=name, build="pass", predict="rows = rows.flip(1)"))
    after = json.loads(lvm(*words, "--plugin", "mine.py").stdout)
    assert set(after["yardsticks"]) - set(before["yardsticks"]) == {f"mine.py/{name}"}
    assert after["splits"] == before["splits"]
    assert after["yardsticks"][name]["splits"] == before["yardsticks"][name]["splits"]
    assert set(after["differences"]["val"]) - set(before["differences"]["val"]) == {f"mine.py/{name}"}
    assert "oracle" not in after["differences"]["val"]
    own = json.loads(lvm("eval", f"mine.py/{name}", "--data", small, "--plugin", "mine.py", "--json").stdout)
    assert own["model"] == f"mine.py/{name}"
    assert own["yardsticks"][name]["splits"] == before["yardsticks"][name]["splits"]


def test_a_report_of_a_taken_name_is_not_taken_for_lvms_own(lvm: Lvm, small: Path) -> None:
    Path("mine.py").write_text(REPORT)
    assert "not lvm's own" not in lvm(*TOY, small, "--plugin", "mine.py").stdout
    assert "not lvm's own" not in lvm("compare", "--plugin", "mine.py").stdout
    assert "not lvm's own" in lvm("compare", "--format", "mine.py/table", "--plugin", "mine.py").stdout


def test_a_listener_that_exits_is_left_out(lvm: Lvm, small: Path) -> None:
    Path("exits.py").write_text(
        "from lvmcore import hookimpl\n@hookimpl\ndef lvm_epoch_finished():\n    raise SystemExit(5)\n"
    )
    document = json.loads(lvm(*TOY, small, "--plugin", "exits.py", "--json").stdout)
    assert document["status"] == "finished"
    assert "exits.py/exits failed to listen to lvm_epoch_finished" in document["warnings"][0]
    assert "SystemExit: 5" in document["warnings"][0]


def test_a_loss_that_exits_fails_the_run_and_is_named(lvm: Lvm, small: Path) -> None:
    Path("mine.py").write_text(LOUD.replace('print("a loss")', "raise SystemExit(0)"))
    said = lvm(*TOY, small, "--loss", "loud", "--plugin", "mine.py", status=3).stderr
    assert "a fault in the program, or in a plugin: SystemExit: 0" in said
    assert "mine.py:" in said
    (run,) = json.loads(lvm("runs", "--json").stdout)
    assert (run["status"], run["reason"]) == ("failed", "SystemExit: 0")


def test_what_plugins_print_stays_out_of_a_document(lvm: Lvm, small: Path) -> None:
    Path("loud.py").write_text(LOUD)
    done = lvm(*TOY, small, "--loss", "loud", "--plugin", "loud.py", "--json")
    assert json.loads(done.stdout)["status"] == "finished"
    for said in ("a loss", "run started", "stage started", "epoch started", "step finished", "evaluated"):
        assert f"{said}\n" in done.stderr
    assert json.loads(lvm("eval", "copy-last", "--data", small, "--plugin", "loud.py", "--json").stdout)["splits"]
    assert "a loss\n" in lvm(*TOY, small, "--loss", "loud", "--plugin", "loud.py").stdout


@pytest.mark.parametrize("lines", [0, 2])
def test_a_run_whose_reader_has_gone_goes_on_to_its_end(lines: int, small: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "lvmcore", *TOY, str(small)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    for _ in range(lines):
        process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=100), said) == (0, "")
    (folder,) = (tmp_path / "runs").iterdir()
    record = json.loads((folder / "run.json").read_text())
    assert (record["status"], record.get("warnings", [])) == ("finished", [])
    assert (folder / "evaluation.json").is_file()
