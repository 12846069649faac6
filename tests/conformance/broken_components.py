"""A plugin of components that each break one promise, so that the kit itself is tested: file plugin, kind by kind."""

from __future__ import annotations

import random
import re
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lvmcore import (
    Article,
    Corpus,
    CorpusInfo,
    EncoderFacts,
    Figure,
    OffsetSweep,
    Protocol,
    component,
    hookimpl,
    option,
)

BREAKS: dict[tuple[str, str], type] = {}
"""(kind, promise) → the component that breaks it."""


def breaks(kind: str, promise: str):
    def add(cls: type) -> type:
        made = component(cls)
        if not cls.__doc__ and promise != "is_documented":
            made.__doc__ = "A component."
        BREAKS[kind, promise] = made
        return made

    return add


# -- what every component keeps


@breaks("component", "is_documented")
class NoHelp:
    size: float = option(default=1.0, help="")

    def build(self):
        return lambda step: step.raw.mean()


@breaks("component", "options_survive_a_checkpoint")
class Forgetful:
    size: float = option(default=1.0, help="a size that is written as another")

    def __attrs_post_init__(self):
        object.__setattr__(self, "size", self.size + 1)

    def build(self):
        return lambda step: step.raw.mean()


@breaks("component", "options_are_its_own")
class OwnWeight:
    weight: float = option(default=1.0, help="what the objective has already")

    def build(self):
        return lambda step: step.raw.mean()


@breaks("component", "name_is_its_own")
class Shadow:
    def build(self):
        return lambda step: step.raw.mean()


# -- architectures


