"""What an optimizer promises."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from lvmcore.testing.material import rows
from lvmcore.testing.promises import Subject, expect, promise

STEPS = 8


class Descent:
    """A matrix that an optimizer brings nearer to another, step by step."""

    def __init__(self, made: Any, weight_decay: float = 0.0) -> None:
        self.weight = torch.nn.Parameter(rows(4, 6))
        self.target = rows(4, 6, seed=1)
        self.optimizer = made.build([self.weight], 1e-3, weight_decay)

    def error(self) -> Tensor:
        return (self.weight - self.target).square().sum()

    def run(self, steps: int = STEPS) -> Tensor:
        for _ in range(steps):
            self.optimizer.zero_grad()
            self.error().backward()
            self.optimizer.step()
        return self.weight.detach().clone()


@promise("optimizer")
def is_an_optimizer_of_torch(subject: Subject) -> None:
    """It builds one of torch's optimizers, or one that behaves like it, at the learning rate it is given."""
    for text, made in subject.settings():
        given = Descent(made).optimizer
        expect(isinstance(given, torch.optim.Optimizer), f"it built a {type(given).__name__}{text}")
        expect(given.param_groups[0]["lr"] == 1e-3, f"its learning rate is {given.param_groups[0]['lr']}{text}")


@promise("optimizer")
def steps_lower_the_error(subject: Subject) -> None:
    """Some steps bring the weights nearer to where the gradient points, and keep them finite."""
    for text, made in subject.settings():
        descent = Descent(made)
        before, weights, after = descent.error().item(), descent.run(), descent.error().item()
        expect(weights.isfinite().all(), f"the weights are not finite{text}")
        expect(after < before, f"the error went from {before:.4f} to {after:.4f}{text}")


@promise("optimizer")
def weight_decay_shrinks_the_weights(subject: Subject) -> None:
    """With a weight decay the weights end elsewhere than without."""
    for text, made in subject.settings():
        expect(not torch.equal(Descent(made).run(), Descent(made, 0.5).run()), f"weight_decay changes nothing{text}")


@promise("optimizer")
def its_state_can_be_restored(subject: Subject) -> None:
    """Its state_dict, loaded into one that is built anew, goes on with the same steps: resume needs that."""
    for text, made in subject.settings():
        whole, broken_off, resumed = Descent(made), Descent(made), Descent(made)
        broken_off.run(STEPS // 2)
        resumed.weight.data.copy_(broken_off.weight.data)
        resumed.optimizer.load_state_dict(copy.deepcopy(broken_off.optimizer.state_dict()))
        same = torch.equal(resumed.run(STEPS - STEPS // 2), whole.run())
        expect(same, f"other weights after a resume than without{text}")
