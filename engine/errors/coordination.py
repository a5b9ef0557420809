"""What a coordinator cannot go on with."""

from __future__ import annotations

from flowledger.engine.errors.base import EngineError


class PositionBehindLog(EngineError):
    """The position of a shard is before facts that were decided on; nothing is decided until then.

    Somebody changed the row, or a part of the database was restored. `shard` is its number,
    `position` the one that it has, and `decided` the last fact that the log has a decision on.
    """

    def __init__(self, shard: int, position: int, decided: int) -> None:
        super().__init__(
            f"the position of shard {shard} in flowledger.shard is {position}, and the log has"
            f" decisions on facts up to {decided}: look with `flowledger verify --all`, and set it"
            " right with `flowledger repair --all`"
        )
        self.shard = shard
        self.position = position
        self.decided = decided
