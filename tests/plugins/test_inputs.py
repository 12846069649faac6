"""Inputs: what they do to a context, and when."""

from __future__ import annotations

import pytest
import torch

from lvmcore.model import build_model
from lvmcore.registry import Registry

CONTEXTS = torch.nn.functional.normalize(torch.randn(4000, 5, 8, generator=torch.Generator().manual_seed(0)), dim=-1)


def inputs(text: str, registry: Registry) -> torch.nn.Module:
    model = build_model("amn", text, 8, 5, registry, "toy")
    return torch.nn.Sequential(*model.inputs)


def test_pos_appends_a_channel_that_rises_to_its_scale(registry: Registry) -> None:
    widened = inputs("pos:0.03", registry)(CONTEXTS[:2])
    assert widened.shape == (2, 5, 9)
    torch.testing.assert_close(widened[..., :8], CONTEXTS[:2])
    torch.testing.assert_close(widened[1, :, 8], torch.tensor([0, 0.0075, 0.015, 0.0225, 0.03]))


def test_drop_replaces_the_last_row_at_its_rate_in_training_only(registry: Registry) -> None:
    module = inputs("drop:0.2", registry)
    torch.manual_seed(0)
    dropped = module.train()(CONTEXTS)
    changed = (dropped[:, -1] != CONTEXTS[:, -1]).any(-1)
    assert 0.17 < float(changed.float().mean()) < 0.23
    torch.testing.assert_close(dropped[:, -1].norm(dim=-1), torch.ones(4000))
    assert torch.equal(dropped[:, :-1], CONTEXTS[:, :-1])
    assert torch.equal(module.eval()(CONTEXTS), CONTEXTS)


def test_drop_leaves_the_channels_of_an_earlier_input(registry: Registry) -> None:
    dropped = inputs("pos:0.03+drop:1.0", registry).train()(CONTEXTS)
    torch.testing.assert_close(dropped[:, -1, 8], torch.full((4000,), 0.03))
    assert not torch.isclose(dropped[:, -1, :8], CONTEXTS[:, -1]).all(-1).any()


def test_last_noise_blurs_or_swaps_the_last_row_at_its_rates_in_training_only(registry: Registry) -> None:
    module = inputs("last-noise:0.4,sigma=0.1,swap=0.25", registry)
    torch.manual_seed(0)
    found = module.train()(CONTEXTS)
    changed = (found[:, -1] != CONTEXTS[:, -1]).any(-1)
    swapped = (found[:, -1] == CONTEXTS[:, -2]).all(-1)
    assert 0.36 < float(changed.float().mean()) < 0.44
    assert 0.21 < float(swapped.sum() / changed.sum()) < 0.29
    torch.testing.assert_close(found[:, -1].norm(dim=-1), torch.ones(4000))
    # a noise of deviation 0.1 in 8 channels, of which the part along the row changes the cosine little
    blurred = (found[:, -1] * CONTEXTS[:, -1]).sum(-1)[changed & ~swapped]
    tangents = (1 / blurred.square() - 1).double()
    assert float(tangents.mean()) == pytest.approx(0.01 * 7, rel=0.15)
    assert torch.equal(found[:, :-1], CONTEXTS[:, :-1])
    assert torch.equal(module.eval()(CONTEXTS), CONTEXTS)


def test_last_noise_leaves_the_channels_of_an_earlier_input(registry: Registry) -> None:
    found = inputs("pos:0.03+last-noise:1.0,swap=0.5", registry).train()(CONTEXTS)
    torch.testing.assert_close(found[:, -1, 8], torch.full((4000,), 0.03))
    assert not torch.isclose(found[:, -1, :8], CONTEXTS[:, -1]).all(-1).any()


def test_the_seed_draws_what_an_input_draws(registry: Registry) -> None:
    for text in ("drop:0.5", "last-noise:0.5"):
        module, drawn = inputs(text, registry).train(), []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            drawn.append(module(CONTEXTS))
        assert torch.equal(drawn[0], drawn[1])
        assert not torch.equal(drawn[0], drawn[2])


def test_the_strength_of_each_input_is_told_by_its_label(registry: Registry) -> None:
    model = build_model("amn", "pos:0.1,ramp=4+drop:0.2,start=3+pos:0.4,stop=2", 8, 5, registry, "toy")
    model.set_epoch(3)
    assert model.strengths == pytest.approx({"pos": 0.075, "drop": 0.2, "pos#2": 0.0})


def test_an_input_before_its_start_does_nothing(registry: Registry) -> None:
    model = build_model("amn", "drop:1.0,start=3,stop=4", 8, 5, registry, "toy").train()
    acts = []
    for epoch in range(1, 6):
        model.set_epoch(epoch)
        acts.append(not torch.equal(model.inputs[0](CONTEXTS), CONTEXTS))
    assert acts == [False, False, True, True, False]


def test_an_input_draws_no_random_numbers_where_it_does_not_act(registry: Registry) -> None:
    for found in registry.all("input"):
        module = inputs(f"{found.name},start=2", registry).train()
        torch.manual_seed(0)
        state = torch.get_rng_state()
        module(CONTEXTS)
        assert torch.equal(torch.get_rng_state(), state), found.name


def test_an_input_that_adds_no_channel_leaves_the_first_weights_alone(registry: Registry) -> None:
    torch.manual_seed(0)
    plain = build_model("transformer", "", 8, 5, registry, "toy").state_dict()
    torch.manual_seed(0)
    other = build_model("transformer", "drop:0.5+last-noise", 8, 5, registry, "toy").state_dict()
    assert all(torch.equal(other[name], weight) for name, weight in plain.items())


def test_every_input_keeps_the_rows_and_leaves_evaluation_alone(registry: Registry) -> None:
    seen = 0
    for found in registry.all("input"):
        module = inputs(found.name, registry).eval()
        out = module(CONTEXTS[:3])
        assert out.shape[:2] == (3, 5)
        torch.testing.assert_close(out[..., :8], CONTEXTS[:3])
        assert torch.equal(module(CONTEXTS[:3]), out)
        seen += 1
    assert seen >= 3