class Linear(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.map = nn.Linear(shape.context * shape.channels, shape.dim)

    def forward(self, context):
        return self.map(context.flatten(1))


def architecture(promise: str, forward=None, init=None):
    """A linear architecture with one fault, in its making or in what it answers."""

    class Module(Linear):
        def __init__(self, shape):
            super().__init__(shape)
            if init:
                init(self, shape)

        def forward(self, context):
            return forward(self, context) if forward else super().forward(context)

    class Faulty:
        def build(self, shape):
            return Module(shape)

    return breaks("architecture", promise)(Faulty)


def answer(self, context):
    return self.map(context.flatten(1))


architecture("prediction_has_the_shape_of_a_row", lambda self, context: answer(self, context)[:, :-1])
architecture("every_parameter_gets_a_gradient", init=lambda self, shape: setattr(self, "idle", nn.Linear(2, 2)))
architecture(
    "same_seed_gives_the_same_weights",
    init=lambda self, shape: nn.init.constant_(self.map.bias, random.SystemRandom().random()),
)
architecture("shapes_are_known_on_meta", init=lambda self, shape: float(self.map.weight.detach().sum()))
architecture("order_of_the_rows_matters", lambda self, context: context.mean(1)[:, : self.map.out_features])
architecture("stays_finite", lambda self, context: answer(self, context) / (context[:, 0] - context[:, 1]).norm())


def hidden_tensor(self, shape):
    self.secret = torch.randn(shape.dim)


architecture(
    "a_saved_model_predicts_the_same_bits", lambda self, context: answer(self, context) + self.secret, hidden_tensor
)
architecture("windows_do_not_see_each_other", lambda self, context: answer(self, context) - context.mean())
architecture(
    "evaluation_is_deterministic_and_leaves_the_context_alone",
    lambda self, context: F.dropout(answer(self, context), 0.5, training=True),
)


def counted(self, context):
    self.calls = getattr(self, "calls", 0) + 1
    return answer(self, context) / self.calls


def fit_aside(self, shape):
    def fit(windows):
        self.count = len(windows)

    self.count, self.fit = 0, fit


architecture("its_memory_can_be_restored", counted)
architecture(
    "what_it_takes_from_the_training_windows_is_kept",
    lambda self, context: answer(self, context) + self.count,
    fit_aside,
)
architecture("training_lowers_the_error", lambda self, context: answer(self, context).detach() + 0 * self.map.bias)


# -- losses


def loss(promise: str, function):
    class Faulty:
        def build(self):
            return function

    return breaks("loss", promise)(Faulty)


def writes(step):
    step.context.mul_(0.5)
    return step.raw.mean()


loss("value_is_a_scalar_with_a_gradient", lambda step: (step.raw - step.target).square())
loss("stays_finite_at_the_edges", lambda step: (step.raw - step.target).norm(dim=-1).log().mean())
loss("gradient_is_the_slope", lambda step: (step.raw * step.raw.detach()).mean())
loss("what_it_sees_stays_as_it_is", writes)
loss("same_seed_gives_the_same_value", lambda step: step.raw.mean() * random.SystemRandom().random())


@breaks("loss", "its_memory_can_be_restored")
class Counting:
    def build(self):
        seen = []

        def counting(step):
            seen.append(step)
            return step.raw.mean() * len(seen)

        return counting


@breaks("loss", "is_least_where_the_prediction_is_the_target")
class Reversed:
    at_target: ClassVar[str] = "least"

    def build(self):
        return lambda step: step.cos_next.mean()


# -- inputs


def encoding(promise: str, forward, **members):
    class Module(nn.Module):
        def forward(self, context, strength):
            return forward(self, context, strength)

    class Faulty:
        strength: float = option(default=0.5, help="how much")

        def build(self, shape):
            return Module()

    return breaks("input", promise)(Faulty)


encoding("rows_keep_their_shape_or_widen", lambda self, context, strength: context[..., :-1])
encoding("does_nothing_at_strength_0", lambda self, context, strength: context * 0.5)
encoding(
    "what_is_random_acts_in_training_only",
    lambda self, context, strength: context + strength * torch.randn_like(context),
)
encoding(
    "same_seed_gives_the_same_rows",
    lambda self, context, strength: context + strength * random.SystemRandom().random(),
)


def drifting(self, context, strength):
    self.calls = getattr(self, "calls", 0) + 1
    return context + strength * self.calls


encoding("its_memory_can_be_restored", drifting)
encoding("a_ramp_is_kept_with_the_weights", lambda self, context, strength: context + strength * random.random())


# -- samplers


def sampler(promise: str, function):
    class Faulty:
        def build(self, windows):
            return lambda epoch, generator: function(windows, epoch, generator)

    return breaks("sampler", promise)(Faulty)


class Restless:
    """An order that is drawn anew by every look at it."""

    def __len__(self):
        return 20

    def __getitem__(self, index):
        return torch.tensor([random.SystemRandom().randrange(50) for _ in range(20)])[index]


sampler("any_part_is_that_of_the_whole", lambda windows, epoch, generator: Restless())
sampler("indices_are_windows", lambda windows, epoch, generator: torch.arange(len(windows) + 1))
sampler(
    "same_seed_and_epoch_give_the_same_windows",
    lambda windows, epoch, generator: torch.tensor([random.SystemRandom().randrange(len(windows)) for _ in range(9)]),
)
sampler("draws_from_its_generator_alone", lambda windows, epoch, generator: torch.randperm(len(windows)))


# -- schedules


def schedule(promise: str, build):
    class Faulty:
        def build(self, optimizer, steps, steps_per_epoch):
            return build(optimizer)

    return breaks("schedule", promise)(Faulty)


class Uneven(torch.optim.lr_scheduler.LRScheduler):
    """Counts for itself, and forgets what it counted."""

    def get_lr(self):
        return [rate * 0.9 ** (len(self.seen) + 1) for rate in self.base_lrs]

    def step(self, epoch=None):
        self.seen = [*getattr(self, "seen", []), 1]
        super().step(epoch)

    def state_dict(self):
        return {}


class Unscheduled:
    def step(self):
        pass


schedule("is_a_scheduler_of_torch", lambda optimizer: Unscheduled())
schedule("rates_stay_usable", lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 3.0**step))
schedule("its_state_can_be_restored", Uneven)


# -- predictors


def predictor(promise: str, function):
    class Faulty:
        def build(self, corpus, context):
            return function

    return breaks("predictor", promise)(Faulty)


predictor("answers_any_context", lambda rows: rows[:, -1] / (rows[:, 0] - rows[:, 1]).norm(dim=-1, keepdim=True))
predictor("the_same_context_gets_the_same_answer", lambda rows: rows[:, -1] - rows.mean(0)[-1])


