"""What is printed: other people's text as it is, figures whole at 80 columns, damaged runs beside the others."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import TOY, Lvm
from rich.console import Console

from lvmcore.evaluation.figures import Figure, apart, plain, signed
from lvmcore.evaluation.judgement import judge
from lvmcore.registry import Registry
from lvmcore.report.columns import declared_in
from lvmcore.report.evaluation import EvaluationTables
from lvmcore.report.progress import WindowsBar
from lvmcore.variants.gates import Gate, parse_rule

Interval = tuple[float | None, float | None, float | None]

ODD = "[/x] [b]"
"""What rich would take for markup."""
CUT = re.compile(r"\d…")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("lvm_cli.console.is_terminal", lambda stream: True)


def drawn(renderable: Any, width: int) -> str:
    console = Console(width=width, force_terminal=True, color_system=None, markup=False)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


def change(folder: Path, **facts: Any) -> None:
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, **facts}))


@pytest.fixture
def ran(lvm: Lvm, small: Path) -> Path:
    """The folder of a run."""
    lvm(*TOY, small)
    (folder,) = Path("runs").iterdir()
    return folder


@pytest.mark.parametrize("wide", [True, False])
def test_brackets_of_others_are_printed_as_they_are(
    wide: bool, ran: Path, lvm: Lvm, request: pytest.FixtureRequest
) -> None:
    record = json.loads((ran / "run.json").read_text())
    variant = {**record["variant"], "approach": f"approach {ODD}", "title": f"title {ODD}"}
    change(ran, reason=f"reason {ODD}", variant=variant, corpus={**record["corpus"], "name": f"corpus {ODD}"})
    if not wide:
        request.getfixturevalue("terminal")
    assert f"reason {ODD}" in " ".join(lvm("runs").stdout.split())
    assert f"corpus {ODD}" in lvm("runs").stdout
    compared = lvm("compare").stdout
    assert f"title {ODD}" in compared
    assert ODD in lvm("show", "latest").stdout
    if wide:
        assert f"reason {ODD}" in compared
        assert f"approach {ODD}" in compared


def test_brackets_in_a_plugin_are_printed_as_they_are(lvm: Lvm, small: Path) -> None:
    Path("odd.py").write_text(
        "from lvmcore import component, hookimpl, option\n"
        "@component\n"
        "class Odd:\n"
        f"    'Weights {ODD}.'\n"
        f"    size: str = option(default='{ODD}', help='help {ODD}')\n"
        "    def build(self):\n"
        "        return lambda step: step.raw.square().mean()\n"
        "@hookimpl\n"
        "def lvm_losses():\n"
        "    return [('odd', Odd)]\n"
    )
    Path("fails.py").write_text(
        f"from lvmcore import hookimpl\n@hookimpl\ndef lvm_predictors():\n    raise RuntimeError('{ODD}')\n"
    )
    shown = lvm("show", "odd", "--plugin", "odd.py").stdout
    assert f"Weights {ODD}." in shown
    assert f"help {ODD}" in shown
    listed = lvm("list", "losses", "--plugin", "odd.py").stdout
    assert f"Weights {ODD}." in listed
    assert f"size={ODD}" in listed
    assert f"RuntimeError: {ODD}" in lvm("plugins", "--plugin", "fails.py").stdout
    Path("variants.toml").write_text(f'[variants.odd]\ntitle = "{ODD}"\napproach = "see {ODD}"\n')
    assert f"{ODD}: see {ODD}" in lvm("list", "variants", "--registry", "variants.toml").stdout
    printed = lvm("run", "odd", *TOY[1:], small, "--registry", "variants.toml").stdout
    assert f"see {ODD}" in printed


@pytest.mark.parametrize("profile", ["table", "strict", "causal"])
def test_no_figure_is_cut_at_80_columns(profile: str, lvm: Lvm, small: Path, registry: Registry) -> None:
    document = json.loads(lvm("eval", "copy-last", "--data", small, "--gates", profile, "--json").stdout)
    tables = EvaluationTables(document, registry)
    for table in (tables.tests(), tables.beside(), tables.unmet()):
        for width in (80, 120, 200):
            text = drawn(table, width)
            assert not CUT.search(text), text
            assert max(map(len, text.splitlines())) <= width
    narrow = drawn(tables.tests(), 80)
    for split in document["splits"].values():
        for figure in (split["cosine"], split["D"]["score"], split["E"]["low"]["cosine"]):
            if figure["value"] is None:
                continue
            assert f"{plain(figure['value'])}  {plain(figure['low'])} … {plain(figure['high'])}" in narrow
        assert signed(split["A"]["margin"]["value"]) in narrow
        assert f"{split['B']['all']['chance_r5']['value']:.1%}" in narrow
        bins = [split["E"][name]["windows"] for name in ("low", "normal", "high")]
        assert "  ".join(map(str, bins)) in narrow
    lines = drawn(tables.unmet(), 120).splitlines()
    assert len([line for line in lines if line.startswith(" ")]) <= 24


def test_reasons_are_a_condition_a_line(lvm: Lvm, small: Path, registry: Registry) -> None:
    document = json.loads(lvm("eval", "copy-last", "--data", small, "--json").stdout)
    text = drawn(EvaluationTables(document, registry).unmet(), 120)
    val, ood = (document["splits"][split]["A"]["margin"]["value"] for split in ("val", "ood"))
    assert re.search(rf"^ A  margin +VAL {val:.3f}  OOD {ood:.3f} +needs ≥ 0.02 *$", text, re.MULTILINE), text
    assert "not above" in text


@pytest.mark.parametrize(
    ("condition", "val", "ood", "said"),
    [
        ("interval not < 0", (0.1, 0.0, 0.2), (-0.2, -0.3, -0.1), "all below 0 on OOD"),
        ("interval not < 0", (-0.1, -0.2, -0.05), (-0.2, -0.3, -0.1), "all below 0"),
        ("interval < 0", (-0.1, -0.2, 0.1), (-0.2, None, None), "not all below 0 on VAL; no interval on OOD"),
        ("interval not < 0", (0.1, None, None), (0.2, None, None), "no interval"),
        ("interval < 0", (None, None, None), (None, None, None), "not measurable"),
        (">= 0.5", (0.1, 0.0, 0.2), (None, None, None), "needs ≥ 0.5; not measurable on OOD"),
    ],
)
def test_reasons_say_no_more_than_is_so(
    condition: str, val: Interval, ood: Interval, said: str, registry: Registry
) -> None:
    splits = {
        split: {"C": {"shuffle": dict(zip(("value", "low", "high"), ends, strict=True))}}
        for split, ends in (("val", val), ("ood", ood))
    }
    rules = [Gate("C", "shuffle", split, parse_rule(condition)) for split in splits]
    gates = judge("mine", rules, {"splits": splits, "E_delta": None}, declared_in({}, registry)).document()
    corpus = {"protocol": "5cat", "corpus": {"name": "none"}}
    evaluation = {**corpus, "splits": splits, "gates": gates, "causal": None, "E_delta": None}
    unmet = EvaluationTables(evaluation, registry).unmet()
    (line,) = [line for line in drawn(unmet, 120).splitlines() if line.startswith(" C")]
    assert line.rstrip().endswith(f"  {said}")


@pytest.mark.usefixtures("terminal")
def test_listings_at_80_columns_show_status_and_whole_figures(ran: Path, lvm: Lvm, small: Path) -> None:
    change(ran, reason="a long word about what became of this run and why it did, with no end in sight")
    for words in (("runs",), ("compare",)):
        text = lvm(*words).stdout
        assert "finished" in text
        assert "…" not in text
        assert "no end in sight" in " ".join(text.split())
        assert max(map(len, text.splitlines())) <= 80
    lvm("run", "--arch", "amn", "--size", "toy", "--epochs", "1", "--data", small)
    paired = lvm("compare", "transformer", "amn", "--paired").stdout
    assert not CUT.search(paired)
    assert "the first is" in paired
    assert not re.search(r"\w…", lvm("list").stdout + lvm("show", "dir").stdout)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("evaluation.json", b"\xff\xfe"),
        ("evaluation.json", b'{"protocol": '),
        ("evaluation.json", b"[1]"),
        ("evaluation.json", b'{"splits": 3}'),
        ("epochs.jsonl", b'{"epoch": 1}\n{"ep'),
        ("epochs.jsonl", b"\xff"),
        ("run.json", b'{"name": "x", '),
        ("run.json", b'{"name": "x"}'),
        ("run.json", b'{"name": "x", "status": "finished", "corpus": 3}'),
    ],
)
def test_a_damaged_run_does_not_stop_the_listings(file: str, content: bytes, ran: Path, lvm: Lvm) -> None:
    bad = ran.with_name("2020-01-01-000000-bad-0000")
    bad.mkdir()
    for name in ("run.json", "evaluation.json", "epochs.jsonl"):
        (bad / name).write_bytes((ran / name).read_bytes())
    (bad / file).write_bytes(content)
    runs, compared = lvm("runs").stdout, lvm("compare").stdout
    assert ran.name in runs
    assert bad.name in runs
    assert "transformer · mse+dir:0.002" in compared
    assert "damaged: " in compared
    if content != b'{"splits": 3}':  # `lvm runs` looks at no figure
        assert "damaged: " in runs
    assert len(json.loads(lvm("runs", "--json").stdout)) == 2
    lvm("compare", "--format", "markdown")


def test_a_name_of_several_runs_means_the_newest(ran: Path, lvm: Lvm, small: Path) -> None:
    lvm("run", "--arch", "amn", "--size", "toy", "--epochs", "1", "--data", small)
    lvm(*TOY, small)
    newest = max(folder.name for folder in Path("runs").iterdir())
    change(Path("runs") / newest, started="2999-01-01T00:00:00+00:00")
    done = lvm("compare", "transformer", "amn", "--paired")
    assert f"{newest} less " in done.stdout
    assert f"of 2 runs 'transformer', the newest: {newest}" in done.stderr


def test_a_run_keeps_its_number_and_shows_its_row_alone(ran: Path, lvm: Lvm, small: Path) -> None:
    change(ran, started="2020-01-01T00:00:00+00:00")
    printed = lvm("run", "--arch", "amn", "--size", "toy", "--epochs", "1", "--data", small).stdout
    after = printed[printed.rindex("parameters") :]
    assert "copy-last " not in after
    assert re.search(r"^ 2   amn ", after, re.MULTILINE)
    assert re.search(r"^ 2   amn ", lvm("compare", "amn").stdout, re.MULTILINE)


def test_figures_are_rounded_alike() -> None:
    assert (plain(-0.0001), signed(-0.0001), signed(None)) == ("0.000", "+0.000", "–")
    assert (apart(0.5998, 0.6), apart(0.6, 0.6), apart(0.3, 0.6)) == ("0.5998", "0.600", "0.300")
    assert Figure("a", aggregate="rate").text(0.4125) == "41.2%"
    assert Figure("a", signed=True).interval({"value": 0.1, "low": -0.1, "high": 0.3}) == "+0.100 [-0.100, +0.300]"


def test_figures_have_the_labels_that_they_declare(registry: Registry) -> None:
    labels = {"B.all.r5": "R@5", "B.unseen.r5": "R@5 unseen", "A.offsets.+1": "s(+1)", "E.low.gain": "gain, low"}
    known = declared_in({}, registry)
    assert {name: known[name].figure.label for name in labels} == labels


def test_nothing_is_marked_where_all_are_equal(ran: Path, lvm: Lvm) -> None:
    twin = ran.with_name("2020-01-01-000000-twin-0000")
    twin.mkdir()
    for name in ("run.json", "evaluation.json"):
        (twin / name).write_bytes((ran / name).read_bytes())
    assert "**" not in lvm("compare", "--format", "markdown").stdout.split("## ")[0].split("|", 1)[1]
    evaluation = json.loads((twin / "evaluation.json").read_text())
    evaluation["splits"]["val"]["cosine"]["value"] = 0.999
    (twin / "evaluation.json").write_text(json.dumps(evaluation))
    assert "**0.999**" in lvm("compare", "--format", "markdown").stdout


def test_an_evaluation_tells_how_far_it_is() -> None:
    with WindowsBar(Console(force_terminal=True, width=80, file=io.StringIO())) as bar:
        bar.evaluating(f"first {ODD}", 5, 10)
        bar.evaluating("second", 7, 10)
        (task,) = bar.progress.tasks
        assert (task.description, task.completed, task.total) == ("5CAT second", 7, 10)
        bar.progress.refresh()
