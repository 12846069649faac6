"""A collapse is noticed at the step, blamed on a term, and a rollback takes the pull out of that term."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from resuming import Stopper, require_equal, stopped_and_resumed
from test_saving import registry_with
from training import train

from lvmcore.data.corpus import Corpus
from lvmcore.data.open import open_corpus
from lvmcore.registry import Registry
from lvmcore.training.collapse import ROLLBACKS, Remedy, to_blame
from lvmcore.variants.catalogue import Catalogue
from lvmcore.variants.variant import Variant

RUIN = "mse+norm:30,start=3+dir:300,start=3"
"""Guards that tear a toy model apart from the third epoch on."""


def ruinous(variant: Variant, **changed: Any) -> Variant:
    return attrs.evolve(variant, **({"loss": RUIN, "epochs": 12, "lr": 1e-2} | changed))


def events(records: list[dict[str, Any]]) -> dict[int, list[str]]:
    return {record["epoch"]: record["events"] for record in records if record["events"]}


def test_a_rollback_names_the_term_with_the_largest_share_and_halves_its_weight(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    _, run, _ = train(ruinous(variant, epochs=4), corpus, registry, tmp_path, on_collapse="rollback")
    third, fourth = run.epochs[2:]
    gradients = {label: term["gradient"] for label, term in third["terms"].items()}
    guilty = max(("norm", "dir"), key=lambda label: gradients[label])
    assert guilty == "dir"
    share = gradients["dir"] / sum(gradients.values())
    assert third["events"][0].startswith("collapsed at epoch 3: val cosine")
    assert third["events"][1] == (
        f"back to the weights of epoch {run.record['best']['epoch']}; "
        f"the weight of dir, {share:.0%} of the gradient, is halved to 150"
    )
    assert {label: term["strength"] for label, term in fourth["terms"].items()} == {"mse": 1, "norm": 30, "dir": 150}
    assert fourth["lr"] == third["lr"]


def test_after_three_rollbacks_the_run_ends_as_collapsed(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    outcome, run, trainer = train(
        ruinous(variant, loss="mse+dir:1e6,start=3"), corpus, registry, tmp_path, on_collapse="rollback"
    )
    assert outcome.status == "collapsed"
    assert outcome.reason.endswith("after 3 rollbacks")
    said = events(run.epochs)
    assert [epoch for epoch, texts in said.items() if any("is halved" in text for text in texts)] == [3, 4, 5]
    assert said[6][-1] == outcome.reason.removesuffix(", after 3 rollbacks")
    assert trainer.remedy.eased == {"dir": 1 / 8}
    assert run.epochs[-1]["terms"]["dir"]["strength"] == 1e6 / 8
    assert run.record["best"]["epoch"] <= 2


def test_a_rollback_saves_a_run_that_its_guard_would_end(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    variant = ruinous(variant, loss="mse+dir:32,start=4", lr=1e-3)
    stopped, one, _ = train(variant, corpus, registry, tmp_path)
    saved, other, _ = train(variant, corpus, registry, tmp_path, on_collapse="rollback")
    assert (stopped.status, len(one.epochs)) == ("collapsed", 8)
    assert (saved.status, len(other.epochs)) == ("finished", 12)
    assert other.record["best"]["value"] < one.record["best"]["value"]
    kept = max(epoch["val_cos"] for epoch in other.epochs)
    assert all(epoch["val_cos"] > 0.6 * kept for epoch in other.epochs[5:])


@pytest.mark.parametrize(("name", "epochs", "weight"), [("v3-directional", 9, 0.01), ("directional-fix", 8, 0.05)])
def test_a_published_variant_that_collapses_is_taken_back_and_its_guard_eased(
    name: str, epochs: int, weight: float, catalogue: Catalogue, registry: Registry, tmp_path: Path
) -> None:
    variant = catalogue.variant(name).override({"epochs": epochs})
    corpus = open_corpus("wiki", registry)
    outcome, run, _ = train(variant, corpus, registry, tmp_path, on_collapse="rollback")
    ((collapsed, said), *_) = [(e, " ".join(e["events"])) for e in run.epochs if "collapsed" in str(e["events"])]
    gradients = {label: term["gradient"] for label, term in collapsed["terms"].items()}
    assert max(gradients, key=lambda label: gradients[label]) == "dir"
    assert f"the weight of dir, {gradients['dir'] / sum(gradients.values()):.0%} of the gradient, is halved" in said
    after = run.epochs[collapsed["epoch"]]
    assert after["terms"]["dir"]["strength"] == pytest.approx(after["terms"]["ac"]["strength"] / 2)
    assert after["terms"]["ac"]["strength"] <= weight
    assert outcome.status == "finished"


class Breaking:
    """A loss, or its gradient, that is not finite at one step."""

    def __init__(self, step: int, of: Callable[[Any], torch.Tensor]) -> None:
        self.at, self.of, self.seen = step, of, 0

    def __call__(self, step: Any) -> torch.Tensor:
        if step.model.func.__self__.model.training:
            self.seen += 1
        return self.of(step) if self.seen >= self.at else step.raw.square().mean()


def root(step: Any) -> torch.Tensor:
    """Finite, with a slope that is not."""
    return (step.raw - step.raw.detach()).abs().sum().sqrt()


def unlimited(step: Any) -> torch.Tensor:
    """Not finite, with a slope that is."""
    return step.raw.mean() + math.inf


def overflow(step: Any) -> torch.Tensor:
    return step.raw.mean() * math.inf


@pytest.mark.parametrize(("of", "what"), [(root, "gradient"), (overflow, "loss"), (unlimited, "loss")])
@pytest.mark.parametrize("choice", ["stop", "rollback", "continue"])
def test_what_is_not_finite_is_a_collapse_at_its_step_and_blamed_on_its_term(
    choice: str, of: Callable[[Any], torch.Tensor], what: str, variant: Variant, corpus: Corpus, tmp_path: Path
) -> None:
    registry = registry_with("loss", lambda: Breaking(7, of))
    variant = attrs.evolve(variant, loss="mse+dir:0.1+mine:0.5", batch_size=10, epochs=3)  # 6 steps an epoch
    outcome, run, trainer = train(variant, corpus, registry, tmp_path, on_collapse=choice)
    said = events(run.epochs)[2]
    assert said[0] == f"collapsed at epoch 2: the {what} is not finite at step 1 (mine)"
    assert run.epochs[1]["steps"] == 1
    if choice == "stop":
        assert (outcome.status, outcome.reason, len(run.epochs)) == ("collapsed", said[0], 2)
    if choice == "rollback":
        assert said[1] == "back to the weights of epoch 1; the weight of mine, 100% of the gradient, is halved to 0.25"
        assert trainer.remedy.eased["mine"] < 1
    if choice == "continue":
        assert outcome.status == "finished"
        assert len(run.epochs) == 3
    assert all(tensor.isfinite().all() for tensor in trainer.model.state_dict().values())


def test_where_the_first_term_is_to_blame_the_learning_rate_is_halved(
    variant: Variant, corpus: Corpus, tmp_path: Path
) -> None:
    for loss in ("mine", "mine+dir:0.1"):
        registry = registry_with("loss", lambda: Breaking(7, overflow))
        changed = attrs.evolve(variant, loss=loss, batch_size=10, epochs=3)
        _, run, trainer = train(changed, corpus, registry, tmp_path, on_collapse="rollback")
        assert events(run.epochs)[2][1] == "back to the weights of epoch 1; the learning rate is halved to 0.0015"
        assert run.epochs[2]["lr"] == pytest.approx(run.epochs[1]["lr"] / 2)
        assert trainer.remedy.eased == {}


def test_a_collapse_before_any_best_epoch_goes_on_from_where_it_is(
    variant: Variant, corpus: Corpus, tmp_path: Path
) -> None:
    registry = registry_with("loss", lambda: Breaking(2, overflow))
    changed = attrs.evolve(variant, loss="mse+mine:0.5", epochs=6)
    outcome, run, _ = train(changed, corpus, registry, tmp_path, on_collapse="rollback")
    assert events(run.epochs)[1][1] == "the weight of mine, 100% of the gradient, is halved to 0.25"
    assert (outcome.status, len(run.epochs)) == ("collapsed", ROLLBACKS + 1)
    assert outcome.model is None


@pytest.mark.parametrize(
    ("terms", "guilty"),
    [
        ({"mse": 1.0}, ("", 0.0)),
        ({"mse": 8.0, "dir": 2.0}, ("dir", 0.2)),
        ({"mse": 9.0, "dir": 0.9, "ac": 0.1}, ("", 0.0)),
        ({"mse": 2.0, "dir": 8.0}, ("dir", 0.8)),
        ({"mse": 1.0, "dir": 2.0, "ac": 5.0}, ("ac", 5 / 8)),
        ({"mse": 1.0, "dir": math.inf, "ac": 5.0}, ("dir", 1.0)),
        ({"mse": 1.0, "dir": 9.0, "ac": math.nan}, ("ac", 1.0)),
        ({"mse": 1.0, "dir": 9.0, "ac": None}, ("ac", 1.0)),
        ({"mse": math.nan, "dir": 1.0}, ("", 0.0)),
        ({"mse": math.nan, "dir": math.inf}, ("", 0.0)),
    ],
)
def test_who_is_to_blame(terms: dict[str, float | None], guilty: tuple[str, float]) -> None:
    found = to_blame({label: {"gradient": norm, "raw": 0.1, "strength": 1.0} for label, norm in terms.items()})
    assert found == (guilty[0], pytest.approx(guilty[1]))


def test_a_loss_that_is_not_finite_is_to_blame_whatever_its_gradient() -> None:
    finite, broken = {"gradient": 5.0, "raw": 0.1}, {"gradient": 0.1, "raw": math.nan}
    assert to_blame({"mse": finite, "dir": finite, "ac": broken})[0] == "ac"
    assert to_blame({"mse": broken, "dir": finite})[0] == ""


def test_a_remedy_is_kept_with_the_state() -> None:
    remedy, other = Remedy(), Remedy()
    remedy.ease({"mse": {"gradient": 1.0, "raw": 0.1}, "dir": {"gradient": 3.0, "raw": 0.1, "strength": 0.5}})
    other.load_state_dict(remedy.state_dict())
    assert (other.count, other.eased, other.left) == (1, {"dir": 0.5}, True)


def test_a_run_that_went_back_is_resumed_alike(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopper = Stopper(monkeypatch)
    variant = ruinous(variant, epochs=7)
    _, whole, trainer = train(variant, corpus, registry, tmp_path, listener=lambda _: stopper, on_collapse="rollback")
    assert trainer.remedy.count >= 2
    for seed in range(3):
        resumed = stopped_and_resumed(
            variant, corpus, registry, tmp_path, stopper, stopper.done, seed=seed, on_collapse="rollback"
        )
        require_equal(resumed, whole)
