"""Built-in plugins use the public names of lvmcore and no others, as a third party would."""

from __future__ import annotations

import ast
from pathlib import Path

import lvmcore

PLUGINS = Path(__file__).parent.parent / "plugins"


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
