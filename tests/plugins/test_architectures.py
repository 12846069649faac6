"""Architectures: parameter counts, a second plain implementation, and what every one of them promises."""

from __future__ import annotations

import math

import attrs
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lvmcore.errors import LvmError
from lvmcore.expression import parse
from lvmcore.model import LatentVectorModel, build_model
from lvmcore.registry import Registry

CONTEXTS = F.normalize(torch.randn(6, 5, 8, generator=torch.Generator().manual_seed(0)), dim=-1)


def toy(arch: str, registry: Registry, inputs: str = "", dim: int = 8) -> LatentVectorModel:
    torch.manual_seed(1)
    return build_model(arch, inputs, dim, 5, registry, "toy").eval()


def every(registry: Registry) -> list[str]:
    """Each base architecture, and each wrapper around the first of them."""
    names = []
    for found in registry.all("architecture"):
        try:
            build_model(found.name, "", 8, 5, registry, "toy")
            names.append(found.name)
        except LvmError:  # it cannot stand first
            names.append(f"amn+{found.name}")
    assert len(names) >= 7
    return names


@pytest.mark.parametrize(
    ("arch", "count"),
    [
        ("transformer", 17_867_520),
        ("amn", 1_510_912),
        ("amn+residual", 1_510_913),
        ("amn+anchored", 1_510_913),
        ("lstm", 5_120_768),
        ("gru", 7_095_552),
    ],
)
def test_the_parameters_are_those_of_the_published_models(arch: str, count: int, registry: Registry) -> None:
    assert build_model(arch, "", 768, 5, registry).parameter_count == count


@pytest.mark.parametrize(("arch", "mebibytes"), [("transformer", 205), ("amn", 17), ("lstm", 59), ("gru", 81)])
def test_a_full_training_checkpoint_is_as_large_as_the_published_one(
    arch: str, mebibytes: int, registry: Registry
) -> None:
    model = build_model(arch, "", 768, 5, registry)
    weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    # with AdamW's two moments; the published sizes are in whole MiB, and hold a little besides
    assert 3 * weights / 2**20 == pytest.approx(mebibytes, abs=0.6)


def test_the_feed_forward_part_follows_the_width_unless_it_is_given(registry: Registry) -> None:
    def count(arch: str) -> int:
        return build_model(arch, "", 8, 5, registry).parameter_count

    assert count("transformer,d_model=64") == count("transformer,d_model=64,ffn=256")
    # a unit of the feed-forward part has d_model weights in, one bias, d_model weights out, in each of four layers
    assert count("transformer,d_model=64,ffn=257") - count("transformer,d_model=64") == 4 * (2 * 64 + 1)
    for ffn in (0, -5):
        with pytest.raises(LvmError, match="'ffn' must be >= 1"):
            count(f"transformer,ffn={ffn}")


def test_a_channel_more_costs_the_transformer_one_weight_a_unit_of_its_width(registry: Registry) -> None:
    counts = [build_model("transformer", inputs, 768, 5, registry).parameter_count for inputs in ("", "pos:0.03")]
    assert counts == [17_867_520, 17_867_520 + 512]


