"""mingru: all steps at once are what one step after the other gives."""

import torch
from lvmcore.testing.material import rows

from lvm_plugin_mingru.mingru import scan


def test_the_scan_is_the_recurrence() -> None:
    gate, candidate = (rows(3, 5, 4, seed=seed) * 4 for seed in (1, 2))
    state, states = torch.zeros(3, 4), []
    for step in range(5):
        opened = gate[:, step].sigmoid()
        state = (1 - opened) * state + opened * candidate[:, step]
        states.append(state)
    torch.testing.assert_close(scan(gate, candidate), torch.stack(states, 1))


def test_gates_that_are_shut_or_open_for_good_stay_finite() -> None:
    gate = torch.tensor([[[200.0], [-200.0], [200.0]]]).requires_grad_()
    states = scan(gate, torch.tensor([[[1.0], [2.0], [3.0]]]))
    assert states.flatten().tolist() == [1.0, 1.0, 3.0]
    states.sum().backward()
    assert gate.grad is not None
    assert gate.grad.isfinite().all()
