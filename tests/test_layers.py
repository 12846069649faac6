"""Who may import whom: the rooms of the core are stacked, and plugins use its public names and no others."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import grimp

import lvmcore

TOP = Path(__file__).parent.parent
PLUGINS = TOP / "plugins"

STACK = (
    ("toolkit",),
    ("resume",),
    ("corpora", "experiment", "estimate", "export", "installation"),
    ("testing", "building", "inspection"),
    ("training", "report", "serving"),
    ("runs",),
    ("prediction",),
    ("evaluation",),
    ("checkpoint", "foreign"),
    ("model",),
    ("bounds", "model_header"),
    ("data", "variants"),
    ("scaffolds",),
    ("registry", "listeners"),
    ("plugins",),
    ("requirements",),
    ("hookspecs", "device"),
    ("timing",),
    ("components", "expression"),
    ("trees",),
    ("records",),
    ("files", "locks", "stopping"),
    ("errors",),
    ("plain", "turns"),
)
"""The rooms and modules of `lvmcore`, the uppermost first: each imports what is below it, and nothing beside it."""


def packages() -> list[str]:
    """Every package of a built-in plugin beside the core, as pyproject.toml names it."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]
    return sorted({name for name in project["entry-points"]["lvm"].values() if not name.startswith("lvmcore.")})


def test_nothing_imports_upwards() -> None:
    graph = grimp.build_graph("lvmcore", "lvm_cli", *packages(), exclude_type_checking_imports=True, cache_dir=None)
    own = {name.removeprefix("lvmcore.") for name in graph.find_children("lvmcore")}
    assert own - {"__main__"} == {name for layer in STACK for name in layer}
    layers = [
        # commands and plugins know nothing of each other
        grimp.Layer("lvm_cli", *packages(), independent=True),
        *(grimp.Layer(*(f"lvmcore.{name}" for name in layer), independent=True) for layer in STACK),
    ]
    wrong = graph.find_illegal_dependencies_for_layers(layers=layers)
    assert not wrong, "\n".join(
        sorted(f"{route.middle or route.heads} by way of {route.tails}" for found in wrong for route in found.routes)
    )
    assert len(packages()) >= 8


def test_built_in_plugins_import_public_names_only() -> None:
    seen = 0
    for file in PLUGINS.rglob("*.py"):
        if file.parent.name == "bundled":  # the script that builds the corpora, no plugin
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name.split(".")[0] for alias in node.names]
                assert "lvmcore" not in names, f"{file.name}: from lvmcore import …, not import lvmcore"
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lvmcore":
                assert node.module == "lvmcore", f"{file.name} imports from {node.module}"
                assert {alias.name for alias in node.names} <= set(lvmcore.__all__)
                seen += 1
    assert seen >= 25


def test_every_public_name_is_there() -> None:
    assert all(getattr(lvmcore, name) is not None for name in lvmcore.__all__)
