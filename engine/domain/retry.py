"""When a failed step is tried again: a pure function of the policy, the failures and one random."""

from __future__ import annotations

from typing import Annotated, Literal, assert_never

from pydantic import BaseModel, ConfigDict, Field

LONGEST_SECONDS = 10 * 366 * 86_400.0
"""Ten years: what the database's intervals and Python's durations hold without loss."""

Seconds = Annotated[float, Field(strict=True, ge=0, le=LONGEST_SECONDS, allow_inf_nan=False)]


class Retry(BaseModel):
    """How often a step is executed, and how long to wait after each failure.

    `max_attempts` counts all executions, the first included; with 0 the step never executes.
    Delays are in seconds and never above `cap_seconds`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_attempts: int = Field(default=3, strict=True, ge=0, lt=2**31)
    backoff: Literal["none", "fixed", "linear", "exponential", "fibonacci"] = "exponential"
    base_seconds: Seconds = 1.0
    factor: float = Field(default=2.0, strict=True, ge=1, le=1e6, allow_inf_nan=False)
    cap_seconds: Seconds = 60.0
    jitter: Literal["none", "equal", "full"] = "full"

    def delay(self, failures: int, random: float) -> float:
        """Seconds to wait after the `failures`-th failure (from 1), given a random in [0, 1)."""
        longest = self._longest(failures)
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
