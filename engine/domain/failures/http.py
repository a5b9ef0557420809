"""What a service's `Retry-After` header asks for (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from flowledger.engine.domain.templates.policies import LONGEST_SECONDS

# Fractions are not in the standard, and sent all the same.
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")


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
