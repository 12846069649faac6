"""Directional guard without a corner: it keeps pulling, ever more weakly, once the target is nearer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from attrs.validators import and_, ge, gt, le

from lvm_losses.directional import ROW
from lvmcore import component, option

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore import Step

TINY = 1e-6


@component
class SmoothDirectional:
    """Mean of α · s(margin − gap) + (1 − α) · s(ratio_margin − ratio), where s(x) = softplus(γx)/γ.

    gap = cos(p, target) − cos(p, earlier row); ratio = gap / (|cos(p, target)| + |cos(p, earlier row)|), which a
    wide gap between two negative cosines does not satisfy. α = 1 leaves the ratio out.
    Source: P6b, after the comparison of 2025-11-02.
    """

    margin: float = option(default=0.05, help="by how much the target must be nearer")
    gamma: float = option(default=4.0, help="sharpness; ReLU in the limit", validator=gt(0))
    alpha: float = option(default=0.7, help="weight of the gap; the ratio has the rest", validator=and_(ge(0), le(1)))
    ratio_margin: float = option(default=0.05, help="margin of the ratio")
    against: Literal["prev", "last"] = option(default="prev", help="the earlier row: context row −2 or −1")

    def build(self) -> Callable[[Step], Tensor]:
        from torch.nn.functional import softplus

        def smooth(lack: Tensor) -> Tensor:
            return softplus(self.gamma * lack) / self.gamma

        def directional(step: Step) -> Tensor:
            cos_earlier = (step.unit * step.context[:, ROW[self.against]]).sum(-1)  # (B,)
            gap = step.cos_next - cos_earlier
            # two cosines near 0 have no ratio; it is held at 0 there
            ratio = gap / (step.cos_next.abs() + cos_earlier.abs()).clamp_min(TINY)
            lack = self.alpha * smooth(self.margin - gap) + (1 - self.alpha) * smooth(self.ratio_margin - ratio)
            return lack.mean()

        return directional
