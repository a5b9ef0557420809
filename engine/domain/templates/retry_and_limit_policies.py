"""The policies of a template: retries, concurrency limits, rate limits and fairness.

The delay before a retry is a pure function of the policy, the number of failures and one random
number.
"""

from __future__ import annotations

from typing import Annotated, Literal, assert_never

from pydantic import AfterValidator, Field

from flowledger.engine.domain.max_duration import LONGEST_SECONDS
from flowledger.engine.domain.templates.base_model import Declared
from flowledger.engine.events.step import Category

Seconds = Annotated[float, Field(strict=True, ge=0, le=LONGEST_SECONDS, allow_inf_nan=False)]
Categories = Annotated[tuple[Category, ...], Field(min_length=1)]

Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,7}$")]
"""A path into the task's context, such as `customer_id` or `order.customer`."""

AtMost = Annotated[int, Field(strict=True, ge=1, lt=2**31)]


def _in_one_order(categories: tuple[Category, ...] | None) -> tuple[Category, ...] | None:
    """Sorted and once each, so that two spellings of one policy are one definition."""
    return None if categories is None else tuple(sorted(set(categories)))


class Retry(Declared):
    """How often a step is executed, after which failures, and how long to wait after each.

    `max_attempts` counts all executions, the first included; with 0 the step never executes.
    `categories` names the failures that are tried again; without it, every retryable one is. The
    policy's own delays are in seconds and never above `cap_seconds`; a longer one that a
    service asked for is waited for up to `asked_cap_seconds`.
    """

    max_attempts: int = Field(default=3, strict=True, ge=0, lt=2**31)
    backoff: Literal["none", "fixed", "linear", "exponential", "fibonacci"] = "exponential"
    base_seconds: Seconds = 1.0
    factor: float = Field(default=2.0, strict=True, ge=1, le=1e6, allow_inf_nan=False)
    cap_seconds: Seconds = 60.0
    jitter: Literal["none", "equal", "full"] = "full"
    categories: Annotated[Categories | None, AfterValidator(_in_one_order)] = None
    asked_cap_seconds: Seconds = 3600.0

    def retries(self, category: Category, *, retryable: bool = True) -> bool:
        """Whether a failure of that kind is tried again, as long as attempts are left."""
        return retryable and (self.categories is None or category in self.categories)

    def delay(self, failures: int, random: float, asked: float | None = None) -> float:
        """Seconds to wait after the `failures`-th failure (from 1), given a random in [0, 1).

        `asked` is how many seconds a service asked for: never earlier than that, within the cap.
        """
        own = self._jittered(self._longest(failures), random)
        return own if asked is None else max(own, min(asked, self.asked_cap_seconds))

    def _jittered(self, longest: float, random: float) -> float:
        match self.jitter:
            case "none":
                return longest
            case "equal":
                return longest / 2 + longest / 2 * random
            case "full":
                return longest * random
            case _:
                assert_never(self.jitter)

    def _longest(self, failures: int) -> float:
        if failures < 1:
            raise ValueError(f"failures are counted from 1, got {failures}")
        match self.backoff:
            case "none":
                return 0.0
            case "fixed":
                return min(self.base_seconds, self.cap_seconds)
            case "linear":
                return min(self.base_seconds * min(failures, 2**53), self.cap_seconds)
            case "exponential":
                return self._exponential(failures)
            case "fibonacci":
                return self._fibonacci(failures)
            case _:
                assert_never(self.backoff)

    def _exponential(self, failures: int) -> float:
        try:
            growth = self.factor ** min(failures - 1, 2**53)
        except OverflowError:
            return self.cap_seconds if self.base_seconds else 0.0
        return min(self.base_seconds * growth, self.cap_seconds)

    def _fibonacci(self, failures: int) -> float:
        if self.base_seconds == 0:
            return 0.0
        current = following = self.base_seconds
        for _ in range(failures - 1):
            if current >= self.cap_seconds:
                break
            current, following = following, current + following
        return min(current, self.cap_seconds)


class Concurrency(Declared):
    """At most `limit` steps queued or running at once: of each value of `key`, or of all."""

    limit: AtMost
    key: Key | None = None


class Fairness(Declared):
    """Tasks with different values at `key` take turns to begin, and to go under a limit."""

    key: Key


class Rate(Declared):
    """At most `limit` steps queued in `per_seconds`: of each value of `key`, or of all.

    They go at even distances of `per_seconds / limit`. After a quiet time `burst` of them may go at
    once; in `per_seconds` it may then be `burst` less one more than `limit`.
    """

    limit: AtMost
    per_seconds: float = Field(strict=True, gt=0, le=LONGEST_SECONDS, allow_inf_nan=False)
    key: Key | None = None
    burst: AtMost = 1
