"""The errors of projections."""

from __future__ import annotations

from flowledger.engine.errors.base import EngineError


class InvalidProjection(EngineError, ValueError):
    """The definition of a projection cannot work; the sentence names the class and the place."""


class ProjectionBehind(EngineError, TimeoutError):
    """A projection had not come as far as was asked within the time that was given."""

    def __init__(
        self, name: str, reached: int, wanted: int, standing: str, failure: str | None = None
    ) -> None:
        why = standing if failure is None else f"{standing}: {failure}"
        super().__init__(f"projection {name!r} is at position {reached}, before {wanted}: {why}")
        self.name = name
        self.reached = reached
        self.wanted = wanted
        self.standing = standing
        self.failure = failure


class ProjectionLeft(EngineError):
    """The method of a projection ended its transaction, or took another role."""

    def __init__(self, projection: str) -> None:
        super().__init__(
            f"a method of projection {projection!r} ended its transaction or took another role;"
            " the host commits it, with the projection's position"
        )
        self.projection = projection


class ProjectionRefused(EngineError):
    """What was asked of a projection cannot be done; the sentence says why."""


class UnknownProjection(EngineError, LookupError):
    """There is no projection of that name."""


class UnknownRebuild(EngineError, LookupError):
    """A projection has no such rebuild, or has forgotten it with all its rows."""