@breaks("predictor", "is_fit_alike_each_time")
class Unseeded:
    def build(self, corpus, context):
        noise = torch.randn(corpus.dim)
        return lambda rows: rows[:, -1] + noise


# -- corpora


def corpus(promise: str, rows=lambda: torch.ones(30, 4), splits=(0, 1, 2), **info):
    facts = {"name": "broken", "encoder": "none", "licence": "CC0-1.0", "source": "here", **info}

    class Faulty:
        def build(self):
            starts = torch.arange(len(splits) + 1) * 10
            return Corpus(rows(), starts, torch.tensor(splits, dtype=torch.uint8), CorpusInfo(**facts))

    return breaks("corpus", promise)(Faulty)


@breaks("corpus", "is_a_corpus")
class NoCorpus:
    def build(self):
        return SimpleNamespace(starts=torch.arange(2), rows=lambda index: torch.ones(1, 4))


corpus("has_windows_to_train_and_to_evaluate_on", splits=(0, 0, 0))
corpus("says_where_it_comes_from", licence="unknown")
corpus("is_built_alike_each_time", rows=lambda: torch.ones(30, 4) + random.SystemRandom().random() * torch.eye(30, 4))


# -- checks


def check(promise: str, function, its_letter: str = "G"):
    class Faulty:
        letter: ClassVar[str] = its_letter
        title: ClassVar[str] = "faulty"

        def figures(self, context):
            return (Figure("one", help="one"),)

        def build(self):
            return function

    return breaks("check", promise)(Faulty)


check("letter_is_its_own", lambda chunk: {"one": chunk.cos_next}, "A")
check("gives_a_figure_a_window", lambda chunk: {"one": chunk.cos_next.mean()}, "H")
check("figures_do_not_depend_on_the_batch", lambda chunk: {"one": chunk.cos_next - chunk.cos_next.mean()}, "I")


check("figures_are_declared", lambda chunk: {"another": chunk.cos_next}, "J")


# -- optimizers


def optimizer(promise: str, build):
    class Faulty:
        def build(self, parameters, lr, weight_decay):
            return build(list(parameters), lr, weight_decay)

    return breaks("optimizer", promise)(Faulty)


class Amnesiac(torch.optim.SGD):
    def state_dict(self):
        return {**super().state_dict(), "state": {}}


optimizer("is_an_optimizer_of_torch", lambda parameters, lr, decay: SimpleNamespace(param_groups=[{"lr": lr}]))
optimizer("steps_lower_the_error", lambda parameters, lr, decay: torch.optim.SGD(parameters, lr, maximize=True))
optimizer("weight_decay_shrinks_the_weights", lambda parameters, lr, decay: torch.optim.SGD(parameters, lr))
optimizer("its_state_can_be_restored", lambda parameters, lr, decay: Amnesiac(parameters, lr, momentum=0.9))


# -- protocols


def protocol(promise: str, *tests, made=Protocol):
    class Faulty:
        def build(self):
            return made(tests=tests)

    return breaks("protocol", promise)(Faulty)


@component
class Drifting(OffsetSweep):
    def build(self):
        return lambda chunk: {"margin_last": chunk.cos_next * len(chunk.cos_next), "offsets.+1": chunk.cos_next}


protocol("is_a_protocol", made=SimpleNamespace)
protocol("figures_do_not_depend_on_the_batch", Drifting())
protocol("the_figures_of_the_records_are_there", OffsetSweep())


# -- reports


def report(promise: str, function):
    class Faulty:
        def build(self):
            return function

    return breaks("report", promise)(Faulty)


report("shows_every_comparison", lambda comparison: f"{max(row.parameters for row in comparison.rows):.2f}")
report("names_every_model", lambda comparison: "a table\n" * len(comparison.rows))


# -- encoders


