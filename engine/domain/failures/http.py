"""What the response of an HTTP service means for a step: its status and its `Retry-After` header.

The header is that of RFC 9110, section 10.2.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType

from flowledger.engine.domain.max_duration import LONGEST_SECONDS
from flowledger.engine.events.step import Category

SUCCESSES = range(200, 227)
FAILURES = range(300, 600)
SERVER_ERRORS = range(500, 600)

STATUSES: Mapping[int, tuple[Category, bool]] = MappingProxyType(
    {
        400: ("validation", False),
        401: ("permanent", False),
        403: ("permanent", False),
        404: ("permanent", False),
        405: ("permanent", False),
        406: ("permanent", False),
        408: ("timeout", True),
        410: ("permanent", False),
        422: ("validation", False),
        429: ("rate_limit", True),
        500: ("unavailable", True),
        502: ("unavailable", True),
        503: ("unavailable", True),
        504: ("timeout", True),
    }
)
"""Category, and whether another attempt may help."""

# Fractions are not in the standard, and sent all the same.
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")


def status_category(status: int) -> tuple[Category, bool]:
    """The meaning of a status that is no success: by the table, else by its hundred."""
    other: tuple[Category, bool] = (
        ("unavailable", True) if status in SERVER_ERRORS else ("permanent", False)
    )
    return STATUSES.get(status, other)


def retry_after_seconds(header: str | None, now: datetime | None) -> float | None:
    """Seconds from `now` that the header asks for: a number, or a date in any of HTTP's forms.

    0 for a date in the past; None where there is no header, or none that can be read, or a date
    and no `now`.
    """
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_SECONDS)
    date = http_date(text)
    if date is None or now is None:
        return None
    return min(max((date - now).total_seconds(), 0.0), LONGEST_SECONDS)


def http_date(text: str) -> datetime | None:
    """A date of HTTP, aware and in UTC where it names no zone; None where it is none."""
    try:
        date = parsedate_to_datetime(text)
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
