"""The cursor for a projection's methods, restricted to the projection's schema."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Self

from psycopg.abc import Params
from psycopg.pq.abc import PGconn
from psycopg.rows import TupleRow, tuple_row

from flowledger.engine.errors import ProjectionLeft
from flowledger.engine.store.connection.restricted import (
    ENDS,
    SPACE,
    RestrictedConnection,
    RestrictedCursor,
)

LEAVES = re.compile(
    rf"{SPACE}*(?:set{SPACE}+(?:(?:local|session){SPACE}+)?(?:role|session{SPACE}+authorization)"
    rf"|reset{SPACE}+(?:role|all|session{SPACE}+authorization)|discard)\b",
    re.IGNORECASE | re.DOTALL,
)
READ_ONLY = "select current_setting('transaction_read_only')::boolean"


class Cursor(RestrictedCursor[TupleRow]):
    """A psycopg cursor in the host's transaction, with the search path of the projection.

    Raises ProjectionLeft for the end of the transaction, or another role.

    `position` and `recorded_at` are the place in the log of the event at hand, and when it was
    recorded; for a batch, those of its last event.
    """

    position: int = 0
    recorded_at: datetime | None = None

    def execute(
        self,
        query: Any,
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Self:
        """As psycopg's. Raises ProjectionLeft for the end of the transaction, or another role."""
        if params is None and prepare is None and _is_lent(self.connection):
            prepare = True  # of a text with several statements the last might be a commit
        return super().execute(query, params, prepare=prepare, binary=binary)


class HostConnection(RestrictedConnection):
    """A connection whose transaction cannot be ended while it is lent to a projection."""

    def __init__(self, pgconn: PGconn) -> None:
        super().__init__(pgconn, tuple_row)
        self.cursor_factory = Cursor  # whichever cursor a projection makes of it is one of these

    def refusal(self, words: str, lent_to: str) -> Exception | None:
        """ProjectionLeft for a statement by which a projection would leave its place."""
        return ProjectionLeft(lent_to) if ENDS.match(words) or LEAVES.match(words) else None

    def is_read_only(self) -> bool:
        """Whether its transactions are, and may be for as long as it is open; asks the server."""
        ((answer,),) = self.execute(READ_ONLY, prepare=False).fetchall()
        return bool(answer)

    @contextmanager
    def lend(self, projection: str) -> Generator[Cursor]:
        """Within the block, a cursor for the projection's methods."""
        self.lent_to = projection
        try:
            with Cursor(self) as cursor:
                yield cursor
        finally:
            self.lent_to = None


def _is_lent(connection: object) -> bool:
    return isinstance(connection, HostConnection) and connection.lent_to is not None
