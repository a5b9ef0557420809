"""Exceptions that a handler raises to say what its failure means.

Any other exception is sorted by the engine's classifier (`flowledger.handlers.classify`). Give an
application's own errors a base from here, and they are understood everywhere.
"""

from __future__ import annotations

from typing import ClassVar

from flowledger.engine.domain.failures.classification import StepFault
from flowledger.engine.events.step import Category

__all__ = [
    "AuthenticationFault",
    "AuthorizationFault",
    "BusinessFault",
    "ConfigurationFault",
    "ContentionFault",
    "NetworkFault",
    "NotFoundFault",
    "PermanentFault",
    "RateLimitFault",
    "RetryableFault",
    "StepFault",
    "TimeoutFault",
    "UnavailableFault",
    "ValidationFault",
]


class PermanentFault(StepFault):
    """Another attempt would fail as this one did: the step ends in error."""

    category: ClassVar[Category] = "permanent"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str = "") -> None:
        super().__init__(message)


class ValidationFault(PermanentFault):
    """The input is not what the step or a service can work with."""

    category: ClassVar[Category] = "validation"


class NotFoundFault(PermanentFault):
    """What the step was to work on does not exist, or not any more."""


class AuthenticationFault(PermanentFault):
    """A service does not know who asks: credentials are missing, wrong or expired."""


class AuthorizationFault(PermanentFault):
    """A service knows who asks, and does not allow it."""


class ConfigurationFault(PermanentFault):
    """The step or the process is set up wrongly; an operator must change something."""

    category: ClassVar[Category] = "configuration"


class BusinessFault(PermanentFault):
    """A rule of the application says no: the card was declined, the shop is closed."""

    category: ClassVar[Category] = "business"


class RetryableFault(StepFault):
    """Another attempt may succeed, after `retry_after` (a duration, or seconds) at the earliest."""

    category: ClassVar[Category] = "transient"


class TimeoutFault(RetryableFault):
    """Something did not answer in time; it may have done the work all the same."""

    category: ClassVar[Category] = "timeout"


class NetworkFault(RetryableFault):
    """Something could not be reached, or the connection broke."""

    category: ClassVar[Category] = "network"


class RateLimitFault(RetryableFault):
    """A service asks for fewer requests."""

    category: ClassVar[Category] = "rate_limit"


class UnavailableFault(RetryableFault):
    """A service is down, overloaded or failed by itself."""

    category: ClassVar[Category] = "unavailable"


class ContentionFault(RetryableFault):
    """Someone else holds what the step needs: a lock, a row, a slot."""
