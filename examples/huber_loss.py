"""A loss of one's own, as a plugin in one file: lvm run --loss huber --plugin examples/huber_loss.py"""

import torch.nn.functional as F
from attrs.validators import gt

from lvmcore import component, hookimpl, option


@component
class Huber:
    """Huber distance of the raw prediction to the target, a mean over all elements: outliers pull less than in mse."""

    # elements of unit vectors differ by about 1/√D, 0.05 at D = 384: with a delta of 1 it would be half the mse
    delta: float = option(default=0.05, help="where the square turns into a line", validator=gt(0))

    def build(self):
        return lambda step: F.huber_loss(step.raw, step.target, delta=self.delta)


@hookimpl
def lvm_losses():
    return [("huber", Huber)]
