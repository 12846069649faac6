"""The group of commands, and how errors leave the program."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from importlib.metadata import version

import click

from lvm_cli.console import echo, say
from lvm_cli.lazy import LazyGroup
from lvmcore.errors import LvmError, of_machine

COMMANDS = {
    "run": ("run", "Train a variant, evaluate it, and add a row to the comparison."),
    "eval": ("evaluate", "Evaluate a model or a yardstick with 5CAT."),
    "predict": ("predict", "Say what follows a text, in the chunks of a corpus."),
    "compare": ("compare", "Set runs side by side."),
    "runs": ("runs", "List the runs, with their status."),
    "list": ("list", "List components, variants and gate profiles."),
    "show": ("show", "Show a component, a variant, a run or a file."),
    "plugins": ("plugins", "List the plugins, and why one failed."),
    "check": ("check", "Check the installation."),
    "export": ("export", "Write a model as a folder for others."),
    "import-checkpoint": ("import_checkpoint", "Read a model of the older tools."),
    "new": ("new", "Begin a plugin of one's own."),
    "data": ("data", "Make corpora, and look into them."),
    "serve": ("serve", "Serve a model over HTTP."),
}
"""Command → module of this package, and what `lvm --help` says of it."""

USER, PROGRAM = 2, 3

COMPLETION = "_LVM_COMPLETE"
"""The variable by which a shell asks what may stand next; click answers."""


class Program(LazyGroup):
    """The commands; whoever reads their output may go before the end."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # who reads the output has gone, as `| head` does; click would end with 1
            _abandon_output()
            return 0


def _abandon_output() -> None:
    """Send what is still to be flushed nowhere: whoever should have it, a pipe or a disk, does not take it."""
    with suppress(OSError, ValueError):  # not even there, or no file
        sys.stdout.flush()
        return
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _flush() -> None:
    """Bring out what was printed, while it still can be said that the disk is full."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_output()


@click.group(
    cls=Program, package="lvm_cli", commands_by_name=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(version("lvmcore"), prog_name="lvm")
def cli(debug: bool) -> None:
    """Train, evaluate and compare Latent Vector Models: they read five vectors and predict the sixth.

    The main job:  lvm run --arch transformer --loss mse+dir:0.002
    """


def main() -> None:
    """Run the program; exit with 0 done, 1 strict and not passed, 2 the user's mistake, 3 the program's."""
    if os.environ.get(COMPLETION):
        cli.main(prog_name="lvm", complete_var=COMPLETION)  # exits
    debug = "--debug" in sys.argv[1:]
    try:
        status = cli.main(prog_name="lvm", standalone_mode=False) or 0
        _flush()
    except LvmError as problem:
        _say(str(problem), debug)
        sys.exit(problem.exit_status)
    except click.exceptions.Abort:
        _say("stopped", debug)
        sys.exit(USER)
    except click.exceptions.NoArgsIsHelpError as problem:  # a group of commands alone, which is a question
        echo(problem.format_message())
        sys.exit(0)
    except click.UsageError as problem:
        place = problem.ctx.command_path if problem.ctx else "lvm"
        _say(str(LvmError(problem.format_message(), where=place, fix=f"{place} --help")), debug)
        sys.exit(USER)
    except click.ClickException as problem:
        _say(problem.format_message(), debug)
        sys.exit(USER)
    except (Exception, SystemExit) as problem:  # lvm itself exits below; inside, only a plugin would
        if ours := of_machine(problem):
            _abandon_output()
            _say(str(ours), debug)
            sys.exit(ours.exit_status)
        what = f"a fault in the program, or in a plugin: {type(problem).__name__}: {problem}"
        command = " ".join(sys.argv[1:])
        _say(str(LvmError(what, where=_place(problem), fix=f"lvm --debug {command}")), debug)
        sys.exit(PROGRAM)
    sys.exit(status)


def _say(text: str, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    say(text)


def _place(problem: BaseException) -> str:
    """The last line of code that raised."""
    frames = traceback.extract_tb(problem.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