def test_the_amn_is_its_formula(registry: Registry) -> None:
    model = toy("amn", registry)
    weights = {name.removeprefix("architecture."): tensor for name, tensor in model.state_dict().items()}

    def linear(name: str, x: Tensor) -> Tensor:
        return weights[f"{name}.weight"] @ x + weights[f"{name}.bias"]

    for context, found in zip(CONTEXTS, model(CONTEXTS), strict=True):
        mean = sum(context) / 5
        query = linear("query", mean)
        scores = torch.stack([query @ linear("key", row) / math.sqrt(16) for row in context])
        mixed = sum(w * row for w, row in zip(scores.exp() / scores.exp().sum(), context, strict=True))
        hidden = torch.cat([mean, mixed])
        hidden = F.layer_norm(F.gelu(linear("mlp.0", hidden)), (32,), weights["mlp.2.weight"], weights["mlp.2.bias"])
        hidden = F.layer_norm(F.gelu(linear("mlp.3", hidden)), (16,), weights["mlp.5.weight"], weights["mlp.5.bias"])
        torch.testing.assert_close(found, mean + linear("mlp.6", hidden), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("bias", [0.0, 0.6])
def test_the_transformer_is_its_formula(norm: str, bias: float, registry: Registry) -> None:
    model = toy(f"transformer,layers=2,norm={norm},last_bias={bias}", registry)
    weights = {name.removeprefix("architecture."): tensor for name, tensor in model.state_dict().items()}
    width, heads = 32, 2

    def linear(name: str, x: Tensor) -> Tensor:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def layer_norm(name: str, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        return (
            centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weights[f"{name}.weight"]
            + weights[f"{name}.bias"]
        )

    def attention(name: str, queries: Tensor, memory: Tensor) -> Tensor:
        q, k, v = (
            x @ w.T + b
            for x, w, b in zip(
                (queries, memory, memory),
                weights[f"{name}.in_proj_weight"].chunk(3),
                weights[f"{name}.in_proj_bias"].chunk(3),
                strict=True,
            )
        )
        out, size = torch.zeros_like(q), width // heads
        for h in range(heads):
            part = slice(h * size, (h + 1) * size)
            for i in range(5):
                scores = torch.stack(
                    [q[i, part] @ k[j, part] / math.sqrt(size) - (bias if i == j == 4 else 0) for j in range(i + 1)]
                )
                out[i, part] = scores.softmax(0) @ v[: i + 1, part]
        return linear(f"{name}.out_proj", out)

    positions = torch.tensor(
        [[(math.sin, math.cos)[d % 2](p / 10_000 ** (2 * (d // 2) / width)) for d in range(width)] for p in range(5)]
    )
    for context, found in zip(CONTEXTS, model(CONTEXTS), strict=True):
        sequence = linear("project", context) + positions
        x = sequence
        for i in range(2):
            name = f"layers.{i}"
            parts = (
                ("norm1", lambda y, n=name: attention(f"{n}.self_attn", y, y)),
                ("norm2", lambda y, n=name, s=sequence: attention(f"{n}.multihead_attn", y, s)),
                ("norm3", lambda y, n=name: linear(f"{n}.linear2", linear(f"{n}.linear1", y).relu())),
            )
            for which, part in parts:
                if norm == "post":
                    x = layer_norm(f"{name}.{which}", x + part(x))
                else:
                    x = x + part(layer_norm(f"{name}.{which}", x))
        last = layer_norm("norm", x)[-1] if norm == "pre" else x[-1]
        expected = linear("head.3", layer_norm("head.2", F.gelu(linear("head.0", last))))
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


def weights_of(model: LatentVectorModel) -> dict[str, Tensor]:
    return {name.removeprefix("architecture."): tensor for name, tensor in model.double().state_dict().items()}


def affine(weights: dict[str, Tensor], kernel: str, bias: str, x: Tensor) -> Tensor:
    return torch.stack([sum(w * v for w, v in zip(row, x, strict=True)) for row in weights[kernel]]) + weights[bias]  # pyright: ignore


def plain_layer_norm(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    mean = sum(x) / len(x)
    variance = sum((v - mean) ** 2 for v in x) / len(x)
    return (x - mean) / torch.sqrt(variance + 1e-5) * weights[f"{name}.weight"] + weights[f"{name}.bias"]  # pyright: ignore


def sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-x))


def test_the_lstm_is_its_formula(registry: Registry) -> None:
    model = toy("lstm,hidden=6", registry)
    weights = weights_of(model)
    for context, found in zip(CONTEXTS.double(), model(CONTEXTS.double()), strict=True):
        rows = list(context)
        for layer in range(2):
            h, c, states = torch.zeros(6).double(), torch.zeros(6).double(), []
            for row in rows:
                gates = affine(weights, f"lstm.weight_ih_l{layer}", f"lstm.bias_ih_l{layer}", row)
                gates = gates + affine(weights, f"lstm.weight_hh_l{layer}", f"lstm.bias_hh_l{layer}", h)
                i, f, g, o = gates.chunk(4)
                c = sigmoid(f) * c + sigmoid(i) * torch.tanh(g)
                h = sigmoid(o) * torch.tanh(c)
                states.append(h)
            rows = states
        torch.testing.assert_close(found, affine(weights, "head.weight", "head.bias", h), atol=1e-12, rtol=0)


def test_the_gru_is_its_formula(registry: Registry) -> None:
    model = toy("gru,d_model=6,layers=2", registry)
    weights = weights_of(model)
    for context, found in zip(CONTEXTS.double(), model(CONTEXTS.double()), strict=True):
        rows = [affine(weights, "project.weight", "project.bias", row) for row in context]
        for layer in range(2):
            h, states = torch.zeros(6).double(), []
            for row in rows:
                name = f"layers.{layer}"
                of_row = affine(weights, f"{name}.weight_ih_l0", f"{name}.bias_ih_l0", row).chunk(3)
                of_state = affine(weights, f"{name}.weight_hh_l0", f"{name}.bias_hh_l0", h).chunk(3)
                reset, update = (sigmoid(of_row[k] + of_state[k]) for k in (0, 1))
                h = (1 - update) * torch.tanh(of_row[2] + reset * of_state[2]) + update * h
                states.append(plain_layer_norm(weights, f"norms.{layer}", row + h))
            rows = states
        torch.testing.assert_close(found, affine(weights, "head.weight", "head.bias", rows[-1]), atol=1e-12, rtol=0)


def test_the_mixture_is_its_formula(registry: Registry) -> None:
    width, heads, size = 8, 2, 4
    model = toy(f"mixture,d_model={width},heads={heads},layers=2", registry, inputs="pos:0.05")
    weights = weights_of(model)
    for context, found in zip(CONTEXTS.double(), model(CONTEXTS.double()), strict=True):
        hidden = []
        for p, row in enumerate(context):
            widened = torch.cat([row, torch.tensor([0.05 * p / 4]).double()])
            position = [(math.sin, math.cos)[d % 2](p / 10_000 ** (2 * (d // 2) / width)) for d in range(width)]
            hidden.append(affine(weights, "project.weight", "project.bias", widened) + torch.tensor(position).double())
        for layer in (f"layers.{i}" for i in range(2)):
            q, k, v = (
                [
                    affine(
                        {
                            "w": weights[f"{layer}.self_attn.in_proj_weight"].chunk(3)[which],
                            "b": weights[f"{layer}.self_attn.in_proj_bias"].chunk(3)[which],
                        },
                        "w",
                        "b",
                        x,
                    )
                    for x in hidden
                ]
                for which in range(3)
            )
            for i, x in enumerate(hidden):
                out = torch.zeros(width).double()
                for part in (slice(h * size, (h + 1) * size) for h in range(heads)):
                    powers = [math.exp(float(q[i][part] @ k[j][part]) / math.sqrt(size)) for j in range(5)]
                    out[part] = sum(power / sum(powers) * v[j][part] for j, power in enumerate(powers))  # pyright: ignore
                out = affine(weights, f"{layer}.self_attn.out_proj.weight", f"{layer}.self_attn.out_proj.bias", out)
                x = plain_layer_norm(weights, f"{layer}.norm1", x + out)
                inner = affine(weights, f"{layer}.linear1.weight", f"{layer}.linear1.bias", x).clamp_min(0)
                out = affine(weights, f"{layer}.linear2.weight", f"{layer}.linear2.bias", inner)
                hidden[i] = plain_layer_norm(weights, f"{layer}.norm2", x + out)
        powers = [math.exp(float(weights["score.weight"][0] @ x)) for x in hidden]
        expected = sum(power / sum(powers) * row for power, row in zip(powers, context, strict=True))
        # the positions, and the strength of the input, are kept in float32
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_the_mixture_never_leaves_the_span_of_its_context(registry: Registry) -> None:
    model = toy("mixture", registry)
    weights = model.architecture.weights(CONTEXTS)  # pyright: ignore
    torch.testing.assert_close(weights.sum(-1), torch.ones(6))
    assert (weights > 0).all()
    assert torch.linalg.matrix_rank(torch.cat([CONTEXTS, model(CONTEXTS)[:, None]], 1), atol=1e-5).tolist() == [5] * 6


@pytest.mark.parametrize("text", ["anchored", "anchored:0.7", "anchored:0.3,low=0.2,high=0.5"])
def test_the_anchored_is_its_formula(text: str, registry: Registry) -> None:
    model = toy(f"amn+{text}", registry, inputs="pos:0.05").double()
    start = registry.make("architecture", parse(text).terms[0]).weight
    inner = model.architecture.inner(model.inputs[0](CONTEXTS.double())).detach()  # pyright: ignore
    for context, answer, found in zip(CONTEXTS.double(), inner, model(CONTEXTS.double()), strict=True):
        mean = sum(context) / 5
        unit_answer = answer / math.sqrt(sum(float(v) ** 2 for v in answer))
        unit_mean = mean / math.sqrt(sum(float(v) ** 2 for v in mean))
        torch.testing.assert_close(found, start * unit_answer + (1 - start) * unit_mean, atol=1e-7, rtol=1e-6)


def test_the_weight_of_the_anchored_never_leaves_its_bounds(registry: Registry) -> None:
    head = toy("amn+anchored", registry).architecture
    for theta in (-1e3, -3.0, 0.0, 3.0, 1e3):
        torch.nn.init.constant_(head.theta, theta)  # pyright: ignore
        assert 0.6 - 1e-6 <= head.weight.item() <= 0.9 + 1e-6  # pyright: ignore
    for text in ("anchored:0.95", "anchored:0.6", "anchored,low=0.9,high=0.6"):
        with pytest.raises(LvmError, match="must lie between"):
            registry.make("architecture", parse(text).terms[0])


def test_the_residual_is_the_last_row_and_a_share_of_the_inner_answer(registry: Registry) -> None:
    model = toy("amn+residual:0.3", registry, inputs="pos:0.05")
    inner = model.architecture.inner  # pyright: ignore
    widened = model.inputs[0](CONTEXTS)
    torch.testing.assert_close(model(CONTEXTS), CONTEXTS[:, -1] + 0.3 * inner(widened))


def test_every_architecture_gives_a_raw_prediction_for_each_context(registry: Registry) -> None:
    for arch in every(registry):
        assert toy(arch, registry)(CONTEXTS).shape == (6, 8)
        assert toy(arch, registry, inputs="pos:0.03")(CONTEXTS).shape == (6, 8)


def test_every_parameter_of_every_architecture_gets_a_gradient(registry: Registry) -> None:
    for arch in every(registry):
        model = toy(arch, registry).train()
        with torch.no_grad():  # nothing passes a last layer that begins at 0
            for parameter in model.parameters():
                parameter.add_(0.01 * torch.randn_like(parameter))
        model(CONTEXTS).square().sum().backward()
        idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
        # a key's bias shifts every score alike, which a softmax does not see
        assert [name for name in idle if name != "architecture.key.bias"] == [], arch


def test_the_same_seed_gives_the_same_weights(registry: Registry) -> None:
    for arch in every(registry):
        first, second = (toy(arch, registry).state_dict() for _ in range(2))
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_prediction_does_not_depend_on_the_batch(registry: Registry) -> None:
    for arch in every(registry):
        model = toy(arch, registry)
        alone = torch.cat([model(context[None]) for context in CONTEXTS])
        torch.testing.assert_close(model(CONTEXTS), alone, atol=1e-6, rtol=1e-5)


def test_every_architecture_computes_in_bf16(registry: Registry) -> None:
    for arch in every(registry):
        model = toy(arch, registry)
        with torch.autocast("cpu", torch.bfloat16):
            found = model(CONTEXTS).float()
        torch.testing.assert_close(found, model(CONTEXTS), atol=0.1, rtol=0.1)


def test_an_lstm_keeps_to_float32_where_the_processor_has_none_in_bf16(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = toy("lstm", registry)
    states: list[Tensor] = []
    model.get_submodule("architecture.head").register_forward_pre_hook(lambda _, inputs: states.append(inputs[0]))
    monkeypatch.setattr("lvm_architectures.lstm._autocasts", lambda: False)
    model(CONTEXTS)
    with torch.autocast("cpu", torch.bfloat16):
        model(CONTEXTS.bfloat16())  # an input before it may have computed in bf16
    plain, autocast = states
    assert autocast.dtype == torch.float32
    torch.testing.assert_close(autocast, plain, atol=0.02, rtol=0.02)


def test_the_amn_does_not_see_the_order_of_its_context_and_the_transformer_does(registry: Registry) -> None:
    for arch, blind in (("amn", True), ("transformer", False)):
        model = toy(arch, registry)
        assert torch.allclose(model(CONTEXTS), model(CONTEXTS.flip(1)), atol=1e-6) is blind


def test_every_base_architecture_has_a_toy_size(registry: Registry) -> None:
    for found in registry.all("architecture"):
        if "inner" not in found.component.build.__code__.co_varnames:
            assert attrs.has(type(found.component.toy()))  # pyright: ignore
            full = build_model(found.name, "", 64, 5, registry).parameter_count
            assert build_model(found.name, "", 64, 5, registry, "toy").parameter_count < full / 10


def test_a_width_that_the_heads_do_not_divide_is_an_error(registry: Registry) -> None:
    with pytest.raises(LvmError, match="multiple of heads"):
        registry.make("architecture", parse("transformer,d_model=30,heads=4").terms[0])
