"""How a corpus is to be made of text: every option of a build, and its default."""

from __future__ import annotations

from typing import Any, Literal, Self

import attrs

from lvmcore.building.duplicates import Least
from lvmcore.data.splits import Rule, parse_shares
from lvmcore.errors import LvmError, unknown


@attrs.frozen(kw_only=True)
class Recipe:
    """What is asked of a build.

    Args:
        reader: an expression, for the files that are named; by the suffix of each where it is empty.
        chunker, encoder: expressions.
        device: where the encoder computes: auto, cpu, cuda, mps.
        precision: of the encoder: fp32, bf16, or auto: bf16 where it is native.
        split: shares of train, val and ood.
        seed: of what is drawn.
        val, ood: patterns of titles or sources that go there; for such a split nothing is drawn.
        by: what is drawn, an article or all those of a source.
        least: chunks of an article; shorter ones are dropped.
        boilerplate: a text that so many articles have is dropped from all; 0 for none.
        keep_duplicates: copies, near-duplicates and boilerplate stay.
        licence, source: of the text.
    """

    reader: str = ""
    chunker: str = "sentences:40"
    encoder: str = "minilm"
    device: str = "auto"
    precision: str = "auto"
    split: str = "80/10/10"
    seed: int = 0
    val: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    ood: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    by: Literal["article", "source"] = "article"
    least: int = 6
    boilerplate: int = 3
    keep_duplicates: bool = False
    licence: str = "unknown"
    source: str = "unknown"

    def __attrs_post_init__(self) -> None:
        if self.by not in ("article", "source"):
            raise LvmError(f"'{self.by}' cannot be drawn", expected="article or source")
        if self.least < 1:
            raise LvmError(f"an article has at least one chunk, not {self.least}", where="least")
        if self.boilerplate < 0 or self.boilerplate == 1:
            raise LvmError(
                f"what stands in {self.boilerplate} articles is no boilerplate", expected="two or more, or 0 for none"
            )
        parse_shares(self.split)

    @classmethod
    def of(cls, **options: Any) -> Self:
        """A recipe of the options of a call.

        Raises:
            LvmError: one that there is not, or a value that cannot be.
        """
        known = [field.name for field in attrs.fields(cls)]
        for name in options:
            if name not in known:
                raise unknown("option", name, known, where="build", fix="lvm data build --help")
        return cls(**options)

    @property
    def rule(self) -> Rule:
        """How the articles are divided."""
        return Rule(shares=parse_shares(self.split), seed=self.seed, val=self.val, ood=self.ood, by=self.by)

    @property
    def kept(self) -> Least:
        """What stays."""
        return Least(chunks=self.least, boilerplate=self.boilerplate, duplicates=self.keep_duplicates)
