"""What a protocol promises."""

from __future__ import annotations

from lvmcore.evaluation.checks import Check, declared_of, shape_fault
from lvmcore.evaluation.document import measured
from lvmcore.evaluation.figures import estimates
from lvmcore.evaluation.measurement import Predictor, columns_of, statistics_of
from lvmcore.evaluation.protocols import Protocol
from lvmcore.testing.material import CONTEXT, corpus
from lvmcore.testing.promises import Subject, expect, promise


def checks(protocol: Protocol) -> list[Check]:
    return [Check(test, CONTEXT) for test in protocol.tests]


@promise("protocol")
def is_a_protocol(subject: Subject) -> None:
    """It builds a `Protocol`, whose tests have the shape of checks and a letter each."""
    for text, made in subject.settings():
        given = made.build()
        expect(isinstance(given, Protocol), f"it built a {type(given).__name__}{text}")
        for test in given.tests:
            expect(not shape_fault(test, CONTEXT), f"{shape_fault(test, CONTEXT)}{text}")
        letters = [test.letter for test in given.tests]
        expect(len(set(letters)) == len(letters), f"two tests have one letter: {', '.join(letters)}{text}")


@promise("protocol")
def figures_do_not_depend_on_the_batch(subject: Subject) -> None:
    """Every figure is that of its windows, however they are batched; but for ranks, where it declares `rounding`."""
    windows = corpus().windows("val", CONTEXT)
    predictor = Predictor("mean", lambda context, target: context.mean(1))
    protocol = subject.make().build()
    found = []
    for size in (len(windows), 3, 3):
        tests = checks(protocol)
        statistics = statistics_of(columns_of(predictor, windows, tests, batch_size=size), windows)
        found.append({key: one.value for key, one in estimates(measured({"val": statistics}, tests))})
    if getattr(subject.component, "rounding", False):  # rounding decides its ranks, and a batch may change that
        found = [{key: value for key, value in one.items() if ".B." not in key} for one in found]
    for other in found[1:]:
        apart = [
            k
            for k, v in found[0].items()
            if (v is None) is not (other[k] is None) or abs((v or 0) - (other[k] or 0)) > 1e-5
        ]
        expect(not apart, f"these depend on the batch or on the call: {', '.join(apart)}")


@promise("protocol")
def the_figures_of_the_records_are_there(subject: Subject) -> None:
    """It has the figures that the comparison of runs shows: cosine, margin, R@1 and R@5."""
    keys = {one.figure.key for one in declared_of(checks(subject.make().build())).values()}
    lacking = {"val_cos", "margin", "r1", "r5"} - keys
    expect(not lacking, f"it lacks: {', '.join(sorted(lacking))}")