def encoder(promise: str, encode=None, build=None, **members):
    """A sound encoder with one fault, in what it says, in what it gives, or in its making."""

    class Encoding:
        dim, truncated = 12, 0
        facts = EncoderFacts("broken", "1", "")

        def tokenizer(self, text):
            return [word.span() for word in re.finditer(r"\w+|[^\w\s]", text)]

        def encode(self, texts):
            return encode(sound(texts)) if encode else sound(texts)

    def sound(texts):
        rows = np.full((len(texts), 12), 0.5, np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.encode("utf-8", "replace").split():
                row[sum(word) % 12] += 1
        return rows

    for name, value in members.items():
        setattr(Encoding, name, value)

    class Faulty:
        def build(self, device, precision):
            return build(Encoding()) if build else Encoding()

    return breaks("encoder", promise)(Faulty)


def noisy(encoding):
    noise = random.SystemRandom().random()
    encode = encoding.encode
    encoding.encode = lambda texts: encode(texts) + np.float32(noise)
    return encoding


encoder("gives_a_row_a_text", lambda rows: rows.astype(np.float64))
encoder("a_text_has_its_row_in_any_company", lambda rows: rows - rows.mean(0))
encoder("is_built_alike_each_time", build=noisy)
encoder("texts_that_say_the_same_are_near", np.ones_like)
encoder("says_which_it_is", facts=EncoderFacts("broken", "1", "md5:1234"))
encoder("tokens_are_spans_of_the_text", tokenizer=lambda self, text: [(0, len(text) + 1)])
encoder("counts_what_it_cuts", truncated=property(lambda self: random.SystemRandom().random()))


# -- readers


def reader(promise: str, read=None, **also):
    """A reader of lines with one fault, in what it declares or in how it reads."""

    def build(self):
        return read or (lambda source: iter([Article(source.name, source.lines())]))

    held = {"suffixes": (".a",), "example": staticmethod(lambda: b"a text\n"), "build": build, **also}
    breaks("reader", promise)(type(promise, (), held))


def unfinished(source):
    """Articles that end where the one before was left."""
    lines = source.lines()
    yield Article("first", lines)
    for i in range(sum(1 for _ in lines)):
        yield Article(str(i), iter(["text"]))


reader("says_which_suffixes_it_reads", suffixes=("a", ".gz"))
reader("reads_its_example", example=staticmethod(lambda: b"\n"))
reader("reads_alike_each_time", unfinished)
reader("anything_is_articles_or_an_error", lambda source: iter([Article("a", [source.open().read().decode()])]))
reader("an_empty_file_gives_no_text", lambda source: iter([Article("a", iter(["text"]))]))

# -- chunkers


def chunker(promise: str, chunks):
    def build(self, tokenizer):
        return chunks

    breaks("chunker", promise)(type(promise, (), {"build": build}))


SEEN: list[str] = []


def remembering(paragraphs):
    SEEN.extend(paragraphs)
    return iter(SEEN[:])


chunker("chunks_are_texts", lambda paragraphs: (f"{text} " for text in paragraphs))
chunker("chunks_are_of_the_text", lambda paragraphs: (text.lower() for text in paragraphs))
chunker("parts_make_no_difference", lambda paragraphs: (text.strip() for text in paragraphs))
chunker("same_text_gives_the_same_chunks", remembering)
chunker("chunks_come_as_a_stream", lambda paragraphs: iter(["".join(paragraphs)]))


def pairs(kind: str):
    own = [(promise, cls) for (of, promise), cls in BREAKS.items() if of == kind]
    return [("mse" if promise == "name_is_its_own" else promise, cls) for promise, cls in own]


@hookimpl
def lvm_architectures():
    return pairs("architecture")


@hookimpl
def lvm_losses():
    return pairs("loss") + pairs("component")


@hookimpl
def lvm_inputs():
    return pairs("input")


@hookimpl
def lvm_samplers():
    return pairs("sampler")


@hookimpl
def lvm_schedules():
    return pairs("schedule")


@hookimpl
def lvm_predictors():
    return pairs("predictor")


@hookimpl
def lvm_corpora():
    return pairs("corpus")


@hookimpl
def lvm_encoders():
    return pairs("encoder")


@hookimpl
def lvm_readers():
    return pairs("reader")


@hookimpl
def lvm_chunkers():
    return pairs("chunker")


@hookimpl
def lvm_checks():
    return pairs("check")


@hookimpl
def lvm_optimizers():
    return pairs("optimizer")


@hookimpl
def lvm_protocols():
    return pairs("protocol")


@hookimpl
def lvm_reports():
    return pairs("report")


@hookimpl
def lvm_variants():
    return [Path(__file__).with_name("no_such_registry.toml")]
