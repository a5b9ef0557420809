"""bounded_lease_seconds: the length of a lease can be reckoned with, whatever is written."""

from __future__ import annotations

from math import inf, nan

import pytest

from flowledger.engine.config.setting_value_types import LONGEST_SECONDS
from support.sql_calls import Connection, call


@pytest.mark.parametrize(
    ("written", "bounded"),
    [
        (0.0, 0.0),
        (2.5, 2.5),
        (86_400.0, 86_400.0),
        (-3.0, 0.0),
        (-inf, 0.0),
        (1e300, LONGEST_SECONDS),
        (inf, LONGEST_SECONDS),
        (nan, 60.0),
        (None, 60.0),
    ],
)
def test_it_is_bounded(connection: Connection, written: float | None, bounded: float) -> None:
    assert call(connection, "bounded_lease_seconds", written) == [bounded]
