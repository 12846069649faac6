"""The model card of an exported folder: what the Hub shows of a model, and what somebody needs who knows nothing of it.

The head is YAML that is also JSON, value by value, so that no text of anybody can break out of it.
Source: Mitchell et al. 2019, "Model Cards for Model Reporting"; the keys are those of the Hub's model cards.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from lvmcore.evaluation.figures import Declared
from lvmcore.registry import Registry
from lvmcore.report.columns import declared_in
from lvmcore.report.details import Details
from lvmcore.report.tables import markdown_row, one_line

TAGS = ("latent-vector-model", "embeddings", "next-chunk-prediction", "lvm")
MARKS = {True: "pass", False: "fail", None: "not measurable"}
OF_CORPUS = {"source": "text", "licence": "licence of the text", "encoder": "encoder", "chunking": "chunks"}


@attrs.frozen(kw_only=True)
class Card:
    """All that a card tells.

    Args:
        header: of the model's file.
        evaluation: the document, or nothing where the model was not evaluated.
        details: of the run, or None where the model comes from a file alone.
        licence: of the weights, as the Hub names it: `apache-2.0`; nothing where none was stated.
        files: the graphs that lie beside the weights.
    """

    name: str
    header: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    details: Details | None
    registry: Registry
    licence: str = ""
    files: tuple[str, ...] = ()

    def text(self) -> str:
        """The whole of README.md."""
        parts = [self._head(), f"# {_plain(self.name)}", self._what(), "## Use", self._use()]
        parts += ["## How good it is", *self._figures()]
        parts += ["## How it was made", "\n".join(self._made())]
        parts += ["## What it was trained on", "\n".join(self._corpus())]
        return "\n\n".join(parts) + "\n"

    # --- the head

    def _head(self) -> str:
        head: dict[str, Any] = {"library_name": "lvm", "tags": list(TAGS)}
        if self.licence:
            head["license"] = self.licence
        if results := list(self._results()):
            head["model-index"] = [{"name": one_line(self.name), "results": results}]
        lines = (f"{key}: {json.dumps(value)}" for key, value in head.items())  # ASCII, so YAML takes it as it stands
        return "\n".join(["---", *lines, "---"])

    def _results(self) -> Iterator[dict[str, Any]]:
        """The headline figures of each split, as the Hub's index wants them."""
        corpus = self.evaluation.get("corpus") or {}
        for split in self.evaluation.get("splits", {}):
            metrics = [
                {"type": one.key.lower(), "name": one.figure.label, "value": value}
                for one in self._headlines()
                if (value := one.value(self.evaluation, split)) is not None
            ]
            yield {
                "task": {"type": "next-chunk-prediction", "name": "next-chunk prediction"},
                "dataset": {"type": corpus.get("name", ""), "name": corpus.get("name", ""), "split": split},
                "metrics": metrics,
            }

    # --- the text

    def _what(self) -> str:
        length, dim = self.header["context"], self.header["dim"]
        encoder = self._facts().get("encoder") or "one encoder"
        return (
            f"A latent vector model: it reads the embeddings of {length} consecutive chunks of text, {dim} numbers "
            f"each from {_plain(encoder)}, and predicts the embedding of the chunk that follows. "
            f"Architecture `{self.header['arch']}`"
            + (f", inputs `{self.header['inputs']}`." if self.header["inputs"] else ".")
        )

    def _use(self) -> str:
        length, dim = self.header["context"], self.header["dim"]
        lines = [
            *_fenced("console", [f"$ pip install {pin}" for pin in self._pins()]),
            *_fenced(
                "python",
                [
                    "import lvmcore",
                    'model = lvmcore.load(".")  # this folder',
                    f"prediction = model.predict(context)  # ({length}, {dim}) or (B, {length}, {dim}), the oldest "
                    f"row first → ({dim},) or (B, {dim}), of length 1",
                ],
            ),
        ]
        if "model.onnx" in self.files:
            session = 'session = onnxruntime.InferenceSession("model.onnx")'
            said = 'prediction = session.run(None, {"context": context})[0]  # float32 (B, C, D) → (B, D)'
            lines += _fenced("python", ["import onnxruntime", session, said])
        if "model.pt2" in self.files:
            said = 'prediction = torch.export.load("model.pt2").module()(context)  # float32 (B, C, D) → (B, D)'
            lines += _fenced("python", ["import torch", said])
        return "\n".join(lines).strip()

    def _pins(self) -> list[str]:
        """What must be installed: the core, and every plugin that builds the model, each in its version."""
        core = (self.header.get("versions") or {}).get("lvmcore")
        pins = [f"lvmcore=={core}" if core else "lvmcore"]
        for plugin in self.header.get("plugins", ()):
            pin = f"{plugin['dist']}=={plugin['version']}"
            if plugin["dist"] != "lvmcore" and pin not in pins:
                pins.append(pin)
        return pins

    def _figures(self) -> Iterator[str]:
        if not self.evaluation:
            yield "It has not been evaluated: `lvm eval model.safetensors --data FILE` does that."
            return
        splits, corpus = self.evaluation["splits"], self.evaluation["corpus"]["name"]
        measured = ", ".join(f"{split.upper()} {held['windows']:,} windows" for split, held in splits.items())
        yield (
            f"Measured by `{self.evaluation['protocol']}` on {_plain(corpus)} ({measured}), with 95 % intervals from a "
            "bootstrap over articles, beside yardsticks that know nothing of the text: what does not pass them has "
            "learnt nothing that they don't do."
        )
        yield from (self._table(split) for split in splits)
        yield from self._gates()

    def _table(self, split: str) -> str:
        """The headline figures of a split: the model's, and every yardstick's."""
        shown = self._headlines()
        table = [markdown_row([split.upper(), *(one.figure.label for one in shown)])]
        table.append(markdown_row(["---"] * (1 + len(shown))))
        for name, document in [("**this model**", self.evaluation), *self.evaluation.get("yardsticks", {}).items()]:
            table.append(markdown_row([name, *(one.figure.interval(one.find(document, split)) for one in shown)]))
        return "\n".join(table)

    def _gates(self) -> Iterator[str]:
        """What was asked of it, and whether it holds."""
        if not self.details:
            return
        yield f"Gates: **{self.details.gates}**."
        table = [markdown_row(["test", "figure", "VAL", "OOD", "wanted", ""]), markdown_row(["---"] * 6)]
        table += [
            markdown_row(
                [f"{one.letter} {one.test}", one.label, one.val_text, one.ood_text, one.wanted, MARKS[one.holds]]
            )
            for one in self.details.targets
        ]
        yield "\n".join(table)
        yield f"Status of the run: {_plain(self.details.status)}."

    def _made(self) -> Iterator[str]:
        if not self.details:
            imported = self.header.get("imported")
            yield f"- imported from `{_plain(imported['file'])}`, {imported['digest']}" if imported else "- unknown"
            return
        yield f"- **run**: `{self.details.run}`, {self.details.started[:10]}"
        yield from (f"- **{label}**: {_code(said)}" for label, said in self.details.settings.items() if said)
        best = self.header.get("best") or {}
        if best:
            yield f"- **weights**: those of epoch {best['epoch']}, the best by {best['metric']}"
        versions = self.header.get("versions") or {}
        yield f"- **versions**: {', '.join(f'{name} {number}' for name, number in versions.items())}"

    def _corpus(self) -> Iterator[str]:
        facts = self._facts()
        for key in ("name", "digest"):
            if key in facts:
                yield f"- **{key}**: {_code(facts[key])}"
        for key, label in OF_CORPUS.items() if facts else (("text", "text"),):
            yield f"- **{label}**: {_plain(str(facts.get(key) or 'unknown'))}"
        if revision := facts.get("revision"):
            yield f"- **revision of the encoder**: {_code(revision)}"
        yield f"- **licence of the weights**: {self.licence or 'none was stated'}"

    def _facts(self) -> Mapping[str, Any]:
        return self.header.get("corpus") or {}

    def _headlines(self) -> list[Declared]:
        found = declared_in(self.evaluation, self.registry).values()
        return sorted((one for one in found if one.figure.headline), key=lambda one: one.figure.headline)


def _fenced(language: str, lines: list[str]) -> list[str]:
    return [f"```{language}", *lines, "```", ""]


def _plain(said: object) -> str:
    """Somebody's words on one line, opening and closing nothing."""
    return one_line(str(said)).replace("`", "'")


def _code(said: object) -> str:
    return f"`{_plain(said)}`"
