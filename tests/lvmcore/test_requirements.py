"""Requirements of the core are read as pip reads them."""

from __future__ import annotations

from importlib.metadata import Distribution, version

import pytest

from lvmcore import requirements
from lvmcore.requirements import unmet


class Stated(Distribution):
    """A distribution that requires these."""

    def __init__(self, *requires: str) -> None:
        self.stated = list(requires)

    @property
    def requires(self) -> list[str]:
        return self.stated

    def read_text(self, filename: str) -> None:
        return None

    def locate_file(self, path: object) -> None:
        return None


@pytest.mark.parametrize(
    ("requires", "met"),
    [
        ((), True),
        (("lvmcore",), True),
        (("lvmcore>=0.1,<1", "numpy>=99"), True),
        (("LVMcore >= 99",), False),
        (("lvmcore[encode]>=99",), False),
        (("lvmcore (<0.1)",), False),
        (("lvmcore>=99; extra == 'new'",), True),
        (("lvmcore-extra>=99",), True),
        (("lvmcore @ file:///somewhere",), True),
        (("lvmcore>=99.0rc1",), False),
        (("LVM_core>=99",), True),
        (("lvmcore ~~ 99", "lvmcore>=", "!"), True),  # no requirement at all: it is not for us to say so
        (("lvmcore ~~ 99", "lvmcore>=99"), False),
    ],
)
def test_only_what_is_asked_of_the_core_counts(requires: tuple[str, ...], met: bool) -> None:
    reason = unmet(Stated(*requires), "lvmcore")
    assert (reason == "") is met
    assert met or version("lvmcore") in reason


@pytest.mark.parametrize(
    ("own", "rules", "met"),
    [
        ("0.3.0rc1", ">=0.2", True),
        ("0.3.0.dev4+g12ab", ">=0.2,<1", True),
        ("0.2.0rc1", ">=0.2", False),  # it comes before 0.2
        ("0.2.5", "~=0.2.1", True),
        ("0.3.0", "~=0.2.1", False),
        ("0.2.5", "==0.2.*", True),
        ("0.2.5", "!=0.2.5", False),
    ],
)
def test_a_version_of_our_own_before_a_release_counts_as_what_it_is(
    own: str, rules: str, met: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "version", lambda name: own)
    assert (unmet(Stated(f"lvmcore{rules}"), "lvmcore") == "") is met


def test_what_is_needed_is_said_the_lower_end_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "version", lambda name: "0.1.0")
    said = "it needs lvmcore>=99.1,<100, this is lvmcore 0.1.0; pip install 'lvmcore>=99.1,<100'"
    assert unmet(Stated("lvmcore <100, >=99.1"), "lvmcore") == said
