"""Checkpoints of other tools, read as models of our own architectures. Nothing in them is ever run."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor

from lvmcore.components import explicit
from lvmcore.errors import LvmError
from lvmcore.expression import Term, parse_one
from lvmcore.files import digest_of_file
from lvmcore.model import LatentVectorModel, build_model
from lvmcore.registry import Registered, Registry

WEIGHTS = ("model_state_dict", "state_dict")
"""Where the older tools keep them; a file may also hold nothing else."""
SETTINGS = ("model_config", "config", "args", "hparams")
"""Tables of a checkpoint that may say how the model was built."""
WRAPPERS = ("module.", "_orig_mod.")
"""What DistributedDataParallel and torch.compile put before the name of every tensor."""
POSITIONS = "pos:0.03"
"""What the older tools widened a row by; the scale is in none of their files."""
FEW = 1024
"""Bytes of the text of one plain value that is kept."""


@attrs.frozen
class Adopted:
    """What an architecture makes of another tool's tensors: itself, and its weights under its own names."""

    component: Any
    weights: dict[str, Tensor]
    channels: int
    """D_in, channels of a context row."""
    dim: int
    """D, channels of the prediction."""
    assumed: tuple[str, ...] = ()
    """Options that neither the tensors nor the file tell, as `heads=8`."""


@attrs.frozen
class Foreign:
    """A checkpoint as it was found: tensors by name, and every plain value that stood beside them."""

    path: Path
    weights: dict[str, Tensor]
    facts: dict[str, Any]

    @property
    def kind(self) -> str:
        """What it calls its architecture; nothing where it doesn't."""
        return str(self.facts.get("model_type") or "").lower()

    @classmethod
    def read(cls, path: Path) -> Foreign:
        """Read a file of `torch.save`: tensors and plain values, and nothing that would have to be run.

        Raises:
            LvmError: missing, damaged, holding more than that, or without tensors.
        """
        held = _unpacked(path)
        held = held if isinstance(held, Mapping) else {}
        found = next((held[key] for key in WEIGHTS if isinstance(held.get(key), Mapping)), held)
        weights = {_bare(name): tensor for name, tensor in found.items() if isinstance(tensor, Tensor)}
        if not weights:
            raise LvmError(
                "the file holds no weights",
                where=str(path),
                expected=f"{' or '.join(WEIGHTS)}, or a dictionary of tensors",
            )
        claimed, size = sum(tensor.nbytes for tensor in weights.values()), path.stat().st_size
        if claimed > size:  # a view of one number may have any shape
            raise LvmError(f"its tensors would need {claimed:,} bytes, the file has {size:,}", where=str(path))
        return cls(path, weights, _facts(held))

    def about(self) -> dict[str, Any]:
        """Where the model comes from, for the header of the file that it is saved as."""
        return {"imported": {"file": self.path.name, "digest": digest_of_file(self.path), "facts": self.facts}}


@attrs.frozen
class Imported:
    """A model of ours with the weights of a file, and what had to be assumed of it."""

    model: LatentVectorModel
    assumed: tuple[str, ...]


def adopt(
    foreign: Foreign, registry: Registry, *, arch: str = "", inputs: str | None = None, context: int = 5
) -> Imported:
    """Build the model whose weights a file holds.

    Every architecture with a classmethod `adopt(weights, facts) -> Adopted | None` is asked whether they are its own.

    Args:
        arch: which it is, and options that shapes do not tell: `transformer,heads=4`. By default what the file says.
        inputs: by default none, or `pos:0.03` where the model reads one channel more than it predicts.
        context: C, which no file says.

    Raises:
        LvmError: no architecture knows these tensors, or they do not fit.
    """
    term, found = _owner(foreign, registry, parse_one(arch) if arch else None)
    where, assumed = f"{foreign.path}, as '{term.name}'", list(found.assumed)
    if inputs is None:
        inputs = POSITIONS if found.channels == found.dim + 1 else ""
        assumed += [f"inputs '{POSITIONS}'"] if inputs else []
    model = build_model(str(term), inputs, found.dim, context, registry)
    if model.shape.channels != found.channels:
        raise LvmError(
            f"the model reads {found.channels} channels; inputs '{inputs}' make {model.shape.channels} of {found.dim}",
            where=where,
            fix="--inputs EXPR",
        )
    try:
        model.architecture.load_state_dict(found.weights)
    except RuntimeError as problem:
        raise LvmError(f"the weights do not fit: {problem}", where=where, fix="--arch EXPR") from None
    return Imported(model.eval(), tuple(assumed))


