"""Settings of an inspection: what is wrong with them is said."""

from __future__ import annotations

import pytest

from lvmcore.errors import LvmError
from lvmcore.inspection.plan import Plan


@pytest.mark.parametrize(
    "settings", [{"split": "train"}, {"windows": 0}, {"near": 1.5}, {"near": 0}, {"context": 0}, {"windws": 3}], ids=str
)
def test_a_setting_out_of_range_is_named(settings: dict[str, object]) -> None:
    with pytest.raises(LvmError, match=next(iter(settings))):
        Plan.of(**settings)
