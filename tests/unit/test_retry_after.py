"""Reading a service's wish: `Retry-After` in each of its forms."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flowledger.engine.domain.failures.http import retry_after_seconds
from flowledger.engine.domain.max_duration import LONGEST_SECONDS

NOW = datetime(1994, 11, 6, 8, 49, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("9" * 5_000, LONGEST_SECONDS),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 37),
        ("sun, 06 nov 1994 08:49:37 gmt", 37),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 37),
        ("Sun Nov  6 08:49:37 1994", 37),
        ("Sun, 06 Nov 1994 09:49:37 +0100", 37),
        ("Sun, 06 Nov 1994 08:48:00 GMT", 0),
        ("Fri, 01 Jan 9999 00:00:00 GMT", LONGEST_SECONDS),
    ],
    ids=lambda value: str(value)[:32],
)
def test_a_wish_that_can_be_read(header: str, seconds: float) -> None:
    assert retry_after_seconds(header, NOW) == seconds


@pytest.mark.parametrize(
    "header",
    [
        None, "", "soon", "-1", "1e5", "٣", "inf", "nan", "5 apples", "0x10",
        "Sun, 99 Nov 1994 08:49:37 GMT", "Fri, 31 Dec 9999 23:59:59 -0100",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_no_wish(header: str | None) -> None:
    assert retry_after_seconds(header, NOW) is None


def test_a_date_needs_a_time_to_measure_from() -> None:
    assert retry_after_seconds("Sun, 06 Nov 1994 08:49:37 GMT", None) is None
    assert retry_after_seconds("37", None) == 37
