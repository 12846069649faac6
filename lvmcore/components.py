"""Components: attrs classes whose fields are the options of one plugin item.

    @component
    class Huber:
        "Mean Huber distance to the target."

        delta: float = option(default=1.0, help="where the square turns into a line", validator=gt(0))

        def build(self) -> Loss: ...

Defaults, help, errors and the tables of the documentation all come from these fields.
"""

from __future__ import annotations

import math
import re
import types
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, TypeVar, Union, dataclass_transform, get_args, get_origin, get_type_hints

import attrs

from lvmcore.errors import LvmError, unknown

T = TypeVar("T")

_SENTENCE = re.compile(r".*?[.!?](?= [^a-z]|$)|.*")
"""Up to the first full stop that a new sentence follows, not that of `e.g. this` or `0.5`."""


def option(*, default: Any, help: str, validator: Any = None) -> Any:
    """Declare one option of a component: its default, one line of help, attrs validators for its range."""
    return attrs.field(default=default, validator=validator, metadata={"help": help})


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(option,))
def component(cls: type[T]) -> type[T]:
    """Turn a class into a component: frozen, keyword-only, its options validated."""
    return attrs.frozen(kw_only=True)(cls)


@attrs.frozen
class Option:
    """What is known of one option, for help texts, errors and tables."""

    name: str
    type: Any
    default: Any
    help: str

    @property
    def type_name(self) -> str:
        """`float`, `int`, `prev | last`, `text/text/…`, `(batch | context)/…`"""
        return _type_name(self.type)

    @property
    def choices(self) -> tuple[Any, ...]:
        """Every value, where they can be counted: of a flag, or of one text out of several."""
        return (False, True) if self.type is bool else get_args(self.type) if get_origin(self.type) is Literal else ()


def options(cls: type) -> list[Option]:
    """The options of a component class, in order; the first is the one that `name:value` sets."""
    hints = get_type_hints(cls)
    return [
        Option(field.name, hints[field.name], field.default, field.metadata.get("help", ""))
        for field in attrs.fields(cls)
    ]


def summary(cls: type) -> str:
    """The first sentence of the docstring of a component class."""
    first = " ".join((cls.__doc__ or "").strip().split("\n\n")[0].split())
    return _SENTENCE.match(first)[0]  # pyright: ignore[reportOptionalSubscript]


def make(
    cls: type[T],
    given: Mapping[str, Any],
    *,
    where: str,
    lister: str = "",
    size: str | None = None,
    also: Collection[str] = (),
) -> T:
    """Make a component from options as text (or already typed), with errors that name the option.

    Args:
        given: option name → text or value.
        where: the term, for errors.
        lister: the command that lists the options, for errors.
        size: "toy" starts from the component's `toy()` preset, if it has one, instead of its defaults.
        also: further options that the term might have named, such as those its kind shares: for errors.
    """
    known = {item.name: item for item in options(cls)}
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise unknown("option", name, [*known, *also], where=where, fix=lister)
        values[name] = read(known[name], value, where) if isinstance(value, str) else value
    try:
        if size == "toy" and hasattr(cls, "toy"):
            return attrs.evolve(cls.toy(), **values)  # pyright: ignore
        return cls(**values)
    except (ValueError, TypeError) as problem:
        # attrs validators put the sentence first and their own objects behind it
        raise LvmError(str(problem.args[0]), where=where, fix=lister) from None


def read(item: Option, text: str, where: str) -> Any:
    """Give the text of an option its type."""
    try:
        return _reader(item.type)(text)
    except ValueError:
        raise LvmError(f"'{text}' is no value for option '{item.name}'", where=where, expected=item.type_name) from None


def write(value: Any) -> str:
    """The text of an option's value, such that `read` gives it back."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, tuple):
        return "/".join(map(write, value))
    return repr(value) if isinstance(value, float) else str(value)


def explicit(made: Any) -> dict[str, str]:
    """All options of a made component as text, so that a later change of a default changes nothing."""
    return {field.name: write(getattr(made, field.name)) for field in attrs.fields(type(made))}


def _reader(annotation: Any) -> Callable[[str], Any]:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return lambda text: _one_of(text, inner)
    if origin is tuple:
        return lambda text: tuple(_reader(inner[0])(part) for part in text.split("/"))
    if origin in (Union, types.UnionType):
        (kept,) = (kind for kind in inner if kind is not type(None))
        return lambda text: None if text == "none" else _reader(kept)(text)
    if annotation is float:
        return _finite
    if annotation is bool:
        return lambda text: _one_of(text.lower(), ("true", "false")) == "true"
    return annotation


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(text)
    return value


def _one_of(text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise ValueError(text)
    return text


def _type_name(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(map(str, inner))
    if origin is tuple:
        part = _type_name(inner[0])
        return f"({part})/…" if " | " in part else f"{part}/{part}/…"
    if origin in (Union, types.UnionType):
        return " | ".join("none" if kind is type(None) else _type_name(kind) for kind in inner)
    return {bool: "true | false", str: "text"}.get(annotation, getattr(annotation, "__name__", str(annotation)))
