"""How a corpus is looked into."""

from __future__ import annotations

from typing import Any

import attrs
from attrs.validators import and_, ge, gt, in_, le

from lvmcore.data.windows import SPLITS
from lvmcore.errors import LvmError, unknown


@attrs.frozen(kw_only=True)
class Plan:
    """How to look.

    Args:
        split: the one that is held out: `val` or `ood`.
        context: rows C that a target is foretold from.
        windows: training windows that the reference is fit on, at most; a quarter of it, held-out ones.
        near: the cosine from which on a row is nearly another.
        baseline: expression of the predictor that averages; by default the one of that role.
        resamples: of the bootstrap over articles.
        seed: of what is drawn where not all is looked at, of the parts of the training articles, of the bootstrap.
    """

    split: str = attrs.field(default="val", validator=in_(SPLITS[1:]))
    context: int = attrs.field(default=5, validator=ge(1))
    windows: int = attrs.field(default=60_000, validator=ge(1))
    near: float = attrs.field(default=0.95, validator=and_(gt(0), le(1)))
    baseline: str = ""
    resamples: int = attrs.field(default=1000, validator=ge(1))
    seed: int = attrs.field(default=0, validator=ge(0))

    @classmethod
    def of(cls, **settings: Any) -> Plan:
        """From settings by name.

        Raises:
            LvmError: one that there is none of, or that is out of range.
        """
        known = [field.name for field in attrs.fields(cls)]
        for name in settings.keys() - set(known):
            raise unknown("setting", name, known, where="inspect", fix=None)
        try:
            return cls(**settings)
        except (ValueError, TypeError) as problem:
            raise LvmError(str(problem.args[0]), where="inspect") from None
