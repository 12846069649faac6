"""A group whose commands are modules, each imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from lvmcore.errors import LvmError, nearest


class LazyGroup(click.Group):
    """Commands by name, each the `command` of a module.

    Args:
        package: where the modules are.
        commands_by_name: command → module, and what the help of the group says of it.
    """

    def __init__(self, *, package: str, commands_by_name: Mapping[str, tuple[str, str]], **settings: Any) -> None:
        super().__init__(**settings)
        self.package, self.commands_by_name = package, commands_by_name

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands_by_name)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands_by_name:
            return None
        return import_module(f"{self.package}.{self.commands_by_name[cmd_name][0]}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, said) for name, (_, said) in self.commands_by_name.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]):
        if args and not args[0].startswith("-") and args[0] not in self.commands_by_name and not ctx.resilient_parsing:
            guess = nearest(args[0], self.commands_by_name)
            raise LvmError(
                f"there is no command '{args[0]}'" + (f"; did you mean '{guess}'?" if guess else ""),
                fix=f"{ctx.command_path} --help",
            )
        return super().resolve_command(ctx, args)
