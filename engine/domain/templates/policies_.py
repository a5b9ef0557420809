"""How much of a kind may happen at once, or in a time: limits that a template declares."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from flowledger.engine.domain.templates.declared import Declared
from flowledger.engine.domain.templates.policies import LONGEST_SECONDS

Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,7}$")]
"""A path into the task's context, such as `customer_id` or `order.customer`."""

AtMost = Annotated[int, Field(strict=True, ge=1, lt=2**31)]


class Concurrency(Declared):
    """At most `limit` steps queued or running at once: of each value of `key`, or of all."""

    limit: AtMost
    key: Key | None = None


class Rate(Declared):
    """At most `limit` steps queued in `per_seconds`: of each value of `key`, or of all.

    They go at even distances of `per_seconds / limit`. After a quiet time `burst` of them may go at
    once; in `per_seconds` it may then be `burst` less one more than `limit`.
    """

    limit: AtMost
    per_seconds: float = Field(strict=True, gt=0, le=LONGEST_SECONDS, allow_inf_nan=False)
    key: Key | None = None
    burst: AtMost = 1
