"""Which run a word means, which runs fit, and taking one away."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from conftest import TOY, Lvm

from lvmcore.errors import LvmError, MachineError
from lvmcore.locks import take
from lvmcore.registry import Registry
from lvmcore.report.comparison import compare
from lvmcore.runs.folder import all_runs, find_listed, find_run, listed_runs, numbers
from lvmcore.runs.run import Run
from lvmcore.runs.serving import deployed
from lvmcore.toolkit import Lab


def past(root: Path, name: str, started: str, identity: str = "beef", **facts: object) -> Run:
    """A finished run that nobody holds."""
    path = root / f"2026-01-01-120000-{name}-{identity}"
    path.mkdir(parents=True)
    record = {"name": name, "status": "finished", "reason": "", "started": started, **facts}
    (path / "run.json").write_text(json.dumps(record))
    return Run.open(path)


def test_a_number_means_the_run_of_that_row_after_names_and_ids_and_before_parts(
    tmp_path: Path, registry: Registry
) -> None:
    second, first, third = (
        past(tmp_path, name, f"2026-01-0{day}", identity)
        for name, day, identity in (("a", 2, "0a0a"), ("b", 1, "0b0b"), ("c", 3, "0c02"))
    )
    rows = {row.run: row.number for row in compare(all_runs(tmp_path), registry).rows}
    for run, number in ((first, 1), (second, 2), (third, 3)):
        assert rows[run.path.name] == number
        assert find_run(str(number), tmp_path).path == run.path
    with pytest.raises(LvmError, match="there is no run '4'"):
        find_run("4", tmp_path)
    with pytest.raises(LvmError, match="'12' means 3 runs"):  # no row has it, but it is a part of all three
        find_run("12", tmp_path)
    named = past(tmp_path, "2", "2026-01-04")
    assert find_run("2", tmp_path).path == named.path
    past(tmp_path, "d", "2026-01-05", "1")
    assert find_run("1", tmp_path).path.name.endswith("-d-1")


def test_a_damaged_run_has_its_number_and_is_found_by_its_folder(tmp_path: Path) -> None:
    old, new = past(tmp_path, "a", "2026-01-01", "0a0a"), past(tmp_path, "b", "2026-01-02", "0b0b")
    (old.path / "run.json").write_text("{")
    assert sorted(numbers(list(listed_runs(tmp_path))).values()) == [1, 2]
    assert find_listed(old.path.name, tmp_path).status == "damaged"
    assert find_listed(str(new.path), tmp_path).status == "finished"


def test_a_run_is_deleted_whole_unless_a_process_works_on_it_or_serves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = past(tmp_path, "a", "2026-01-01")
    (run.path / "more").mkdir()
    (run.path / "more" / "file").write_text("")
    lock = take(run.path / ".lock")
    with pytest.raises(LvmError, match="another process is working on this run"):
        run.delete()
    assert lock is not None
    os.close(lock)
    with deployed(run.path, "http://localhost:9007"), pytest.raises(LvmError, match="served at http://localhost:9007"):
        run.delete()
    with monkeypatch.context() as patched:

        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        patched.setattr("shutil.rmtree", refuse)
        with pytest.raises(MachineError, match="cannot be removed: Permission denied"):
            run.delete()
    run.delete()
    assert not list(tmp_path.iterdir())


def test_the_listing_shows_the_runs_that_are_named_and_that_fit(lvm: Lvm, tmp_path: Path) -> None:
    root = tmp_path / "runs"
    old = past(root, "old", "2026-01-01", "0a0a")  # as runs were before there were tags, and before a corpus was open
    told = {"variant": {"name": "p1", "epochs": 2}, "corpus": {"name": "wiki"}}
    p1 = past(root, "mine", "2026-01-02", "0b0b", **told, tags=["paper", "x"])
    p2 = past(root, "p2", "2026-01-03", "0c0c", variant={"name": "p2"}, corpus={"name": "kjv"}, tags=[])
    (p2.path / "run.json").write_text((p2.path / "run.json").read_text().replace('"finished"', '"collapsed"'))

    def shown(*words: str) -> list[str]:
        return [Path(run["path"]).name for run in json.loads(lvm("runs", *words, "--json").stdout)]

    everyone = [run.path.name for run in (p1, old, p2)]
    assert shown() == everyone
    assert shown("--tag", "paper") == shown("--variant", "p1") == shown("--corpus", "wiki") == [p1.path.name]
    assert shown("--variant", "old") == [old.path.name]
    assert shown("--status", "collapsed") == [p2.path.name]
    assert shown("--status", "finished", "--corpus", "kjv") == []
    assert shown("1", "p2", "0c0c") == [old.path.name, p2.path.name]
    assert shown("mine", "p2", "--status", "finished") == [p1.path.name]
    assert lvm("runs", "--tag", "none").stdout == "no such runs in runs/\n"
    assert "gate-failed" in lvm("runs", "--status", "lost", status=2).stderr
    assert "there is no run 'nobody'" in lvm("runs", "nobody", status=2).stderr


def test_runs_are_deleted_when_the_user_agrees(lvm: Lvm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "runs"
    a, b, c, d, bad = (
        past(root, name, f"2026-01-0{day}", f"0{name}0{name}"[:4]) for day, name in enumerate("abcde", 1)
    )
    (bad.path / "run.json").write_text("{")
    assert "--delete RUN" in lvm("runs", "--delete", "--yes", status=2).stderr
    assert "try: --yes" in lvm("runs", "--delete", "a", status=2).stderr
    monkeypatch.setattr("lvm_cli.runs.is_terminal", lambda stream: True)
    asked: list[str] = []

    def answer(reply: str) -> None:
        monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt="": asked.append(prompt) or reply)

    answer("n")
    assert lvm("runs", "--delete", "a", "b", status=2).stderr.endswith("lvm: stopped\n")
    assert {a.path, b.path} <= set(root.iterdir())
    answer("y")
    done = lvm("runs", "--delete", "a", "b", "1", "--json")
    assert "Delete 2 runs?" in done.stderr + "".join(asked)
    assert [run["name"] for run in json.loads(done.stdout)] == ["a", "b"]
    assert set(root.iterdir()) == {c.path, d.path, bad.path}
    lock = take(d.path / ".lock")
    assert "another process" in lvm("runs", "--delete", "c", "d", "--yes", status=2).stderr
    assert c.path.exists(), "all or none"
    assert lock is not None
    assert lvm("runs", "--delete", "c", bad.path.name, "--yes").stdout == (
        f"deleted runs/{c.path.name}\ndeleted runs/{bad.path.name}\n"
    )
    assert list(root.iterdir()) == [d.path]


def test_a_run_that_has_ended_is_held_no_longer_by_the_process_that_made_it(tmp_path: Path, small: Path) -> None:
    lab = Lab(tmp_path / "runs")
    run = lab.train(arch="amn", size="toy", epochs=1, data=str(small), evaluate=False)
    assert not run.is_held()
    lab.delete("latest")
    assert lab.runs == []


def test_a_run_whose_corpus_is_not_here_says_on_what_it_was_trained(
    lvm: Lvm, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lvm(*TOY, small.name)
    (folder,) = (tmp_path / "runs").iterdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "own.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    elsewhere = "a path from the folder in which"
    for what, told in (("", elsewhere), ("/model.safetensors", elsewhere), ("own.safetensors", "as its file says")):
        said = lvm("eval", what if what[:1] == "o" else f"../runs/{folder.name}{what}", status=2).stderr
        assert said.startswith(f"lvm: '{folder.name}' was trained on small.safetensors, {told}")
        assert "try: --data FILE" in said
    lvm("eval", f"../runs/{folder.name}", "--data", "../small.safetensors")


def test_the_lines_of_a_jsonl_file_are_shown_and_a_bad_one_is_named(lvm: Lvm, tmp_path: Path) -> None:
    file = tmp_path / "epochs.jsonl"
    file.write_text('{"epoch": 1, "val_cos": 0.5}\n{"epoch": 2}\n')
    assert json.loads(lvm("show", file).stdout) == [{"epoch": 1, "val_cos": 0.5}, {"epoch": 2}]
    assert json.loads(lvm("show", file, "--json").stdout)[1] == {"epoch": 2}
    file.write_text('{"epoch": 1}\n{"epoch":')
    said = lvm("show", file, status=2).stderr
    assert said.startswith("lvm: the file is no JSONL: line 2, column 10: ")
