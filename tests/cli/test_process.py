"""What needs a process of its own: signals, a full disk, and what a command imports."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import TOY, Lvm

WRITTEN = {"run.json", "epochs.jsonl", "model.safetensors", "state.safetensors", ".lock"}
"""What a run folder holds before the evaluation, and no temporary file."""


def test_the_module_is_the_same_program(process: Lvm) -> None:
    assert process("--version").stdout.startswith("lvm, version ")
    assert process("frobnicate", status=2).stderr.startswith("lvm: there is no command 'frobnicate'")


def test_a_full_disk_is_said_to_be_and_what_was_written_stays(process: Lvm, small: Path, tmp_path: Path) -> None:
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
    done = process(*words, small, "--plugin", "full.py", status=3)
    assert done.stderr.startswith("lvm: a file cannot be written: No space left on device\n  where: ")
    (folder,) = (tmp_path / "runs").iterdir()
    assert {file.name for file in folder.iterdir()} == WRITTEN
    assert len((folder / "epochs.jsonl").read_text().splitlines()) == 2
    assert "interrupted" in process("runs").stdout
    assert json.loads(process("eval", folder, "--json").stdout)["splits"]


def test_a_reader_that_goes_away_is_no_fault() -> None:
    listing = subprocess.Popen(
        [sys.executable, "-m", "lvmcore", "list", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert listing.stdout is not None
    listing.stdout.close()
    _, said = listing.communicate(timeout=60)
    assert (listing.returncode, said) == (0, b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_stopped_run_keeps_its_best_weights(number: signal.Signals, small: Path, tmp_path: Path, lvm: Lvm) -> None:
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
    while not list(tmp_path.glob("runs/*/epochs.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    (folder,) = (tmp_path / "runs").iterdir()
    assert "Traceback" not in said
    if number is signal.SIGKILL:  # not even the record could be written; the lock is free, which tells
        assert process.returncode == -signal.SIGKILL
        assert json.loads((folder / "run.json").read_text())["status"] == "running"
    else:
        assert process.returncode == 2
        assert "stopped by the user in epoch" in said
        assert f"try: lvm run --resume runs/{folder.name} goes on; lvm eval runs/{folder.name}" in said
        assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
        assert {file.name for file in folder.iterdir()} == WRITTEN
    (listed,) = json.loads(lvm("runs", "--json").stdout)
    assert listed["status"] == "interrupted"
    assert json.loads(lvm("eval", folder, "--json").stdout)["splits"]


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["runs"],
        ["runs", "--json"],
        ["compare"],
        ["compare", "--format", "markdown"],
        ["show", "FILE"],
        ["show", "latest"],
        ["show", "latest", "--all"],
        ["show", "mse"],
        ["show", "p5"],
        ["list", "losses"],
        ["list", "figures"],
        ["list", "variants"],
        ["plugins"],
        ["run", "--help"],
        ["eval", "--help"],
    ],
    ids=" ".join,
)
def test_a_quick_command_imports_no_torch(words: list[str], small: Path, lvm: Lvm) -> None:
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
    assert done.stdout


def test_debug_shows_the_traceback_that_is_otherwise_left_out(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lvmcore", "--debug", "list", "lossses"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("Traceback")
    assert "lvm: unknown kind 'lossses'; did you mean 'losses'?" in done.stderr