def _owner(foreign: Foreign, registry: Registry, asked: Term | None) -> tuple[Term, Adopted]:
    """The architecture that knows the tensors, with all its options; what the file calls itself is asked first."""
    able = [found for found in registry.all("architecture") if hasattr(found.component, "adopt")]
    facts = {**foreign.facts, **(asked.options if asked else {})}
    chosen = [registry.find("architecture", asked)] if asked else able
    for found in sorted(chosen, key=lambda found: found.name != foreign.kind):
        held = _asked(found, foreign, facts) if found in able else None
        if held is not None:
            dist = None if registry.key(found) == found.name else found.plugin.dist
            return Term(found.name, None, explicit(held.component), dist), held
    some, more = list(foreign.weights)[:4], len(foreign.weights) > 4
    says = f"; it calls itself '{foreign.kind}'" if foreign.kind else ""
    raise LvmError(
        f"no architecture knows these weights: {', '.join(some)}{' …' if more else ''}{says}",
        where=str(foreign.path),
        expected=f"those of {', '.join(found.name for found in able)} as the older tools name them",
    )


def _asked(found: Registered, foreign: Foreign, facts: Mapping[str, Any]) -> Adopted | None:
    """What an architecture makes of the tensors; nothing where they are another's.

    Raises:
        LvmError: they are named as its own, and make none.
    """
    try:
        return found.component.adopt(foreign.weights, facts)
    except (KeyError, IndexError, TypeError, ValueError) as problem:
        raise LvmError(
            f"the weights are named as those of '{found.name}' and make none: {type(problem).__name__} {problem}",
            where=str(foreign.path),
        ) from None


def _unpacked(path: Path) -> Any:
    """What `torch.save` put into a file, by torch's reader that runs nothing.

    NumPy's scalars are let through: the older tools kept their losses as such.
    """
    if not path.is_file():
        raise LvmError("there is no such file", where=str(path), expected="a checkpoint, FILE.pt")
    scalars = [np.dtype, type(np.dtype(np.float64)), type(np.dtype(np.float32)), type(np.dtype(np.int64))]
    scalar: Any = np.float64(0).__reduce__()[0]
    before_2 = (scalar, "numpy.core.multiarray.scalar")
    try:
        _require_stored(path)
        with warnings.catch_warnings(), torch.serialization.safe_globals([*scalars, scalar, before_2]):
            warnings.simplefilter("ignore")  # of pickles by other protocols than torch's
            held = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as problem:
        raise LvmError(
            f"the file holds more than tensors and plain values: {_reason(problem)}",
            where=str(path),
            expected="model_state_dict and numbers; what would have to be run is not",
            fix="save it again where it was made, with the state_dict alone",
        ) from None
    except Exception as problem:  # torch's reader has one for every way in which a file can be damaged
        raise LvmError(f"the checkpoint cannot be read: {_reason(problem)}", where=str(path)) from None
    return held


def _require_stored(path: Path) -> None:
    """See that nothing in the archive would unpack to more than it is: `torch.save` compresses nothing."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if packed := [one.filename for one in archive.infolist() if one.compress_type != zipfile.ZIP_STORED]:
                raise ValueError(f"{packed[0]} in it is compressed, which torch.save never does")


def _reason(problem: Exception) -> str:
    """The first line of what torch says, without its advice to run what is in the file."""
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    told = next((line for line in lines if "GLOBAL" in line or "Unsupported" in line), lines[0] if lines else "")
    return told.partition(" was not an allowed global")[0].removeprefix("WeightsUnpickler error: ")[:200]


def _bare(name: object) -> str:
    """The name of a tensor as its module calls it."""
    bare = str(name)
    for wrapper in WRAPPERS:
        bare = bare.removeprefix(wrapper)
    return bare


def _facts(held: Mapping[Any, Any]) -> dict[str, Any]:
    """Every plain value of a checkpoint, those of its tables of settings too."""
    tables = [held[key] for key in SETTINGS if isinstance(held.get(key), Mapping)]
    facts: dict[str, Any] = {}
    for table in (*tables, held):
        for key, value in table.items():
            value = value.item() if isinstance(value, np.generic) else value
            if isinstance(key, str) and (isinstance(value, bool | int | float) or _is_short(value)):
                facts[key] = value
    return facts


def _is_short(value: object) -> bool:
    return isinstance(value, str) and len(value) <= FEW
