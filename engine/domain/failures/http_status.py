"""What the status of an HTTP answer means for a step."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

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


def status_category(status: int) -> tuple[Category, bool]:
    """The meaning of a status that is no success: by the table, else by its hundred."""
    other: tuple[Category, bool] = (
        ("unavailable", True) if status in SERVER_ERRORS else ("permanent", False)
    )
    return STATUSES.get(status, other)
