"""Whatever a service sends as `Retry-After`, nothing is raised, and what is read is bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st

from flowledger.engine.domain.failures.http import retry_after_seconds
from flowledger.engine.domain.max_duration import LONGEST_SECONDS

TIMES = st.datetimes(
    min_value=datetime(1971, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
    max_value=datetime(2300, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
WORDS = st.sampled_from(
    ["Sun,", "06", "Nov", "1994", "08:49:37", "GMT", "-0000", "+9999", "25:61:61", "-", ":", ","]
)


@given(st.text() | st.lists(WORDS).map(" ".join), TIMES)
def test_any_text_is_read_or_ignored(header: str, now: datetime) -> None:
    seconds = retry_after_seconds(header, now)

    assert seconds is None or 0 <= seconds <= LONGEST_SECONDS


@given(TIMES, st.integers(-(10**6), 10**8))
def test_a_date_is_read_as_the_time_until_then(now: datetime, distance: int) -> None:
    second = now.replace(microsecond=0)
    date = format_datetime(second + timedelta(seconds=distance), usegmt=True)

    for spelling in (date, date.lower(), date.upper()):
        assert retry_after_seconds(spelling, second) == max(distance, 0)


@given(st.integers(0, 10**20), TIMES)
def test_a_number_is_read_as_seconds(seconds: int, now: datetime) -> None:
    assert retry_after_seconds(str(seconds), now) == min(float(seconds), LONGEST_SECONDS)
