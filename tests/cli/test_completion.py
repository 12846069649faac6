"""What a shell is told when it asks what may stand next."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

MAIN = "from lvm_cli.main import main; main()"


def asked(instruction: str, words: str = "", number: int = 0) -> tuple[int, str, str]:
    question = {"_LVM_COMPLETE": instruction, "COMP_WORDS": words, "COMP_CWORD": str(number)}
    environment = {**os.environ, **question}
    done = subprocess.run([sys.executable, "-c", MAIN], capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion_script(shell: str) -> None:
    status, script, _ = asked(f"{shell}_source")
    assert status == 0
    assert f"_LVM_COMPLETE={shell}_complete" in script
    assert "lvm" in script


def test_the_beginning_of_a_command_is_completed() -> None:
    assert asked("bash_complete", "lvm ru", 1) == (0, "plain,run\nplain,runs\n", "")


def test_the_options_of_a_command_are_completed() -> None:
    status, found, _ = asked("bash_complete", "lvm run --prec", 2)
    assert (status, found) == (0, "plain,--precision\n")
    assert asked("bash_complete", "lvm run --precision b", 3)[1] == "plain,bf16\n"


def test_after_a_command_that_there_is_none_of_nothing_is_offered_and_nothing_said() -> None:
    status, found, said = asked("bash_complete", "lvm frobnicate x", 2)
    assert (status, found.strip(), said) == (0, "", "")
