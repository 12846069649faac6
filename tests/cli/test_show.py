"""lvm show RUN: a page of what a person wants to know first, and all of the rest on demand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import TOY, Lvm

from lvmcore.evaluation.figures import Declared
from lvmcore.registry import Registry
from lvmcore.report.columns import declared_in
from lvmcore.runs.run import Run


@pytest.fixture
def ran(lvm: Lvm, small: Path) -> Run:
    lvm("run", "p5", "--size", "toy", "--epochs", "6", "--ignore-gates", "--tag", "mine", "--data", small)
    (folder,) = Path("runs").iterdir()
    return Run.open(folder)


def headlines(run: Run, registry: Registry) -> list[Declared]:
    found = declared_in(run.document_by() or {}, registry).values()
    return [one for one in found if one.figure.headline]


def change(run: Run, **facts: object) -> None:
    record = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps({**record, **facts}))


@pytest.mark.parametrize("columns", [80, 140])
def test_a_run_is_shown_in_under_forty_lines(
    columns: int, ran: Run, lvm: Lvm, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    *lines, command = lvm("show", "latest").stdout.splitlines()
    assert len(lines) < 40
    assert max(map(len, lines)) <= columns
    said = "\n".join(lines)
    assert "#1  P5 Curriculum (p5)   tagged mine" in said
    assert str(ran.path) in said
    assert ran.status in said
    assert f"{ran.record['parameters']:,} parameters" in said
    for one in headlines(ran, registry):
        for split in ("val", "ood"):
            assert one.figure.interval(one.find(ran.document_by() or {}, split)) in said
    assert "of 'table'" in said
    assert "of 'causal'" in said
    assert command.endswith(
        "  lvm run p5 --size toy --epochs 6 --ignore-gates --tag mine --data " + command.split()[-1]
    )


def test_the_stages_and_the_course_of_the_epochs_are_told(ran: Run, lvm: Lvm) -> None:
    shown = lvm("show", "latest").stdout
    assert "stage  A   epochs 1, gates stage-a, sampler forward:0.3" in shown
    first, *_, last = ran.epochs
    assert f"epoch 1  val cosine {first['val_cos']:.3f}, margin {first['margin']:+.3f}" in shown
    assert "epoch 4  stage C begins" in shown
    assert f"best weights by val_loss: val cosine {max(one['val_cos'] for one in ran.epochs):.3f}" in shown
    assert f"epoch {last['epoch']}  " in shown


def test_of_many_events_the_first_the_best_and_the_last_epoch_are_kept(ran: Run, lvm: Lvm) -> None:
    epoch = ran.epochs[-1]
    ran.write_epochs([{**epoch, "epoch": i, "events": [f"event {i}"], "val_cos": i / 100} for i in range(1, 41)])
    change(ran, best={"epoch": 30, "metric": "val_cos", "value": 0.3})
    shown = lvm("show", "latest").stdout
    for said in ("event 1", "event 2", "event 30; best weights by val_cos: val cosine 0.300", "event 40"):
        assert said in shown
    assert "event 29" not in shown
    assert "events of 30 more epochs are in epochs.jsonl" in shown


def test_a_run_that_was_not_evaluated_says_how_it_can_be(lvm: Lvm, small: Path) -> None:
    lvm(*TOY, small, "--no-eval")
    shown = lvm("show", "latest").stdout
    (folder,) = Path("runs").iterdir()
    assert f"none yet; lvm eval {folder} --save makes one" in shown
    assert "epoch 1  " in shown


def test_all_holds_every_fact_of_the_record_and_json_the_document(ran: Run, lvm: Lvm) -> None:
    outline = lvm("show", "latest", "--all").stdout
    for key, value in ran.record.items():
        assert key in outline or value in (None, "", [], {}, ())
    assert "digest: sha256:" in outline
    document = json.loads(lvm("show", "latest", "--json").stdout)
    assert {key: document[key] for key in ran.record} == ran.record
    assert document["epochs"] == 6
    assert document["evaluation"]["gates"] == (ran.document_by() or {})["gates"]


@pytest.mark.parametrize("content", ['{"splits": 3}', "[1]", '{"protocol": '])
def test_a_run_with_damaged_files_is_said_to_be_damaged(content: str, ran: Run, lvm: Lvm) -> None:
    (ran.path / "evaluation.json").write_text(content)
    said = lvm("show", "latest", status=2).stderr
    assert said.startswith("lvm: damaged: ")
    assert f"try: lvm show {ran.path / 'run.json'}" in said
    assert lvm("show", ran.path / "run.json").stdout


def test_a_run_that_ended_before_it_was_settled_is_shown(ran: Run, lvm: Lvm) -> None:
    for file in ran.path.glob("*"):
        file.unlink()
    record = {"schema": 1, "id": ran.path.name, "name": "p5", "status": "running", "reason": ""}
    (ran.path / "run.json").write_text(json.dumps(record))
    shown = lvm("show", ran.path).stdout
    assert "interrupted: the process ended without a word" in shown


def test_the_command_of_the_module_can_be_typed_again(process: Lvm, small: Path) -> None:
    process(
        "run", "--arch", "amn", "--size", "toy", "--epochs", "1", "--no-eval", "--name", "two words", "--data", small
    )
    shown = process("show", "latest").stdout
    assert "  python -m lvmcore run --arch amn --size toy --epochs 1 --no-eval --name 'two words' --data " in shown
