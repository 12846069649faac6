"""The description of a server as a page that loads nothing from elsewhere, and runs no script."""

from __future__ import annotations

from html import escape
from typing import Any

import orjson

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color-scheme:light dark}"
    "code,pre{font-family:monospace}pre{overflow:auto}td,th{text-align:left;vertical-align:top;padding:.2em 1em .2em 0}"
    "details{margin:.5em 0}"
)


def page(document: dict[str, Any]) -> str:
    """An OpenAPI document, of the form that `description` gives, as HTML."""
    title = escape(document["info"]["title"])
    operations = [
        _operation(path, method, said)
        for path, methods in document["paths"].items()
        for method, said in methods.items()
    ]
    statuses = "".join(
        f"<tr><td><code>{status}</code><td>{escape(said['description'])}"
        for status, said in document["components"]["responses"].items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>lvm {escape(document['info']['version'])}; the same as a document: "
        f'<a href="openapi.json">openapi.json</a></p>{"".join(operations)}'
        "<h2>Refusals</h2><p>Each is "
        '<code>{"error": {"what": …, "where": …, "expected": …, "try": …}}</code>, with null where there is nothing to '
        f"say.</p><table>{statuses}</table></html>"
    )


def _operation(path: str, method: str, said: dict[str, Any]) -> str:
    lines = [f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(said['summary'])}</p>"]
    rows = [
        f"<tr><td><code>{escape(one['name'])}</code><td>{one['schema']['minimum']} to {one['schema']['maximum']}"
        f"<td>{'default ' + str(one['schema']['default']) if 'default' in one['schema'] else 'required'}"
        f"<td>{escape(one['description'])}"
        for one in said.get("parameters", [])
    ]
    if rows:
        lines.append(f"<table>{''.join(rows)}</table>")
    if body := said.get("requestBody"):
        lines.append(_content("Body", body["content"]))
    lines.append(_content("Answer", said["responses"]["200"]["content"]))
    return "".join(lines)


def _content(title: str, content: dict[str, Any]) -> str:
    kinds = "".join(
        f"<tr><td><code>{escape(kind)}</code><td>{escape(held['schema'].get('description', ''))}"
        for kind, held in content.items()
    )
    shown = {kind: held["schema"] for kind, held in content.items() if held["schema"].get("properties")}
    schemas = "".join(
        f"<details><summary>Schema of <code>{escape(kind)}</code></summary>"
        f"<pre>{escape(orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode())}</pre></details>"
        for kind, schema in shown.items()
    )
    return f"<h3>{title}</h3><table>{kinds}</table>{schemas}"
