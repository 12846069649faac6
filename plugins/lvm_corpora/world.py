"""A planted world: synthetic articles whose forward signal is known, to test the evaluator with."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import attrs
import numpy as np
import torch
from attrs.validators import and_, ge, le, optional
from torch import Tensor

from lvmcore import Corpus, CorpusInfo, component, option

LAGS, WEIGHT = 5, 0.4
"""The lags that move the state, and w_j, the same for each: none of the five rows can be left out."""
SUBSPACE = 16
"""Dimensions that all topics share; drawn freely in D dimensions they could not be learnt."""
BURN_IN = 40
LAW, TOPICS, DRIFT, NOISE = range(4)
"""One stream of random numbers each, so that an option changes nothing else than what it names."""


@component
class World:
    """Articles with a topic each, and a latent state that five lags of itself move forward, seen through noise.

    z_{t+1} = normalise(Σ_j w_j R_j z_{t−j} + drift), x_t = normalise(topic·τ + signal·E z_t + noise). An average of
    the context is the tempting answer; what comes next can be known to `signal` alone. OOD articles have their
    topics in the half of the topics' subspace that training never sees.
    """

    worlds: ClassVar[dict[str, str]] = {
        "signal": "articles=200,seed=1",
        "silent": "articles=200,seed=1,signal=0",
        "reversed": "articles=200,seed=1,reverse=true",
        "small": "articles=20,length=24,seed=1",
    }
    """What the evaluator is put to the test with: lvm check --evaluator."""

    signal: float = option(default=0.68, help="length of what the past foretells", validator=and_(ge(0), le(1)))
    topic: float = option(default=0.7, help="length of what an article's rows share", validator=and_(ge(0), le(1)))
    noise: float | None = option(
        default=None,
        help="length of the noise of a row; none: what topic and signal leave of 1",
        validator=optional(ge(0)),
    )
    drift: float = option(default=0.5, help="length of the noise that moves the latent state", validator=ge(0))
    latent: int = option(default=64, help="dimensions of the latent state", validator=ge(1))
    dim: int = option(default=384, help="dimensions D of a row", validator=ge(2))
    articles: int = option(default=400, help="articles: 8 of 10 for train, 1 for val, 1 for ood", validator=ge(10))
    length: int = option(default=60, help="rows of an article", validator=ge(6))
    reverse: bool = option(default=False, help="write every article from its last row to its first")
    fold: bool = option(default=False, help="a step that maps several states to one: more than a matrix can know")
    seed: int = option(default=0, help="another seed, another world: rotations, topics and noise", validator=ge(0))

    def __attrs_post_init__(self) -> None:
        if self.latent + SUBSPACE > self.dim:
            raise ValueError(f"latent={self.latent} and {SUBSPACE} dimensions of topics do not fit in dim={self.dim}")
        if self.noise is None and self.topic**2 + self.signal**2 > 1:
            raise ValueError(
                f"topic={self.topic} and signal={self.signal} leave nothing of 1; shorten one, or say noise"
            )
        if self.topic == self.signal == self.noise == 0:
            raise ValueError("topic, signal and noise are all 0, and so would be the rows")

    @property
    def expression(self) -> str:
        """`world,signal=0.3,seed=1`: the options that differ from their defaults."""
        given = {field.name: getattr(self, field.name) for field in attrs.fields(World)}  # pyright: ignore
        changed = {field.name for field in attrs.fields(World) if given[field.name] != field.default}  # pyright: ignore
        return "".join(["world", *(f",{name}={str(given[name]).lower()}" for name in given if name in changed)])

    def build(self) -> WorldCorpus:
        splits = np.array([(0, 0, 0, 0, 1, 0, 0, 0, 0, 2)[i % 10] for i in range(self.articles)], np.uint8)
        topic_basis, embedding, rotations = self._law()
        pushes = self._draw(DRIFT, BURN_IN + self.length, self.articles, self.latent)
        topics = self._draw(TOPICS, self.articles, SUBSPACE)
        topics[:, 0] = np.where(splits == 2, 1, -1) * np.abs(topics[:, 0])
        rows = (
            self.topic * (_unit(topics) @ topic_basis.T)[:, None]
            + self.signal * self._states(rotations, pushes) @ embedding.T
            + self._noise * self._draw(NOISE, self.articles, self.length, self.dim)
        )
        rows = _unit(rows[:, ::-1] if self.reverse else rows)
        info = CorpusInfo(
            name=self.expression,
            encoder="none: a planted world",
            chunking=f"{self.articles} articles of {self.length} rows",
            licence="CC0-1.0",
            source="drawn at random by lvm's corpus `world`",
        )
        # a last bit that differs from machine to machine in float64 does not show in float16
        vectors = torch.from_numpy(rows.reshape(-1, self.dim).astype(np.float16))
        starts = torch.arange(self.articles + 1) * self.length
        return WorldCorpus(self, vectors, starts, torch.from_numpy(splits), info)

    def predictor(self) -> Callable[[Tensor], Tensor]:
        """The predictor that knows this world's dynamics, forwards even where the articles are reversed.

        Contexts (B, C ≥ 5, D) → predictions (B, D). Topic and states are estimated from the rows by what is known
        of their variances, the states take one step, and the expected next row is put together.
        """
        topic_basis, embedding, rotations = map(torch.from_numpy, self._law())
        noise = self._noise**2 / self.dim
        trust = self.signal / (self.signal**2 + noise * self.latent or 1)
        doubt = self.drift**2 + LAGS * WEIGHT**2 * (1 - trust * self.signal)

        def predict(rows: Tensor) -> Tensor:
            context = rows.double() * (self.topic**2 + self.signal**2 + self._noise**2) ** 0.5
            share = self.topic / (self.topic**2 + noise * SUBSPACE / context.shape[1] or 1)
            topic = share * context.mean(1) @ topic_basis  # (B, 16)
            states = trust * context[:, -LAGS:].flip(1) @ embedding  # (B, 5, latent), the newest first
            state = WEIGHT * torch.einsum("jab,njb->na", rotations, states)
            state = torch.from_numpy(self._fold(state.numpy()))
            state = state / (state.square().sum(1, keepdim=True) + doubt).sqrt()
            return (self.topic * topic @ topic_basis.T + self.signal * state @ embedding.T).to(rows.dtype)

        return predict

    @property
    def _noise(self) -> float:
        return max(0.0, 1 - self.topic**2 - self.signal**2) ** 0.5 if self.noise is None else self.noise

    def _draw(self, stream: int, *shape: int) -> np.ndarray:
        """Normal numbers such that the last axis has an expected squared length of 1."""
        return np.random.default_rng([self.seed, stream]).standard_normal(shape) / shape[-1] ** 0.5

    def _law(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Bases of the topics (D, 16) and of the states (D, latent), at right angles, and R_j (5, latent, latent)."""
        random = np.random.default_rng([self.seed, LAW])
        basis = _orthonormal(random.standard_normal((self.dim, SUBSPACE + self.latent)))
        rotations = _orthonormal(random.standard_normal((LAGS, self.latent, self.latent)))
        return basis[:, :SUBSPACE], basis[:, SUBSPACE:], rotations

    def _states(self, rotations: np.ndarray, pushes: np.ndarray) -> np.ndarray:
        """z (articles, steps − burn-in, latent), pushed about by pushes (steps, articles, latent)."""
        states = list(_unit(pushes[:LAGS]))
        for push in pushes[LAGS:]:
            step = sum(WEIGHT * states[-j] @ rotation.T for j, rotation in enumerate(rotations, 1))
            state = _unit(self._fold(np.asarray(step)) + self.drift * push)
            # a fold doubles differences from step to step, and the last bit differs from machine to machine
            states.append(state.round(6))
        return np.stack(states[BURN_IN:], 1)

    def _fold(self, state: np.ndarray) -> np.ndarray:
        """With `fold`, a channel above 0 is doubled and one below 0 turned about: two states become one."""
        if not self.fold:
            return state
        folded = np.where(state > 0, 2 * state, -state)
        return folded - folded.mean(-1, keepdims=True)


class WorldCorpus(Corpus):
    """The rows of a world, and the world itself for the predictor that knows its law."""

    def __init__(self, world: World, vectors: Tensor, starts: Tensor, splits: Tensor, info: CorpusInfo) -> None:
        super().__init__(vectors, starts, splits, info)
        self.world = world


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def _orthonormal(columns: np.ndarray) -> np.ndarray:
    """The columns made orthonormal; the signs are fixed, which LAPACK leaves open."""
    basis, triangle = np.linalg.qr(columns)
    return basis * np.sign(np.diagonal(triangle, axis1=-2, axis2=-1))[..., None, :]
